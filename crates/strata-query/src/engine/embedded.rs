//! The embedded engine: PromQL over a source of series on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::sink::BoxFuture;
use strata_model::text::parse_duration;
use strata_model::{Clock, Labels, Metadata, Problem, SelectError, SeriesSource};
use tokio::sync::Semaphore;

use super::{
    Answer, InstantQuery, MetricsEngine, QueryError, QueryErrorKind, RangeQuery, SeriesQuery,
};
use crate::promql::{
    EvalOptions, Interrupt, Interrupted, Projections, Query, SharedResults, evaluate_shared, syntax,
};

/// Most points per series of a range query. One a minute for a week, one an hour for a year, and
/// the bound that every client of Prometheus knows.
const MAX_POINTS: i64 = 11_000;

/// Limits of PromQL queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryOptions {
    /// How far back an instant selector looks for a sample, for example "5m".
    pub lookback: String,
    /// Step of a subquery that names none, for example "1m".
    pub subquery_step: String,
    /// Samples one query may hold in memory at one time.
    pub max_samples: u64,
    /// Series one selector may return.
    pub max_series: usize,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            lookback: "5m".to_owned(),
            subquery_step: "1m".to_owned(),
            max_samples: 50_000_000,
            max_series: 1_000_000,
        }
    }
}

/// [`QueryOptions`] read and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuerySettings {
    /// Longest time a query or look-up may take. Not an option of its own: it is the time the
    /// server gives a request, which the engine keeps to as well.
    pub timeout: Duration,
    pub eval: EvalOptions,
    /// Queries evaluated at one time, whoever asks; more wait. Not an option of its own: it is the
    /// number of queries the server admits. The engine needs it too, because an evaluation whose
    /// client went away runs on until it notices, after the server gave its turn to the next.
    pub max_concurrent: usize,
}

/// Queries evaluated at one time when nobody says otherwise: Prometheus's default.
const MAX_CONCURRENT: usize = 20;

impl QueryOptions {
    /// Read and check.
    ///
    /// # Errors
    /// All problems, each naming its field.
    pub fn validate(&self) -> Result<QuerySettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut duration = |field: &str, text: &str| match parse_duration(text) {
            Ok(duration) if duration >= Duration::from_millis(1) => duration,
            Ok(_) => {
                problems.push(Problem::new(field, "must be at least 1ms"));
                Duration::ZERO
            }
            Err(message) => {
                problems.push(Problem::new(field, message));
                Duration::ZERO
            }
        };
        let lookback = duration("lookback", &self.lookback);
        let subquery_step = duration("subquery_step", &self.subquery_step);
        let counts = [("max_samples", self.max_samples), ("max_series", self.max_series as u64)];
        let zeros = counts.iter().filter(|(_, count)| *count == 0);
        problems.extend(zeros.map(|(field, _)| Problem::new(*field, "must not be 0")));
        if !problems.is_empty() {
            return Err(problems);
        }
        let eval = EvalOptions {
            lookback_ms: lookback.as_millis() as i64,
            subquery_step_ms: subquery_step.as_millis() as i64,
            max_samples: self.max_samples,
            max_series: self.max_series,
        };
        Ok(QuerySettings { eval, ..QuerySettings::default() })
    }
}

impl Default for QuerySettings {
    /// Those of the default options.
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(2),
            eval: EvalOptions::default(),
            max_concurrent: MAX_CONCURRENT,
        }
    }
}

/// Answers PromQL from a [`SeriesSource`]. Evaluates on threads for blocking work, so that a long
/// query does not hold up the runtime.
#[derive(Clone)]
pub struct EmbeddedEngine {
    source: Arc<dyn SeriesSource>,
    clock: Arc<dyn Clock>,
    settings: QuerySettings,
    turns: Arc<Semaphore>,
    /// What the queries of one moment have in common.
    shared: Option<Arc<SharedResults>>,
    /// What the queries of all readers made of labels.
    projections: Arc<Projections>,
}

/// Tells the evaluation to stop when the future that waits for it is dropped.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl EmbeddedEngine {
    /// An engine over `source`.
    pub fn new(
        source: Arc<dyn SeriesSource>,
        clock: Arc<dyn Clock>,
        settings: QuerySettings,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(settings.max_concurrent));
        Self { source, clock, settings, turns, shared: None, projections: Arc::default() }
    }

    /// Run `work` on a thread for blocking work when it is its turn. `work` is handed a question
    /// whether to stop.
    async fn blocking<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce(&dyn SeriesSource, &Interrupt<'_>) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let deadline = self.clock.monotonic() + timeout.min(self.settings.timeout);
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_closed| {
            QueryError::new(QueryErrorKind::Canceled, "query was canceled in query queue")
        })?;
        let canceled = Arc::new(AtomicBool::new(false));
        let guard = CancelOnDrop(Arc::clone(&canceled));
        let (source, clock) = (Arc::clone(&self.source), Arc::clone(&self.clock));
        let task = tokio::task::spawn_blocking(move || {
            let interrupt = || {
                if canceled.load(Ordering::Relaxed) {
                    Some(Interrupted::Canceled)
                } else if clock.monotonic() >= deadline {
                    Some(Interrupted::TimedOut)
                } else {
                    None
                }
            };
            let result = work(source.as_ref(), &interrupt);
            drop(turn);
            result
        });
        let result = task.await.map_err(|error| {
            let message = format!("query evaluation ended abnormally: {error}");
            QueryError::new(QueryErrorKind::Internal, message)
        })?;
        drop(guard);
        result
    }

    async fn evaluate(
        &self,
        text: String,
        times: (i64, i64, Option<i64>),
        timeout: Duration,
        lookback_ms: Option<i64>,
    ) -> Result<Answer, QueryError> {
        let mut options = self.settings.eval;
        options.lookback_ms = lookback_ms.unwrap_or(options.lookback_ms);
        let shared = self.shared.clone();
        self.blocking(timeout, move |source, interrupt| {
            let (start_ms, end_ms, step_ms) = times;
            let query = Query { text: &text, start_ms, end_ms, step_ms };
            evaluate_shared(source, &query, &options, interrupt, shared.as_deref())
        })
        .await
    }

    async fn look_up<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SeriesSource) -> Result<T, SelectError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let timeout = self.settings.timeout;
        self.blocking(timeout, move |source, _| {
            work(source).map_err(|error| {
                let kind = match error {
                    SelectError::Limit(_) => QueryErrorKind::Execution,
                    SelectError::Storage(_) => QueryErrorKind::Internal,
                };
                QueryError::new(kind, error.to_string())
            })
        })
        .await
    }
}

/// The rules for ranges that the HTTP API of Prometheus has.
pub(super) fn check_range(query: &RangeQuery) -> Result<(), QueryError> {
    let problem = if query.step_ms <= 0 {
        "zero or negative query resolution step widths are not accepted. Try a positive integer"
    } else if query.end_ms < query.start_ms {
        "end timestamp must not be before start time"
    } else if query.end_ms.saturating_sub(query.start_ms) / query.step_ms > MAX_POINTS {
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
         resolution (?step=XX)"
    } else {
        return Ok(());
    };
    Err(QueryError::new(QueryErrorKind::BadData, problem))
}

/// At most `limit` of the values, all when it is 0.
fn limited<T>(mut values: Vec<T>, limit: usize) -> Vec<T> {
    if limit > 0 {
        values.truncate(limit);
    }
    values
}

impl MetricsEngine for EmbeddedEngine {
    fn version(&self) -> Option<u64> {
        self.source.version()
    }

    fn changed_since(&self, version: u64) -> i64 {
        self.source.changed_since(version)
    }

    fn for_one_moment(&self) -> Option<Arc<dyn MetricsEngine>> {
        let shared = SharedResults::new(Arc::clone(&self.projections));
        Some(Arc::new(Self { shared: Some(Arc::new(shared)), ..self.clone() }))
    }

    fn instant(&self, query: InstantQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        let at = query.at_ms;
        Box::pin(self.evaluate(query.text, (at, at, None), query.timeout, query.lookback_ms))
    }

    fn range(&self, query: RangeQuery) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(async move {
            check_range(&query)?;
            let times = (query.start_ms, query.end_ms, Some(query.step_ms));
            self.evaluate(query.text, times, query.timeout, query.lookback_ms).await
        })
    }

    fn series(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<Labels>, QueryError>> {
        Box::pin(self.look_up(move |source| {
            let (start, end) = (query.start_ms, query.end_ms);
            let mut found = source.series(&query.matchers, start, end, query.limit)?;
            found.sort_unstable();
            Ok(found)
        }))
    }

    fn label_names(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        Box::pin(self.look_up(move |source| {
            let names = source.label_names(&query.matchers, query.start_ms, query.end_ms)?;
            Ok(limited(names, query.limit))
        }))
    }

    fn label_values(
        &self,
        name: String,
        query: SeriesQuery,
    ) -> BoxFuture<'_, Result<Vec<String>, QueryError>> {
        Box::pin(self.look_up(move |source| {
            let (start, end) = (query.start_ms, query.end_ms);
            let values = source.label_values(&name, &query.matchers, start, end)?;
            Ok(limited(values, query.limit))
        }))
    }

    fn metadata(&self) -> BoxFuture<'_, Result<Vec<Metadata>, QueryError>> {
        Box::pin(self.look_up(|source| source.metadata()))
    }

    fn format(&self, text: &str) -> Result<String, QueryError> {
        let expr = syntax::parse(text)
            .map_err(|error| QueryError::new(QueryErrorKind::BadData, error.to_string()))?;
        Ok(syntax::pretty(&expr))
    }
}

#[cfg(test)]
mod tests {
    use strata_model::clock::FixedClock;

    use super::*;
    use crate::engine::{QueryValue, Value};
    use crate::promqltest::MemorySource;

    fn engine() -> EmbeddedEngine {
        let mut source = MemorySource::new();
        for step in 0..10 {
            let labels = Labels::from_pairs([("__name__", "tokens_total"), ("model", "m")]);
            source.push_float(&labels, step * 15_000, step as f64 * 30.0);
        }
        let clock = Arc::new(FixedClock::at(1_000));
        EmbeddedEngine::new(Arc::new(source), clock, QuerySettings::default())
    }

    fn range(text: &str, step_ms: i64) -> RangeQuery {
        let (start_ms, end_ms) = (60_000, 120_000);
        RangeQuery {
            text: text.to_owned(),
            start_ms,
            end_ms,
            step_ms,
            timeout: Duration::from_secs(1),
            lookback_ms: None,
        }
    }

    #[tokio::test]
    async fn ranges_and_instants_are_answered() {
        let engine = engine();
        let answer = engine.range(range("increase(tokens_total[1m])", 60_000)).await.unwrap();
        let QueryValue::Matrix(series) = answer.value else { panic!("no matrix") };
        assert_eq!(
            series[0].points,
            vec![(60_000, Value::Float(120.0)), (120_000, Value::Float(120.0))]
        );
        let query = InstantQuery {
            text: "sum(tokens_total)".to_owned(),
            at_ms: 135_000,
            timeout: Duration::from_secs(1),
            lookback_ms: None,
        };
        let QueryValue::Vector(series) = engine.instant(query).await.unwrap().value else {
            panic!("no vector")
        };
        assert_eq!(series[0].points[0].1, Value::Float(270.0));
        let names = engine
            .label_names(SeriesQuery { end_ms: 1_000_000, ..SeriesQuery::default() })
            .await
            .unwrap();
        assert_eq!(names, ["__name__", "model"]);
    }

    #[tokio::test]
    async fn a_query_may_look_back_less_or_more_far() {
        let engine = engine();
        // The last sample is 65 s old.
        let check = |lookback_ms: Option<i64>, found: usize| {
            let engine = engine.clone();
            async move {
                let timeout = Duration::from_secs(1);
                let text = "tokens_total".to_owned();
                let query = InstantQuery { text, at_ms: 200_000, timeout, lookback_ms };
                let QueryValue::Vector(series) = engine.instant(query).await.unwrap().value else {
                    panic!("no vector")
                };
                assert_eq!(series.len(), found, "{lookback_ms:?}");
            }
        };
        check(None, 1).await;
        check(Some(65_000), 0).await;
        check(Some(65_001), 1).await;
        let late =
            RangeQuery { start_ms: 1_000_000, end_ms: 1_000_000, ..range("tokens_total", 1) };
        let far = RangeQuery { lookback_ms: Some(2_000_000), ..late.clone() };
        for (query, found) in [(late, 0), (far, 1)] {
            let QueryValue::Matrix(series) = engine.range(query).await.unwrap().value else {
                panic!("no matrix")
            };
            assert_eq!(series.len(), found);
        }
    }

    #[tokio::test]
    async fn faults_have_their_kind() {
        let engine = engine();
        let check = |query: RangeQuery, kind: QueryErrorKind| {
            let engine = engine.clone();
            async move { assert_eq!(engine.range(query).await.unwrap_err().kind, kind) }
        };
        check(range("rate(", 1_000), QueryErrorKind::BadData).await;
        check(range("tokens_total", 0), QueryErrorKind::BadData).await;
        check(range("tokens_total", 1), QueryErrorKind::BadData).await;
        check(range("tokens_total[5m]", 1_000), QueryErrorKind::BadData).await;
        check(range("topk(NaN, tokens_total)", 1_000), QueryErrorKind::Execution).await;
        let late = RangeQuery { timeout: Duration::ZERO, ..range("tokens_total", 1_000) };
        check(late, QueryErrorKind::Timeout).await;
    }

    #[test]
    fn options_are_checked_together() {
        assert_eq!(QueryOptions::default().validate(), Ok(QuerySettings::default()));
        let options = QueryOptions {
            subquery_step: "soon".to_owned(),
            lookback: "0s".to_owned(),
            max_series: 0,
            ..QueryOptions::default()
        };
        assert_eq!(options.validate().unwrap_err().len(), 3);
    }
}
