//! How records are asked for: typed questions that an engine turns into its own language.

use std::ops::Range;

use super::feedback::Feedback;
use super::request::RequestRecord;
use super::rollup::{RollupDimension, RollupRow};
use super::sample::{Judgement, SampleQuery, Samples};

/// A column that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Tenant,
    Team,
    App,
    Session,
    /// The model that served, else the one asked for.
    Model,
    Provider,
    Replica,
    Route,
    Operation,
    TraceId,
    ResponseId,
    RequestId,
    ConversationId,
    Outcome,
    ErrorCode,
    FinishReason,
    Duration,
    Ttft,
    FreshInput,
    CacheRead,
    OutputText,
    Reasoning,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// Microseconds.
    Microseconds,
    Count,
}

impl Field {
    /// All fields.
    pub const ALL: [Self; 22] = [
        Self::Tenant,
        Self::Team,
        Self::App,
        Self::Session,
        Self::Model,
        Self::Provider,
        Self::Replica,
        Self::Route,
        Self::Operation,
        Self::TraceId,
        Self::ResponseId,
        Self::RequestId,
        Self::ConversationId,
        Self::Outcome,
        Self::ErrorCode,
        Self::FinishReason,
        Self::Duration,
        Self::Ttft,
        Self::FreshInput,
        Self::CacheRead,
        Self::OutputText,
        Self::Reasoning,
    ];

    /// The name in questions, answers and tables: durations end in `_us`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Team => "team",
            Self::App => "app",
            Self::Session => "session",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Replica => "replica",
            Self::Route => "route",
            Self::Operation => "operation",
            Self::TraceId => "trace_id",
            Self::ResponseId => "response_id",
            Self::RequestId => "request_id",
            Self::ConversationId => "conversation_id",
            Self::Outcome => "outcome",
            Self::ErrorCode => "error_code",
            Self::FinishReason => "finish_reason",
            Self::Duration => "duration_us",
            Self::Ttft => "ttft_us",
            Self::FreshInput => "fresh_input",
            Self::CacheRead => "cache_read",
            Self::OutputText => "output_text",
            Self::Reasoning => "reasoning",
        }
    }

    /// The field of this name; `duration` and `ttft` do too.
    pub fn from_name(name: &str) -> Option<Self> {
        let named = |field: &Self| {
            field.name() == name || field.name().strip_suffix("_us").is_some_and(|n| n == name)
        };
        Self::ALL.into_iter().find(named)
    }

    /// What it holds.
    pub fn kind(self) -> FieldKind {
        match self {
            Self::Duration | Self::Ttft => FieldKind::Microseconds,
            Self::FreshInput | Self::CacheRead | Self::OutputText | Self::Reasoning => {
                FieldKind::Count
            }
            _ => FieldKind::Text,
        }
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
}

/// One condition. What is not known meets none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub field: Field,
    pub compare: Compare,
    pub value: SqlValue,
}

impl Filter {
    /// Read `team=search`, `outcome!=ok`, `duration>=2s`, `output_text<=10`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let operators = [
            ("!=", Compare::NotEqual),
            (">=", Compare::AtLeast),
            ("<=", Compare::AtMost),
            ("=", Compare::Equal),
        ];
        let split = operators
            .into_iter()
            .filter_map(|(sign, compare)| text.find(sign).map(|at| (at, sign, compare)))
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())));
        let Some((_, sign, compare)) = split else {
            return Err(format!("{text:?} has none of = != >= <="));
        };
        let (name, value) = text.split_once(sign).unwrap_or((text, ""));
        let (name, value) = (name.trim(), value.trim());
        let Some(field) = Field::from_name(name) else {
            let known: Vec<_> = Field::ALL.iter().map(|field| field.name()).collect();
            return Err(format!("no field is called {name:?}; there are {}", known.join(", ")));
        };
        let number = |wanted: &str| format!("{value:?} is not {wanted}, which {name} wants");
        let value = match field.kind() {
            FieldKind::Text => SqlValue::Text(value.to_owned()),
            FieldKind::Count => {
                SqlValue::Integer(value.parse().map_err(|_error| number("a whole number"))?)
            }
            FieldKind::Microseconds => {
                let plain = value.parse().ok();
                let took = crate::text::parse_duration(value).ok();
                let took = took.and_then(|took| i64::try_from(took.as_micros()).ok());
                SqlValue::Integer(
                    plain.or(took).ok_or_else(|| number("a duration such as 1500ms"))?,
                )
            }
        };
        Ok(Self { field, compare, value })
    }
}

/// Which come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The longest duration first; those that have none are left out.
    #[default]
    Slowest,
    /// The longest time to the first token first; those that have none are left out.
    SlowestFirstToken,
    /// The latest start first.
    Newest,
}

/// Requests that began within a time and meet all conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordQuery {
    /// Microseconds since the Unix epoch.
    pub range_us: Range<i64>,
    pub filters: Vec<Filter>,
    pub order: Order,
    pub limit: usize,
}

/// Sums by group, from whole hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupQuery {
    /// Microseconds since the Unix epoch; widened to whole hours.
    pub range_us: Range<i64>,
    pub by: Vec<RollupDimension>,
    /// Text the dimension must have.
    pub filters: Vec<(RollupDimension, String)>,
    pub limit: usize,
}

/// A request with its number and the doors through which it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// `YYYYMMDD-n`; stable for as long as the record is kept.
    pub uid: String,
    pub doors: Vec<&'static str>,
    pub record: RequestRecord,
}

/// A request with each observer's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSightings {
    pub stored: StoredRequest,
    /// As they came; see [`super::merge`].
    pub sightings: Vec<RequestRecord>,
}

/// Feedback with the request it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFeedback {
    pub feedback: Feedback,
    /// `None`: no request with these ids has been seen (yet).
    pub request: Option<String>,
}

/// One value of an answer or a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Eq for SqlValue {}

/// Rows of a question in SQL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SqlAnswer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<SqlValue>>,
    /// There were more rows than the bound.
    pub cut: bool,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The question is at fault.
    #[error("{0}")]
    BadQuery(String),
    /// It took longer than allowed.
    #[error("the query took longer than {seconds} s")]
    Timeout { seconds: u64 },
    /// The disk or the database is at fault.
    #[error("cannot read records: {0}")]
    Storage(String),
}

/// Gives records. Calls block: ask from a thread that may wait.
pub trait RecordSource: Send + Sync + 'static {
    /// Single requests.
    fn requests(&self, query: &RecordQuery) -> Result<Vec<StoredRequest>, RecordError>;

    /// One request by its number, with every sighting of it; `None` when there is none.
    fn request(&self, uid: &str) -> Result<Option<RequestSightings>, RecordError>;

    /// How many requests a replica had under way at some time within a range.
    fn under_way(&self, replica: &str, range_us: Range<i64>) -> Result<u64, RecordError>;

    /// The numbers of many requests.
    fn samples(&self, query: &SampleQuery) -> Result<Samples, RecordError>;

    /// Judgements given within a time on requests of a model, the latest first.
    fn judgements(
        &self,
        model: &str,
        range_us: Range<i64>,
        limit: usize,
    ) -> Result<Vec<Judgement>, RecordError>;

    /// Sums over requests.
    fn rollup(&self, query: &RollupQuery) -> Result<Vec<RollupRow>, RecordError>;

    /// Feedback given within a time, newest first.
    fn feedback(
        &self,
        range_us: Range<i64>,
        limit: usize,
    ) -> Result<Vec<StoredFeedback>, RecordError>;

    /// A read-only question in SQL over the records of a time.
    fn sql(&self, text: &str, range_us: Range<i64>) -> Result<SqlAnswer, RecordError>;
}
