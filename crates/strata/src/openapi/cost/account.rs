//! What was spent, why it changed, and the export for finance.

use serde_json::{Value as Json, json};
use strata_cost::change::Factor;
use strata_cost::facts::Loss;
use strata_cost::ledger::{Basis, IdlePolicy, State};
use strata_cost::price::Confidence;
use strata_cost::useful::{Cause, Level};
use strata_view::PageErrorCode;

use super::{TAG, add, currency, named, notes, parameters, report, stepped, units};
use crate::openapi::Document;
use crate::openapi::operation::Operation;
use crate::openapi::schema::{
    count, day, flag, list, loose, maybe, moment, number, object, said, text, word,
};

pub(super) fn describe(document: &mut Document) {
    let ledger = cost(document);
    let operation = report("cost", "What GPUs cost in a period, and on whom.", "/cost", ledger);
    add(document, "/cost", operation, &[]);
    let side = || object([("period", stepped()), ("amount", number())]);
    let factors = Factor::ALL.map(Factor::name);
    let term = object([("factor", word(factors)), ("amount", number())]);
    let why = object([
        ("currency", currency()),
        ("before", side()),
        ("after", side()),
        ("terms", list(term)),
        (
            "cache_loss",
            said(
                list(units::cache_loss()),
                "Beside the terms: the work was useful, and avoidable.",
            ),
        ),
        ("residual", said(number(), "What the terms leave over; 0 up to rounding.")),
    ]);
    let summary = "Why a period cost something else than the one before.";
    let operation = report("cost_why", summary, "/cost/why", why);
    add(document, "/cost/why", operation, &[PageErrorCode::TooMuch]);
    let operation = Operation::new("cost_focus", TAG, "The rows of FOCUS 1.2 for finance.")
        .asks(parameters("/cost/focus"))
        .answers(200, "The rows.", &[("text/csv; charset=utf-8", text())]);
    add(document, "/cost/focus", operation, &[PageErrorCode::Internal]);
}

/// Money that is not known where a part has no price.
pub(super) fn money() -> Json {
    said(maybe(number()), "Null where a part has no price.")
}

fn cost(document: &mut Document) -> Json {
    let line = line(document);
    let (model, energy) = units::describe(document);
    let states = State::ALL.map(State::name);
    let work = Cause::ALL.map(Cause::name).into_iter().chain(Loss::ALL.map(Loss::name));
    let causes = states.into_iter().chain(work).chain(["declared"]);
    let waste = object([
        ("cause", word(causes)),
        ("team", text()),
        ("gpu_hours", number()),
        ("amount", money()),
    ]);
    let share = |what: &str| said(maybe(number()), what);
    object([
        ("period", stepped()),
        ("currency", currency()),
        ("total", line.clone()),
        ("reconciles", said(flag(), "Whether the lines add up to the bill.")),
        ("unattributed_share", share("Of all GPU time.")),
        ("unknown_share", share("Of all GPU time.")),
        ("unpriced_share", share("Of all GPU time.")),
        ("useful_level", word(Level::ALL.map(Level::name))),
        ("per_million_useful_tokens", maybe(number())),
        ("by", list(text())),
        ("lines", list(line)),
        (
            "charges",
            said(maybe(charges(document)), "Where `basis` or `idle` is asked for; they add up."),
        ),
        ("models", list(model)),
        ("energy", energy),
        ("training", list(run(document))),
        ("waste", list(waste)),
        ("prices", list(price(document))),
        ("notes", notes()),
    ])
}

fn charges(document: &mut Document) -> Json {
    let one = object([
        ("key", text()),
        ("direct", said(maybe(number()), "By the basis.")),
        ("idle", said(maybe(number()), "Its part of the rest.")),
        ("amount", money()),
        ("unpriced_gpu_hours", number()),
    ]);
    let charges = object([
        ("by", text()),
        ("basis", named(&Basis::ALL)),
        ("idle", named(&IdlePolicy::ALL)),
        ("amount", money()),
        ("lines", list(one)),
        ("notes", notes()),
    ]);
    document.name("CostCharges", charges)
}

fn line(document: &mut Document) -> Json {
    let state = object([("gpu_hours", number()), ("amount", money())]);
    let states = State::ALL.map(|one| (one.name(), state.clone()));
    let line = object([
        ("keys", said(list(text()), "In the order of `by`.")),
        ("gpu_hours", number()),
        ("amount", money()),
        ("unpriced_gpu_hours", number()),
        (
            "equal_share_gpu_hours",
            said(number(), "Equal parts of shared GPUs of which nothing tells shares."),
        ),
        ("energy_joules", maybe(number())),
        (
            "states",
            said(loose(states), "What the time was; states that did not occur are left out."),
        ),
    ]);
    document.name("CostLine", line)
}

fn run(document: &mut Document) -> Json {
    let known = |what: &str| said(maybe(number()), what);
    let run = object([
        ("run", text()),
        ("model", maybe(text())),
        (
            "holders_by",
            said(
                maybe(word(["label", "workload"])),
                "How the holders of its GPUs are known; null where nothing tells.",
            ),
        ),
        ("gpu_hours", said(number(), "Of its GPUs that were seen.")),
        ("amount", known("Null where not all of its GPUs were seen or a part has no price.")),
        ("kept_steps", known("Steps whose result was kept.")),
        ("lost_steps", known("Steps that a restart threw away.")),
        ("tokens", known("Of the kept steps.")),
        ("useful_exaflop", known("1e18 operations of the model, of the kept steps.")),
        ("per_step", known("Money for a kept step.")),
        ("per_million_tokens", known("Money for a million tokens of kept steps.")),
        ("per_useful_exaflop", known("Money for 1e18 useful operations.")),
        ("per_lost_step", known("Money for a lost step; null where none was lost.")),
        ("lost_amount", known("Money for all lost steps.")),
        ("unknown", said(list(text()), "What is not known, and what would tell.")),
    ]);
    document.name("TrainingRunCost", run)
}

pub(super) fn price(document: &mut Document) -> Json {
    let gpu = || ("gpu", said(maybe(text()), "Null where the model of the GPU is not known."));
    let priced = object([
        gpu(),
        ("from", moment()),
        ("per_gpu_hour", number()),
        ("currency", currency()),
        ("source", text()),
        ("as_of", day()),
        ("age_days", count_of_days()),
        ("confidence", word(Confidence::ALL.map(|(name, _)| name))),
        ("assumed", said(list(text()), "What the price was taken to fit without being told.")),
    ]);
    let unpriced = object([gpu(), ("unpriced", said(text(), "Why there is no price."))]);
    document.name("UsedPrice", json!({ "oneOf": [priced, unpriced] }))
}

/// Written as a number with a fraction of zero.
pub(super) fn count_of_days() -> Json {
    let mut days = number();
    days["minimum"] = count()["minimum"].clone();
    days
}
