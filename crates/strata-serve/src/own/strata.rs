//! `/api/v1/strata/*`: sources and status as JSON, and the description of the whole interface.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use super::rfc3339;
use crate::error::{Code, OwnError};
use crate::json::envelope::json_response;
use crate::routes::Route;
use crate::state::App;

/// Where our own documents lie, below `/api/v1`.
pub(crate) const BELOW: &str = "/strata";

/// Routes below `/api/v1`.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get([BELOW, "/sources"].concat(), "strata_sources", sources),
        Route::get([BELOW, "/status"].concat(), "strata_status", status),
        Route::get("/openapi.json", "openapi", openapi),
    ]
}

/// `/api/v1/openapi.json`: what is served, described for programs.
async fn openapi(State(app): State<Arc<App>>) -> Response {
    json_response(StatusCode::OK, Body::from((app.parts.openapi)()))
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
