//! How a device is: ok, about to fail, degraded or failed, and every reason for it. There is no score:
//! what the driver says of the device decides, and each reason stands beside the state.

use std::collections::BTreeMap;

use strata_model::xid::meaning;

use super::super::names;
use super::facts::Facts;
use crate::l3_host::part::Round;
use crate::l3_host::series::SeriesSet;

/// States of OpenTelemetry's `hw.status`, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    PredictedFailure,
    Degraded,
    Failed,
}

const STATES: [(State, &str); 4] = [
    (State::Ok, "ok"),
    (State::PredictedFailure, "predicted_failure"),
    (State::Degraded, "degraded"),
    (State::Failed, "failed"),
];

impl State {
    fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

/// A link that failed once and not again for so long has recovered; what needs a reset has not.
const DEGRADED_MS: i64 = 3_600_000;

/// What the driver asks for by number (`nvmlDeviceGpuRecoveryAction_t`), and what it means for work on
/// the device: only peer-to-peer has to stop for a drain, all else has to.
const RECOVERY: [(u64, State, &str); 7] = [
    (1, State::Failed, "driver asks for a reset"),
    (2, State::Failed, "driver asks for a reboot"),
    (3, State::Degraded, "driver asks to drain peer-to-peer"),
    (4, State::Failed, "driver asks to drain and reset"),
    (5, State::Failed, "driver asks to recover the IMEX domain"),
    (6, State::Failed, "driver asks for a bus reset"),
    (7, State::Failed, "driver asks for a reboot of the system"),
];

/// Reasons that are not the driver's request and not an XID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// It does not answer, or is not listed any more.
    Lost,
    /// A memory row could not be remapped: the board must be replaced.
    RowFailed,
    /// A memory row waits for a reset to be put out of use.
    RowPending,
    /// A memory page does.
    PagePending,
    /// The fabric of switches that it is part of is degraded or wrongly set up.
    FabricUnhealthy,
    /// A memory bank has no spare row: its next error cannot be remapped.
    NoSpareRow,
}

impl Sign {
    fn told(self) -> (State, &'static str) {
        match self {
            Self::Lost => (State::Failed, "lost"),
            Self::RowFailed => (State::Failed, "row remap failed"),
            Self::RowPending => (State::Degraded, "row remap pending"),
            Self::PagePending => (State::Degraded, "page retirement pending"),
            Self::FabricUnhealthy => (State::Degraded, "NVLink fabric unhealthy"),
            Self::NoSpareRow => (State::PredictedFailure, "bank without spare rows"),
        }
    }
}

/// The state that NVIDIA's advice for an XID means; `None` where it is the program's or a notice.
fn of_xid(code: u64) -> Option<State> {
    match meaning(code).action {
        "restart_bm" | "restart_vm" | "reset_gpu" | "workflow_xid_48" => Some(State::Failed),
        "workflow_nvlink_err"
        | "workflow_nvlink5_err"
        | "check_mechanicals"
        | "contact_support" => Some(State::Degraded),
        _ => None,
    }
}

/// The condition of one device, as far as it was told.
#[derive(Default)]
pub(super) struct Condition {
    signs: Vec<Sign>,
    /// What the driver asks for; none where it does not say.
    recovery: Option<u64>,
    /// When an XID that makes the device not ok came last, by code.
    xids: BTreeMap<u64, i64>,
    states: Option<SeriesSet>,
    reasons: BTreeMap<String, SeriesSet>,
}

impl Condition {
    /// Whether a sign holds; what is not told neither holds nor ends.
    pub(super) fn sign(&mut self, sign: Sign, holds: Option<bool>) {
        let Some(holds) = holds else { return };
        self.signs.retain(|known| *known != sign);
        if holds {
            self.signs.push(sign);
        }
    }

    /// What the driver asks for, by number.
    pub(super) fn recovery(&mut self, action: u64) {
        self.recovery = Some(action);
    }

    pub(super) fn xid(&mut self, code: u64, at_ms: i64) {
        if of_xid(code).is_some() {
            self.xids.insert(code, at_ms);
        }
    }

    /// It came back, from a reset or a reload of the driver: what was before has ended.
    pub(super) fn returned(&mut self) {
        *self = Self::default();
    }

    /// Its labels changed.
    pub(super) fn renamed(&mut self) {
        self.states = None;
        self.reasons.clear();
    }

    /// Every reason that holds now, the worst first.
    fn reasons(&mut self, lost: bool, now_ms: i64) -> Vec<(State, String)> {
        self.xids.retain(|code, at_ms| {
            of_xid(*code) == Some(State::Failed) || now_ms - *at_ms < DEGRADED_MS
        });
        let lost = lost.then_some(Sign::Lost);
        let signs = self.signs.iter().copied().chain(lost).map(Sign::told);
        let asked = RECOVERY.iter().filter(|(number, ..)| Some(*number) == self.recovery);
        let asked = asked.map(|(_, state, word)| (*state, *word));
        let told = signs.chain(asked).map(|(state, word)| (state, word.to_owned()));
        let xids = self.xids.keys();
        let xids = xids.filter_map(|code| Some((of_xid(*code)?, format!("XID {code}"))));
        let mut reasons: Vec<_> = told.chain(xids).collect();
        reasons.sort_by(|a, b| b.cmp(a));
        reasons
    }

    /// Tell the state, and why it is not ok.
    pub(super) fn tell(&mut self, lost: bool, (facts, node): (&Facts, &str), round: &mut Round) {
        let reasons = self.reasons(lost, round.at_ms);
        let worst = reasons.first().map_or(State::Ok, |(state, _)| *state);
        let states = self.states.get_or_insert_with(|| {
            let each = STATES.map(|(_, name)| [("state", name)]);
            SeriesSet::with_labels(names::STATUS, node, &facts.labels(), &each)
        });
        for (at, (state, _)) in STATES.iter().enumerate() {
            round.emit(states.get(at), f64::from(u8::from(*state == worst)));
        }
        for (state, reason) in reasons {
            let series = self.reasons.entry(reason).or_insert_with_key(|reason| {
                let own = [[("state", state.name()), ("reason", reason)]];
                SeriesSet::with_labels(names::STATUS_REASON, node, &facts.labels(), &own)
            });
            round.emit(series.get(0), 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_decides_and_programs_faults_are_not_the_devices() {
        let check = |code, expected| assert_eq!(of_xid(code), expected, "{code}");
        check(79, Some(State::Failed));
        check(48, Some(State::Failed));
        check(95, Some(State::Failed));
        check(74, Some(State::Degraded));
        check(149, Some(State::Degraded));
        // Of a program, or of what was contained in one.
        check(13, None);
        check(31, None);
        check(94, None);
        check(63, None);
        check(999, None);
    }

    #[test]
    fn a_link_recovers_in_an_hour_and_a_reset_is_waited_for() {
        let mut condition = Condition::default();
        condition.xid(74, 0);
        condition.xid(79, 0);
        let words = |condition: &mut Condition, at_ms| -> Vec<String> {
            condition.reasons(false, at_ms).into_iter().map(|(_, word)| word).collect()
        };
        assert_eq!(words(&mut condition, 1_000), ["XID 79", "XID 74"]);
        assert_eq!(words(&mut condition, DEGRADED_MS), ["XID 79"]);
        condition.returned();
        assert_eq!(words(&mut condition, DEGRADED_MS), Vec::<String>::new());
    }
}
