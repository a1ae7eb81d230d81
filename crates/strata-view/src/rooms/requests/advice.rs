//! What lengths and times of requests mean for the engines of each model.

use strata_cost::time::rfc3339;
use strata_world::requests::split::{Advice, Advised};

use super::fact::{Says, number};
use super::told::LengthsTold;
use crate::page::block::{Block, Card};
use crate::page::status::Status;
use crate::words;

const NOT_TOLD: &str = "no request told it";

/// The advice for each model, under a line that says what it rests on.
pub(super) fn blocks(found: &LengthsTold) -> Vec<Block> {
    let text = |text: String| Block::Text { text };
    if found.advice.is_empty() {
        return vec![text("No request of this range names its model.".to_owned())];
    }
    let mut blocks = Vec::new();
    for one in &found.advice {
        blocks.push(text(basis(one)));
        blocks.extend(one.advice.iter().map(|advice| Block::Card(card(&one.model, advice))));
    }
    if found.more_models > 0 {
        let words = "more models were asked less; choose one to see what follows for it.";
        blocks.push(text(format!("{} {words}", found.more_models)));
    }
    blocks
}

fn basis(one: &Advised) -> String {
    let requests = words::text(Some(one.measured.matching as f64), "{request}");
    let rate = words::text(Some(one.measured.rate), "{request}/s");
    match one.measured.busiest_from_us {
        Some(from_us) => {
            let from = rfc3339(from_us.div_euclid(1_000));
            format!("{}: {requests} requests, {rate} in the busiest hour, from {from}.", one.model)
        }
        None => format!("{}: {requests} requests, {rate} in the mean of this time.", one.model),
    }
}

fn card(model: &str, advice: &Advice) -> Card {
    let numbers = advice.inputs.iter().map(|(name, value, unit)| {
        let says = Says {
            label: name,
            unit,
            definition: "What the advice rests on.",
            formula: advice.formula,
            unknown: NOT_TOLD,
        };
        number(Some(*value), says)
    });
    let mut steps = vec![("formula".to_owned(), advice.formula.to_owned())];
    if !advice.missing.is_empty() {
        steps.push(("missing".to_owned(), advice.missing.to_owned()));
    }
    let flags = advice.setting.iter().filter(|setting| setting.starts_with("--"));
    Card {
        status: if advice.missing.is_empty() { Status::Ok } else { Status::Blind },
        title: match advice.setting.as_deref().filter(|setting| !setting.starts_with("--")) {
            Some(setting) => format!("{model}, {}: {setting}", advice.about),
            None => format!("{model}, {}", advice.about),
        },
        text: advice.says.clone(),
        steps,
        numbers: numbers.collect(),
        commands: flags.cloned().collect(),
        link: None,
    }
}
