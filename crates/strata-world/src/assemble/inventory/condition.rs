//! The condition of the one GPU in scope.

use std::collections::BTreeSet;

use super::Found;
use crate::assemble::rows::at_end;
use crate::condition::Condition;
use crate::window::Window;

/// States as `hw.status` has them, the worst first.
const STATES: [&str; 4] = ["failed", "degraded", "predicted_failure", "ok"];

/// What holds at the end of the window; `None` where nobody judges.
pub(super) fn read(found: &Found<'_>, window: Window) -> Option<Condition> {
    let holding = |key: &str, label: &str| -> BTreeSet<String> {
        let rows = found.rows(key).into_iter();
        let rows = rows.filter(|row| at_end(window, &row.points).is_some_and(|value| value > 0.0));
        rows.filter_map(|row| Some(row.labels.get(label)?.to_owned())).collect()
    };
    let states = holding("state/status", "state");
    let state = STATES.into_iter().find(|state| states.contains(*state))?;
    let reasons = holding("state/status_reason", "reason").into_iter().collect();
    Some(Condition { state: state.to_owned(), reasons })
}
