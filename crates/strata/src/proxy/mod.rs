//! The GenAI proxy in the running program: its series, and a record of each call.

mod collector;
mod record;
mod recorder;
mod threads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use strata_collect::SourceBook;
use strata_model::meter::Meter;
use strata_model::record::{Onward, RecordSink};
use strata_model::{Clock, Layer};
use strata_proxy::metrics::Registry;
use strata_proxy::{
    self as proxy, BoundProxy, CallSink, DEFAULT_LISTEN, ProxyParts, ProxySettings, UpstreamOptions,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::cli::ProxyArgs;
use crate::config::Settings;
use crate::content::Content;
pub(crate) use collector::ProxyCollector;
pub(crate) use record::record_of;
use recorder::{Recorder, record};

/// The row of the proxy among the sources.
const SOURCE: &str = "strata/proxy";
/// Calls that wait to be recorded; more are dropped and counted.
const WAITING_MAX: usize = 16_384;
/// Longest time the last records are waited for at the end.
const LAST_RECORDS: Duration = Duration::from_secs(5);

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
        let (sink, writing) = content.start();
        let sink = sink.unwrap_or_else(|| Arc::new(proxy::NoContent));
        let parts = ProxyParts { clock, registry: Arc::clone(&registry), calls, content: sink };
        let bound = BoundProxy::bind(settings, parts).await.context("cannot start the proxy")?;
        let (address, upstreams, copied) = (bound.address(), bound.upstreams(), bound.copied());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(bound.serve(async move { drop(stopped.await) }));
        let (node, source) = (node.to_owned(), Arc::from(SOURCE));
        let content = Arc::clone(content);
        let collector =
            ProxyCollector { registry, upstreams, copied, content, node, source, lost, told: 0 };
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
