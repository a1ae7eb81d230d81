//! Why the server did not start, and the errors of Stratascope's own endpoints.

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::json::envelope::json_response;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address} for {purpose}")]
    Bind {
        address: SocketAddr,
        purpose: &'static str,
        #[source]
        source: io::Error,
    },
    /// Other machines could read and write everything.
    #[error("{message}")]
    Exposed { message: String },
}

/// The stable codes of Stratascope's own errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    NotFound,
    Unauthorized,
    HostNotAllowed,
    CrossOrigin,
}

/// An error of Stratascope's own: a stable code, what happened, what can be done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OwnError {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl OwnError {
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: &'static str) -> Self {
        Self { code, message: message.into(), hint }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            // 421 is what HTTP has for "not under this name".
            Code::HostNotAllowed => StatusCode::MISDIRECTED_REQUEST,
            Code::CrossOrigin => StatusCode::FORBIDDEN,
        }
    }
}

impl IntoResponse for OwnError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        json_response(self.status(), Body::from(body))
    }
}
