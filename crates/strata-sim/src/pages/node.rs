//! `node_exporter`: processors, load, memory, disks and file systems. Names and help texts as release
//! 1.5 writes them.

use super::node_kernel;
use super::text::{Style, Writer};
use crate::host::Node;
use crate::knob::NodeKnob;
use crate::layout::{NODE_MEMORY, NODE_PROCESSORS};
use crate::sim::Sim;

/// Bytes of the local file system, and what lies on it.
const DISK_BYTES: f64 = 7.68e12;
const DISK_USED: f64 = 2.9e12;
/// Bytes that the kernel holds in slabs and buffers.
const RECLAIMABLE: f64 = 6.2e9;
const UNRECLAIMABLE: f64 = 2.4e9;
const BUFFERS: f64 = 0.9e9;

pub(super) fn page(sim: &Sim, number: usize) -> String {
    let (Some(node), Some(name)) = (sim.nodes.get(number), sim.layout.nodes.get(number)) else {
        return String::new();
    };
    let mut writer = Writer::new(Style::Go);
    identity(&mut writer, sim, name);
    processors(&mut writer, sim, node);
    memory(&mut writer, node);
    disk(&mut writer, node);
    node_kernel::write(&mut writer, sim, node, number);
    writer.finish()
}

fn identity(writer: &mut Writer, sim: &Sim, name: &str) {
    let about = "A metric with a constant '1' value labeled by version, revision, branch, \
                 goversion from which node_exporter was built, and the goos and goarch for the build.";
    let build = [
        ("branch", "HEAD"),
        ("goarch", "amd64"),
        ("goos", "linux"),
        ("goversion", "go1.19.8"),
        ("revision", "1.5.0"),
        ("version", "1.5.0"),
    ];
    writer.single(("node_exporter_build_info", "gauge", about), &build, 1.0);
    let about = "Labeled system information as provided by the uname system call.";
    let uname = [
        ("domainname", "(none)"),
        ("machine", "x86_64"),
        ("nodename", name),
        ("release", "6.8.0-57-generic"),
        ("sysname", "Linux"),
        ("version", "#59-Ubuntu SMP PREEMPT_DYNAMIC"),
    ];
    writer.single(("node_uname_info", "gauge", about), &uname, 1.0);
    let about = "Node boot time, in unixtime.";
    writer.single(("node_boot_time_seconds", "gauge", about), &[], boot(sim));
    let about = "System time in seconds since epoch (1970).";
    let now = sim.now_ms() as f64 / 1000.0;
    writer.single(("node_time_seconds", "gauge", about), &[], now);
}

/// Up for ten days when the simulation began.
fn boot(sim: &Sim) -> f64 {
    sim.start_ms as f64 / 1000.0 - 864_000.0
}

fn processors(writer: &mut Writer, sim: &Sim, node: &Node) {
    let name = "node_cpu_seconds_total";
    writer.family(name, "counter", "Seconds the CPUs spent in each mode.");
    let counted = &node.counted;
    // Ten idle days before; the modes add up to the time since boot on every processor.
    let before = sim.start_ms as f64 / 1000.0 - boot(sim);
    let modes = [
        ("idle", counted.idle),
        ("iowait", counted.iowait),
        ("irq", 0.0),
        ("nice", 0.0),
        ("softirq", counted.softirq),
        ("steal", counted.steal),
        ("system", counted.system),
        ("user", counted.user),
    ];
    for cpu in 0..NODE_PROCESSORS {
        let cpu_name = cpu.to_string();
        for (mode, seconds) in modes {
            let each = seconds / NODE_PROCESSORS as f64;
            let since_boot = if mode == "idle" { before + each } else { each };
            writer.sample(name, &[("cpu", &cpu_name), ("mode", mode)], since_boot);
        }
    }
    let [one, five, fifteen] = node.load;
    for (name, about, value) in [
        ("node_load1", "1m load average.", one),
        ("node_load5", "5m load average.", five),
        ("node_load15", "15m load average.", fifteen),
    ] {
        writer.single((name, "gauge", about), &[], (value * 100.0).round() / 100.0);
    }
    let running = (node.last.cpu + node.knobs.get(NodeKnob::BackgroundCores)).round().max(1.0);
    let about = "Number of processes in runnable state.";
    writer.single(("node_procs_running", "gauge", about), &[], running);
    let about = "Number of processes blocked waiting for I/O to complete.";
    writer.single(("node_procs_blocked", "gauge", about), &[], node.last.disk_out.round());
    for (name, about, value) in [
        ("node_context_switches_total", "Total number of context switches.", counted.switches),
        ("node_intr_total", "Total number of interrupts serviced.", counted.interrupts),
        ("node_forks_total", "Total number of forks.", counted.forks),
    ] {
        writer.single((name, "counter", about), &[], value.floor());
    }
}

fn memory(writer: &mut Writer, node: &Node) {
    let used = node.memory_used();
    let kernel = RECLAIMABLE + UNRECLAIMABLE + BUFFERS;
    let cached = node.page_cache.min((NODE_MEMORY - used - kernel).max(0.0));
    let free = (NODE_MEMORY - used - kernel - cached).max(0.0);
    let fields = [
        ("MemTotal", NODE_MEMORY),
        ("MemFree", free),
        ("MemAvailable", free + 0.95 * cached + RECLAIMABLE / 2.0),
        ("Buffers", BUFFERS),
        ("Cached", cached),
        ("SReclaimable", RECLAIMABLE),
        ("SUnreclaim", UNRECLAIMABLE),
        ("Shmem", 1.2e9),
        ("Dirty", 1e6 + node.last.disk_written / 2.0),
        ("Writeback", node.last.disk_written / 8.0),
        ("SwapTotal", 0.0),
        ("SwapFree", 0.0),
    ];
    for (field, value) in fields {
        let name = format!("node_memory_{field}_bytes");
        let about = format!("Memory information field {field}_bytes.");
        writer.single((&name, "gauge", &about), &[], value.floor());
    }
}

fn disk(writer: &mut Writer, node: &Node) {
    let counted = &node.counted;
    let counters = [
        (
            "reads_completed",
            "The total number of reads completed successfully.",
            counted.disk_reads,
        ),
        ("read_bytes", "The total number of bytes read successfully.", counted.disk_read),
        (
            "read_time_seconds",
            "The total number of seconds spent by all reads.",
            counted.disk_read_seconds,
        ),
        (
            "writes_completed",
            "The total number of writes completed successfully.",
            counted.disk_writes,
        ),
        ("written_bytes", "The total number of bytes written successfully.", counted.disk_written),
        (
            "write_time_seconds",
            "This is the total number of seconds spent by all writes.",
            counted.disk_write_seconds,
        ),
        ("io_time_seconds", "Total seconds spent doing I/Os.", counted.disk_busy),
        (
            "io_time_weighted_seconds",
            "The weighted # of seconds spent doing I/Os.",
            counted.disk_weighted,
        ),
    ];
    let device = [("device", "nvme0n1")];
    for (field, about, value) in counters {
        let name = format!("node_disk_{field}_total");
        let is_time = field.ends_with("seconds");
        let value = if is_time { (value * 1000.0).floor() / 1000.0 } else { value.floor() };
        writer.single((&name, "counter", about), &device, value);
    }
    let about = "The number of I/Os currently in progress.";
    writer.single(("node_disk_io_now", "gauge", about), &device, node.last.disk_out.round());
    let place = [("device", "/dev/nvme0n1p2"), ("fstype", "ext4"), ("mountpoint", "/")];
    let room = DISK_BYTES - DISK_USED;
    for (field, about, value) in [
        ("size_bytes", "Filesystem size in bytes.", DISK_BYTES),
        ("free_bytes", "Filesystem free space in bytes.", room),
        (
            "avail_bytes",
            "Filesystem space available to non-root users in bytes.",
            room - 0.01 * DISK_BYTES,
        ),
        ("files", "Filesystem total file nodes.", 4.68e8),
        ("files_free", "Filesystem total free file nodes.", 4.61e8),
    ] {
        let name = format!("node_filesystem_{field}");
        writer.single((&name, "gauge", about), &place, value);
    }
}
