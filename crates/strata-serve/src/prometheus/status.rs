//! `/status/*`, `/rules` and `/alerts`: what there is to say, and nothing that is not so.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::json::envelope::success_value;
use crate::own::rfc3339;
use crate::state::App;

/// The Prometheus release whose API this is. Grafana asks look-ups with matchers from 2.24 on, and
/// VictoriaMetrics and Mimir answer the same way.
const PROMETHEUS_API_VERSION: &str = "2.42.0";

/// `/api/v1/status/buildinfo`
pub(crate) async fn build_info(State(app): State<Arc<App>>) -> Response {
    success_value(&json!({
        "application": "strata",
        "applicationVersion": app.parts.version,
        "version": PROMETHEUS_API_VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `/api/v1/status/runtimeinfo`
pub(crate) async fn runtime_info(State(app): State<Arc<App>>) -> Response {
    success_value(&json!({
        "application": "strata",
        "startTime": rfc3339(app.started_ms),
        "uptimeSeconds": app.uptime_seconds(),
    }))
}

/// `/api/v1/status/config`: our configuration is not Prometheus's, so there is none to show.
pub(crate) async fn config() -> Response {
    success_value(&json!({ "yaml": "" }))
}

/// `/api/v1/status/flags`
pub(crate) async fn flags() -> Response {
    success_value(&json!({}))
}

/// `/api/v1/status/tsdb`: what the store says about itself, under its own names.
pub(crate) async fn tsdb(State(app): State<Arc<App>>) -> Response {
    success_value(&json!({ "strata": (app.parts.status)() }))
}

/// `/api/v1/rules`: there are no rules in Prometheus's sense.
pub(crate) async fn rules() -> Response {
    success_value(&json!({ "groups": [] }))
}

/// `/api/v1/alerts`
pub(crate) async fn alerts() -> Response {
    success_value(&json!({ "alerts": [] }))
}
