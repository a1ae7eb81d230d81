//! Single requests asked for, and feedback taken: `/api/v1/requests`, `/api/v1/sql`, `/v1/feedback`.

mod feedback;

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use strata_collect::receive::otlp::records::RecordRules;
use strata_model::record::{
    Filter, Order, RecordError, RecordQuery, RecordSink, RecordSource, RollupDimension,
    RollupQuery, RollupRow, SqlValue, StoredRequest, TokenBuckets, Totals,
};
use strata_view::{PageError, PageErrorCode};

use crate::json::envelope::json_response;
use crate::pages::refused;
use crate::params::{Params, parse_time};
use crate::routes::Route;
use crate::state::App;

pub(crate) use feedback::routes as feedback_routes;
pub use feedback::{
    COMMENT_BYTES_MAX, FEEDBACK_BYTES_MAX, FEEDBACK_EVENTS, FEEDBACK_MAX, TEXT_BYTES_MAX,
};

/// Routes below `/api/v1`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/requests", "requests", requests),
        Route::get("/requests/sums", "requests", sums),
        Route::get("/sql", "sql", sql),
    ]
}

/// Where records go and come from.
#[derive(Clone)]
pub struct Records {
    pub sink: Arc<dyn RecordSink>,
    pub source: Arc<dyn RecordSource>,
    /// What is kept of what is pushed.
    pub rules: RecordRules,
}

/// The range when none is given: an hour, microseconds.
const RANGE_US: i64 = 3_600_000_000;
/// Requests of an answer when nothing else is asked for.
pub const LIMIT: usize = 20;
/// Requests of an answer at most.
pub const LIMIT_MAX: usize = 1_000;
/// Groups of an answer at most.
pub const GROUPS_MAX: usize = 10_000;
/// Conditions of one question.
pub const FILTERS_MAX: usize = 32;

pub(super) fn bad(message: impl Into<String>, hint: &str) -> PageError {
    PageError { code: PageErrorCode::BadRequest, message: message.into(), hint: hint.to_owned() }
}

pub(crate) fn records(app: &App) -> Result<&Records, PageError> {
    app.parts.records.as_ref().ok_or_else(|| PageError {
        code: PageErrorCode::NotFound,
        message: "this server keeps no records of requests".to_owned(),
        hint: "see [records] in the configuration of strata run".to_owned(),
    })
}

pub(super) fn answer(made: Result<Json, PageError>) -> Response {
    match made {
        Ok(json) => json_response(StatusCode::OK, Body::from(json.to_string())),
        Err(error) => refused(error),
    }
}

/// Parameters, and the range of `start` and `end` in microseconds.
fn parameters(app: &App, query: Option<String>) -> Result<(Params, Range<i64>), PageError> {
    let params = Params::parse(&[], &query.unwrap_or_default());
    let params = params.map_err(|words| bad(words, ""))?;
    let time = |name: &str, default: i64| match params.get(name) {
        "" => Ok(default),
        text => parse_time(text).map(|ms| ms.saturating_mul(1_000)).map_err(|problem| {
            bad(format!("{name}: {problem}"), "write RFC 3339 or seconds since 1970")
        }),
    };
    let end = time("end", app.parts.clock.now_ms().saturating_mul(1_000))?;
    let start = time("start", end.saturating_sub(RANGE_US))?;
    if start >= end {
        return Err(bad("start is not before end", ""));
    }
    Ok((params, start..end))
}

fn limit(params: &Params, default: usize, most: usize) -> Result<usize, PageError> {
    match params.get("limit") {
        "" => Ok(default),
        text => match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(bad(format!("limit {text:?} is not between 1 and {most}"), "")),
        },
    }
}

/// Ask off the threads that serve connections, in turn with the queries.
async fn ask<T: Send + 'static>(
    app: &App,
    question: impl FnOnce(&dyn RecordSource) -> Result<T, RecordError> + Send + 'static,
) -> Result<T, PageError> {
    let source = Arc::clone(&records(app)?.source);
    let internal = |message: String| PageError {
        code: PageErrorCode::Internal,
        message,
        hint: "see the server's log".to_owned(),
    };
    let _turn = app.queries.acquire().await.map_err(|error| internal(error.to_string()))?;
    let answer = tokio::task::spawn_blocking(move || question(source.as_ref())).await;
    let answer = answer.map_err(|error| internal(error.to_string()))?;
    answer.map_err(|error| match &error {
        RecordError::BadQuery(words) => bad(words.as_str(), "see docs/records.md"),
        RecordError::Timeout { .. } => PageError {
            code: PageErrorCode::Timeout,
            message: error.to_string(),
            hint: "narrow the question, or see records.sql_timeout".to_owned(),
        },
        RecordError::Storage(_) => internal(error.to_string()),
    })
}

/// `GET /api/v1/requests`
async fn requests(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    answer(list(&app, query).await)
}

async fn list(app: &App, query: Option<String>) -> Result<Json, PageError> {
    let (params, range_us) = parameters(app, query)?;
    let order = match params.get("order") {
        "" | "slowest" => Order::Slowest,
        "ttft" => Order::SlowestFirstToken,
        "newest" => Order::Newest,
        other => {
            return Err(bad(format!("no order is called {other:?}"), "slowest, ttft or newest"));
        }
    };
    let limit = limit(&params, LIMIT, LIMIT_MAX)?;
    let filters = filters(&params)?;
    let query = RecordQuery { range_us: range_us.clone(), filters, order, limit };
    let found = ask(app, move |source| source.requests(&query)).await?;
    let requests: Vec<Json> = found.iter().map(request_json).collect();
    Ok(json!({ "start_us": range_us.start, "end_us": range_us.end, "requests": requests }))
}

fn filters(params: &Params) -> Result<Vec<Filter>, PageError> {
    let hint = "write where=team=search or where=duration>=2s";
    let filters: Result<Vec<_>, _> =
        params.all("where").take(FILTERS_MAX + 1).map(Filter::parse).collect();
    let filters = filters.map_err(|words| bad(words, hint))?;
    if filters.len() > FILTERS_MAX {
        return Err(bad(format!("more than {FILTERS_MAX} conditions"), ""));
    }
    Ok(filters)
}

/// A request with what follows from it. Fields that are not known are left out.
pub fn request_json(one: &StoredRequest) -> Json {
    let mut object = match serde_json::to_value(&one.record) {
        Ok(Json::Object(object)) => object,
        _ => Map::new(),
    };
    object.remove("door");
    object.insert("uid".to_owned(), json!(one.uid));
    object.insert("doors".to_owned(), json!(one.doors));
    if let Some(model) = one.record.model() {
        object.insert("model".to_owned(), json!(model));
    }
    if let Some(took) = one.record.duration_us() {
        object.insert("duration_us".to_owned(), json!(took));
    }
    Json::Object(object)
}

/// `GET /api/v1/requests/sums`
async fn sums(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    answer(summed(&app, query).await)
}

async fn summed(app: &App, query: Option<String>) -> Result<Json, PageError> {
    let (params, range_us) = parameters(app, query)?;
    let hint = "dimensions are tenant, team, app, model, hour";
    let dimension = |name: &str| {
        RollupDimension::from_name(name.trim())
            .ok_or_else(|| bad(format!("no dimension is called {name:?}"), hint))
    };
    let by = params.get("by").split(',').filter(|name| !name.is_empty());
    let by: Vec<RollupDimension> = by.map(dimension).collect::<Result<_, _>>()?;
    let filter = |text: &str| match text.split_once('=') {
        Some((name, value)) => Ok((dimension(name)?, value.to_owned())),
        None => Err(bad(format!("{text:?} is not name=value"), hint)),
    };
    let filters: Result<Vec<_>, _> = params.all("where").take(FILTERS_MAX).map(filter).collect();
    let limit = limit(&params, LIMIT_MAX, GROUPS_MAX)?;
    let names: Vec<&str> = by.iter().map(|one| one.name()).collect();
    let query = RollupQuery { range_us: range_us.clone(), by, filters: filters?, limit };
    let rows = ask(app, move |source| source.rollup(&query)).await?;
    let rows: Vec<Json> = rows.iter().map(|row| sums_json(&names, row)).collect();
    let hour = 3_600_000_000;
    Ok(json!({
        "start_us": range_us.start.div_euclid(hour) * hour,
        "end_us": range_us.end.saturating_sub(1).div_euclid(hour).saturating_add(1) * hour,
        "by": names,
        "sums": rows,
    }))
}

fn sums_json(names: &[&str], row: &RollupRow) -> Json {
    let totals = &row.totals;
    let keys: Map<String, Json> =
        names.iter().zip(&row.keys).map(|(name, key)| ((*name).to_owned(), json!(key))).collect();
    // A bucket that no request reported is not known, rather than nothing.
    let counts = totals.tokens.iter().zip(&totals.counted);
    let tokens: Map<String, Json> = TokenBuckets::NAMES
        .iter()
        .zip(counts)
        .filter(|(_, (_, counted))| **counted > 0)
        .map(|(name, (sum, counted))| {
            ((*name).to_owned(), json!({ "sum": sum, "requests": counted }))
        })
        .collect();
    let outcomes: Map<String, Json> = Totals::OUTCOMES
        .iter()
        .zip(&totals.outcomes)
        .map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect();
    // Beyond the last edge nothing is known, which JSON writes as null.
    let at_most = |histogram: &strata_model::record::DurationHistogram| {
        json!({
            "count": histogram.count(),
            "p50_at_most_us": histogram.quantile_at_most_us(0.5),
            "p90_at_most_us": histogram.quantile_at_most_us(0.9),
            "p99_at_most_us": histogram.quantile_at_most_us(0.99),
        })
    };
    json!({
        "keys": keys,
        "requests": totals.requests,
        "tokens": tokens,
        "outcomes": outcomes,
        "duration": at_most(&totals.duration),
        "duration_sum_us": totals.duration_sum_us,
        "ttft": at_most(&totals.ttft),
        "ttft_sum_us": totals.ttft_sum_us,
    })
}

/// `GET /api/v1/sql`
async fn sql(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    answer(table(&app, query).await)
}

async fn table(app: &App, query: Option<String>) -> Result<Json, PageError> {
    let (params, range_us) = parameters(app, query)?;
    let text = params.get("query").to_owned();
    if text.trim().is_empty() {
        return Err(bad("query is empty", "tables are request, span, feedback, rollup"));
    }
    let found = ask(app, move |source| source.sql(&text, range_us)).await?;
    let value = |value: &SqlValue| match value {
        SqlValue::Null => Json::Null,
        SqlValue::Integer(n) => json!(n),
        SqlValue::Real(n) => json!(n),
        SqlValue::Text(text) => json!(text),
    };
    let rows: Vec<Vec<Json>> =
        found.rows.iter().map(|row| row.iter().map(value).collect()).collect();
    Ok(json!({ "columns": found.columns, "rows": rows, "cut": found.cut }))
}
