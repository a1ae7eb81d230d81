//! NVIDIA GPUs as a scripted machine shows them.

use strata_model::FaultCode;

use super::standin::{Machine, lines};
use crate::l3_host::{KernelEvent, KernelFact};

/// Lines that hold all of the words.
pub(super) fn with<'a>(lines: &'a [String], words: &[&str]) -> Vec<&'a str> {
    let has = |line: &&String| words.iter().all(|word| line.contains(word));
    lines.iter().filter(has).map(String::as_str).collect()
}

/// The value of the one line with all of the words.
#[track_caller]
pub(super) fn value(lines: &[String], words: &[&str]) -> f64 {
    let found = with(lines, words);
    assert_eq!(found.len(), 1, "{words:?}: {found:?} of {lines:#?}");
    found[0].rsplit_once(' ').unwrap().1.parse().unwrap()
}

const H100: &str = "gpu GPU-1 util=93 memutil=41 power=643211 energy=7 reasons=164 serial=123 rowsmax=637 rowsnone=3\n\
    field 82 value=71 type=1\nfield 83 value=5000 type=3\nfield 185 value=650000 type=1\n\
    field 186 value=612500 type=1\nfield 197 value=1000\nfield 198 value=2000\n\
    field 138 scope=4294967295 value=3\nfield 251 value=2500000000\nfield 75 value=9\n\
    field 190 value=700000 type=1\nfield 143 value=2 type=1\nfield 144 value=1 type=1\n\
    field 230 value=1 type=1\nfield 208 scope=3 value=12\n\
    gpm 1 value=80\ngpm 2 value=37.5\ngpm 3 value=12\ngpm 5 value=30\ngpm 10 value=66\n\
    gpm 20 value=2\ngpm 60 value=3\n";

#[test]
fn values_are_in_canonical_units() {
    let mut machine = Machine::new(H100);
    machine.file("sys/bus/pci/devices/0000:3b:00.0/numa_node", "1\n");
    machine.lines();
    let mut lines = machine.lines();
    lines.extend(machine.health());
    let check = |words: &[&str], expected: f64| assert_eq!(value(&lines, words), expected);
    check(&["hw_gpu_utilization_ratio", "general"], 0.93);
    check(&["gpu_memory_controller_utilization"], 0.41);
    let mib = 1_048_576.0;
    check(&["hw_gpu_memory_usage_bytes"], 60_000.0 * mib);
    check(&["hw_gpu_memory_limit_bytes"], 81_559.0 * mib);
    check(&["gpu_memory_reserved_bytes"], 551.0 * mib);
    check(&["gpu_memory_free_bytes"], (81_559.0 - 60_000.0 - 551.0) * mib);
    check(&["hw_power_watts", "average"], 650.0);
    check(&["hw_power_watts", "instant"], 612.5);
    check(&["gpu_power_limit_watts", "enforced"], 700.0);
    check(&["hw_energy_joules_total"], 5.0);
    check(&["hw_temperature_celsius", "sensor_location=\"gpu\""], 66.0);
    check(&["hw_temperature_celsius", "sensor_location=\"memory\""], 71.0);
    check(&["hw_temperature_limit_celsius", "critical"], 92.0);
    check(&["gpu_clock_frequency_hertz", "domain=\"sm\""], 1.98e9);
    check(&["hw_fan_speed_ratio"], 0.3);
    check(&["hw_gpu_io_bytes_total", "transmit"], 1000.0);
    check(&["gpu_interconnect_io_bytes_total", "transmit"], 3072.0);
    check(&["gpu_throttle_time_seconds_total", "sw_thermal"], 2.5);
    check(&["gpu_rows_remapped", "uncorrectable"], 2.0);
    check(&["gpu_rows_remap_pending"], 1.0);
    check(&["gpu_rows_banks", "spare=\"all\""], 637.0);
    check(&["gpu_rows_banks", "spare=\"none\""], 3.0);
    check(&["gpu_recovery_action"], 1.0);
    check(&["gpu_interconnect_errors", "kind=\"receive\"", "link=\"3\""], 12.0);
    check(&["gpu_interconnect_up", "link=\"17\""], 1.0);
    check(&["gpu_sm_active_ratio"], 0.375);
    check(&["gpu_dram_active_ratio"], 0.66);
    check(&["gpu_pcie_throughput_bytes_per_second", "transmit"], 2.0 * mib);
    check(&["gpu_interconnect_throughput", "receive"], 3.0 * mib);
    check(&["gpu_profiling_stuck"], 0.0);
    let device = ["serial=\"123\"", "pci_address=\"0000:3b:00.0\"", "numa_node=\"1\""];
    check(&[&["gpu_device_info"], &device[..]].concat(), 1.0);
    check(&["hw_status", "state=\"ok\""], 1.0);
    // Where the reasons are told apart, their sum is not told besides them.
    assert_eq!(with(&lines, &["gpu_throttle_time", "\"thermal\""]), Vec::<&str>::new());
}

#[test]
fn errors_of_links_are_no_xids() {
    // Field 32 is a count of bad packets of one link, whatever others take it for.
    let script = "gpu GPU-1 linkerror0.2=9\nfield 32 value=9\n";
    let mut machine = Machine::new(script);
    machine.lines();
    let mut lines = machine.lines();
    lines.extend(machine.health());
    assert_eq!(with(&lines, &["gpu_fault_events", "code"]), Vec::<&str>::new());
    assert_eq!(with(&lines, &["gpu_xid_last"]), Vec::<&str>::new());
    assert_eq!(value(&lines, &["gpu_interconnect_errors", "crc_flit", "link=\"0\""]), 9.0);
}

#[test]
fn each_round_tells_what_is_then_and_nothing_of_rounds_before() {
    let mut machine = Machine::new("gpu GPU-1 util=100 reasons=8 pstate=0\n");
    machine.lines();
    for (util, reasons, state) in [(100, 8, 0), (10, 4, 2), (0, 1, 8)] {
        machine.play(&format!("gpu GPU-1 util={util} reasons={reasons} pstate={state}\n"));
        let lines = machine.lines();
        let of = |words: &[&str]| value(&lines, words);
        assert_eq!(of(&["hw_gpu_utilization_ratio", "general"]), f64::from(util) / 100.0);
        assert_eq!(of(&["gpu_performance_state"]), f64::from(state));
        for (bit, reason) in [(8, "hw_slowdown"), (4, "sw_power_cap"), (1, "\"idle\"")] {
            let active = f64::from(u8::from(bit == reasons));
            assert_eq!(of(&["gpu_throttle_active", reason]), active, "{reason} of {reasons}");
        }
    }
}

#[test]
fn a_device_without_memory_of_its_own_has_no_memory_of_zero() {
    // As the driver says of chips that share the memory of the host.
    let script = "gpu GPU-1\nfail nvmlDeviceGetMemoryInfo_v2 3\nfail nvmlDeviceGetMemoryInfo 3\n";
    let harvest = Machine::new(script).after(1).unwrap();
    assert_eq!(harvest.faults, []);
    assert_eq!(with(&lines(&harvest), &["memory_", "_bytes"]), Vec::<&str>::new());
}

#[test]
fn throttle_bits_are_told_by_their_own_names() {
    // 164 = 0xa4: power cap, software thermal, power brake; not hardware slowdown (0x8).
    let lines = Machine::new(H100).lines();
    let active: Vec<&str> = with(&lines, &["gpu_throttle_active", "} 1"]);
    assert_eq!(active.len(), 3, "{active:?}");
    for reason in ["sw_power_cap", "sw_thermal", "hw_power_brake"] {
        assert_eq!(value(&lines, &["gpu_throttle_active", &format!("\"{reason}\"")]), 1.0);
    }
}

#[test]
fn fields_are_read_by_the_numbers_of_the_driver() {
    let check = |driver: &str, expected: f64| {
        let script = format!(
            "driver {driver}\ngpu GPU-1\nfield 251 value=1000000000\nfield 269 value=2000000000\n"
        );
        let lines = Machine::new(&script).lines();
        assert_eq!(value(&lines, &["gpu_throttle_time", "sw_thermal"]), expected, "{driver}");
    };
    check("570.86.15", 1.0);
    check("580.65.06", 1.0);
    check("580.82.07", 2.0);
}

#[test]
fn a_count_of_bytes_in_32_bits_is_no_measurement() {
    let script = "gpu GPU-1\nfield 197 value=5 type=1\nfield 198 value=6 type=3\n";
    let lines = Machine::new(script).lines();
    assert_eq!(with(&lines, &["hw_gpu_io", "transmit"]), Vec::<&str>::new());
    assert_eq!(value(&lines, &["hw_gpu_io", "receive"]), 6.0);
}

#[test]
fn an_older_library_is_lived_with() {
    let absent = [
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetMarginTemperature",
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "nvmlDeviceGetFieldValues",
        "nvmlGpmQueryDeviceSupport",
        "nvmlEventSetWait_v2",
        "nvmlDeviceGetMPSComputeRunningProcesses_v3",
        "nvmlDeviceGetJpgUtilization",
    ];
    let mut machine = Machine::without(H100, &absent);
    machine.lines();
    let mut lines = machine.lines();
    lines.extend(machine.health());
    assert_eq!(value(&lines, &["hw_temperature_celsius", "sensor_location=\"gpu\""]), 66.0);
    assert_eq!(value(&lines, &["hw_power_watts", "average"]), 643.211);
    assert_eq!(value(&lines, &["gpu_power_limit_watts", "enforced"]), 700.0);
    assert_eq!(value(&lines, &["gpu_throttle_active", "hw_power_brake"]), 1.0);
    for missing in ["gpu_memory_reserved", "gpu_temperature_margin", "gpu_sm_active", "hw_energy"] {
        assert_eq!(with(&lines, &[missing]), Vec::<&str>::new(), "missing is not zero");
    }
}

#[test]
fn what_is_not_supported_has_no_series_and_is_not_asked_again() {
    let script = "gpu GPU-1\nfail nvmlDeviceGetFanSpeed_v2 3\nfail nvmlDeviceGetTotalEccErrors 3\n";
    let mut machine = Machine::new(script);
    let first = machine.after(1).unwrap();
    assert_eq!(first.faults, [], "a device without a fan is no fault");
    assert_eq!(with(&lines(&first), &["hw_fan"]), Vec::<&str>::new());
    assert_eq!(with(&machine.health(), &["hw_errors"]), Vec::<&str>::new());
    // It answers now, and nobody asks.
    machine.play("gpu GPU-1\n");
    assert_eq!(with(&machine.lines(), &["hw_fan"]), Vec::<&str>::new());
    assert_eq!(with(&machine.health(), &["hw_errors"]), Vec::<&str>::new());
}

#[test]
fn a_call_that_fails_now_is_a_fault_and_asked_again() {
    let mut machine = Machine::new("gpu GPU-1\nfail nvmlDeviceGetUtilizationRates 999\n");
    let harvest = machine.after(1).unwrap();
    assert_eq!(harvest.faults[0].code, FaultCode::Io);
    assert!(harvest.faults[0].message.contains("utilization"), "{:?}", harvest.faults);
    assert_eq!(
        with(&lines(&harvest), &["hw_gpu_utilization_ratio", "general"]),
        Vec::<&str>::new()
    );
    machine.play("gpu GPU-1\n");
    assert_eq!(value(&machine.lines(), &["hw_gpu_utilization_ratio", "general"]), 0.93);
}

#[test]
fn a_denied_call_is_told_once() {
    let mut machine = Machine::new("gpu GPU-1\nfail nvmlDeviceGetProcessUtilization 4\n");
    let first = machine.after(1).unwrap();
    assert_eq!(first.faults[0].code, FaultCode::Denied);
    assert_eq!(machine.after(1).unwrap().faults, []);
}

#[test]
fn errors_are_told_by_kind_scope_and_place() {
    let script = "gpu GPU-1 ecc1.0=4 ecc1.0.2=3 ecc0.1.7=9\n";
    let lines = Machine::new(script).health();
    let check = |words: &[&str], expected: f64| assert_eq!(value(&lines, words), expected);
    check(&["hw_errors_total", "uncorrected", "volatile", "dram"], 3.0);
    check(&["hw_errors_total", "\"corrected", "aggregate", "\"sram\""], 9.0);
    let total = with(&lines, &["hw_errors_total", "uncorrected", "volatile"]);
    let total: Vec<_> = total.into_iter().filter(|line| !line.contains("location")).collect();
    assert!(total.len() == 1 && total[0].ends_with(" 4"), "{total:?}");
}

#[test]
fn counters_that_stand_still_while_the_device_works_are_told() {
    let script =
        |util: u32, sm: u32| format!("gpu GPU-1 util={util}\ngpm 1 value={sm}\ngpm 2 value={sm}\n");
    let mut machine = Machine::new(&script(100, 0));
    machine.lines();
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let lines = machine.lines();
        assert_eq!(with(&lines, &["gpu_sm_active"]), Vec::<&str>::new(), "no measured zero");
        stuck.push(value(&lines, &["gpu_profiling_stuck"]));
    }
    assert_eq!(stuck, [0.0, 0.0, 1.0, 1.0]);
    machine.play(&script(100, 50));
    let lines = machine.lines();
    assert_eq!(value(&lines, &["gpu_profiling_stuck"]), 0.0);
    assert_eq!(value(&lines, &["gpu_sm_active"]), 0.5);
    machine.play(&script(0, 0));
    assert_eq!(value(&machine.lines(), &["gpu_sm_active"]), 0.0, "an idle device is idle");
}

#[test]
fn instances_have_memory_and_activity_of_their_own() {
    let script = "gpu GPU-1\nmig MIG-a gi=3 model=NVIDIA_H100_80GB_HBM3_MIG_1g.10gb used=100 total=9856\n\
        mig MIG-b gi=5 model=NVIDIA_H100_80GB_HBM3_MIG_3g.40gb used=0 total=40192\n\
        gpm 2 gi=3 value=75\ngpm 2 gi=5 value=0\nprocess 77 gi=3 used=5\n";
    let mut machine = Machine::new(script);
    machine.lines();
    let lines = machine.lines();
    let check = |words: &[&str], expected: f64| assert_eq!(value(&lines, words), expected);
    let first = ["mig_instance=\"3\"", "mig_profile=\"1g.10gb\"", "mig_uuid=\"MIG-a\""];
    check(&[&["gpu_mig_sm_active_ratio"], &first[..]].concat(), 0.75);
    check(&["gpu_mig_sm_active_ratio", "mig_instance=\"5\""], 0.0);
    check(&["gpu_mig_memory_usage_bytes", "MIG-a"], 104_857_600.0);
    check(&["gpu_mig_memory_limit_bytes", "MIG-b"], 40_192.0 * 1_048_576.0);
    check(&["gpu_process_memory_usage_bytes", "pid=\"77\"", "mig_instance=\"3\""], 5.0);
    // The whole device has no utilization then, which is not zero.
    assert_eq!(with(&lines, &["hw_gpu_utilization_ratio", "general"]), Vec::<&str>::new());
    assert_eq!(with(&lines, &["gpu_sm_active"]), Vec::<&str>::new());
    machine.play("gpu GPU-1\ngpm 2 value=20\n");
    machine.after(11).unwrap();
    let lines = machine.lines();
    assert_eq!(with(&lines, &["gpu_mig"]), Vec::<&str>::new());
    assert_eq!(value(&lines, &["hw_gpu_utilization_ratio", "general"]), 0.93);
    assert_eq!(value(&lines, &["gpu_sm_active"]), 0.2);
}

#[test]
fn processes_of_a_shared_device_are_told_with_their_owners() {
    let script = "gpu GPU-1\nprocess 71 used=1000 sm=60\nprocess 72 used=2000 sm=20\n\
        process 72 used=2000 kind=mps\nprocess 73 kind=graphics\n";
    let mut machine = Machine::new(script);
    let uid = "1a2b3c4d-0000-1111-2222-333344445555";
    let id = "0123456789abcdef".repeat(4);
    machine.file("proc/71/comm", "python3\n");
    machine.file("proc/71/cgroup", &format!("0::/kubepods/burstable/pod{uid}/{id}\n"));
    let lines = machine.lines();
    let check = |words: &[&str], expected: f64| assert_eq!(value(&lines, words), expected);
    check(&["gpu_process_info", "pid=\"71\"", "python3", uid, &id, "compute"], 1.0);
    check(&["gpu_process_memory_usage_bytes", "pid=\"71\"", uid, &id], 1000.0);
    check(&["gpu_process_utilization_ratio", "pid=\"71\"", uid, &id], 0.6);
    check(&["gpu_process_utilization_ratio", "pid=\"72\""], 0.2);
    check(&["gpu_process_info", "pid=\"72\"", "kind=\"mps\""], 1.0);
    check(&["gpu_process_info", "pid=\"73\"", "kind=\"graphics\""], 1.0);
    // The driver does not know its memory.
    assert_eq!(with(&lines, &["gpu_process_memory", "pid=\"73\""]), Vec::<&str>::new());
}

#[test]
fn faults_are_counted_from_zero_with_class_and_action() {
    let mut machine = Machine::new("gpu GPU-1\n");
    let lines_before = machine.lines();
    assert_eq!(value(&lines_before, &["gpu_fault_events_total"]), 0.0, "watching, and none yet");
    machine.play("gpu GPU-1\nevent 79\nevent 31 gi=2\nevent 79\nevent 5 kind=4\n");
    let harvest = machine.after(1).unwrap();
    let found = lines(&harvest);
    let words = ["gpu_fault_events_total", "code=\"79\"", "class=\"bus\"", "restart_bm"];
    let values: Vec<&str> = with(&found, &words);
    assert_eq!(values.len(), 2, "{values:?}");
    let fresh = harvest.batch.samples.iter().filter(|one| one.at_ms < machine.now_ms());
    assert!(fresh.clone().count() == 2 && fresh.clone().all(|one| one.value == 0.0));
    let found = machine.lines();
    assert_eq!(value(&found, &words), 2.0);
    assert_eq!(value(&found, &["gpu_fault_events", "code=\"31\"", "mig_instance=\"2\""]), 1.0);
    assert_eq!(with(&found, &["gpu_fault_events", "code=\"5\""]), Vec::<&str>::new());
    assert_eq!(value(&found, &["gpu_xid_last"]), 79.0);
}

#[test]
fn a_fault_of_the_first_round_is_an_increase() {
    let mut machine = Machine::new("gpu GPU-1\nevent 79\n");
    let harvest = machine.after(1).unwrap();
    let fresh: Vec<_> =
        harvest.batch.samples.iter().filter(|one| one.at_ms < machine.now_ms()).collect();
    assert_eq!(fresh.len(), 1);
    assert_eq!(fresh[0].value, 0.0);
}

pub(super) fn xid(machine: &Machine, code: u32, pid: Option<u32>) -> KernelEvent {
    let pci_address = "0000:3b:00.0".to_owned();
    let process = pid.map(|_| "train".to_owned());
    let fact = KernelFact::Xid { code, pci_address, pid, process };
    KernelEvent { at_ms: machine.now_ms(), sequence: 1, fact }
}

#[test]
fn the_kernel_log_names_the_culprit_and_does_not_count_again() {
    let mut machine = Machine::new("gpu GPU-1\nprocess 71 used=1\nevent 31\n");
    machine.file("proc/71/comm", "python3\n");
    let scope = "system.slice/slurmstepd.scope";
    machine.file("proc/71/cgroup", &format!("0::/{scope}/job_12/step_0/user/task_0\n"));
    machine.lines();
    machine.kernel.push(xid(&machine, 31, Some(71)));
    machine.kernel.push(xid(&machine, 43, Some(99)));
    let happened = machine.now_ms() as f64 / 1e3;
    let found = machine.lines();
    assert_eq!(value(&found, &["gpu_fault_events", "code=\"31\""]), 1.0);
    let words = ["gpu_fault_culprit", "pid=\"71\"", "python3", "slurm_job_id=\"12\""];
    assert_eq!(value(&found, &words), happened);
    assert_eq!(value(&found, &["gpu_fault_culprit", "pid=\"99\"", "train"]), happened);
}

#[test]
fn without_events_the_kernel_log_is_counted() {
    let mut machine = Machine::new("gpu GPU-1\nfail nvmlDeviceRegisterEvents 3\n");
    machine.lines();
    machine.kernel.push(xid(&machine, 13, None));
    let address = "0000:c1:00.0".to_owned();
    for (sequence, fatal) in [(2, Some(true)), (4, None)] {
        let fact = KernelFact::Sxid { code: 20_034, pci_address: address.clone(), fatal };
        machine.kernel.push(KernelEvent { at_ms: machine.now_ms(), sequence, fact });
    }
    machine.kernel.push(KernelEvent { at_ms: 0, sequence: 3, fact: KernelFact::MachineCheck });
    machine.lines();
    let found = machine.lines();
    assert_eq!(value(&found, &["gpu_fault_events", "code=\"13\"", "restart_app"]), 1.0);
    assert_eq!(value(&found, &["gpu_switch_fault_events", "20034", "0000:c1:00.0"]), 1.0);
    assert_eq!(value(&found, &["class=\"fatal\"", "reset_gpus_and_switches"]), 1.0);
    assert_eq!(machine.kernel.drain().len(), 1, "other facts are left for others");
}

#[test]
fn profiling_counters_are_left_to_dcgm_while_it_reads_them() {
    let mut machine = Machine::new("gpu GPU-1\ngpm 1 value=80\ngpm 2 value=40\n");
    machine.file("proc/50/comm", "nv-hostengine\n");
    machine.file("proc/50/maps", "7f0 r-xp /usr/lib/libdcgm.so.4\n");
    machine.lines();
    let found = machine.lines();
    assert_eq!(value(&found, &["gpu_sm_active_ratio"]), 0.4, "an engine that nobody asked");
    assert_eq!(value(&found, &["gpu_profiling_yielded"]), 0.0);
    machine.file("proc/50/maps", "7f0 r-xp /usr/lib/libdcgmmoduleprofiling.so.4\n");
    machine.after(31).unwrap();
    let found = machine.lines();
    assert_eq!(with(&found, &["gpu_sm_active"]), Vec::<&str>::new());
    assert_eq!(with(&found, &["gpu_profiling_stuck"]), Vec::<&str>::new());
    assert_eq!(value(&found, &["gpu_profiling_yielded"]), 1.0);
    machine.file("proc/50/comm", "something-else\n");
    machine.after(31).unwrap();
    machine.lines();
    let found = machine.lines();
    assert_eq!(value(&found, &["gpu_sm_active_ratio"]), 0.4, "it went, and they are read again");
    assert_eq!(value(&found, &["gpu_profiling_yielded"]), 0.0);
    // Whose map is not ours to read is taken for what it does unless told otherwise.
    machine.file("proc/51/comm", "dcgm-exporter\n");
    machine.after(31).unwrap();
    assert_eq!(value(&machine.lines(), &["gpu_profiling_yielded"]), 1.0);
}

#[test]
fn links_to_the_processor_are_told_one_by_one_where_there_are_any() {
    let script = "gpu GPU-1\nfield 170 value=2 type=1\nfield 171 scope=0 value=1 type=1\n\
                  field 171 scope=1 value=0 type=1\nfield 232 scope=1 value=7\n";
    let found = Machine::new(script).health();
    assert_eq!(value(&found, &["gpu_interconnect_up", "c2c", "link=\"0\""]), 1.0);
    assert_eq!(value(&found, &["gpu_interconnect_up", "c2c", "link=\"1\""]), 0.0);
    assert_eq!(value(&found, &["gpu_interconnect_errors", "c2c", "link=\"1\"", "\"replay\""]), 7.0);
    assert_eq!(with(&found, &["errors", "c2c", "link=\"0\""]), Vec::<&str>::new());
    let found = Machine::new("gpu GPU-1\n").health();
    assert_eq!(with(&found, &["c2c"]), Vec::<&str>::new());
}

#[test]
fn what_is_refused_of_links_to_the_processor_is_not_asked_until_the_device_comes_back() {
    let script = |errors: &str| {
        format!("gpu GPU-1\nfield 170 value=1 type=1\nfield 171 scope=0 value=1 type=1\n{errors}")
    };
    let mut machine = Machine::new(&script(""));
    let errors = |found: &[String]| with(found, &["gpu_interconnect_errors", "c2c"]).len();
    assert_eq!(errors(&machine.health()), 0);
    // Were it asked for again, it would be told now.
    machine.play(&script("field 231 scope=0 value=3\n"));
    let found = machine.health();
    assert_eq!(errors(&found), 0, "{found:#?}");
    assert_eq!(value(&found, &["gpu_interconnect_up", "c2c"]), 1.0, "what is known is read on");
    machine.play("");
    machine.after(11).unwrap();
    machine.play(&script("field 231 scope=0 value=3\n"));
    machine.after(31).unwrap();
    let found = machine.health();
    assert_eq!(value(&found, &["gpu_interconnect_errors", "c2c", "\"interrupt\""]), 3.0);
}
