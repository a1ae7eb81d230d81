//! The condition of a device: what the driver says decides, and every reason is told.

use super::standin::Machine;

/// The one state that holds, and the reasons as `state: reason`.
fn condition(lines: &[String]) -> (String, Vec<String>) {
    let label = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let states: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("hw_status{") && line.ends_with(" 1"))
        .collect();
    assert_eq!(states.len(), 1, "{states:?}");
    let reasons = lines.iter().filter(|line| line.starts_with("gpu_status_reason_info{"));
    let reasons =
        reasons.map(|line| format!("{}: {}", label(line, "state"), label(line, "reason")));
    let mut reasons: Vec<String> = reasons.collect();
    reasons.sort_unstable();
    (label(states[0], "state"), reasons)
}

#[track_caller]
fn check(script: &str, state: &str, reasons: &[&str]) {
    let mut machine = Machine::new(script);
    machine.lines();
    machine.health();
    let found = condition(&machine.lines());
    assert_eq!(found, (state.to_owned(), reasons.iter().map(|&one| one.to_owned()).collect()));
}

#[test]
fn a_device_that_rests_is_ok() {
    // Its link has gone down to generation 1 of 5 to save power, its clocks are low, it is cold.
    check("gpu GPU-1 util=0 pciegen=1 pciewidth=16 pstate=8 clock1=345 power=60000\n", "ok", &[]);
}

#[test]
fn a_bus_that_is_lost_is_a_failure_and_no_deduction() {
    check("gpu GPU-1\nevent 79\n", "failed", &["failed: XID 79"]);
    // Of the program, not of the device.
    check("gpu GPU-1\nevent 13\nevent 31\nevent 94\n", "ok", &[]);
}

#[test]
fn every_reason_is_told_and_the_worst_decides() {
    let script = "gpu GPU-1 rowsmax=639 rowsnone=1\nfield 144 value=1 type=1\nfield 145 value=1 type=1\n\
                  field 230 value=4 type=1\nevent 74\n";
    let reasons = [
        "degraded: XID 74",
        "degraded: row remap pending",
        "failed: driver asks to drain and reset",
        "failed: row remap failed",
        "predicted_failure: bank without spare rows",
    ];
    check(script, "failed", &reasons);
    let script = "gpu GPU-1 rowsmax=639 rowsnone=1\nfield 144 value=0 type=1\n";
    check(script, "predicted_failure", &reasons[4..]);
    check(
        "gpu GPU-1\nfield 230 value=3 type=1\n",
        "degraded",
        &["degraded: driver asks to drain peer-to-peer"],
    );
}

#[test]
fn it_is_ok_again_when_it_comes_back() {
    let mut machine = Machine::new("gpu GPU-1\nevent 79\n");
    machine.lines();
    assert_eq!(condition(&machine.lines()).0, "failed");
    machine.play("gpu GPU-1\nevent 79\nfail * 15\n");
    let (state, reasons) = condition(&machine.lines());
    assert_eq!(
        (&*state, reasons),
        ("failed", vec!["failed: XID 79".to_owned(), "failed: lost".to_owned()])
    );
    machine.play("gpu GPU-1\nevent 79\n");
    machine.lines();
    assert_eq!(condition(&machine.lines()), ("ok".to_owned(), Vec::new()));
}

#[test]
fn without_events_the_kernel_logs_xid_counts_too() {
    let mut machine = Machine::new("gpu GPU-1\nfail nvmlDeviceRegisterEvents 3\n");
    machine.lines();
    machine.kernel.push(super::nvidia::xid(&machine, 119, None));
    assert_eq!(condition(&machine.lines()).1, ["failed: XID 119"]);
}

#[test]
fn the_fabric_of_switches_is_told_with_its_clique_and_how_it_is() {
    let found = Machine::new("gpu GPU-1 fabric=3 cluster=171 clique=2\ngpu GPU-2\n").health();
    let fabric: Vec<&String> = found.iter().filter(|line| line.contains("gpu_fabric")).collect();
    let cluster = "abababab-abab-abab-abab-abababababab";
    assert_eq!(
        fabric,
        [&format!(
            "gpu_fabric_info{{clique=\"{cluster}.2\",gpu=\"0\",gpu_uuid=\"GPU-1\",state=\"completed\"}} 1"
        )]
    );
    // Within one node there is no cluster; one that is still being registered is told as such.
    let found = Machine::new("gpu GPU-1 fabric=2\n").health();
    let told = "gpu_fabric_info{gpu=\"0\",gpu_uuid=\"GPU-1\",state=\"in_progress\"} 1".to_owned();
    assert!(found.contains(&told), "{found:#?}");
    check(
        "gpu GPU-1 fabric=3 fabrichealth=1\n",
        "degraded",
        &["degraded: NVLink fabric unhealthy"],
    );
    check("gpu GPU-1 fabric=3 fabrichealth=2\n", "ok", &[]);
}
