//! Decoding of what other programs push: Prometheus remote write 1.0 and 2.0, OTLP metrics.
//!
//! Bytes in, batches out. The servers that accept the bytes live in `strata-serve`; nothing here
//! opens a socket. What can be read is kept under its source's names, what cannot is counted with a
//! sample of the evidence, and a body whose framing is broken is refused as a whole.

pub mod otlp;
pub mod remote_write;
mod tally;
mod targets;
mod wire;

use strata_model::{Batch, Fault};

/// What a pushed body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    RemoteWriteV1,
    RemoteWriteV2,
    OtlpProtobuf,
    OtlpJson,
}

/// What one pushed body brought.
#[derive(Debug, Default)]
pub struct Decoded {
    /// One batch per target (`job` and `instance`), plus one for series without a target and for
    /// metadata. Their `source` is stable from body to body.
    pub batches: Vec<Batch>,
    /// What was dropped or repaired, alike ones folded together.
    pub faults: Vec<Fault>,
    /// Float samples in `batches`.
    pub samples: u64,
    /// Native-histogram samples in `batches`.
    pub histograms: u64,
    /// Exemplars seen; they are not kept.
    pub exemplars: u64,
    /// Samples, histograms or OTLP data points that were dropped because of a fault.
    pub rejected: u64,
}

impl Decoded {
    /// One sentence for the sender about what was dropped; `None` when nothing was.
    pub fn rejection(&self) -> Option<String> {
        if self.rejected == 0 {
            return None;
        }
        let reasons: Vec<&str> =
            self.faults.iter().map(|fault| fault.message.as_str()).take(REASONS_MAX).collect();
        Some(format!("{} samples rejected: {}", self.rejected, reasons.join("; ")))
    }
}

/// Reasons told to a sender; the rest is counted. Senders log the sentence, so it stays short.
const REASONS_MAX: usize = 3;

/// Why a whole body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than a bound allows; answer 413, the sender should send smaller bodies.
    #[error("body is too large: {got} {what} where {limit} are allowed")]
    TooLarge { what: &'static str, got: u64, limit: u64 },
    /// The bytes are not what the protocol promises; answer 400.
    #[error("cannot decode body: {0}")]
    Malformed(String),
    /// A protocol or encoding that is not spoken here; answer 415.
    #[error("cannot decode body: {0}")]
    Unsupported(String),
}

/// Bounds on one pushed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveLimits {
    /// Bytes of the body as sent.
    pub body_bytes: usize,
    /// Bytes of the body after decompression.
    pub decoded_bytes: usize,
    /// Series entries of one body.
    pub series: usize,
    /// Labels of one series.
    pub labels_per_series: usize,
    /// Bytes of one label name.
    pub label_name_bytes: usize,
    /// Bytes of one label value.
    pub label_value_bytes: usize,
    /// Samples, histograms and OTLP data points of one body.
    pub samples: usize,
    /// Populated buckets, spans or custom bounds of one histogram.
    pub buckets: usize,
}

impl Default for ReceiveLimits {
    /// Prometheus sends bodies of up to 2,000 samples (some 100 kB), agents that catch up after an
    /// outage a few MB: the defaults leave a hundred times that and still bound the memory.
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            decoded_bytes: 256 << 20,
            series: 1_000_000,
            labels_per_series: 128,
            label_name_bytes: 1 << 10,
            label_value_bytes: 16 << 10,
            samples: 8_000_000,
            // A schema 8 histogram over nine decades populates 7,654 buckets.
            buckets: 8 << 10,
        }
    }
}

/// Refuse `got` when it is beyond `limit`.
fn bound(what: &'static str, got: usize, limit: usize) -> Result<(), DecodeError> {
    if got > limit {
        return Err(DecodeError::TooLarge { what, got: got as u64, limit: limit as u64 });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
