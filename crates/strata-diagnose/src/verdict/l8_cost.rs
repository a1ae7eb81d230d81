//! L8: is the GPU creating value?

use strata_model::Layer;

use super::Limit::Above;
use super::{Bench, watch};

/// A GPU that idles for more than a third of its cost is worth less than its price.
const WASTE: f64 = 1.0 / 3.0;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L8Cost,
    eyes: &["l8.cost_rate", "l8.cost_per_useful_token"],
    rules: &[
        watch(&[("l8.budget_used", Above(1.0 - WASTE))], "the budget is nearly used up"),
        watch(&[("l8.slo_budget_used", Above(1.0))], "the error budget of thirty days is used up"),
    ],
    well: "priced",
    expected: &[
        (&["l8.power"], "GPUs draw power and no price is known: energy is counted, money is not"),
        (&["l1.power", "l6.replicas", "l4.gpus_present"], "no price is known"),
    ],
    absent: "nothing that costs is seen",
};
