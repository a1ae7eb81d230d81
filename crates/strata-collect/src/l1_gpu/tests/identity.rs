//! Devices stay who they are: lost, unplugged, renumbered, reset.

use super::nvidia::{value, with};
use super::standin::{Machine, lines};
use crate::l3_host::{KernelEvent, KernelFact};

#[test]
fn a_lost_device_is_failed_and_the_others_are_told() {
    let mut machine = Machine::new("gpu GPU-1\ngpu GPU-2\n");
    machine.lines();
    machine.play("gpu GPU-1\nfail * 15\ngpu GPU-2\n");
    let harvest = machine.after(1).unwrap();
    assert!(
        harvest.faults.iter().any(|fault| fault.message.contains("GPU-1")),
        "{:?}",
        harvest.faults
    );
    let found = lines(&harvest);
    assert_eq!(value(&found, &["hw_status", "GPU-1", "failed"]), 1.0);
    assert_eq!(value(&found, &["hw_status", "GPU-2", "failed"]), 0.0);
    assert_eq!(with(&found, &["hw_power_watts", "GPU-1"]), Vec::<&str>::new());
    assert_eq!(with(&found, &["hw_power_watts", "GPU-2"]).len(), 1);
    machine.play("gpu GPU-1\ngpu GPU-2\n");
    machine.lines();
    assert_eq!(value(&machine.lines(), &["hw_status", "GPU-1", "\"ok\""]), 1.0, "it was reset");
}

#[test]
fn a_device_keeps_its_identity_when_another_is_unplugged() {
    let mut machine = Machine::new("gpu GPU-1 bus=1\ngpu GPU-2 bus=2 power=2000\nevent 94\n");
    machine.lines();
    machine.play("gpu GPU-2 bus=2 power=2000\nevent 94\n");
    machine.lines();
    let found = machine.lines();
    assert_eq!(value(&found, &["hw_power_watts", "gpu_uuid=\"GPU-2\"", "gpu=\"0\""]), 2.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-2", "code=\"94\""]), 1.0);
    assert_eq!(value(&found, &["hw_status", "GPU-1", "failed"]), 1.0, "told for an hour");
    machine.after(3_601).unwrap();
    assert_eq!(with(&machine.lines(), &["GPU-1"]), Vec::<&str>::new());
}

#[test]
fn counts_stay_with_the_uuid_through_renumbering_and_reset() {
    let (one, two) = ("gpu GPU-1 power=1000", "gpu GPU-2 power=2000");
    let events = "event 94\nevent 94\n";
    let mut machine = Machine::new(&format!("{two} bus=2\n{events}{one} bus=1\nevent 31\n"));
    machine.lines();
    let found = machine.lines();
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-1", "gpu=\"1\"", "code=\"31\""]), 1.0);
    // As many devices as before, in another order and at other places.
    machine.play(&format!("{one} bus=2\n{two} bus=1\n{events}event 94\n"));
    machine.after(11).unwrap();
    let found = machine.lines();
    assert_eq!(value(&found, &["hw_power_watts", "GPU-1", "gpu=\"0\""]), 1.0);
    assert_eq!(value(&found, &["hw_power_watts", "GPU-2", "gpu=\"1\""]), 2.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-1", "gpu=\"0\"", "code=\"31\""]), 1.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-2", "gpu=\"1\"", "code=\"94\""]), 2.0);
    assert_eq!(
        with(&found, &["GPU-1", "gpu=\"1\""]),
        Vec::<&str>::new(),
        "none under the old number"
    );
    // The kernel log speaks of places, which are others now.
    let fact = KernelFact::Xid {
        code: 43,
        pci_address: "0000:02:00.0".to_owned(),
        pid: Some(99),
        process: Some("train".to_owned()),
    };
    machine.kernel.push(KernelEvent { at_ms: machine.now_ms(), sequence: 1, fact });
    let found = machine.lines();
    assert_eq!(with(&found, &["gpu_fault_culprit", "GPU-1", "pid=\"99\""]).len(), 1, "{found:#?}");
    // A reset: it does not answer, then it is there again under another number, and has one more.
    machine.play(&format!("{one} bus=2\nfail * 15\n{two} bus=1\n{events}event 94\n"));
    machine.after(1).unwrap();
    machine.play(&format!("{two} bus=1\n{events}event 94\n{one} bus=2\nevent 79\n"));
    machine.after(11).unwrap();
    let found = machine.lines();
    // It answers again, and has had another fault since.
    assert_eq!(with(&found, &["hw_power_watts", "GPU-1", "gpu=\"1\""]).len(), 1);
    assert_eq!(value(&found, &["gpu_status_reason", "GPU-1", "gpu=\"1\"", "XID 79"]), 1.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-1", "code=\"31\""]), 1.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-1", "code=\"79\""]), 1.0);
    assert_eq!(value(&found, &["gpu_fault_events", "GPU-2", "code=\"94\""]), 2.0);
}
