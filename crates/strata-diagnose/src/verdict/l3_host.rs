//! L3: is the host the bottleneck?

use strata_model::Layer;

use super::Limit::Above;
use super::{Bench, broken, watch};

/// Share of time in which some task waited. The kernel's documentation leaves the threshold to the
/// user; at a tenth latency of everything on the host suffers measurably.
const STALLED: f64 = 0.1;
/// All tasks waiting at once: nothing useful happens in that time.
const STALLED_FULL: f64 = 0.2;
/// Processors this busy leave nothing for a front end that must answer in milliseconds.
const CPU: f64 = 0.9;
const IO_WAIT: f64 = 0.2;
/// Loss from which TCP's throughput falls visibly (Mathis et al., 1997: proportional to
/// one over its square root).
const RETRANSMITS: f64 = 0.01;
/// 50 ms is ten times what an SSD takes, and the seek of an overloaded disk.
const DISK_SECONDS: f64 = 0.05;
const FULL: f64 = 0.95;
/// A quarter of each second: a front end that stands still so long answers late, whatever the host has
/// left.
const QUOTA_STOPPED: f64 = 0.25;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L3Host,
    on_hosts: true,
    eyes: &["l3.cpu_utilization", "l3.memory_utilization", "l3.load_1m"],
    rules: &[
        broken(&[("l3.oom_kills", Above(0.0))], "processes were killed because memory ran out"),
        broken(&[("l3.psi_memory_full", Above(STALLED_FULL))], "memory thrashes"),
        broken(&[("l3.psi_io_full", Above(STALLED_FULL))], "everything waits for storage"),
        broken(&[("l3.filesystem_fill", Above(0.99))], "a file system is full"),
        watch(&[("l3.psi_memory", Above(STALLED))], "tasks wait for memory"),
        watch(&[("l3.psi_io", Above(STALLED))], "tasks wait for storage"),
        watch(&[("l3.psi_cpu", Above(0.4))], "tasks wait for a processor"),
        watch(
            &[("l3.cpu_quota_throttled", Above(QUOTA_STOPPED))],
            "a pod stands still at its processor quota",
        ),
        watch(&[("l3.iowait", Above(IO_WAIT))], "processors idle while storage works"),
        watch(&[("l3.cpu_busiest", Above(CPU))], "the processors of a host are busy"),
        watch(&[("l3.memory_utilization", Above(FULL))], "memory is nearly used up"),
        watch(&[("l3.tcp_retransmit_ratio", Above(RETRANSMITS))], "TCP sends again"),
        watch(&[("l3.disk_latency", Above(DISK_SECONDS))], "a disk answers slowly"),
        watch(&[("l3.network_saturation", Above(0.9))], "an interface is full"),
        watch(&[("l3.filesystem_fill", Above(FULL))], "a file system is nearly full"),
    ],
    well: "hosts keep up",
    expected: &[(&[], "no host is seen: run strata on it, or scrape its node_exporter")],
    absent: "no host is seen",
};
