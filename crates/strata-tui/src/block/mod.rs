//! Each block of a page as lines.

mod cards;
mod charts;
mod heatmap;
mod numbers;
mod strata;
mod table;

use ratatui::style::Modifier;
use strata_view::Block;
use strata_view::page::block::{Chips, Fold};
use strata_view::page::graph::Graph;

use crate::flow::{Action, Flow, Row, wrap};
use crate::look::Look;

/// Draw a block `width` columns wide.
pub(crate) fn draw(block: &Block, width: usize, look: Look) -> Flow {
    match block {
        Block::Strata { strata } => strata::draw(strata, width, look),
        Block::Numbers { numbers } => numbers::draw(numbers, width, look),
        Block::Chart(chart) => charts::chart(chart, width, charts::TALL, look),
        Block::Multiples { charts } => charts::multiples(charts, width, look),
        Block::Heatmap(map) => heatmap::draw(map, width, look),
        Block::Table(table) => table::draw(table, width, look),
        Block::Anatomy(anatomy) => charts::anatomy(anatomy, width, look),
        Block::Distribution(spread) => charts::distribution(spread, width, look),
        Block::Graph(graph) => outline(graph, width, look),
        Block::Card(card) => cards::card(card, width, look),
        Block::Explore(explore) => cards::explore(explore, width, look),
        Block::Fold(fold) => folded(fold, width, look),
        Block::Chips(chips) => choices(chips, width, look),
        Block::Text { text } => {
            let mut flow = Flow::default();
            for line in wrap(text, width) {
                flow.text(line, ratatui::style::Style::new());
            }
            flow
        }
    }
}

/// The line that stands for what is folded, and below it what is, where the reader asked for it.
fn folded(fold: &Fold, width: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let mut row = Row::default();
    let mark = if look.open { "-" } else { "+" };
    row.target(
        crate::flow::fit(&format!("{mark} {}", fold.summary), width),
        look.link(),
        Action::Unfold,
    );
    flow.push(row);
    if look.open {
        for block in &fold.blocks {
            flow.below(draw(block, width, look));
        }
    }
    flow
}

/// Ways to other views, as many to a line as there is room for.
fn choices(chips: &Chips, columns: usize, look: Look) -> Flow {
    const GAP: usize = 2;
    let mut flow = Flow::default();
    let mut row = Row::default();
    row.put(format!("{}: ", chips.title), look.dim());
    for chip in &chips.chips {
        // Told without colors too.
        let title = if chip.current { format!("[{}]", chip.title) } else { chip.title.clone() };
        let title = crate::flow::fit(&title, columns);
        if row.width() > 0 && row.width() + crate::flow::width(&title) > columns {
            flow.push(std::mem::take(&mut row));
        }
        let style = if chip.current {
            Look::strong().add_modifier(Modifier::UNDERLINED)
        } else {
            look.link()
        };
        row.target(title, style, Action::Open(chip.link.clone()));
        row.space(GAP);
    }
    flow.push(row);
    flow
}

/// A graph in words: a terminal has no room for its boxes.
fn outline(graph: &Graph, width: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    title(&mut flow, &graph.title);
    for line in &graph.outline {
        let mut row = Row::default();
        row.space(usize::from(line.depth) * 2);
        row.put(look.shape(line.status), look.status(line.status));
        row.space(1);
        let text = crate::flow::fit(&line.text, width.saturating_sub(row.width()));
        match &line.link {
            Some(link) => row.target(text, look.link(), Action::Open(link.clone())),
            None => row.put(text, ratatui::style::Style::new()),
        }
        flow.push(row);
    }
    flow
}

/// The heading of a block, when it has one.
fn title(flow: &mut Flow, title: &str) {
    if !title.is_empty() {
        flow.text(title.to_owned(), Look::strong());
    }
}
