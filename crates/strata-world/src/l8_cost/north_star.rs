//! The north star. These read what the ledger writes; until it does they are unknown.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

/// Of nothing smaller than a model does the ledger tell these.
const fn cost(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Model, id, unit, each).unlike()
}

const NO_PRICE: &str = "the ledger has not priced anything: it needs GPU telemetry, a price of the GPU's model and an \
     engine that counts its tokens";

pub(crate) const ALL: &[Recipe] = &[
    cost("l8.cost_per_useful_token", "{currency}/{token}", "max by (%) (<cost.per_useful_token>)")
        .whole(Whole::Text("max(<cost.per_useful_token|model=\"\">)"))
        .absent(NO_PRICE)
        .means(
            "Cost of everything in scope over the tokens that were useful, at the level of \
             usefulness that the ledger names (U0 generated .. U4 accepted).",
            "billed cost / useful tokens",
        ),
    cost("l8.cost_rate", "{currency}/s", "sum by (%) (<cost.rate>)")
        .whole(Whole::Sum)
        .absent(NO_PRICE)
        .means("What everything in scope costs at this moment.", "sum of cost.rate"),
    Recipe::new(
        EntityKind::Team,
        "l8.team_cost_rate",
        "{currency}/s",
        "sum by (%) (<cost.team.rate>)",
    )
    .unlike()
    .whole(Whole::Sum)
    .absent(NO_PRICE)
    .means(
        "What a team's GPUs cost at this moment, idle ones included.",
        "cost.team.rate; sum over the teams",
    ),
    cost("l8.waste_rate", "{currency}/s", "sum by (%) (steady<cost.waste>)")
        .whole(Whole::Sum)
        .absent(NO_PRICE)
        .means(
            "Cost per second of GPU time that created nothing useful: idle, preempted, aborted, \
             out of SLO.",
            "rate of cost.waste",
        ),
    cost(
        "l8.waste_share",
        "1",
        "sum by (%) (steady<cost.waste>) / (sum by (%) (<cost.rate>) > 0)",
    )
    .whole(Whole::Text("sum(steady<cost.waste>) / (sum(<cost.rate>) > 0)"))
    .absent(NO_PRICE)
    .means(
        "Share of the money that created nothing useful: idle, preempted, aborted, out of SLO.",
        "rate of cost.waste / cost.rate",
    ),
    cost("l8.idle_rate", "{currency}/s", "sum by (%) (steady<cost.idle>)")
        .whole(Whole::Sum)
        .absent(NO_PRICE)
        .means("Cost per second of GPUs that do nothing.", "rate of cost.idle"),
    cost("l8.goodput", "1", "min by (%) (<cost.goodput>)")
        .whole(Whole::Text(
            "sum(steady<cost.gpu_time|bucket=\"busy_useful\">) / (sum(steady<cost.gpu_time>) > 0)",
        ))
        .absent(
            "the ledger tells useful from useless GPU seconds once it sees GPUs and who holds them",
        )
        .means(
            "Share of paid GPU seconds that created something useful; of a model the share of its \
             generated tokens that reach the level.",
            "useful GPU seconds / paid GPU seconds",
        ),
    cost(
        "l8.slo_budget_used",
        "1",
        "sum by (%) (period<cost.slo.tokens|state=\"beyond\">) / \
         (sum by (%) (period<cost.slo.tokens>) > 0) / \
         on () group_left () (1 - max(<!cost.slo.target>))",
    )
    .whole(Whole::Text(
        "sum(period<cost.slo.tokens|state=\"beyond\">) / (sum(period<cost.slo.tokens>) > 0) / \
         (1 - max(<!cost.slo.target>))",
    ))
    .absent("engines that tell times to first token, and whose GPUs are seen, give it")
    .means(
        "Share of the error budget of thirty days, or since it is counted, that is used: delivered \
         tokens of requests beyond `ttft_objective`, over the share of `slo_target` that may be. Above \
         1 it is exhausted.",
        "(tokens beyond the objective / tokens of which it is told) / (1 - slo_target), over 30 days",
    ),
    cost("l8.budget_used", "1", "max by (%) (<cost.budget.used>)")
        .absent("no budget is set")
        .means("Share of the budget of the period that is spent.", "spent / budget; the fullest"),
    cost("l8.useful_tokens", "{token}/s", "sum by (%) (steady<cost.useful_tokens>)")
        .whole(Whole::Sum)
        .absent("the ledger has not counted useful tokens yet")
        .means("Useful tokens per second.", "rate of cost.useful_tokens"),
];
