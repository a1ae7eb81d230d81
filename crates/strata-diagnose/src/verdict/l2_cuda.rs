//! L2: computing, or waiting for other GPUs?

use strata_model::Layer;

use super::Limit::{Above, Below};
use super::{Bench, broken, watch};

/// A collective in flight this long is a hang: the watchdog of `PyTorch` gives up after 600 s, and no
/// healthy one takes a minute.
const HANG_SECONDS: f64 = 60.0;
/// Share of the step that is communication, from which on it is the first thing to look at.
const COMMUNICATION: f64 = 0.5;
/// Half a second between the first and the last rank is more than a usual step.
const SKEW_SECONDS: f64 = 0.5;
/// Half of what the same collectives of the same sizes reached within the hour.
const BANDWIDTH_VS_PAST: f64 = 0.5;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L2Cuda,
    on_hosts: true,
    eyes: &["l2.bus_bandwidth", "l2.collective_rate", "l2.communication_share", "l2.skew_p95"],
    rules: &[
        broken(&[("l2.desync", Above(0.0))], "ranks wait in different collectives"),
        broken(&[("l2.peers_dead", Above(0.0))], "a peer is gone"),
        broken(&[("l2.inflight_age", Above(HANG_SECONDS))], "a collective hangs"),
        watch(&[("l2.skew_p95", Above(SKEW_SECONDS))], "ranks wait for a straggler"),
        watch(
            &[("l2.bus_bandwidth_vs_past", Below(BANDWIDTH_VS_PAST))],
            "a communicator runs at less than half of its bandwidth of the last hour",
        ),
        watch(
            &[("l2.communication_share", Above(COMMUNICATION))],
            "more than half of the time is communication",
        ),
    ],
    well: "collectives run",
    expected: &[(
        &["l5.step"],
        "a training run is seen and none of its collectives: NCCL Inspector or the profiler \
         plugin would show them",
    )],
    absent: "no collective is seen, and no training run that would need one",
};
