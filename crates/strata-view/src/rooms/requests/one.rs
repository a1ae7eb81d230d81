//! One request: what its time was made of, where it was served, who else was, and who told of it.

use strata_cost::time::rfc3339;
use strata_model::record::{RequestRecord, TokenBuckets};
use strata_world::requests::anatomy::{Anatomy, Segment, Times};

use super::fact::{Says, cell, number, seconds, table, text};
use super::told::{Place, RequestsTold, Story, Told};
use crate::page::block::{Block, Section};
use crate::page::chart::{self, Bar};
use crate::page::number::{Explanation, Number};
use crate::page::table::{Row, Table};
use crate::request::PageId;
use crate::rooms::pieces::{link_to, section};
use crate::words;

const NOT_TOLD: &str = "no observer of this request told it";

pub(super) fn sections(told: &RequestsTold) -> Vec<Section> {
    let Told::One(story) = &told.what else { return told.nothing().into_iter().collect() };
    let record = &story.request.stored.record;
    let anatomy = Anatomy::of(Times::from(record));
    let brief = if anatomy.contradicts {
        "The engine tells of more time than was seen outside: two clocks, or a call that was tried \
         again."
    } else {
        "In the order in which the parts passed."
    };
    vec![
        section("now", "", &headline(story), vec![Block::Numbers { numbers: facts(record) }]),
        section(
            "parts",
            "Where the time went",
            brief,
            vec![
                Block::Anatomy(bars(record, &anatomy)),
                Block::Table(waterfall(&anatomy, &record.tokens)),
            ],
        ),
        section("place", "Where it was served", "", place(story)),
        section("tokens", "Tokens", &counted(record), vec![tokens(&record.tokens)]),
        section("names", "Whose it is", "", vec![Block::Table(names(story))]),
        section(
            "sightings",
            "Who told of it",
            "What several observers saw of the same request, each with its own clock.",
            vec![Block::Table(sightings(story))],
        ),
    ]
}

fn headline(story: &Story) -> String {
    let record = &story.request.stored.record;
    let ended = match &record.outcome {
        None => "nobody told how it ended".to_owned(),
        Some(outcome) => match outcome.code() {
            Some(code) => format!("ended as {} ({code})", outcome.kind().replace('_', " ")),
            None => format!("ended as {}", outcome.kind().replace('_', " ")),
        },
    };
    let model = record.model().unwrap_or("a model that is not named");
    format!("{} to {model}, {ended}.", rfc3339(record.start_us.div_euclid(1_000)))
}

fn facts(record: &RequestRecord) -> Vec<Number> {
    let says = |label, definition, formula| Says {
        label,
        unit: "s",
        definition,
        formula,
        unknown: NOT_TOLD,
    };
    let told = "as the first of proxy, client and engine told it";
    let output = record.tokens.output_text.map(|text| text + record.tokens.reasoning.unwrap_or(0));
    let decode = record.decode_us.or_else(|| Some(record.duration_us()? - record.ttft_us?));
    let tpot = output.zip(decode).filter(|(tokens, took)| *tokens >= 2 && *took >= 0);
    let tpot = tpot.map(|(tokens, took)| took as f64 / 1e6 / (tokens - 1) as f64);
    let stalls = Says {
        unit: "{stall}",
        unknown: "only a proxy sees the gaps between tokens",
        ..says(
            "stalls",
            "Gaps between tokens that stand out.",
            "gaps of 100 ms and four times the median of the answer",
        )
    };
    let gap = Says {
        unknown: "only a proxy sees the gaps between tokens",
        ..says("longest gap", "Longest time between two events with tokens.", told)
    };
    vec![
        seconds(record.duration_us(), says("took", "End to end.", told)),
        seconds(record.ttft_us, says("TTFT", "Received to first token of any kind.", told)),
        seconds(
            record.first_visible_us,
            says("first visible", "Received to the first token that a reader sees.", told),
        ),
        number(
            tpot,
            says("TPOT", "Mean gap between output tokens.", "(last - first token) / (tokens - 1)"),
        ),
        seconds(record.longest_gap_us, gap),
        number(record.stalls.map(|count| count as f64), stalls),
    ]
}

fn bars(record: &RequestRecord, anatomy: &Anatomy) -> chart::Anatomy {
    let value = |took: &Option<i64>| took.map(|us| us as f64 / 1e6);
    let values: Vec<Option<f64>> = anatomy.parts.iter().map(|(_, took)| value(took)).collect();
    let total = seconds(
        record.duration_us(),
        Says {
            label: "took",
            unit: "s",
            definition: "End to end.",
            formula: "end - start",
            unknown: NOT_TOLD,
        },
    );
    let scale = words::shared("s", values.iter().flatten().copied().chain(total.value));
    let bar = Bar { name: "this request".to_owned(), values, total, link: None };
    chart::Anatomy {
        title: "Parts".to_owned(),
        scale,
        segments: anatomy.parts.iter().map(|(part, _)| part.name().to_owned()).collect(),
        bars: if anatomy.parts.is_empty() { Vec::new() } else { vec![bar] },
        explain: Explanation {
            definition:
                "What the engine tells of a request, and what is left of the times that were \
                         seen outside."
                    .to_owned(),
            formula: "way in = TTFT - queue - prefill; way out = duration - TTFT - decode"
                .to_owned(),
            ..Explanation::default()
        },
    }
}

/// The parts with the time at which each began: known up to the first that is not.
fn waterfall(anatomy: &Anatomy, tokens: &TokenBuckets) -> Table {
    let mut begin = Some(0_i64);
    let rows = anatomy.parts.iter().map(|(part, took)| {
        let says = |label, formula| Says {
            label,
            unit: "s",
            definition: part.definition(),
            formula,
            unknown: NOT_TOLD,
        };
        let cells = vec![
            text(part.name()),
            cell(seconds(begin, says("begins after", "sum of the parts before it"))),
            cell(seconds(*took, says("takes", part.definition()))),
            text(match part {
                Segment::Prefill => {
                    prefilled(tokens).unwrap_or_else(|| part.definition().to_owned())
                }
                _ => part.definition().to_owned(),
            }),
        ];
        begin = begin.zip(*took).map(|(begin, took)| begin.saturating_add(took));
        Row { cells, link: None }
    });
    let columns = [
        ("part", false, 0),
        ("begins after", true, 0),
        ("takes", true, 0),
        ("what it is", false, 1),
    ];
    table("", &columns, rows.collect(), "nobody told how long this request took")
}

/// What of the prompt was computed, and what a cache supplied; `None` where nobody told the latter.
fn prefilled(tokens: &TokenBuckets) -> Option<String> {
    let cached = tokens.cache_read?;
    let computed =
        tokens.fresh_input? + tokens.cache_write.unwrap_or(0) + tokens.image.unwrap_or(0);
    let count = |tokens: u64| words::text(Some(tokens as f64), "{token}");
    Some(format!(
        "computing {} of the prompt; {} came from a cache",
        count(computed),
        count(cached)
    ))
}

fn place(story: &Story) -> Vec<Block> {
    let Place { replica, gpus, why } = &story.place;
    let named = story.request.stored.record.replica.as_deref();
    let neighbors = number(
        story.neighbors.map(|count| count as f64),
        Says {
            label: "other requests meanwhile",
            unit: "{request}",
            definition: "Other requests of the replica that were under way at some time of this one.",
            formula: "records of the replica that began before its end and ended after its begin",
            unknown: "no observer named the replica",
        },
    );
    let mut rows: Vec<Row> = Vec::new();
    match (replica, named) {
        (Some((id, name)), _) => rows.push(Row {
            cells: vec![text(name.clone()), text("replica"), text("")],
            link: Some(link_to(PageId::Engines, id)),
        }),
        (None, Some(named)) => rows
            .push(Row { cells: vec![text(named), text("replica"), text(why.clone())], link: None }),
        (None, None) => {}
    }
    rows.extend(gpus.iter().map(|(id, name, confidence)| Row {
        cells: vec![
            text(name.clone()),
            text("GPU"),
            text(format!("{} sure", words::text(Some(*confidence), "1"))),
        ],
        link: Some(link_to(PageId::Gpus, id)),
    }));
    let columns = [("thing", false, 0), ("what", false, 0), ("", false, 1)];
    let empty = "no observer named the replica: the engine's own spans and the proxy do";
    let mut blocks = vec![
        Block::Numbers { numbers: vec![neighbors] },
        Block::Table(table("", &columns, rows, empty)),
    ];
    if replica.is_some() && !why.is_empty() {
        blocks.push(Block::Text { text: why.clone() });
    }
    blocks
}

fn counted(record: &RequestRecord) -> String {
    match record.count_source.name() {
        "none" => "Nobody counted them.".to_owned(),
        source => format!("Counted by {}.", source.replace('_', " ")),
    }
}

fn tokens(buckets: &TokenBuckets) -> Block {
    let known = TokenBuckets::NAMES.iter().zip(buckets.values());
    let numbers = known.map(|(name, count)| {
        let name = name.replace('_', " ");
        number(
            count.map(|count| count as f64),
            Says {
                label: &name,
                unit: "{token}",
                definition: "Tokens of this kind; every token is of one kind.",
                formula: "as told, with parts taken out of their whole",
                unknown: "not reported apart; if there were any they are in the rest of their side",
            },
        )
    });
    Block::Numbers { numbers: numbers.collect() }
}

fn names(story: &Story) -> Table {
    let stored = &story.request.stored;
    let record = &stored.record;
    let all = [
        ("number", Some(&stored.uid)),
        ("tenant", record.tenant.as_ref()),
        ("team", record.team.as_ref()),
        ("app", record.app.as_ref()),
        ("session", record.session.as_ref()),
        ("conversation", record.conversation_id.as_ref()),
        ("model asked for", record.model_requested.as_ref()),
        ("model served", record.model_served.as_ref()),
        ("provider", record.provider.as_ref()),
        ("route", record.route.as_ref()),
        ("operation", record.operation.as_ref()),
        ("trace", record.trace_id.as_ref()),
        ("response id", record.response_id.as_ref()),
        ("request id", record.request_id.as_ref()),
        ("finish reason", record.finish_reason.as_ref()),
    ];
    let known = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let rows =
        known.map(|(name, value)| Row { cells: vec![text(name), text(value.clone())], link: None });
    table("", &[("", false, 0), ("", false, 0)], rows.collect(), "")
}

fn sightings(story: &Story) -> Table {
    let first = story.request.sightings.iter().map(|one| one.start_us).min().unwrap_or_default();
    let row = |one: &RequestRecord| {
        let says = |label, definition| Says {
            label,
            unit: "s",
            definition,
            formula: "as this observer told it",
            unknown: "this observer did not tell",
        };
        let began = seconds(Some(one.start_us - first), says("began after", "After the first."));
        let cells = vec![
            text(one.door.name()),
            cell(began),
            cell(seconds(one.duration_us(), says("took", "End to end."))),
            cell(seconds(one.ttft_us, says("TTFT", "Received to first token."))),
            cell(seconds(one.queue_us, says("queue", "Waiting in the engine."))),
            cell(seconds(one.prefill_us, says("prefill", "Computing the prompt."))),
            cell(seconds(one.decode_us, says("decode", "First to last token."))),
            text(one.replica.clone().unwrap_or_default()),
        ];
        Row { cells, link: None }
    };
    let columns = [
        ("observer", false, 0),
        ("began after", true, 0),
        ("took", true, 0),
        ("TTFT", true, 0),
        ("queue", true, 1),
        ("prefill", true, 1),
        ("decode", true, 1),
        ("replica", false, 2),
    ];
    table("", &columns, story.request.sightings.iter().map(row).collect(), "")
}
