//! Single requests, the slowest first, by the part that rules each; and the parts over all of them.

use strata_cost::time::rfc3339;
use strata_model::record::StoredRequest;
use strata_world::requests::anatomy::{Anatomy, Segment, Times};
use strata_world::requests::breakdown::SegmentLine;

use super::fact::{Says, cell, number, seconds, table, text};
use super::told::{RequestsTold, Slowest, Told};
use crate::page::Link;
use crate::page::block::{Block, Section};
use crate::page::table::{Row, Table};
use crate::request::{PageId, PageRequest};
use crate::rooms::pieces::section;
use crate::words;

/// Requests of each table: what a person looks through.
const ROWS_MAX: usize = 10;

const NOT_TOLD: &str = "no observer of this request told it";

pub(super) fn sections(request: &PageRequest, told: &RequestsTold) -> Vec<Section> {
    let Told::Slowest(found) = &told.what else {
        return told.nothing().into_iter().collect();
    };
    let of = request.entity.as_deref().map_or_else(String::new, |id| format!(" of {id}"));
    let matching = words::text(Some(found.matching as f64), "{request}");
    let brief = if found.taken < found.matching {
        format!("{matching} requests{of}, {} of them taken evenly over the time.", found.taken)
    } else {
        format!("{matching} requests{of}.")
    };
    let by_segment = found.segments.iter().map(|line| line.segment).chain([Segment::Whole]);
    let mut lists: Vec<Block> = Vec::new();
    for segment in by_segment {
        let list = list(found, segment);
        if !list.rows.is_empty() && lists.len() < Segment::ALL.len() {
            lists.push(Block::Table(list));
        }
    }
    if lists.is_empty() {
        lists.push(Block::Text { text: "No request of this range has ended.".to_owned() });
    }
    vec![
        section("parts", "What their time is made of", &brief, vec![Block::Table(parts(found))]),
        section(
            "slowest",
            "Slowest, by the longest part",
            "A click on when it began opens the request.",
            lists,
        ),
    ]
}

fn parts(found: &Slowest) -> Table {
    let all: u64 = found.segments.iter().map(|line| line.longest_of).sum();
    let row = |line: &SegmentLine| {
        let says = |label| Says {
            label,
            unit: "s",
            definition: line.segment.definition(),
            formula: "nearest rank over the requests that tell it",
            unknown: NOT_TOLD,
        };
        let [p50, p95, p99] = line.quantiles;
        let share = |label, value: Option<f64>, formula| {
            let unit = "1";
            cell(number(value, Says { label, unit, formula, ..says(label) }))
        };
        let longest = (all > 0).then(|| line.longest_of as f64 / all as f64);
        let cells = vec![
            text(line.segment.name()),
            cell(number(Some(p50), says("p50"))),
            cell(number(Some(p95), says("p95"))),
            cell(number(Some(p99), says("p99"))),
            share("of all time", Some(line.share), "time in this part / time in all parts"),
            share(
                "longest part of",
                longest,
                "requests of which it is the longest part / requests",
            ),
            text(words::text(Some(line.told as f64), "{request}")),
        ];
        Row { cells, link: None }
    };
    let columns = [
        ("part", false, 0),
        ("p50", true, 0),
        ("p95", true, 0),
        ("p99", true, 1),
        ("of all time", true, 1),
        ("longest part of", true, 0),
        ("told by", true, 2),
    ];
    let rows = found.segments.iter().map(row).collect();
    table("", &columns, rows, "no request of this range tells its times")
}

fn list(found: &Slowest, segment: Segment) -> Table {
    let of = |one: &&StoredRequest| {
        Anatomy::of(Times::from(&one.record)).dominant().unwrap_or(Segment::Whole) == segment
    };
    let rows: Vec<Row> = found.requests.iter().filter(of).take(ROWS_MAX).map(row).collect();
    let columns = [
        ("began", false, 0),
        ("took", true, 0),
        ("TTFT", true, 0),
        ("queue", true, 2),
        ("model", false, 0),
        ("team", false, 2),
        ("app", false, 3),
        ("in", true, 1),
        ("out", true, 1),
        ("ended", false, 1),
    ];
    let title = match segment {
        Segment::Whole => "what the time was spent on is not told".to_owned(),
        known => format!("mostly {}", known.name()),
    };
    table(&title, &columns, rows, "")
}

fn row(one: &StoredRequest) -> Row {
    let record = &one.record;
    let took = |label, us, definition| {
        let says = Says {
            label,
            unit: "s",
            definition,
            formula: "as the first of proxy, client and engine told it",
            unknown: NOT_TOLD,
        };
        cell(seconds(us, says))
    };
    let tokens = |parts: &[Option<u64>]| {
        let known = parts.iter().flatten().copied().reduce(u64::saturating_add);
        text(words::text(known.map(|count| count as f64), "{token}"))
    };
    let name = |known: Option<&str>| text(known.unwrap_or("-"));
    let buckets = &record.tokens;
    let cells = vec![
        text(rfc3339(record.start_us.div_euclid(1_000))),
        took("took", record.duration_us(), "End to end."),
        took("TTFT", record.ttft_us, "Received to first token."),
        took("queue", record.queue_us, "Waiting in the engine."),
        name(record.model()),
        name(record.team.as_deref()),
        name(record.app.as_deref()),
        tokens(&[buckets.fresh_input, buckets.cache_read, buckets.cache_write]),
        tokens(&[buckets.output_text, buckets.reasoning]),
        name(record.outcome.as_ref().map(|outcome| outcome.code().unwrap_or(outcome.kind()))),
    ];
    Row { cells, link: Some(link(&one.uid)) }
}

/// The page of a request.
pub(super) fn link(uid: &str) -> Link {
    let entity = ("entity".to_owned(), format!("request:{uid}"));
    Link { page: PageId::Requests.name().to_owned(), params: vec![entity] }
}
