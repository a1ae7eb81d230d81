//! How long requests are: input against output as a map, the spread of each, groups, and advice.

use strata_world::requests::lengths::{BUCKETS, LengthCell, Lengths, Spread, edge};

use super::advice;
use super::fact::{Says, cell, number, table, text};
use super::told::{LengthsTold, RequestsTold, Told};
use crate::page::Link;
use crate::page::block::{Block, Section};
use crate::page::heatmap::{CellGroup, Heatmap};
use crate::page::number::Explanation;
use crate::page::status::Status;
use crate::page::table::{Row, Table};
use crate::request::{PageId, PageRequest, View};
use crate::rooms::pieces::section;
use crate::words;

/// What requests can be told apart by.
pub const LENGTHS_BY: [&str; 5] = ["model", "tenant", "team", "app", "hour"];
/// Groups of a table.
const GROUPS_MAX: usize = 50;
const NOT_TOLD: &str = "no request told it";

pub(super) fn sections(request: &PageRequest, told: &RequestsTold) -> Vec<Section> {
    let Told::Lengths(found) = &told.what else {
        return told.nothing().into_iter().collect();
    };
    let of = request.entity.as_deref().map_or_else(String::new, |id| format!(" of {id}"));
    let brief = format!(
        "{} of {} requests{of} tell input and output.",
        words::text(Some(found.all.requests() as f64), "{request}"),
        words::text(Some(found.taken as f64), "{request}"),
    );
    vec![
        section("joint", "Input against output", &brief, vec![map(&found.all)]),
        section("spread", "Each for itself", "", vec![Block::Table(spreads(&found.all))]),
        section(
            "advice",
            "What follows for engines",
            "From lengths and times of these requests, of each model for itself; nothing is advised \
             where a part is missing.",
            advice::blocks(found),
        ),
        section(
            "groups",
            &format!("By {}", found.by),
            "",
            vec![Block::Table(groups(found)), Block::Table(apart(request))],
        ),
    ]
}

fn up_to(bucket: usize) -> String {
    match edge(bucket) {
        Some(edge) if edge >= 1 << 20 => format!("<= {} M", edge >> 20),
        Some(edge) if edge >= 1 << 10 => format!("<= {} k", edge >> 10),
        Some(edge) => format!("<= {edge}"),
        None => "more".to_owned(),
    }
}

fn map(lengths: &Lengths) -> Block {
    let requests = lengths.requests();
    if requests == 0 {
        return Block::Text { text: "No request told both input and output.".to_owned() };
    }
    let used = |of: fn(&(usize, usize)) -> usize| {
        let buckets = lengths.cells.keys().map(of);
        let (low, high) = (buckets.clone().min().unwrap_or(0), buckets.max().unwrap_or(0));
        low..(high + 1).min(BUCKETS)
    };
    let (inputs, outputs) = (used(|key| key.0), used(|key| key.1));
    let share = |count: u64| count as f64 / requests as f64;
    let most = lengths.cells.values().map(|cell| share(cell.requests)).fold(0.0, f64::max);
    let group = |input: usize| {
        let cells = outputs.clone().map(|output| lengths.cells.get(&(input, output)).copied());
        let cells: Vec<_> = cells.map(Option::unwrap_or_default).collect();
        let name = |(cell, output): (&LengthCell, usize)| {
            let place = format!("input {}, output {}", up_to(input), up_to(output));
            if cell.requests == 0 {
                return place;
            }
            let cached = match cell.cached_share() {
                Some(share) => format!("{} of the input cached", words::text(Some(share), "1")),
                None => "whether cached is not told".to_owned(),
            };
            format!("{place} ({} requests, {cached})", cell.requests)
        };
        CellGroup {
            title: up_to(input),
            link: None,
            ids: vec![String::new(); cells.len()],
            names: cells.iter().zip(outputs.clone()).map(name).collect(),
            // No request at all is a share of nothing, which is known.
            values: cells.iter().map(|cell| Some(share(cell.requests))).collect(),
            statuses: vec![Status::Ok; cells.len()],
            outliers: vec![false; cells.len()],
        }
    };
    Block::Heatmap(Heatmap {
        title: "Share of requests; rows are input tokens, columns output tokens".to_owned(),
        scale: words::scale("1", most),
        min: 0.0,
        max: most,
        group_choices: Vec::new(),
        color_choices: Vec::new(),
        groups: inputs.map(group).collect(),
        columns: outputs.clone().map(up_to).collect(),
        cell_page: PageId::Requests.name().to_owned(),
        explain: Explanation {
            definition: "Requests by input and output together, in buckets that double.".to_owned(),
            formula: "requests in the pair of buckets / requests that tell both".to_owned(),
            ..Explanation::default()
        },
    })
}

fn spread_cells(spread: &Spread) -> Vec<crate::page::table::Cell> {
    let known = spread.told > 0;
    let says = |label| Says {
        label,
        unit: "{token}",
        definition: "Tokens of a request.",
        formula: "nearest rank over the requests that tell it",
        unknown: NOT_TOLD,
    };
    let value = |value: f64| known.then_some(value);
    let [p50, p90, p99] = spread.quantiles.map(|tokens| tokens as f64);
    vec![
        cell(number(value(spread.mean), Says { formula: "sum / requests", ..says("mean") })),
        cell(number(value(p50), says("p50"))),
        cell(number(value(p90), says("p90"))),
        cell(number(value(p99), says("p99"))),
        cell(number(value(spread.longest as f64), says("longest"))),
        text(words::text(Some(spread.told as f64), "{request}")),
    ]
}

fn spreads(lengths: &Lengths) -> Table {
    let lines = [
        ("input", &lengths.input),
        ("of it computed", &lengths.computed),
        ("of it out of a cache", &lengths.cached),
        ("output", &lengths.output),
        ("input and output", &lengths.whole),
    ];
    let rows = lines.map(|(name, spread)| Row {
        cells: std::iter::once(text(name)).chain(spread_cells(spread)).collect(),
        link: None,
    });
    let columns = [
        ("tokens", false, 0),
        ("mean", true, 1),
        ("p50", true, 0),
        ("p90", true, 0),
        ("p99", true, 0),
        ("longest", true, 1),
        ("told by", true, 2),
    ];
    table("", &columns, rows.to_vec(), "")
}

fn groups(found: &LengthsTold) -> Table {
    let row = |(name, lengths): &(String, Lengths)| {
        let says = |label, formula| Says {
            label,
            unit: "{token}",
            definition: "Tokens of a request.",
            formula,
            unknown: NOT_TOLD,
        };
        let of = |label, spread: &Spread, at: usize| {
            let known = spread.quantiles.get(at).filter(|_| spread.told > 0);
            cell(number(known.map(|tokens| *tokens as f64), says(label, "nearest rank")))
        };
        let cached = Says { unit: "1", ..says("cached", "cached tokens / input tokens") };
        let name = if name.is_empty() { "(not named)" } else { name };
        let cells = vec![
            text(name),
            text(words::text(Some(lengths.requests() as f64), "{request}")),
            of("input p50", &lengths.input, 0),
            of("input p99", &lengths.input, 2),
            cell(number(lengths.cached_share(), cached)),
            of("output p50", &lengths.output, 0),
            of("output p99", &lengths.output, 2),
        ];
        Row { cells, link: None }
    };
    let columns = [
        (&*found.by, false, 0),
        ("requests", true, 0),
        ("input p50", true, 0),
        ("input p99", true, 1),
        ("cached", true, 1),
        ("output p50", true, 0),
        ("output p99", true, 1),
    ];
    let rows = found.groups.iter().take(GROUPS_MAX).map(row).collect();
    let mut made = table("", &columns, rows, "no request of this range");
    made.total_rows = (found.groups.len() > GROUPS_MAX).then_some(found.groups.len());
    made
}

/// The ways to tell requests apart.
fn apart(request: &PageRequest) -> Table {
    let row = |by: &str| {
        let mut params: Vec<(&str, &str)> = Vec::new();
        params.extend(request.entity.as_deref().map(|entity| ("entity", entity)));
        params.push(("group", by));
        let link: Link = super::link(View::Lengths, &params);
        Row { cells: vec![text(by)], link: Some(link) }
    };
    table("", &[("tell apart by", false, 0)], LENGTHS_BY.map(row).to_vec(), "")
}
