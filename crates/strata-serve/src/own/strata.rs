//! `/api/v1/strata/*`: sources and status as JSON.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use super::rfc3339;
use crate::error::{Code, OwnError};
use crate::json::envelope::json_response;
use crate::routes::counted;
use crate::state::App;

/// Routes below `/api/v1/strata`.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/sources", counted(app, "strata_sources", get(sources)))
        .route("/status", counted(app, "strata_status", get(status)))
        .fallback(unknown)
}

/// Every source with its state, last success, samples, faults and hint.
async fn sources(State(app): State<Arc<App>>) -> Response {
    value(&json!({ "sources": app.parts.sources.snapshot() }))
}

/// The program and its store.
async fn status(State(app): State<Arc<App>>) -> Response {
    value(&json!({
        "version": app.parts.version,
        "started_at": rfc3339(app.started_ms),
        "uptime_seconds": app.uptime_seconds(),
        "store": (app.parts.status)(),
    }))
}

/// Whatever else is asked of us.
pub(crate) async fn unknown(uri: Uri) -> OwnError {
    OwnError::new(
        Code::NotFound,
        format!("{} is not served", uri.path()),
        "the page / lists what is served",
    )
}

fn value(value: &serde_json::Value) -> Response {
    json_response(StatusCode::OK, Body::from(value.to_string()))
}
