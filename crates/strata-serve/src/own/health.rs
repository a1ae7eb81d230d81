//! Alive and ready, for load balancers and kubelets.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::ingest::text;
use crate::state::App;

/// `/-/healthy`, `/healthz`: the process answers.
pub(crate) async fn healthy() -> Response {
    text(StatusCode::OK, "strata is healthy\n".to_owned())
}

/// `/-/ready`, `/readyz`: queries and writes can be answered.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    match (app.parts.ready)() {
        Ok(()) => text(StatusCode::OK, "strata is ready\n".to_owned()),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("strata is not ready: {reason}\n"))
                .into_response()
        }
    }
}
