//! What a device has turned out not to have, so that it is not asked for every second.

use std::collections::BTreeMap;

use strata_model::FaultCode;

use super::library::{Answer, Code};
use crate::l3_host::part::Round;

/// A call, by the word its faults are told with.
pub(super) type Call = &'static str;

/// One device's memory of refused calls.
#[derive(Debug, Default)]
pub(super) struct Memo {
    refused: BTreeMap<(Call, u32), Code>,
    /// The code with which the device stopped answering.
    pub(super) lost: Option<Code>,
}

impl Memo {
    /// Ask, unless the device is known not to have it. `which` tells calls of one name apart.
    pub(super) fn ask<T>(
        &mut self,
        round: &mut Round,
        (call, which): (Call, u32),
        ask: impl FnOnce() -> Answer<T>,
    ) -> Option<T> {
        if self.lost.is_some() || self.refused.contains_key(&(call, which)) {
            return None;
        }
        match ask() {
            Ok(value) => Some(value),
            Err(code) => {
                self.note(round, (call, which), code);
                None
            }
        }
    }

    /// Remember what an answer says about the device.
    pub(super) fn note(&mut self, round: &mut Round, call: (Call, u32), code: Code) {
        if code.is_loss() {
            self.lost = Some(code);
        } else if code.is_missing() {
            self.refused.insert(call, code);
        } else if code == Code::NO_PERMISSION {
            self.refused.insert(call, code);
            round.fault(FaultCode::Denied, format!("NVML: {}: {}", call.0, code.name()));
        } else if !matches!(code, Code::NO_DATA | Code::NOT_FOUND) {
            let message = format!("NVML: {}: {} ({})", call.0, code.name(), code.0);
            round.fault(FaultCode::Io, message);
        }
    }

    /// Whether the device is known not to have it.
    pub(super) fn is_refused(&self, call: (Call, u32)) -> bool {
        self.refused.contains_key(&call)
    }

    /// What the device answered when it was asked for it last, if it refused.
    pub(super) fn refusal(&self, call: (Call, u32)) -> Option<Code> {
        self.refused.get(&call).copied()
    }

    /// What was refused may be there now: the device was reset, or split anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
