//! L1: is the GPU healthy and doing useful work?

use strata_model::Layer;

use super::Limit::{Above, Below};
use super::{Bench, broken, watch};

/// Degrees left before the device slows itself down. Fewer than three is within the swing of one
/// batch.
const MARGIN_CELSIUS: f64 = 3.0;
/// Share of time held down by heat: 5 % costs as much throughput, which is above the noise of a
/// benchmark.
const THROTTLED: f64 = 0.05;
/// A busy GPU this much below the median clock of its peers slows a whole job down with it.
const CLOCK_VS_PEERS: f64 = 0.9;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L1Gpu,
    on_hosts: true,
    eyes: &["l1.utilization", "l1.engine_active", "l1.power", "l1.memory_used", "l1.temperature"],
    rules: &[
        // The driver says so itself (NVML recovery action, DCGM field 395): no threshold of ours.
        broken(&[("l1.recovery_action", Above(0.0))], "the driver asks for a reset or a reboot"),
        broken(&[("l1.row_remap_failed", Above(0.0))], "a memory row could not be remapped"),
        broken(&[("l1.ecc_uncorrected", Above(0.0))], "memory errors that could not be corrected"),
        broken(&[("l1.fault_events", Above(0.0))], "a device reported a fault (XID)"),
        broken(
            &[("l1.throttle_thermal", Above(THROTTLED)), ("l1.temperature_margin", Below(1.0))],
            "heat holds the clocks down at the limit",
        ),
        watch(&[("l1.throttle_thermal", Above(THROTTLED))], "heat holds the clocks down"),
        watch(&[("l1.throttle_hardware", Above(THROTTLED))], "the hardware slowed itself down"),
        watch(&[("l1.temperature_margin", Below(MARGIN_CELSIUS))], "near the temperature limit"),
        watch(
            &[("l1.sm_clock_vs_peers", Below(CLOCK_VS_PEERS))],
            "a busy GPU runs slower than its peers",
        ),
        watch(
            &[("l1.profiling_stuck", Above(0.0))],
            "profiling counters stand at 0 while the GPU works",
        ),
        watch(&[("l1.row_remap_pending", Above(0.0))], "a memory row waits for a reset"),
        watch(&[("l1.pcie_replays", Above(100.0))], "PCI Express sends packets again"),
        watch(&[("l1.link_errors", Above(0.0))], "errors on the links between GPUs"),
        watch(&[("l1.c2c_errors", Above(0.0))], "errors on the link of a GPU to its processor"),
    ],
    well: "healthy",
    expected: &[
        (&["l6.replicas"], "engines run and no GPU is seen: run a GPU exporter on their host"),
        (&["l5.step"], "a training run is seen and no GPU: run a GPU exporter on its hosts"),
        (&["l4.gpus_present"], "the cluster has GPUs and no exporter tells how they are"),
    ],
    absent: "no GPU is seen on any host",
};
