//! Running a decoder within the server's bounds, and what its refusals mean.

use axum::http::StatusCode;
use strata_collect::receive::{DecodeError, ReceiveLimits};
use strata_model::{Fault, FaultCode};

use crate::state::App;

/// The fault that a refused body is.
pub(crate) fn fault_of(error: &DecodeError) -> Fault {
    let code = match error {
        DecodeError::TooLarge { .. } => FaultCode::TooLarge,
        DecodeError::Malformed(_) => FaultCode::Malformed,
        DecodeError::Unsupported(_) => FaultCode::Unsupported,
    };
    Fault::new(code, error.to_string())
}

/// The status that refuses a body.
pub(crate) fn status_of(error: &DecodeError) -> StatusCode {
    match error {
        DecodeError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        DecodeError::Malformed(_) => StatusCode::BAD_REQUEST,
        DecodeError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

/// The bounds of a body, from the server's settings.
pub(crate) fn receive_limits(app: &App) -> ReceiveLimits {
    ReceiveLimits {
        body_bytes: app.settings.body_bytes_max,
        decoded_bytes: app.settings.decompressed_bytes_max,
        ..ReceiveLimits::default()
    }
}

/// Larger bodies are decoded off the threads that serve connections.
const DECODE_INLINE_BYTES: usize = 64 * 1024;

/// Run a decoder, elsewhere when the body is large.
pub(crate) async fn decode_off_thread<T: Send + 'static>(
    bytes: usize,
    decode: impl FnOnce() -> Result<T, DecodeError> + Send + 'static,
) -> Result<T, DecodeError> {
    if bytes <= DECODE_INLINE_BYTES {
        return decode();
    }
    tokio::task::spawn_blocking(decode).await.unwrap_or_else(|error| {
        Err(DecodeError::Malformed(format!("the decoder broke off: {error}")))
    })
}
