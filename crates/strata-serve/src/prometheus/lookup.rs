//! Look-ups of series, label names and label values: `/series`, `/labels`, `/label/{name}/values`.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use strata_query::{Annotations, SeriesQuery, selector};

use super::admission::admitted;
use super::query::TRUNCATED;
use crate::body::read_params;
use crate::json::envelope::{ApiError, success};
use crate::json::text::{push_labels, push_strings};
use crate::params::time::{MAX_TIME_MS, MIN_TIME_MS};
use crate::params::{Params, unescape_label_name};
use crate::state::App;

/// Selectors of one look-up; each is a pass over the index.
pub const SELECTORS_MAX: usize = 1_000;

/// `/api/v1/series`
pub(crate) async fn series(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (question, limit) = question(&params, |error| ApiError::parameter("match[]", error))?;
    let engine = &app.parts.engine;
    let found =
        admitted(&app, app.settings.query_timeout, ApiError::from, |_| engine.series(question));
    let (mut found, _) = found.await?;
    let annotations = truncate(&mut found, limit);
    Ok(success(&annotations, |buffer| {
        buffer.push(b'[');
        for (index, labels) in found.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            push_labels(buffer, labels);
        }
        buffer.push(b']');
    }))
}

/// `/api/v1/labels`
pub(crate) async fn names(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    let params = read_params(&app, request).await?;
    let (question, limit) = question(&params, ApiError::bad_data)?;
    let engine = &app.parts.engine;
    let found = admitted(&app, app.settings.query_timeout, ApiError::from, |_| {
        engine.label_names(question)
    });
    let (mut found, _) = found.await?;
    let annotations = truncate(&mut found, limit);
    Ok(success(&annotations, |buffer| push_strings(buffer, &found)))
}

/// `/api/v1/label/{name}/values`
pub(crate) async fn values(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let name = unescape_label_name(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    let params = read_params(&app, request).await?;
    let (question, limit) = question(&params, ApiError::bad_data)?;
    let engine = &app.parts.engine;
    let found = admitted(&app, app.settings.query_timeout, ApiError::from, |_| {
        engine.label_values(name, question)
    });
    let (mut found, _) = found.await?;
    let annotations = truncate(&mut found, limit);
    Ok(success(&annotations, |buffer| push_strings(buffer, &found)))
}

/// The question and the limit of its answer. One more than the limit is asked for, to see whether
/// there would have been more.
fn question(
    params: &Params,
    refuse_selector: impl Fn(String) -> ApiError,
) -> Result<(SeriesQuery, usize), ApiError> {
    let limit = params.limit()?;
    let start_ms = params.time_or("start", MIN_TIME_MS)?;
    let end_ms = params.time_or("end", MAX_TIME_MS)?;
    let mut matchers = Vec::new();
    for text in params.all("match[]") {
        if matchers.len() == SELECTORS_MAX {
            return Err(refuse_selector(format!("more than {SELECTORS_MAX} selectors")));
        }
        matchers.push(selector::parse(text).map_err(|error| refuse_selector(error.message))?);
    }
    let wanted = if limit == 0 { 0 } else { limit.saturating_add(1) };
    Ok((SeriesQuery { matchers, start_ms, end_ms, limit: wanted }, limit))
}

fn truncate<T>(found: &mut Vec<T>, limit: usize) -> Annotations {
    let mut annotations = Annotations::default();
    if limit > 0 && found.len() > limit {
        found.truncate(limit);
        annotations.warnings.push(TRUNCATED.to_owned());
    }
    annotations
}
