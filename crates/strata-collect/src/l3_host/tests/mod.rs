//! Parts against small trees written by the tests, hostile content, and this machine.

mod devices;
mod machine;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use strata_model::catalog::Catalog;
use strata_model::{FaultCode, Labels, Layer, METRIC_NAME, SourceState};

use super::part::{Part, Round};
use super::{HostOptions, HostPart, HostRoot, HostSettings, KernelEvents, open};
use crate::collector::{CollectError, Harvest};

/// Write files below a new folder and give it.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn part(root: &Path, part: HostPart) -> Box<dyn Part> {
    /// Checked once: its patterns are slow to compile.
    static SETTINGS: LazyLock<HostSettings> =
        LazyLock::new(|| HostOptions::default().validate().unwrap());
    let settings = &*SETTINGS;
    open(part, settings, &HostRoot::new(root), &Arc::from("n1"), &KernelEvents::default())
}

fn sample(part: &mut dyn Part, at_ms: i64) -> Result<Harvest, CollectError> {
    let mut round = Round::new(&Arc::from(part.id()), at_ms);
    part.sample(&mut round)?;
    Ok(round.into_harvest())
}

/// The samples as text, in order, without the node.
fn lines(harvest: &Harvest) -> Vec<String> {
    let batch = &harvest.batch;
    let mut lines: Vec<String> = batch
        .samples
        .iter()
        .map(|sample| {
            let labels = batch.labels(sample.series);
            assert_eq!(labels.get("node"), Some("n1"), "{labels}");
            assert_defined(&labels);
            format!("{} {}", labels.filtered(|name| name != "node"), sample.value)
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// The catalog defines the metric and every label but that of the node.
fn assert_defined(labels: &Labels) {
    let metric = Catalog::builtin().by_prometheus_name(labels.metric_name());
    let (metric, _) = metric.unwrap_or_else(|| panic!("{labels} is not in the catalog"));
    for (name, _) in labels.iter().filter(|(name, _)| !["node", METRIC_NAME].contains(name)) {
        assert!(metric.attributes.iter().any(|known| known == name), "{name} of {labels}");
    }
}

/// The part reads this tree without a fault and brings home exactly these samples.
#[track_caller]
fn check(kind: HostPart, files: &[(&str, &str)], expected: &str) {
    let folder = tree(files);
    let harvest = sample(part(folder.path(), kind).as_mut(), 1_000).unwrap();
    assert_eq!(harvest.faults, []);
    let mut expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    expected.sort_unstable();
    assert_eq!(lines(&harvest).join("\n"), expected.join("\n"));
}

#[test]
fn processor_time_is_split_by_mode_and_guests_are_not_counted_twice() {
    check(
        HostPart::Cpu,
        &[
            (
                "proc/stat",
                "cpu  300 20 100 5000 30 4 5 6 200 10\n\
                 cpu0 300 20 100 5000 30 4 5 6 200 10\n\
                 intr 77 1 2 3\nctxt 88\nbtime 1795363097\nprocesses 99\n\
                 procs_running 3\nprocs_blocked 1\nsoftirq 1 2 3\n",
            ),
            ("proc/loadavg", "0.50 0.41 0.29 1/94 16230\n"),
        ],
        r#"
        system_cpu_time_seconds_total{cpu="0",mode="user"} 3
        system_cpu_time_seconds_total{cpu="0",mode="nice"} 0.2
        system_cpu_time_seconds_total{cpu="0",mode="system"} 1
        system_cpu_time_seconds_total{cpu="0",mode="idle"} 50
        system_cpu_time_seconds_total{cpu="0",mode="iowait"} 0.3
        system_cpu_time_seconds_total{cpu="0",mode="irq"} 0.04
        system_cpu_time_seconds_total{cpu="0",mode="softirq"} 0.05
        system_cpu_time_seconds_total{cpu="0",mode="steal"} 0.06
        system_cpu_logical_count{} 1
        system_context_switches_total{} 88
        system_interrupts_total{} 77
        system_process_created_total{} 99
        system_process_count{state="running"} 3
        system_process_count{state="blocked"} 1
        system_cpu_load_average_1m{} 0.5
        system_cpu_load_average_5m{} 0.41
        system_cpu_load_average_15m{} 0.29
        "#,
    );
}

#[test]
fn idle_time_that_steps_back_is_held_and_a_reset_is_passed_on() {
    let line = |idle: u32| format!("cpu0 0 0 0 {idle} 0 0 0 0\n");
    let folder = tree(&[("proc/stat", &line(5_000))]);
    let mut cpu = part(folder.path(), HostPart::Cpu);
    let mut idle = |ticks: u32| {
        std::fs::write(folder.path().join("proc/stat"), line(ticks)).unwrap();
        sample(cpu.as_mut(), 0).unwrap().batch.samples[3].value
    };
    assert_eq!(idle(5_000), 50.0);
    assert_eq!(idle(4_998), 50.0);
    assert_eq!(idle(5_002), 50.02);
    assert_eq!(idle(10), 0.1);
}

#[test]
fn disks_are_told_once_in_bytes_and_seconds() {
    check(
        HostPart::Disk,
        &[
            (
                "proc/diskstats",
                "   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n \
                 259 0 nvme0n1 10 2 16 3000 20 4 32 5000 7 6000 8000 1 2 3 4 5 6\n \
                 259 1 nvme0n1p1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n",
            ),
            ("sys/block/nvme0n1/size", "1"),
        ],
        r#"
        system_disk_operations_total{device="nvme0n1",direction="read"} 10
        system_disk_operations_total{device="nvme0n1",direction="write"} 20
        system_disk_merged_total{device="nvme0n1",direction="read"} 2
        system_disk_merged_total{device="nvme0n1",direction="write"} 4
        system_disk_io_bytes_total{device="nvme0n1",direction="read"} 8192
        system_disk_io_bytes_total{device="nvme0n1",direction="write"} 16384
        system_disk_operation_time_seconds_total{device="nvme0n1",direction="read"} 3
        system_disk_operation_time_seconds_total{device="nvme0n1",direction="write"} 5
        system_disk_pending_operations{device="nvme0n1"} 7
        system_disk_io_time_seconds_total{device="nvme0n1"} 6
        system_disk_weighted_io_time_seconds_total{device="nvme0n1"} 8
        "#,
    );
}

#[test]
fn interfaces_of_pods_are_left_out() {
    let headings = "Inter-|   Receive        |  Transmit\n face |bytes    packets errs |bytes\n";
    check(
        HostPart::Network,
        &[
            (
                "proc/1/net/dev",
                &format!(
                    "{headings}  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n\
                     veth12ab: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"
                ),
            ),
            ("sys/class/net/eth0/operstate", "up\n"),
            ("sys/class/net/eth0/speed", "100000\n"),
            ("sys/class/net/eth0/carrier_changes", "2\n"),
        ],
        r#"
        system_network_io_bytes_total{device="eth0",direction="receive"} 1000
        system_network_io_bytes_total{device="eth0",direction="transmit"} 2000
        system_network_packet_count_total{device="eth0",direction="receive"} 10
        system_network_packet_count_total{device="eth0",direction="transmit"} 20
        system_network_errors_total{device="eth0",direction="receive"} 1
        system_network_errors_total{device="eth0",direction="transmit"} 3
        system_network_packet_dropped_total{device="eth0",direction="receive"} 2
        system_network_packet_dropped_total{device="eth0",direction="transmit"} 4
        hw_network_up{device="eth0"} 1
        host_network_carrier_changes_total{device="eth0"} 2
        hw_network_bandwidth_limit_bytes_per_second{device="eth0"} 12500000000
        "#,
    );
}

#[test]
fn a_speed_of_minus_one_is_unknown() {
    let folder = tree(&[
        ("proc/1/net/dev", "eth0: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"),
        ("sys/class/net/eth0/operstate", "unknown\n"),
        ("sys/class/net/eth0/speed", "-1\n"),
    ]);
    let harvest = sample(part(folder.path(), HostPart::Network).as_mut(), 0).unwrap();
    assert_eq!(harvest.batch.samples.len(), 8, "{:?}", lines(&harvest));
}

#[test]
fn pressure_that_is_off_says_how_to_turn_it_on() {
    let folder = tree(&[("proc/stat", "")]);
    let error = sample(part(folder.path(), HostPart::Pressure).as_mut(), 0).unwrap_err();
    assert_eq!(error.state, SourceState::Unsupported);
    assert!(error.hint.contains("psi=1"), "{}", error.hint);
}

#[test]
fn pressure_of_each_resource_is_told() {
    let file = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=0\n";
    check(
        HostPart::Pressure,
        &[("proc/pressure/cpu", file), ("proc/pressure/memory", file)],
        r#"
        host_pressure_stall_time_seconds_total{kind="some",resource="cpu"} 1.5
        host_pressure_stall_time_seconds_total{kind="full",resource="cpu"} 0
        host_pressure_stall_time_seconds_total{kind="some",resource="memory"} 1.5
        host_pressure_stall_time_seconds_total{kind="full",resource="memory"} 0
        "#,
    );
}

#[test]
fn numa_nodes_are_told_apart() {
    check(
        HostPart::Numa,
        &[
            (
                "sys/devices/system/node/node1/meminfo",
                "Node 1 MemTotal: 5 kB\nNode 1 MemFree: 3 kB\nNode 1 MemUsed: 2 kB\n",
            ),
            ("sys/devices/system/node/node1/numastat", "numa_hit 7\nother_node 8\n"),
        ],
        r#"
        host_numa_memory_usage_bytes{numa_node="1",state="used"} 2048
        host_numa_memory_usage_bytes{numa_node="1",state="free"} 3072
        host_numa_allocations_total{kind="numa_hit",numa_node="1"} 7
        host_numa_allocations_total{kind="other_node",numa_node="1"} 8
        "#,
    );
}

#[test]
fn lines_that_make_no_sense_are_faults_and_the_others_are_told() {
    let check = |kind: HostPart, path: &str, content: &str, samples: usize| {
        let folder = tree(&[(path, content)]);
        let harvest = sample(part(folder.path(), kind).as_mut(), 0).unwrap();
        assert_eq!(harvest.batch.samples.len(), samples, "{kind:?} {:?}", lines(&harvest));
        let malformed = |fault: &strata_model::Fault| fault.code == FaultCode::Malformed;
        assert!(harvest.faults.iter().any(malformed), "{kind:?} {:?}", harvest.faults);
    };
    check(HostPart::Cpu, "proc/stat", "cpu0 1 2 3\ncpu1 1 1 1 1 1 1 1 1\nctxt x\n", 9);
    check(HostPart::Cpu, "proc/stat", "cpu0 99999999999999999999999 1 1 1 1 1 1 1\n", 0);
    check(HostPart::Memory, "proc/meminfo", "\u{1}\u{2}", 0);
    check(HostPart::Disk, "proc/diskstats", "8 0 sda 1 2\n8 1 sdb 1 1 1 1 1 1 1 1 1 1 1\n", 11);
    check(HostPart::Network, "proc/1/net/dev", "eth0: 1 2\nnonsense\n", 0);
    check(HostPart::Tcp, "proc/1/net/snmp", "Tcp: InSegs OutSegs\nTcp: 1\n", 0);
}

#[test]
fn names_are_those_of_the_catalog() {
    let catalog = Catalog::builtin();
    for name in super::names::ALL {
        let metric = catalog.metric(name);
        assert_eq!(metric.and_then(|metric| metric.layer), Some(Layer::L3Host), "{name}");
    }
}
