//! A page as text: one line for what a person sees at one glance.

use std::fmt::Write as _;

use strata_view::page::chart::{Anatomy, Chart, Distribution, Scale};
use strata_view::page::graph::Graph;
use strata_view::page::heatmap::Heatmap;
use strata_view::page::strata::Stratum;
use strata_view::page::table::{Cell, Table};
use strata_view::words::written;
use strata_view::{Block, Number, Page};

/// Rows of a table that are written; the rest is counted.
const ROWS_MAX: usize = 6;

pub(crate) fn of(page: &Page) -> String {
    let mut text = format!("# {} ({})\n", page.title, page.subtitle);
    numbers(&mut text, "north star", &page.north_star);
    for notice in &page.notices {
        writeln!(text, "notice {}: {}", notice.status.word(), notice.text).unwrap();
    }
    for section in &page.sections {
        writeln!(text, "\n## {} {:?}: {}", section.id, section.title, section.brief).unwrap();
        section.blocks.iter().for_each(|block| one(&mut text, block));
    }
    text
}

fn one(text: &mut String, block: &Block) {
    match block {
        Block::Strata { strata } => strata.iter().for_each(|layer| stratum(text, layer)),
        Block::Numbers { numbers: all } => numbers(text, "numbers", all),
        Block::Chart(chart) => line(text, chart),
        Block::Multiples { charts } => charts.iter().for_each(|chart| line(text, chart)),
        Block::Heatmap(map) => cells(text, map),
        Block::Table(table) => rows(text, table),
        Block::Anatomy(anatomy) => bars(text, anatomy),
        Block::Distribution(spread) => buckets(text, spread),
        Block::Graph(graph) => boxes(text, graph),
        Block::Card(card) => {
            writeln!(text, "card {} {}: {}", card.status.word(), card.title, card.text).unwrap();
            numbers(text, "  numbers", &card.numbers);
            card.commands.iter().for_each(|command| writeln!(text, "  $ {command}").unwrap());
        }
        Block::Explore(explore) => {
            let names = explore.names.len();
            writeln!(text, "ask {:?} {:?}; {names} names", explore.lang, explore.query).unwrap();
            writeln!(text, "  bounds: {}", explore.bounds).unwrap();
            for notice in &explore.notices {
                writeln!(text, "  {}: {}", notice.status.word(), notice.text).unwrap();
            }
            for (title, query) in &explore.examples {
                writeln!(text, "  try {title}: {query}").unwrap();
            }
        }
        Block::Fold(fold) => {
            writeln!(text, "fold {:?}", fold.summary).unwrap();
            fold.blocks.iter().for_each(|block| one(text, block));
        }
        Block::Chips(chips) => {
            let all = chips.chips.iter().map(|chip| {
                if chip.current { format!("[{}]", chip.title) } else { chip.title.clone() }
            });
            let all: Vec<String> = all.collect();
            writeln!(text, "chips {:?}: {}", chips.title, all.join(", ")).unwrap();
        }
        Block::Text { text: sentence } => writeln!(text, "{sentence}").unwrap(),
    }
}

/// `KV pinned 91 % [1] WATCH`
fn number(number: &Number) -> String {
    let mut text = format!("{} {} [{}]", number.label, number.text, number.unit);
    if let Some(status) = number.status {
        write!(text, " {}", status.word()).unwrap();
    }
    if let Some(note) = &number.note {
        write!(text, " ({note})").unwrap();
    }
    text
}

fn numbers(text: &mut String, what: &str, all: &[Number]) {
    for one in all {
        writeln!(text, "{what}: {}", number(one)).unwrap();
    }
}

fn stratum(text: &mut String, layer: &Stratum) {
    let verdict = layer.verdict.word();
    let (code, title, question) = (&layer.code, &layer.title, &layer.question);
    writeln!(text, "{code} {title} {verdict}: {question} {}", layer.reason).unwrap();
    numbers(text, "  ", &layer.numbers);
    writeln!(text, "   {}", number(&layer.coverage)).unwrap();
    let last = layer.strip.statuses.last().map_or("", |status| status.word());
    let end = last_of(&layer.strip.values, &layer.strip.scale);
    let missing = layer.strip.missing.as_deref().unwrap_or_default();
    writeln!(text, "   strip {}: {end} {last} {missing}", layer.strip.title).unwrap();
}

/// The newest value of a line, and how much of the line is known.
fn last_of(values: &[Option<f64>], scale: &Scale) -> String {
    let known = values.iter().flatten().count();
    let last = values.last().copied().flatten();
    let last = last.map_or_else(|| "unknown".to_owned(), |value| written(value, scale));
    format!("{last}, {known} of {} points", values.len())
}

fn line(text: &mut String, chart: &Chart) {
    writeln!(text, "chart {:?} in {}", chart.title, chart.scale.symbol).unwrap();
    if let Some(missing) = &chart.missing {
        writeln!(text, "  hatched: {missing}").unwrap();
        return;
    }
    for line in &chart.lines {
        let faint = if line.faint { " (faint)" } else { "" };
        writeln!(text, "  {}{faint}: {}", line.name, last_of(&line.values, &chart.scale)).unwrap();
    }
    for mark in &chart.marks {
        writeln!(text, "  mark {} {}", mark.name, written(mark.value, &chart.scale)).unwrap();
    }
}

fn cells(text: &mut String, map: &Heatmap) {
    let ends = [map.min, map.max].map(|end| written(end, &map.scale));
    writeln!(text, "heatmap {:?} from {} to {}", map.title, ends[0], ends[1]).unwrap();
    for (what, choices) in [("group", &map.group_choices), ("color", &map.color_choices)] {
        let mark = |current: bool| if current { "*" } else { "" };
        let all = choices.iter().map(|one| format!("{}{}", one.title, mark(one.current)));
        writeln!(text, "  {what} by {}", all.collect::<Vec<_>>().join(", ")).unwrap();
    }
    for group in &map.groups {
        writeln!(text, "  {}", group.title).unwrap();
        for (at, name) in group.names.iter().enumerate() {
            let value = group.values[at];
            let value = value.map_or("hatched".to_owned(), |value| written(value, &map.scale));
            let ring = if group.outliers[at] { " ring" } else { "" };
            writeln!(text, "    {name}: {value} {}{ring}", group.statuses[at].word()).unwrap();
        }
    }
}

fn rows(text: &mut String, table: &Table) {
    let titles: Vec<&str> = table.columns.iter().map(|column| column.title.as_str()).collect();
    let count = table.total_rows.unwrap_or(table.rows.len());
    writeln!(text, "table {:?}, {count} rows: {}", table.title, titles.join(" | ")).unwrap();
    if table.rows.is_empty() {
        writeln!(text, "  {}", table.empty).unwrap();
    }
    for row in table.rows.iter().take(ROWS_MAX) {
        let cells = row.cells.iter().map(|cell| match cell {
            Cell::Text { text } => text.clone(),
            Cell::Number(number) => match number.status {
                Some(status) => format!("{} {}", number.text, status.word()),
                None => number.text.clone(),
            },
            Cell::Status { status, text } => format!("{} {text}", status.word()),
            Cell::Command { text } => format!("$ {text}"),
            Cell::Fold { text, lines } => format!("{text} [{}]", lines.join("; ")),
            Cell::Bar { from, to } => format!("bar from {from:.2} to {to:.2}"),
            Cell::Spark { values } => format!("curve of {}", values.iter().flatten().count()),
        });
        writeln!(text, "  {}", cells.collect::<Vec<_>>().join(" | ").trim_end()).unwrap();
    }
}

fn bars(text: &mut String, anatomy: &Anatomy) {
    writeln!(text, "anatomy {:?}", anatomy.title).unwrap();
    for bar in &anatomy.bars {
        let part = |(name, value): (&String, &Option<f64>)| match value {
            Some(value) => format!("{name} {}", written(*value, &anatomy.scale)),
            None => format!("{name} unknown"),
        };
        let parts: Vec<String> = anatomy.segments.iter().zip(&bar.values).map(part).collect();
        writeln!(text, "  {}: {}; {}", bar.name, parts.join(", "), number(&bar.total)).unwrap();
    }
}

fn buckets(text: &mut String, spread: &Distribution) {
    writeln!(text, "distribution {:?}", spread.title).unwrap();
    if let Some(missing) = &spread.missing {
        writeln!(text, "  hatched: {missing}").unwrap();
        return;
    }
    for (edge, share) in spread.edges.iter().zip(spread.columns.iter().flatten().flatten()) {
        let edge = edge.map_or("above".to_owned(), |edge| written(edge, &spread.scale));
        writeln!(text, "  <= {edge}: {:.1} %", share * 100.0).unwrap();
    }
    numbers(text, "  ", &spread.numbers);
}

fn boxes(text: &mut String, graph: &Graph) {
    let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
    writeln!(text, "graph {:?}: {nodes} boxes, {edges} edges", graph.title).unwrap();
    for edge in &graph.edges {
        let (from, to) = (&edge.from, &edge.to);
        writeln!(text, "  {from} {} {to} by {}", edge.relation, edge.method).unwrap();
    }
    for line in &graph.outline {
        let indent = "  ".repeat(usize::from(line.depth) + 1);
        writeln!(text, "{indent}{} {}", line.status.word(), line.text).unwrap();
    }
}
