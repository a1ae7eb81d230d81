//! The GenAI proxy in the running program: its series, and a record of each call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strata_collect::{CollectError, Collector, Harvest, SourceBook};
use strata_model::meter::Meter;
use strata_model::record::{
    CountSource, Door, Onward, Outcome, RecordBatch, RecordSink, RequestRecord, Usage,
};
use strata_model::sink::BoxFuture;
use strata_model::{Clock, Fault, FaultCode, Layer, SourceKind};
use strata_proxy::metrics::Registry;
use strata_proxy::{
    self as proxy, BoundProxy, CallSink, DEFAULT_LISTEN, GenAiCall, ProxyParts, ProxySettings,
    UpstreamHealth, UpstreamOptions,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::cli::ProxyArgs;
use crate::config::Settings;
use crate::content::Content;

/// The row of the proxy among the sources.
const SOURCE: &str = "strata/proxy";
/// How often the series are stored.
const INTERVAL: Duration = Duration::from_secs(15);
/// Calls that wait to be recorded; more are dropped and counted.
const WAITING_MAX: usize = 16_384;
/// Longest time the last records are waited for at the end.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// Records written together.
const TOGETHER: usize = 512;

/// The proxy while it answers.
pub(crate) struct RunningProxy {
    address: SocketAddr,
    /// Ends it when dropped.
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    /// Ends when the last call is recorded.
    recording: Option<JoinHandle<()>>,
    /// Ends when the last captured call is written.
    writing: Option<JoinHandle<()>>,
}

/// Where calls are told, as far as there is somebody: records, and collectors.
type Told = (Option<Arc<dyn RecordSink>>, Option<Arc<dyn Onward>>);

impl RunningProxy {
    /// Take the port and answer; records go to `records` where there are any.
    pub(crate) async fn start(
        settings: ProxySettings,
        (records, onward): Told,
        content: &Arc<Content>,
        clock: Arc<dyn Clock>,
        (node, meter): (&str, &Meter),
    ) -> Result<(Self, ProxyCollector)> {
        let registry = Arc::<Registry>::default();
        let lost = Arc::<AtomicU64>::default();
        let (calls, recording): (Arc<dyn CallSink>, _) = match records {
            Some(records) => {
                let (sender, receiver) = mpsc::channel(WAITING_MAX);
                let write = record(receiver, (records, onward), Arc::clone(&lost), meter.clone());
                (Arc::new(Recorder { sender, lost: Arc::clone(&lost) }), Some(tokio::spawn(write)))
            }
            None => (Arc::new(proxy::NoCalls), None),
        };
        let (content, writing) = content.start();
        let content = content.unwrap_or_else(|| Arc::new(proxy::NoContent));
        let parts = ProxyParts { clock, registry: Arc::clone(&registry), calls, content };
        let bound = BoundProxy::bind(settings, parts).await.context("cannot start the proxy")?;
        let (address, upstreams) = (bound.address(), bound.upstreams());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(bound.serve(async move { drop(stopped.await) }));
        let (node, source) = (node.to_owned(), Arc::from(SOURCE));
        let collector = ProxyCollector { registry, upstreams, node, source, lost, told: 0 };
        Ok((Self { address, stop, served, recording, writing }, collector))
    }

    /// Where calls are taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Take no more calls, wait for those that run within the grace time, and for their records.
    pub(crate) async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.served.await.context("the proxy ended badly")?;
        if let Some(writing) = self.writing
            && tokio::time::timeout(LAST_RECORDS, writing).await.is_err()
        {
            tracing::warn!("the last captured calls could not be written in time");
        }
        let Some(recording) = self.recording else { return Ok(()) };
        let recorded = tokio::time::timeout(LAST_RECORDS, recording).await;
        recorded.context("the last calls could not be recorded in time")?.context("records")
    }
}

/// What `strata proxy` says on its command line goes before the configuration; the rest of `[proxy]`
/// stays as it is written.
pub(crate) fn apply_flags(settings: &mut Settings, arguments: &ProxyArgs) -> Result<()> {
    let mut options = settings.proxy_options.clone();
    let upstream =
        |url: &String| UpstreamOptions { name: None, url: url.clone(), health: None, weight: 1.0 };
    if !arguments.to.is_empty() {
        options.upstreams = arguments.to.iter().map(upstream).collect();
        // The names that routes choose by are gone: each goes to all.
        options.routes.iter_mut().for_each(|route| route.upstreams.clear());
    }
    if options.upstreams.is_empty() {
        bail!(
            "say where calls go: `strata proxy --to http://127.0.0.1:8000`, or [proxy] in the \
             configuration"
        );
    }
    if let Some(listen) = arguments.proxy_listen {
        options.listen = Some(listen.to_string());
    }
    options.listen.get_or_insert_with(|| DEFAULT_LISTEN.to_owned());
    settings.proxy = options.validate().map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|one| format!("proxy.{one}")).collect();
        anyhow::anyhow!("{}", problems.join("; "))
    })?;
    Ok(())
}

/// Tell among the sources that there is none, and how to have one.
pub(crate) fn absent(book: &SourceBook, at_ms: i64) {
    let hint = "`strata proxy --to URL`, or listen and upstreams under [proxy], measures every call to \
                a model at the place where clients wait for it";
    book.absent(SOURCE, Layer::L7Genai, at_ms, hint);
}

/// Hands ended calls over without waiting.
struct Recorder {
    sender: mpsc::Sender<RequestRecord>,
    lost: Arc<AtomicU64>,
}

impl CallSink for Recorder {
    fn take(&self, call: &GenAiCall) {
        if self.sender.try_send(record_of(call)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Write what comes, as much together as there is.
async fn record(
    mut receiver: mpsc::Receiver<RequestRecord>,
    (records, onward): (Arc<dyn RecordSink>, Option<Arc<dyn Onward>>),
    lost: Arc<AtomicU64>,
    meter: Meter,
) {
    let mut requests = Vec::with_capacity(TOGETHER);
    while receiver.recv_many(&mut requests, TOGETHER).await > 0 {
        let count = requests.len() as u64;
        if let Some(onward) = &onward {
            onward.requests(&requests);
        }
        let batch =
            RecordBatch { requests: std::mem::take(&mut requests), ..RecordBatch::default() };
        match records.append(batch).await {
            Ok(receipt) => {
                meter.counter("strata.proxy.recorded", &[]).add(count - receipt.refused());
            }
            Err(error) => {
                lost.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(%error, count, "calls of the proxy could not be recorded");
            }
        }
    }
}

/// The record of a call. Times begin when the request had come whole, as those of an engine.
pub(crate) fn record_of(call: &GenAiCall) -> RequestRecord {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let received = call.timings.received.unwrap_or_default();
    let start_us = call.started_ms.saturating_mul(1000).saturating_add(micros(received));
    let since = |moment: Option<Duration>| call.timings.since_received(moment).map(micros);
    let (trace_id, parent_span_id) = trace_of(call.traceparent.as_deref());
    let tokens = call.tokens;
    let usage = Usage {
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_write: tokens.cache_write,
        reasoning: tokens.reasoning,
        audio_input: tokens.audio_input,
        audio_output: tokens.audio_output,
        ..Usage::default()
    };
    let status = call.status.filter(|status| *status >= 400).map(|status| status.to_string());
    let code = call.error_type.clone().or(status);
    RequestRecord {
        operation: Some(call.api.operation().to_owned()),
        trace_id,
        parent_span_id,
        response_id: call.response_id.clone(),
        request_id: call.request_id.clone(),
        tenant: call.tenant.as_deref().map(str::to_owned),
        model_requested: call.model_asked.clone(),
        model_served: call.model_served.clone(),
        replica: call.upstream.as_deref().map(str::to_owned),
        route: Some(call.route.as_ref().to_owned()),
        end_us: Some(start_us.saturating_add(micros(call.duration()))),
        ttft_us: since(call.timings.first_token),
        first_visible_us: since(call.timings.first_output),
        // Of an answer in one piece there are no gaps, and no stalls either way.
        stalls: (call.gaps.count > 0).then_some(call.gaps.stalls),
        longest_gap_us: (call.gaps.count > 0).then(|| micros(call.gaps.longest)),
        tokens: usage.buckets().0,
        count_source: match tokens.output_source {
            proxy::CountSource::Usage => CountSource::Usage,
            proxy::CountSource::ChunkCount => CountSource::ChunkCount,
            proxy::CountSource::Unknown => CountSource::None,
        },
        outcome: Some(match call.outcome {
            proxy::Outcome::Success => Outcome::Ok,
            proxy::Outcome::ClientCancelled => Outcome::ClientCancel,
            proxy::Outcome::UpstreamTruncated => Outcome::UpstreamTruncated,
            proxy::Outcome::Error => Outcome::Error { code },
            proxy::Outcome::ErrorInSuccess => Outcome::ErrorIn200 { code },
        }),
        finish_reason: call.finish_reason.clone(),
        streamed: Some(call.streamed),
        ..RequestRecord::new(Door::Proxy, start_us)
    }
}

/// Trace and parent span of a W3C `traceparent`: `00-<32 digits>-<16 digits>-<flags>`.
fn trace_of(header: Option<&str>) -> (Option<String>, Option<String>) {
    let mut parts = header.unwrap_or_default().split('-').skip(1);
    let mut id = |digits: usize| {
        let part = parts.next()?.to_ascii_lowercase();
        let is_hex = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && part.bytes().any(|byte| byte != b'0')).then_some(part)
    };
    let trace = id(32);
    let span = id(16).filter(|_| trace.is_some());
    (trace, span)
}

/// Writes `gateway.*`.
pub(crate) struct ProxyCollector {
    registry: Arc<Registry>,
    upstreams: UpstreamHealth,
    node: String,
    source: Arc<str>,
    /// Calls that were not recorded, and how many of them were told.
    lost: Arc<AtomicU64>,
    told: u64,
}

impl Collector for ProxyCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L7Genai)
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn timeout(&self) -> Duration {
        INTERVAL / 2
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, std::result::Result<Harvest, CollectError>> {
        let node = self.node.as_str();
        let identity = [("instance", node), ("job", "strata"), ("node", node)];
        let batch = self.registry.batch(&self.source, &identity, at_ms);
        let lost = self.lost.load(Ordering::Relaxed);
        let new = lost - std::mem::replace(&mut self.told, lost);
        let text = || format!("{new} calls have no record: more came than could be written");
        let faults = (new > 0).then(|| Fault::new(FaultCode::OverLimit, text()));
        let down = silent(&self.upstreams.down());
        let harvest = Harvest { batch, faults: faults.into_iter().chain(down).collect() };
        Box::pin(std::future::ready(Ok(harvest)))
    }
}

/// Upstreams that do not answer for their health.
fn silent(down: &[Arc<str>]) -> Option<Fault> {
    let text = || {
        format!(
            "{}: no answer or a server's error to the health path of [[proxy.upstreams]]; calls go to \
             others as long as there are any",
            down.join(", ")
        )
    };
    (!down.is_empty()).then(|| Fault::new(FaultCode::Unreachable, text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_that_are_down_are_a_fault_with_their_names() {
        assert_eq!(silent(&[]), None);
        let fault = silent(&[Arc::from("a"), Arc::from("b")]).unwrap();
        assert!(fault.message.starts_with("a, b: no answer"), "{fault:?}");
        assert_eq!(fault.code, FaultCode::Unreachable);
    }

    #[test]
    fn a_trace_context_is_taken_or_left() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let span = "00f067aa0ba902b7";
        let both = (Some(trace.to_owned()), Some(span.to_owned()));
        assert_eq!(trace_of(Some(&format!("00-{trace}-{span}-01"))), both);
        assert_eq!(trace_of(None), (None, None));
        let zeros = "0".repeat(32);
        for bad in ["", "00", "00-12-34-01", &format!("00-{zeros}-{span}-01")] {
            assert_eq!(trace_of(Some(bad)), (None, None), "{bad:?}");
        }
    }
}
