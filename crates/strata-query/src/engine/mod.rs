//! The door to metrics: what every engine, embedded or remote, answers.

pub mod embedded;
pub mod kept;
mod moment;
pub mod remote;

use std::sync::Arc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Labels, Matcher, Metadata, NativeHistogram};

pub use embedded::{EmbeddedEngine, QuerySettings};
pub use kept::KeptEngine;

/// PromQL at one moment.
#[derive(Debug, Clone)]
pub struct InstantQuery {
    pub text: String,
    /// Evaluation time in milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub timeout: Duration,
    /// How far back an instant selector looks, in milliseconds and positive; the engine's own
    /// setting when left out.
    pub lookback_ms: Option<i64>,
}

/// PromQL over a range of steps.
#[derive(Debug, Clone)]
pub struct RangeQuery {
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
    /// Positive.
    pub step_ms: i64,
    pub timeout: Duration,
    /// As for [`InstantQuery::lookback_ms`].
    pub lookback_ms: Option<i64>,
}

/// Which series a look-up of series, label names or label values is about.
#[derive(Debug, Clone, Default)]
pub struct SeriesQuery {
    /// Any of these sets must match; no set means every series.
    pub matchers: Vec<Vec<Matcher>>,
    pub start_ms: i64,
    pub end_ms: i64,
    /// At most this many results; 0 means the engine's own bound.
    pub limit: usize,
}

/// One value at one time: a float or a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Histogram(Arc<NativeHistogram>),
}

/// A series of an answer: points in time order, steps without a value left out.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerSeries {
    pub labels: Labels,
    pub points: Vec<(i64, Value)>,
}

/// The value of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    Scalar(i64, f64),
    String(i64, String),
    /// One point per series, in the order the query asks for.
    Vector(Vec<AnswerSeries>),
    Matrix(Vec<AnswerSeries>),
}

/// Texts Prometheus attaches to an answer: `warnings` and `infos`, each once, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

/// A query's value with what must be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub value: QueryValue,
    pub annotations: Annotations,
}

/// The error types of the Prometheus HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// Does not parse, or a parameter is wrong: `bad_data`, 400.
    BadData,
    /// Cannot be evaluated, or exceeds a bound: `execution`, 422.
    Execution,
    /// Took too long: `timeout`, 503.
    Timeout,
    /// The client went away: `canceled`, 499.
    Canceled,
    /// The engine behind us cannot be reached or cannot read: `internal`, 500.
    Internal,
}

/// Why there is no answer, in the words Prometheus uses where it has them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    pub kind: QueryErrorKind,
    pub message: String,
}

impl QueryError {
    /// An error of the given kind.
    pub fn new(kind: QueryErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// Answers PromQL. Queries are cancelled by dropping the future.
pub trait MetricsEngine: Send + Sync + 'static {
    /// Evaluate at one moment.
    fn instant(&self, query: InstantQuery) -> BoxFuture<'_, Result<Answer, QueryError>>;
    /// Evaluate at every step of a range.
    fn range(&self, query: RangeQuery) -> BoxFuture<'_, Result<Answer, QueryError>>;
    /// Evaluate at every step of a range, and at one moment after its last step. The value of that
    /// moment is given as one more step.
    fn range_and_moment(
        &self,
        query: RangeQuery,
        moment_ms: i64,
    ) -> BoxFuture<'_, Result<Answer, QueryError>> {
        Box::pin(moment::range_and_moment(self, query, moment_ms))
    }
    /// Sorted label sets of matching series.
    fn series(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<Labels>, QueryError>>;
    /// Sorted label names; canonical names are offered like stored ones.
    fn label_names(&self, query: SeriesQuery) -> BoxFuture<'_, Result<Vec<String>, QueryError>>;
    /// Sorted values of one label; for `__name__` canonical names are among them.
    fn label_values(
        &self,
        name: String,
        query: SeriesQuery,
    ) -> BoxFuture<'_, Result<Vec<String>, QueryError>>;
    /// Metadata of families, canonical ones included, in order of name.
    fn metadata(&self) -> BoxFuture<'_, Result<Vec<Metadata>, QueryError>>;
    /// The query in Prometheus's canonical layout (`/api/v1/format_query`).
    fn format(&self, text: &str) -> Result<String, QueryError>;
    /// An engine for the queries of one reader at one moment, which evaluates what they have in
    /// common once. It may overlook samples that arrive while it is used.
    fn for_one_moment(&self) -> Option<Arc<dyn MetricsEngine>> {
        None
    }
    /// A number that rises with what is written ([`strata_model::SeriesSource::version`]); `None`
    /// where nobody can say.
    fn version(&self) -> Option<u64> {
        None
    }
    /// The earliest time to which anything was written since then, in milliseconds: what was answered
    /// about earlier times still holds ([`strata_model::SeriesSource::changed_since`]).
    fn changed_since(&self, _version: u64) -> i64 {
        i64::MIN
    }
}
