//! Training runs in the documents of the ledger.

use serde_json::{Value as Json, json};
use strata_cost::ledger::Ledger;
use strata_cost::unit::{RunUnits, training};

/// Every run with its unit costs; what is not known is null, and `unknown` says what would tell.
pub(super) fn runs(ledger: &Ledger) -> Vec<Json> {
    training(ledger).iter().map(run).collect()
}

fn run(one: &RunUnits) -> Json {
    let RunUnits { training, units, .. } = one;
    json!({
        "run": one.run,
        "model": one.model,
        "holders_by": one.method,
        "gpu_hours": one.line.gpu_s() / 3600.0,
        "amount": training.amount,
        "kept_steps": training.kept_steps,
        "lost_steps": training.lost_steps,
        "tokens": training.tokens,
        "useful_exaflop": training.useful_flop.map(|flop| flop / 1e18),
        "per_step": units.per_step,
        "per_million_tokens": units.per_token.map(|cost| cost * 1e6),
        "per_useful_exaflop": units.per_exaflop,
        "per_lost_step": units.per_lost_step,
        "lost_amount": units.lost,
        "unknown": one.unknown,
    })
}
