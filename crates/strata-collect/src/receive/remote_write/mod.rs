//! Prometheus remote write 1.0 and 2.0, read straight from the wire.
//!
//! The front door decides what ingest costs, so labels are copied once, from the protobuf bytes to
//! the canonical encoding, and nothing is built in between.
//! Specifications: <https://prometheus.io/docs/specs/prw/remote_write_spec/> and
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>.

mod histogram;
mod labels;
mod series;
mod v1;
mod v2;

use super::{DecodeError, Decoded, Protocol, ReceiveLimits, bound};

/// The densest snappy element is a three-byte copy that yields 64 bytes; a header that promises
/// more per byte of body than this is lying.
const SNAPPY_RATIO_MAX: usize = 22;

/// Decode a snappy-compressed `prometheus.WriteRequest`.
pub fn decode_v1(body_snappy: &[u8], limits: &ReceiveLimits) -> Result<Decoded, DecodeError> {
    v1::decode(&decompress(body_snappy, limits)?, limits)
}

/// Decode a snappy-compressed `io.prometheus.write.v2.Request`.
///
/// Start timestamps are read over: a zero sample made of one would come again with each body and be
/// refused as too old once its time has left the out-of-order window.
pub fn decode_v2(body_snappy: &[u8], limits: &ReceiveLimits) -> Result<Decoded, DecodeError> {
    v2::decode(&decompress(body_snappy, limits)?, limits)
}

/// Which message a `Content-Type` announces; the error says what is understood.
///
/// Without a `proto` parameter (or without a header at all) it is 1.0, as the specification says.
pub fn protocol_of(content_type: &str) -> Result<Protocol, String> {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or("");
    if !media_type.is_empty() && !media_type.eq_ignore_ascii_case("application/x-protobuf") {
        return Err(format!(
            "content type {content_type:?} is not remote write, send application/x-protobuf"
        ));
    }
    let message = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
    });
    match message {
        None | Some("prometheus.WriteRequest") => Ok(Protocol::RemoteWriteV1),
        Some("io.prometheus.write.v2.Request") => Ok(Protocol::RemoteWriteV2),
        Some(other) => Err(format!(
            "remote write message {other:?} is not known, send prometheus.WriteRequest or \
             io.prometheus.write.v2.Request"
        )),
    }
}

/// Undo snappy's block format. The promised length is checked before anything is allocated.
fn decompress(body: &[u8], limits: &ReceiveLimits) -> Result<Vec<u8>, DecodeError> {
    bound("compressed bytes", body.len(), limits.body_bytes)?;
    let malformed = |error: snap::Error| DecodeError::Malformed(format!("snappy: {error}"));
    let promised = snap::raw::decompress_len(body).map_err(malformed)?;
    bound("decompressed bytes", promised, limits.decoded_bytes)?;
    if promised > body.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(DecodeError::Malformed(format!(
            "snappy: {} bytes cannot hold the {promised} they promise",
            body.len()
        )));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(malformed)
}

#[cfg(test)]
mod encode;
#[cfg(test)]
mod tests;
