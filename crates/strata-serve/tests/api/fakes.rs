//! An engine and a sink that answer as told and remember what they were asked; a running server.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strata_collect::SourceBook;
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::otlp::{OtlpOptions, OtlpReceiver};
use strata_model::clock::FixedClock;
use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Batch, Labels, Metadata, MetricKind, Receipt, Sink, SinkError};
use strata_query::engine::{AnswerSeries, Value};
use strata_query::{
    Annotations, Answer, InstantQuery, MetricsEngine, QueryError, QueryErrorKind, QueryValue,
    RangeQuery, SeriesQuery,
};
use strata_serve::{Addresses, Bound, Parts, Secret, ServeOptions};
use strata_view::source::PageFuture;
use strata_view::{Page, PageError, PageErrorCode, PageRequest, PageSource, Status, Suggestion};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The time at which every test takes place: 2023-11-14T22:13:20Z.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Pages without blocks that say what they were asked; of `gpu:none` there is none.
pub(crate) struct FakePages;

impl PageSource for FakePages {
    fn page(&self, request: PageRequest) -> PageFuture<'_, Page> {
        Box::pin(async move {
            if request.entity.as_deref() == Some("gpu:none") {
                return Err(PageError {
                    code: PageErrorCode::NotFound,
                    message: "gpu \"none\" is not seen".to_owned(),
                    hint: "search for it".to_owned(),
                });
            }
            Ok(Page {
                request,
                title: "Fake".to_owned(),
                subtitle: String::new(),
                simulated: false,
                made_at_ms: NOW_MS,
                tabs: Vec::new(),
                north_star: Vec::new(),
                notices: Vec::new(),
                sections: Vec::new(),
            })
        })
    }

    fn suggest(&self, text: String, limit: usize) -> PageFuture<'_, Vec<Suggestion>> {
        Box::pin(async move {
            let one = Suggestion {
                id: format!("gpu:{text}"),
                kind: "gpu".to_owned(),
                name: text,
                detail: String::new(),
                status: Status::Ok,
                page: "gpus".to_owned(),
            };
            Ok(vec![one; limit])
        })
    }
}

/// Answers queries by their text.
#[derive(Default)]
pub(crate) struct FakeEngine {
    pub(crate) answers: Mutex<BTreeMap<String, Result<Answer, QueryError>>>,
    /// Label sets of `series`; names and values are taken from them.
    pub(crate) series: Mutex<Vec<Labels>>,
    pub(crate) metadata: Mutex<Vec<Metadata>>,
    pub(crate) instants: Mutex<Vec<InstantQuery>>,
    pub(crate) ranges: Mutex<Vec<RangeQuery>>,
    pub(crate) lookups: Mutex<Vec<(String, SeriesQuery)>>,
}

impl FakeEngine {
    async fn answer(&self, text: &str) -> Result<Answer, QueryError> {
        if text == "forever" {
            pending::<()>().await;
        }
        assert!(text != "panic", "the engine broke");
        let known = self.answers.lock().unwrap().get(text).cloned();
        known.unwrap_or_else(|| {
            Err(QueryError::new(QueryErrorKind::BadData, format!("unknown query {text:?}")))
        })
    }

    fn looked_up(&self, what: &str, query: SeriesQuery) {
        self.lookups.lock().unwrap().push((what.to_owned(), query));
    }
}

impl MetricsEngine for FakeEngine {
    fn instant(&self, query: InstantQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        self.instants.lock().unwrap().push(query.clone());
        Box::pin(async move { self.answer(&query.text).await })
    }

    fn range(&self, query: RangeQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        self.ranges.lock().unwrap().push(query.clone());
        Box::pin(async move { self.answer(&query.text).await })
    }

    fn series(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<Labels>, QueryError>> {
        self.looked_up("series", query);
        Box::pin(async move { Ok(self.series.lock().unwrap().clone()) })
    }

    fn label_names(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        self.looked_up("names", query);
        Box::pin(async move {
            let series = self.series.lock().unwrap();
            let names = series.iter().flat_map(|l| l.iter().map(|(n, _)| n.to_owned()));
            let mut names: Vec<String> = names.collect();
            names.sort_unstable();
            names.dedup();
            Ok(names)
        })
    }

    fn label_values(
        &self,
        name: String,
        query: SeriesQuery,
    ) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        self.looked_up(&name, query);
        Box::pin(async move {
            let series = self.series.lock().unwrap();
            let mut values: Vec<String> =
                series.iter().filter_map(|l| l.get(&name)).map(str::to_owned).collect();
            values.sort_unstable();
            values.dedup();
            Ok(values)
        })
    }

    fn metadata(&self) -> BoxFuture<'_, Result<Vec<Metadata>, QueryError>> {
        Box::pin(async move { Ok(self.metadata.lock().unwrap().clone()) })
    }

    fn format(&self, text: &str) -> Result<String, QueryError> {
        if text.is_empty() {
            return Err(QueryError::new(QueryErrorKind::BadData, "no expression found in input"));
        }
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Keeps what is appended, or refuses as told.
#[derive(Default)]
pub(crate) struct FakeSink {
    pub(crate) batches: Mutex<Vec<Batch>>,
    /// Answer every append with this instead of "all appended".
    pub(crate) reply: Mutex<Option<Result<Receipt, SinkError>>>,
    /// Never answer an append.
    pub(crate) stuck: AtomicBool,
}

impl FakeSink {
    pub(crate) fn samples(&self) -> usize {
        self.batches.lock().unwrap().iter().map(Batch::sample_count).sum()
    }
}

impl Sink for FakeSink {
    fn offer(&self, batch: Batch) {
        self.batches.lock().unwrap().push(batch);
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
        let appended = batch.sample_count() as u64;
        self.batches.lock().unwrap().push(batch);
        let reply = self.reply.lock().unwrap().clone();
        let stuck = self.stuck.load(Ordering::SeqCst);
        Box::pin(async move {
            if stuck {
                pending::<()>().await;
            }
            reply.unwrap_or(Ok(Receipt { appended, ..Receipt::default() }))
        })
    }
}

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) at: Addresses,
    pub(crate) engine: Arc<FakeEngine>,
    pub(crate) sink: Arc<FakeSink>,
    pub(crate) sources: SourceBook,
    pub(crate) meter: Meter,
    pub(crate) ready: Arc<Mutex<Result<(), String>>>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<()>,
}

/// Options for a test: free ports.
pub(crate) fn options() -> ServeOptions {
    ServeOptions {
        listen: "127.0.0.1:0".to_owned(),
        otlp_grpc_listen: Some("127.0.0.1:0".to_owned()),
        otlp_http_listen: Some("127.0.0.1:0".to_owned()),
        ..ServeOptions::default()
    }
}

pub(crate) async fn start() -> Server {
    start_with(options(), None).await
}

pub(crate) async fn start_with(options: ServeOptions, token: Option<&str>) -> Server {
    start_asking(options, token, None).await
}

/// A server that asks this engine instead of the fake one.
pub(crate) async fn start_asking(
    options: ServeOptions,
    token: Option<&str>,
    asked: Option<Arc<dyn MetricsEngine>>,
) -> Server {
    let settings = options.validate().unwrap();
    let bound = Bound::bind(settings, token.map(Secret::new)).await.unwrap();
    let engine = Arc::new(FakeEngine::default());
    let sink = Arc::new(FakeSink::default());
    let ready = Arc::new(Mutex::new(Ok(())));
    let told = Arc::clone(&ready);
    let parts = Parts {
        engine: asked.unwrap_or_else(|| Arc::clone(&engine) as Arc<dyn MetricsEngine>),
        pages: Some(Arc::new(FakePages)),
        reports: None,
        request_reports: None,
        records: None,
        onward: None,
        sink: Arc::clone(&sink) as Arc<dyn Sink>,
        sources: SourceBook::default(),
        meter: Meter::default(),
        clock: Arc::new(FixedClock::at(NOW_MS)),
        otlp: Arc::new(OtlpReceiver::new(
            OtlpOptions::default().validate(&ReceiveLimits::default()).unwrap(),
            Arc::new(FixedClock::at(NOW_MS)),
        )),
        own_names: Arc::new(|name, kind| {
            let suffix = match kind {
                MetricKind::Counter => "_total",
                MetricKind::Info => "_info",
                _ => "",
            };
            (format!("{}{suffix}", name.replace('.', "_")), format!("Help of {name}."))
        }),
        ready: Arc::new(move || told.lock().unwrap().clone()),
        status: Arc::new(|| serde_json::json!({ "series": 3 })),
        openapi: || "{}",
        version: "0.1.0",
    };
    let (sources, meter) = (parts.sources.clone(), parts.meter.clone());
    let at = bound.addresses();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(bound.serve(parts, async move { drop(stopped.await) }));
    Server { at, engine, sink, sources, meter, ready, stop: Some(stop), ended }
}

impl Server {
    /// Teach the engine an answer.
    pub(crate) fn knows(&self, text: &str, value: QueryValue) {
        let answer = Answer { value, annotations: Annotations::default() };
        self.engine.answers.lock().unwrap().insert(text.to_owned(), Ok(answer));
    }

    /// Teach the engine a refusal.
    pub(crate) fn refuses(&self, text: &str, kind: QueryErrorKind, message: &str) {
        let error = QueryError::new(kind, message);
        self.engine.answers.lock().unwrap().insert(text.to_owned(), Err(error));
    }
}

/// A series of floats.
pub(crate) fn floats(labels: &[(&str, &str)], points: &[(i64, f64)]) -> AnswerSeries {
    AnswerSeries {
        labels: Labels::from_pairs(labels.iter().copied()),
        points: points.iter().map(|(at, value)| (*at, Value::Float(*value))).collect(),
    }
}

/// Long enough for anything on loopback, short enough to fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
