//! What is said when there is nothing to read.

use strata_model::SourceState;

use super::standin::Machine;

/// The state, a part of the message, and whether there is a hint.
#[track_caller]
fn check(machine: &mut Machine, state: SourceState, message: &str, hinted: bool) {
    let error = machine.after(60).unwrap_err();
    assert_eq!(error.state, state, "{error:?}");
    assert!(error.fault.message.contains(message), "{error:?}");
    assert_eq!(!error.hint.is_empty(), hinted, "{error:?}");
}

#[test]
fn without_gpu_and_library_there_is_nothing() {
    check(&mut Machine::bare(), SourceState::Absent, "no NVIDIA GPU", false);
}

#[test]
fn a_library_that_was_named_and_cannot_be_loaded_is_a_failure() {
    check(&mut Machine::broken(), SourceState::Failing, "libnvidia-ml.so.1", true);
}

#[test]
fn a_gpu_without_a_library_says_what_to_install() {
    let mut machine = Machine::bare();
    machine.plug();
    check(&mut machine, SourceState::Unsupported, "0000:3b:00.0", true);
}

#[test]
fn a_driver_that_is_not_loaded_is_told() {
    let mut machine = Machine::new("init 9");
    check(&mut machine, SourceState::Absent, "driver is not loaded", false);
    machine.plug();
    check(&mut machine, SourceState::Failing, "driver is not loaded", true);
}

#[test]
fn a_refusal_is_told_as_one() {
    check(&mut Machine::new("init 4"), SourceState::Denied, "no permission", true);
    let script = "gpu GPU-1\nfail nvmlDeviceGetHandleByIndex_v2 4";
    check(&mut Machine::new(script), SourceState::Denied, "no permission", true);
}

#[test]
fn an_update_under_a_running_driver_is_told() {
    check(&mut Machine::new("init 18"), SourceState::Failing, "versions differ", true);
}

#[test]
fn a_driver_without_devices_has_none_or_lost_them() {
    let mut machine = Machine::new("");
    check(&mut machine, SourceState::Absent, "lists no GPU", false);
    machine.plug();
    check(&mut machine, SourceState::Failing, "lists none", true);
}

#[test]
fn a_library_without_the_first_function_is_no_crash() {
    let mut machine = Machine::without("gpu GPU-1", &["nvmlInit_v2"]);
    check(&mut machine, SourceState::Failing, "function not found", true);
}

#[test]
fn a_driver_that_comes_later_is_found() {
    let mut machine = Machine::new("init 9\ngpu GPU-1");
    assert!(machine.after(1).is_err());
    machine.play("gpu GPU-1");
    assert!(machine.after(1).is_err(), "not tried each second");
    assert!(machine.after(30).is_ok());
}

#[test]
fn a_driver_that_goes_away_is_told_and_comes_back() {
    let mut machine = Machine::new("gpu GPU-1\nevent 79");
    assert!(machine.lines().iter().any(|line| line.contains("code=\"79\"")));
    machine.play("fail nvmlDeviceGetCount_v2 9");
    assert_eq!(machine.after(1).unwrap_err().state, SourceState::Absent);
    // Loaded anew, the stand-in would tell its events from the first again.
    machine.play("gpu GPU-1");
    let harvest = machine.after(31).unwrap();
    let lines = super::standin::lines(&harvest);
    let count = lines.iter().find(|line| line.contains("code=\"79\"")).unwrap();
    assert!(count.ends_with(" 1"), "what was counted stays: {count}");
}
