//! The envelope around every answer of the Prometheus API, and its errors.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strata_query::{Annotations, QueryError, QueryErrorKind};

use super::text::{push_string, push_strings};

/// An error of the Prometheus API: status, `errorType`, text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

/// nginx's number for "the client closed the request", which Prometheus uses too.
const CLIENT_CLOSED: u16 = 499;

impl ApiError {
    /// A parameter or expression is wrong: 400.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error_type: "bad_data", message: message.into() }
    }

    /// `invalid parameter "start": ..`, as Prometheus says it.
    pub(crate) fn parameter(name: &str, problem: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {problem}"))
    }

    /// Took or waited too long: 503.
    pub(crate) fn timeout(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error_type: "timeout",
            message: message.into(),
        }
    }

    /// Nothing is served under this path: 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, error_type: "not_found", message: message.into() }
    }

    /// A handler broke; Prometheus says the same of its evaluator: 500.
    pub(crate) fn panicked(words: &str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error_type: "internal",
            message: format!("unexpected error: {words}"),
        }
    }

    /// The engine's refusal of an expression: what is wrong with the text names the parameter.
    pub(crate) fn of_expression(error: QueryError) -> Self {
        match error.kind {
            QueryErrorKind::BadData => Self::parameter("query", error.message),
            _ => Self::from(error),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let (status, error_type) = match error.kind {
            QueryErrorKind::BadData => (StatusCode::BAD_REQUEST, "bad_data"),
            QueryErrorKind::Execution => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            QueryErrorKind::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            QueryErrorKind::Canceled => {
                (StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST), "canceled")
            }
            QueryErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self { status, error_type, message: error.message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(96 + self.message.len());
        body.extend_from_slice(br#"{"status":"error","errorType":"#);
        push_string(&mut body, self.error_type);
        body.extend_from_slice(br#","error":"#);
        push_string(&mut body, &self.message);
        body.push(b'}');
        json_response(self.status, Body::from(body))
    }
}

/// What opens a successful answer; the data follows.
pub(crate) const OPENING: &[u8] = br#"{"status":"success","data":"#;

/// Close the envelope after the data: warnings and infos where there are any.
pub(crate) fn push_closing(buffer: &mut Vec<u8>, annotations: &Annotations) {
    if !annotations.warnings.is_empty() {
        buffer.extend_from_slice(br#","warnings":"#);
        push_strings(buffer, &annotations.warnings);
    }
    if !annotations.infos.is_empty() {
        buffer.extend_from_slice(br#","infos":"#);
        push_strings(buffer, &annotations.infos);
    }
    buffer.push(b'}');
}

/// A successful answer whose data `write` appends.
pub(crate) fn success(annotations: &Annotations, write: impl FnOnce(&mut Vec<u8>)) -> Response {
    let mut body = OPENING.to_vec();
    write(&mut body);
    push_closing(&mut body, annotations);
    json_response(StatusCode::OK, Body::from(body))
}

/// A successful answer of data that is small and rare.
pub(crate) fn success_value(data: &serde_json::Value) -> Response {
    success(&Annotations::default(), |buffer| buffer.extend_from_slice(data.to_string().as_bytes()))
}

/// Any JSON body.
pub(crate) fn json_response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
