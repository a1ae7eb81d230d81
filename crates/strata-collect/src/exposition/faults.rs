//! Many alike faults of one round folded into one, with the first kept as evidence.

use strata_model::{Fault, FaultCode};

/// Longest piece of a page quoted in a fault, in bytes.
const QUOTE_MAX: usize = 80;

/// Faults of one round. Alike ones (same code, same reason) are counted, not repeated, so the size
/// is bounded by the number of reasons in the program.
#[derive(Debug, Default)]
pub struct FaultFold(Vec<(&'static str, Fault)>);

impl FaultFold {
    /// Count a fault. `reason` is constant; `detail` writes the message of the first of its kind.
    pub fn add(&mut self, code: FaultCode, reason: &'static str, detail: impl FnOnce() -> String) {
        match self.0.iter_mut().find(|(known, fault)| *known == reason && fault.code == code) {
            Some((_, fault)) => fault.count += 1,
            None => self.0.push((reason, Fault::new(code, detail()))),
        }
    }

    /// Whether nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order in which their kinds appeared.
    pub fn into_faults(self) -> Vec<Fault> {
        self.0.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Take what was counted so far and start anew.
    pub fn take(&mut self) -> Vec<Fault> {
        std::mem::take(self).into_faults()
    }
}

/// A piece of outside bytes fit for a message: printable, short, with the cut marked.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let (shown, cut) = match bytes.split_at_checked(QUOTE_MAX) {
        Some((head, tail)) if !tail.is_empty() => (head, "..."),
        _ => (bytes, ""),
    };
    format!("\"{}{cut}\"", shown.escape_ascii())
}
