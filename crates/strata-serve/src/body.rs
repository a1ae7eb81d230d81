//! Bodies with every bound there is: size as sent, size unpacked, time to arrive.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::json::envelope::ApiError;
use crate::params::Params;
use crate::state::App;

/// Largest form body: a query with many matchers has a few kilobytes.
const FORM_BYTES_MAX: usize = 1 << 20;

/// Why a body was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {max} bytes")]
    TooLarge { max: usize },
    #[error("the body did not arrive within {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("the body is not valid {encoding}: {reason}")]
    Unpackable { encoding: &'static str, reason: String },
    #[error("content encoding {0:?} is not supported")]
    Encoding(String),
}

impl BodyError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) | Self::Unpackable { .. } => StatusCode::BAD_REQUEST,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// The length a request announces; `None` when it sends in pieces.
pub(crate) fn announced_length(request: &Request) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Collect a body of at most `max` bytes within `limit`.
pub(crate) async fn collect(body: Body, max: usize, limit: Duration) -> Result<Bytes, BodyError> {
    match tokio::time::timeout(limit, Limited::new(body, max).collect()).await {
        Err(_elapsed) => Err(BodyError::TooSlow { seconds: limit.as_secs() }),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge { max }),
        Ok(Err(error)) => Err(BodyError::Broken(error.to_string())),
    }
}

/// Unpack gzip into at most `max` bytes.
pub(crate) fn gunzip(packed: &[u8], max: usize) -> Result<Bytes, BodyError> {
    let mut plain = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(packed).take(max as u64 + 1);
    #[expect(clippy::disallowed_methods, reason = "bounded by the take above")]
    let read = reader.read_to_end(&mut plain);
    match read {
        Err(error) => Err(BodyError::Unpackable { encoding: "gzip", reason: error.to_string() }),
        Ok(_) if plain.len() > max => Err(BodyError::TooLarge { max }),
        Ok(_) => Ok(Bytes::from(plain)),
    }
}

/// The parameters of a request, from its URL and, when it has one, its form body.
pub(crate) async fn read_params(app: &App, request: Request) -> Result<Params, ApiError> {
    let (head, body) = request.into_parts();
    let form = head.method == axum::http::Method::POST
        && head.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            value.as_bytes().starts_with(b"application/x-www-form-urlencoded")
        });
    let bytes = if form {
        collect(body, FORM_BYTES_MAX, app.settings.body_timeout).await.map_err(|error| {
            ApiError {
                status: error.status(),
                error_type: "bad_data",
                message: format!("error parsing form values: {error}"),
            }
        })?
    } else {
        Bytes::new()
    };
    Params::parse(&bytes, head.uri.query().unwrap_or_default()).map_err(ApiError::bad_data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let packed = gzip(&vec![0; 1 << 20]);
        assert!(packed.len() < 10_000);
        assert_eq!(gunzip(&packed, 1000), Err(BodyError::TooLarge { max: 1000 }));
        assert_eq!(gunzip(&packed, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn broken_gzip_is_an_error() {
        let packed = gzip(b"hello");
        for broken in [&packed[..packed.len() - 3], b"hello", b""] {
            assert!(matches!(gunzip(broken, 100), Err(BodyError::Unpackable { .. })));
        }
    }
}
