//! `/query`, `/query_range`, `/format_query` and `/query_exemplars`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use strata_query::{Annotations, Answer, InstantQuery, QueryValue, RangeQuery};

use super::admission::admitted;
use crate::body::read_params;
use crate::json::answer::{QueryStats, answer_response};
use crate::json::envelope::{ApiError, success};
use crate::json::text::push_string;
use crate::params::time::{MAX_TIME_MS, MIN_TIME_MS};
use crate::params::{Params, parse_duration};
use crate::state::App;

/// Prometheus's bound on the points of one series: a week at 60 s, a year at 1 h.
pub const POINTS_MAX: i128 = 11_000;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What Prometheus says when a `limit` cut an answer short.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// `/api/v1/query`
pub(crate) async fn instant(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let limit = params.limit()?;
    let at_ms = params.time_or("time", app.parts.clock.now_ms())?;
    let options = Options::read(&app, &params)?;
    let text = params.get("query").to_owned();
    let engine = &app.parts.engine;
    let answered = admitted(&app, options.timeout, ApiError::of_expression, |timeout| {
        engine.instant(InstantQuery { text, at_ms, timeout, lookback_ms: options.lookback_ms })
    });
    let (answer, stats) = answered.await?;
    Ok(finish(answer, limit, options.stats.then_some(stats)))
}

/// `/api/v1/query_range`
pub(crate) async fn range(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let limit = params.limit()?;
    let start_ms = params.time("start")?;
    let end_ms = params.time("end")?;
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_nanos = params.duration("step")?;
    if step_nanos < NANOS_PER_MILLI {
        return Err(ApiError::parameter(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    let range_nanos = (i128::from(end_ms) - i128::from(start_ms)) * i128::from(NANOS_PER_MILLI);
    if range_nanos / i128::from(step_nanos) > POINTS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        ));
    }
    let step_ms = step_nanos / NANOS_PER_MILLI;
    let options = Options::read(&app, &params)?;
    let text = params.get("query").to_owned();
    let engine = &app.parts.engine;
    let answered = admitted(&app, options.timeout, ApiError::of_expression, |timeout| {
        let lookback_ms = options.lookback_ms;
        engine.range(RangeQuery { text, start_ms, end_ms, step_ms, timeout, lookback_ms })
    });
    let (answer, stats) = answered.await?;
    Ok(finish(answer, limit, options.stats.then_some(stats)))
}

/// `/api/v1/format_query`
pub(crate) async fn format(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let text = app.parts.engine.format(params.get("query")).map_err(ApiError::of_expression)?;
    Ok(success(&Annotations::default(), |buffer| push_string(buffer, &text)))
}

/// `/api/v1/query_exemplars`: exemplars are not stored, so there are none.
pub(crate) async fn exemplars(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let start_ms = params.time_or("start", MIN_TIME_MS)?;
    let end_ms = params.time_or("end", MAX_TIME_MS)?;
    if end_ms < start_ms {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    app.parts
        .engine
        .format(params.get("query"))
        .map_err(|error| ApiError::bad_data(error.message))?;
    Ok(success(&Annotations::default(), |buffer| buffer.extend_from_slice(b"[]")))
}

/// Parameters that instant and range queries share.
struct Options {
    timeout: Duration,
    stats: bool,
    /// How far back instant selectors look; the engine's setting when there is none.
    lookback_ms: Option<i64>,
}

impl Options {
    fn read(app: &App, params: &Params) -> Result<Self, ApiError> {
        let mut timeout = app.settings.query_timeout;
        if !params.get("timeout").is_empty() {
            let asked = u64::try_from(params.duration("timeout")?).unwrap_or(0);
            timeout = timeout.min(Duration::from_nanos(asked));
        }
        let mut lookback_ms = None;
        let lookback = params.get("lookback_delta");
        if !lookback.is_empty() {
            let nanos = parse_duration(lookback).map_err(|problem| {
                ApiError::bad_data(format!("error parsing lookback delta duration: {problem}"))
            })?;
            // As in Prometheus, nothing and less than nothing mean the default.
            lookback_ms = Some(nanos / NANOS_PER_MILLI).filter(|millis| *millis > 0);
        }
        Ok(Self { timeout, stats: !params.get("stats").is_empty(), lookback_ms })
    }
}

/// Cut the answer to its limit and write it.
fn finish(mut answer: Answer, limit: usize, stats: Option<QueryStats>) -> Response {
    if let QueryValue::Vector(series) | QueryValue::Matrix(series) = &mut answer.value
        && limit > 0
        && series.len() > limit
    {
        series.truncate(limit);
        answer.annotations.warnings.push(TRUNCATED.to_owned());
    }
    answer_response(answer, stats)
}
