//! What lengths and times of requests mean for the engines of each model.

use strata_cost::time::rfc3339;
use strata_world::requests::split::{Advice, Advised, ReplayLine, Replayed};

use super::fact::{Says, cell, number, table, text};
use super::told::LengthsTold;
use crate::page::block::{Block, Card};
use crate::page::status::Status;
use crate::page::table::Row;
use crate::words;

const NOT_TOLD: &str = "no request told it";

/// The advice for each model, under a line that says what it rests on.
pub(super) fn blocks(found: &LengthsTold) -> Vec<Block> {
    let words_of = |text: String| Block::Text { text };
    if found.advice.is_empty() {
        return vec![words_of("No request of this range names its model.".to_owned())];
    }
    let mut blocks = Vec::new();
    for one in &found.advice {
        blocks.push(words_of(basis(one)));
        blocks.extend(one.advice.iter().map(|advice| Block::Card(card(&one.model, advice))));
        blocks.extend(one.replay.as_ref().map(|replay| simulated(&one.model, replay)));
    }
    if found.more_models > 0 {
        let words = "more models were asked less; choose one to see what follows for it.";
        blocks.push(words_of(format!("{} {words}", found.more_models)));
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

/// What simulated engines made of recorded requests.
fn simulated(model: &str, replay: &Replayed) -> Block {
    if !replay.why.is_empty() {
        return Block::Text { text: format!("{model}: nothing is simulated: {}.", replay.why) };
    }
    let row = |line: &ReplayLine| {
        let time = |label, times: Option<[f64; 2]>| {
            let says = Says {
                label,
                unit: "s",
                definition: "Simulated, not measured: what users would get of the engine.",
                formula: "continuous batching, step by step, at the measured speed of prompts and \
                          median pace; the cache is taken for large enough",
                unknown: NOT_TOLD,
            };
            [0, 1].map(|at| cell(number(times.map(|times| times[at]), says)))
        };
        let mut cells = vec![text(line.setting.clone())];
        cells.extend(time("TTFT", Some(line.ttft_s)));
        cells.extend(time("ITL", line.itl_s));
        cells.push(text(words::text(Some(line.ended as f64), "{request}")));
        Row { cells, link: None }
    };
    let columns = [
        ("simulated", false, 0),
        ("TTFT p50", true, 0),
        ("TTFT p99", true, 0),
        ("ITL p50", true, 1),
        ("ITL p99", true, 0),
        ("answered", true, 1),
    ];
    let title = format!(
        "{model}, simulated: {} requests of {} from {}",
        words::text(Some(replay.requests as f64), "{request}"),
        words::text(Some(replay.seconds), "s"),
        rfc3339(replay.from_us.div_euclid(1_000)),
    );
    let rows = replay.lines.iter().map(row).collect();
    Block::Table(table(&title, &columns, rows, "more than 64 replicas are not simulated"))
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
