//! Faults in time, from counters of events and, where there are none, from the last code.

use std::collections::BTreeSet;

use strata_model::xid;

use super::Found;
use crate::assemble::identity::identity;
use crate::assemble::rows::Row;
use crate::entity::{EntityId, EntityKind};
use crate::fault::Fault;
use crate::window::Window;

/// All faults within the window, the latest first.
pub(super) fn list(found: &Found<'_>, window: Window) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut counted: BTreeSet<EntityId> = BTreeSet::new();
    let mut seen: BTreeSet<(EntityId, String)> = BTreeSet::new();
    for row in found.rows("event/fault") {
        let Some(device) = identity(EntityKind::Gpu, row.labels) else { continue };
        counted.insert(device.clone());
        let is_xid = row.labels.get("vendor") == Some("nvidia");
        for rise in rises(&row.points, window) {
            let code = text(&row, "code").unwrap_or_default();
            let fault = fault(&device, code, &row, &rise);
            faults.push(if is_xid { catalogued(fault) } else { fault });
        }
    }
    for row in found.rows("event/fault_recent") {
        let Some(device) = identity(EntityKind::Gpu, row.labels) else { continue };
        if counted.contains(&device) {
            continue;
        }
        let code = text(&row, "code").unwrap_or_default();
        faults.extend(risen(&row.points, window).map(|rise| {
            seen.insert((device.clone(), code.clone()));
            catalogued(fault(&device, code.clone(), &row, &rise))
        }));
    }
    for row in found.rows("event/xid_last") {
        let Some(device) = identity(EntityKind::Gpu, row.labels) else { continue };
        if counted.contains(&device) {
            continue;
        }
        for (code, rise) in changes(&row.points, window) {
            if seen.contains(&(device.clone(), code.clone())) {
                continue;
            }
            faults.push(catalogued(fault(&device, code, &row, &rise)));
        }
    }
    for row in found.rows("event/switch_fault") {
        let Some(node) = identity(EntityKind::Node, row.labels) else { continue };
        for rise in rises(&row.points, window) {
            let code = text(&row, "code").unwrap_or_default();
            let switch = text(&row, "pci_address");
            faults.push(Fault { switch, ..fault(&node, code, &row, &rise) });
        }
    }
    for row in found.rows("event/culprit") {
        blame(&row, window, &mut faults);
    }
    faults.sort_by(|a, b| b.at_ms.cmp(&a.at_ms).then_with(|| a.code.cmp(&b.code)));
    faults
}

/// A moment at which something was seen to have happened.
struct Rise {
    at_ms: i64,
    count: Option<f64>,
    dated: bool,
}

fn text(row: &Row<'_>, label: &str) -> Option<String> {
    row.labels.get(label).filter(|value| !value.is_empty()).map(str::to_owned)
}

fn fault(device: &EntityId, code: String, row: &Row<'_>, rise: &Rise) -> Fault {
    Fault {
        device: device.clone(),
        switch: None,
        at_ms: rise.at_ms,
        code,
        class: text(row, "class"),
        action: text(row, "action"),
        culprit: None,
        count: rise.count,
        dated: rise.dated,
    }
}

/// An XID with what NVIDIA's catalogue says of it, where its source does not.
fn catalogued(fault: Fault) -> Fault {
    let meaning = fault.code.parse().ok().map(xid::meaning);
    let meaning = meaning.filter(|meaning| meaning.class != "unknown");
    Fault {
        class: fault.class.or_else(|| Some(meaning?.class.to_owned())),
        action: fault.action.or_else(|| Some(meaning?.action.to_owned())),
        ..fault
    }
}

/// Where a counter rises. A series that begins within the window tells of faults before its first
/// point; one that stands there from the start tells nothing of when.
fn rises(points: &[(i64, f64)], window: Window) -> Vec<Rise> {
    let mut before: Option<f64> = None;
    let mut found = Vec::new();
    for &(at_ms, value) in points {
        let (count, dated) = match before {
            None if at_ms <= window.start_ms => (0.0, false),
            None => (value, false),
            // Counted anew from zero.
            Some(before) if value < before => (value, true),
            Some(before) => (value - before, true),
        };
        if count > 0.0 {
            found.push(Rise { at_ms, count: Some(count), dated });
        }
        before = Some(value);
    }
    found
}

/// Where a count of the last minutes rises. It falls when faults leave its window, so a fall tells of
/// nothing new, and one that comes as another leaves is not seen.
fn risen(points: &[(i64, f64)], window: Window) -> impl Iterator<Item = Rise> {
    let mut found = Vec::new();
    let mut before = None;
    for &(at_ms, value) in points {
        let from = before.unwrap_or(0.0);
        if value > from {
            let dated = before.is_some() || at_ms > window.start_ms;
            found.push(Rise { at_ms, count: Some(value - from), dated });
        }
        before = Some(value);
    }
    found.into_iter()
}

/// Where the last code becomes another one. The same code again is not seen.
fn changes(points: &[(i64, f64)], window: Window) -> Vec<(String, Rise)> {
    let mut before: Option<f64> = None;
    let mut found = Vec::new();
    for &(at_ms, value) in points {
        let is_new = before.is_none_or(|before| before.to_bits() != value.to_bits());
        if is_new && value > 0.0 {
            let dated = before.is_some() && at_ms > window.start_ms;
            found.push((format!("{value:.0}"), Rise { at_ms, count: None, dated }));
        }
        before = Some(value);
    }
    found
}

/// Write the process that the kernel log names on the fault of that moment.
fn blame(row: &Row<'_>, window: Window, faults: &mut [Fault]) {
    let Some(device) = identity(EntityKind::Gpu, row.labels) else { return };
    let Some((_, seconds)) = row.points.last() else { return };
    let caused_ms = seconds * 1000.0;
    let code = row.labels.get("code").unwrap_or_default();
    let pid = text(row, "pid").unwrap_or_default();
    let process = match text(row, "process") {
        Some(name) => format!("{name} ({pid})"),
        None => format!("process {pid}"),
    };
    // A reading may come one interval after the line of the log, and show at the step after it.
    let late_ms = 2.0 * window.step_ms as f64;
    let same = faults.iter_mut().find(|fault| {
        let age_ms = fault.at_ms as f64 - caused_ms;
        fault.device == device && fault.code == code && (0.0..=late_ms).contains(&age_ms)
    });
    if let Some(fault) = same {
        fault.culprit = Some(process);
    }
}
