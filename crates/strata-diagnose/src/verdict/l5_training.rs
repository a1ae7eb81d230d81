//! L5: how much of the hardware becomes training progress?

use strata_model::Layer;

use super::Limit::{Above, Below};
use super::{Bench, broken, watch};

/// Half of the paid time lost is more than any published large run lost (Llama 3: below 10 %).
const GOODPUT_BROKEN: f64 = 0.5;
const GOODPUT_WATCH: f64 = 0.9;
/// A tenth of the step spent waiting for data: the loader is the next bottleneck.
const DATA_WAIT: f64 = 0.1;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L5Training,
    on_hosts: true,
    eyes: &["l5.step", "l5.step_time", "l5.mfu", "l5.loss", "l5.tokens_per_second"],
    rules: &[
        broken(&[("l5.not_finite", Above(0.0))], "loss or gradients are NaN or infinite"),
        broken(&[("l5.goodput", Below(GOODPUT_BROKEN))], "half of the time is lost"),
        watch(&[("l5.restarts", Above(0.0))], "the run was restarted"),
        watch(&[("l5.goodput", Below(GOODPUT_WATCH))], "time is lost"),
        watch(&[("l5.data_wait_share", Above(DATA_WAIT))], "steps wait for data"),
        watch(&[("l5.straggler", Above(0.1))], "a rank is slower than the others"),
    ],
    well: "steps go on",
    expected: &[(
        &["l2.collective_rate"],
        "collectives run and no training run tells of its steps",
    )],
    absent: "no training run is seen",
};
