//! Faults of a GPU and of the switches of its node, in time.

use strata_world::{EntityId, Fault, World, signal_def};

use super::super::pieces::{ROWS_MAX, number};
use super::{ago, column, text};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
use crate::words;

/// What stands where a source does not say something.
fn unsaid() -> String {
    "the source does not say".to_owned()
}

/// When it was seen.
fn when(world: &World, fault: &Fault) -> Cell {
    let at = ago(world, fault.at_ms);
    text(if fault.dated { at } else { format!("{at} or before") })
}

/// One row for each fault of a GPU.
pub(super) fn of_gpu(world: &World, id: &EntityId) -> Table {
    let happened: Vec<&Fault> = world.faults.iter().filter(|fault| fault.device == *id).collect();
    let row = |fault: &&Fault| Row {
        cells: vec![
            when(world, fault),
            Cell::Status { status: Status::Broken, text: fault.code.clone() },
            Cell::Number(Box::new(count(world, fault))),
            text(fault.class.clone().unwrap_or_else(unsaid)),
            text(fault.action.as_deref().map_or_else(unsaid, action)),
            text(fault.culprit.clone().unwrap_or_else(|| "not known".to_owned())),
        ],
        link: None,
    };
    Table {
        title: String::new(),
        columns: vec![
            column("when", false, 0),
            column("code", false, 0),
            column("count", true, 1),
            column("about", false, 1),
            column("vendor says", false, 0),
            column("caused by", false, 0),
        ],
        rows: happened.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (happened.len() > ROWS_MAX).then_some(happened.len()),
        empty: no_fault(world, id),
    }
}

/// One row for each fault of the switches between the GPUs of its node.
pub(super) fn of_switches(world: &World) -> Table {
    let of_switch = |fault: &&Fault| fault.switch.is_some();
    let happened: Vec<&Fault> = world.faults.iter().filter(of_switch).collect();
    let row = |fault: &&Fault| {
        // A severity that no line told is not known to be harmless.
        let status = match fault.class.as_deref() {
            Some("fatal") => Status::Broken,
            Some("non_fatal") => Status::Watch,
            _ => Status::Blind,
        };
        Row {
            cells: vec![
                when(world, fault),
                text(fault.switch.clone().unwrap_or_default()),
                Cell::Status { status, text: fault.code.clone() },
                Cell::Number(Box::new(count(world, fault))),
                text(fault.class.clone().unwrap_or_else(unsaid)),
                text(fault.action.as_deref().map_or_else(unsaid, action)),
            ],
            link: None,
        }
    };
    Table {
        title: "NVSwitches of its node".to_owned(),
        columns: vec![
            column("when", false, 0),
            column("switch", false, 1),
            column("SXID", false, 0),
            column("count", true, 1),
            column("severity", false, 0),
            column("vendor says", false, 0),
        ],
        rows: happened.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (happened.len() > ROWS_MAX).then_some(happened.len()),
        empty: "no fault of an NVSwitch is seen: the agent on the host reads them from the \
                kernel log"
            .to_owned(),
    }
}

/// What to do in words: NVIDIA's bucket of an XID is a name (`workflow_xid_48`).
fn action(name: &str) -> String {
    match name.strip_prefix("workflow_xid_") {
        Some(code) => format!("follow NVIDIA's workflow for XID {code}"),
        None => name.replace('_', " "),
    }
}

/// That nothing happened is only known where somebody would have told.
fn no_fault(world: &World, id: &EntityId) -> String {
    let is_watched = ["l1.fault_events", "l1.xid_last"].iter().any(|signal| {
        world.signal(signal, Some(id)).is_some_and(|found| found.now.known().is_some())
    });
    if is_watched {
        "no fault in this range".to_owned()
    } else {
        "nobody tells of faults: the agent on the host (kernel log) or dcgm-exporter with \
         DCGM_EXP_XID_ERRORS_COUNT would"
            .to_owned()
    }
}

fn count(world: &World, fault: &Fault) -> Number {
    let mut number = number(world, "count", "l1.fault_events", None);
    number.value = fault.count;
    number.text = words::text(fault.count, "{event}");
    number.explain = Explanation {
        definition: signal_def("l1.fault_events").map_or("", |def| def.definition).to_owned(),
        formula: "rise of the counter between two steps".to_owned(),
        unknown: fault.count.is_none().then(|| {
            "the source keeps the last code only: one that comes again is not seen".to_owned()
        }),
        ..Explanation::default()
    };
    number
}
