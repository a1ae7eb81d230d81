//! L8: is the GPU creating value?

use strata_model::Layer;

use super::Limit::Above;
use super::{Bench, broken, watch};

/// Where every third dollar creates nothing, two GPUs do the work of three.
const WASTE: f64 = 1.0 / 3.0;
/// Of thirty days of budget three are left.
const BUDGET: f64 = 0.9;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L8Cost,
    on_hosts: false,
    eyes: &["l8.cost_rate", "l8.cost_per_useful_token"],
    rules: &[
        broken(&[("l8.budget_used", Above(1.0))], "a budget is used up"),
        watch(&[("l8.budget_used", Above(BUDGET))], "a budget is nearly used up"),
        watch(&[("l8.slo_budget_used", Above(1.0))], "the error budget of thirty days is used up"),
        watch(
            &[("l8.waste_share", Above(WASTE))],
            "more than a third of the money creates nothing",
        ),
    ],
    well: "priced",
    expected: &[
        (
            &["l8.power"],
            "GPUs draw power and no cost is told: a price is missing, or the ledger has not closed its \
             first minute",
        ),
        (
            &["l1.power", "l6.replicas", "l4.gpus_present"],
            "no cost is told: a price is missing, or the ledger has not closed its first minute",
        ),
    ],
    absent: "nothing that costs is seen",
};
