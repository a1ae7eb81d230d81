//! How likely requests of a replica will have to wait, and how long its steps take.

use strata_world::capacity::{Capacity, Judged, Saturation, StepTime};

use super::fact::{Made, cell, column, fact, text};
use crate::page::block::Block;
use crate::page::number::Number;
use crate::page::status::Status;
use crate::page::table::{Row, Table};
use crate::words;

const LOAD: &[&str] = &[
    "inference.requests.running",
    "inference.requests.waiting",
    "inference.kv_cache.capacity",
    "inference.kv_cache.utilization",
    "inference.requests.finished",
    "inference.prompt_tokens",
    "inference.generation_tokens",
];

const PROBABILITY: Made = Made {
    unit: "1",
    definition: "How likely three or more requests wait at some reading within the horizon: a mass \
                 balance of what runs and what comes, made a probability by a monotone map that was \
                 fitted to the earlier part of the readings.",
    formula: "1 / (1 + exp(-(a z + b))), z = max over h of (E[tokens] - capacity) / sd",
    inputs: LOAD,
};

const EXPECTED: Made = Made {
    unit: "1",
    definition: "Part of the KV cache that will be asked for at the end of the horizon: what runs \
                 and stays, what it grows by, what waits, and what will come.",
    formula: "(K e^(-m h) + growth + waiting + arrivals) / capacity",
    inputs: LOAD,
};

const BRIER: Made = Made {
    unit: "{score}",
    definition: "Mean square distance of the probabilities from what happened in the later part of \
                 the readings (Brier 1950); 0 is perfect.",
    formula: "mean of (probability - outcome)^2",
    inputs: LOAD,
};

const BASE: Made = Made {
    unit: "{score}",
    definition: "The same of somebody who always says how often it happened before: a forecast that \
                 is not below it is worth nothing.",
    formula: "mean of (base rate - outcome)^2",
    inputs: LOAD,
};

const AUC: Made = Made {
    unit: "{score}",
    definition: "Chance that of a reading before a saturation and one before none the first had the \
                 higher probability; 0.5 is chance, 1 is perfect.",
    formula: "area under the ROC curve",
    inputs: LOAD,
};

/// One row for each horizon.
pub(super) fn table(capacity: &Capacity) -> Table {
    Table {
        title: String::new(),
        columns: vec![
            column("within", false, 0),
            column("probability", true, 0),
            column("KV asked for", true, 1),
            column("Brier", true, 1),
            column("Brier of base rate", true, 2),
            column("AUC", true, 1),
            column("judged by", false, 2),
        ],
        rows: capacity.saturation.iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    }
}

fn row(one: &Saturation) -> Row {
    let judged = one.judged.as_ref().map_err(String::as_str);
    let of = |label, made, get: fn(&Judged) -> f64| cell(fact(label, judged.map(get), made));
    let balance = one.balance.ok_or("something that goes into the balance is not on its page");
    let mut expected =
        fact("KV asked for", balance.map(|all| all.expected / all.capacity), EXPECTED);
    expected.note = one
        .balance
        .map(|all| format!("+- {}", words::text(Some(all.deviation / all.capacity), "1")));
    let by = match judged {
        Ok(judged) => format!("{} of {} readings", judged.happened, judged.forecasts),
        Err(why) => why.to_owned(),
    };
    Row {
        cells: vec![
            text(words::length(one.horizon_s as u64)),
            cell(probability(judged)),
            cell(expected),
            of("Brier", BRIER, |judged| judged.brier),
            of("Brier of base rate", BASE, |judged| judged.brier_base),
            of("AUC", AUC, |judged| judged.auc),
            text(by),
        ],
        link: None,
    }
}

fn probability(judged: Result<&Judged, &str>) -> Number {
    let now = "three or more requests wait now: it is saturated";
    let value = judged.and_then(|judged| judged.probability.ok_or(now));
    let mut number = fact("probability", value, PROBABILITY);
    match judged {
        Ok(judged) if judged.probability.is_none() => {
            number.status = Some(Status::Broken);
            number.note = Some("saturated now".to_owned());
        }
        Ok(judged) if judged.brier >= judged.brier_base => {
            number.note = Some("no better than the base rate".to_owned());
        }
        _ => {}
    }
    number
}

const STEP: &[&str] =
    &["inference.itl", "inference.requests.running", "inference.kv_cache.utilization"];

const BASE_TIME: Made = Made {
    unit: "s",
    definition: "Time of a step without any sequence: the weights are read once.",
    formula: "a of ITL = a + b B + g K, least squares over pairs of readings",
    inputs: STEP,
};
const PER_REQUEST: Made = Made {
    unit: "s",
    definition: "Time that each sequence of the batch adds to a step. Where batch and tokens moved \
                 together its own tokens are in it.",
    formula: "b of ITL = a + b B + g K",
    inputs: STEP,
};
const PER_TOKENS: Made = Made {
    unit: "s",
    definition: "Time that a thousand more tokens in the cache of the batch add to a step.",
    formula: "1000 g of ITL = a + b B + g K",
    inputs: STEP,
};
const R2: Made = Made {
    unit: "1",
    definition: "Part of how the gap between tokens varied that batch and tokens explain; below one \
                 half the model is not used.",
    formula: "1 - variance of what is left / variance of ITL",
    inputs: STEP,
};
const CONDITION: Made = Made {
    unit: "{score}",
    definition: "How far batch and tokens moved together; above 30 they cannot be told apart and \
                 tokens are put to the batch's account.",
    formula: "(1 + |r|) / (1 - |r|), r their correlation",
    inputs: STEP,
};
const BATCH: Made = Made {
    unit: "{request}",
    definition: "Batch at which the gap between output tokens reaches its target.",
    formula: "(target - a) / (b + g K / B)",
    inputs: STEP,
};

/// The model of steps, or why there is none.
pub(super) fn step(capacity: &Capacity) -> Block {
    match &capacity.step {
        Err(why) => Block::Text { text: format!("No model of steps is used: {why}.") },
        Ok(step) => Block::Numbers { numbers: numbers(step, capacity.targets.itl_s) },
    }
}

fn numbers(step: &StepTime, target_s: f64) -> Vec<Number> {
    let together = "batch and tokens moved together";
    let tokens = step.per_token_s.map(|seconds| seconds * 1000.0).ok_or(together);
    let batch = step.batch_at(target_s).ok_or("a single request already takes longer");
    let mut at_target = fact("batch at the ITL target", batch, BATCH);
    let target = words::text(Some(target_s), "s");
    at_target.note = Some(match batch {
        Ok(batch) if batch > 2.0 * step.batch_seen => {
            format!("target {target}; more than twice what was seen, {:.0}", step.batch_seen)
        }
        _ => format!("target {target}"),
    });
    let mut r2 = fact("R2", Ok(step.r2), R2);
    r2.note = Some(format!("{} points", step.points));
    vec![
        fact("step without load", Ok(step.base_s), BASE_TIME),
        fact("each request", Ok(step.per_request_s), PER_REQUEST),
        fact("each 1000 tokens", tokens, PER_TOKENS),
        r2,
        fact("condition", finite(step.condition), CONDITION),
        at_target,
    ]
}

fn finite(value: f64) -> Result<f64, &'static str> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err("tokens held are not on its page, or they moved exactly with the batch")
    }
}
