//! Folds faults of one body: alike ones become one, with the first as the sample.

use strata_model::{Fault, FaultCode};

/// Bytes of outside text quoted in a fault.
const QUOTE_BYTES_MAX: usize = 120;

/// Faults and rejections of one body.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// In order of first appearance. `kind` is one of few constants, so this stays short.
    folded: Vec<(&'static str, Fault)>,
    /// Samples that were dropped.
    pub(super) rejected: u64,
}

impl Tally {
    /// Count a fault of this kind; `message` is asked only for the first.
    pub(super) fn fault(
        &mut self,
        code: FaultCode,
        kind: &'static str,
        message: impl FnOnce() -> String,
    ) {
        match self.folded.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, fault)) => fault.count += 1,
            None => self.folded.push((kind, Fault::new(code, format!("{kind}: {}", message())))),
        }
    }

    /// Count a fault that cost `samples` samples.
    pub(super) fn reject(
        &mut self,
        samples: u64,
        code: FaultCode,
        kind: &'static str,
        message: impl FnOnce() -> String,
    ) {
        self.rejected += samples;
        self.fault(code, kind, message);
    }

    /// The folded faults.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.folded.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// Outside text made fit for a message: lossy UTF-8, escaped, shortened.
pub(super) fn quote(text: &[u8]) -> String {
    let (head, more) = match text.split_at_checked(QUOTE_BYTES_MAX) {
        Some((head, rest)) if !rest.is_empty() => (head, "..."),
        _ => (text, ""),
    };
    format!("{:?}{more}", String::from_utf8_lossy(head))
}
