//! Rows and columns; columns of higher rank give way where there is little room.

use ratatui::style::Style;
use strata_view::page::table::{self as data, Cell, Column, Table};

use super::title;
use crate::braille::column_value;
use crate::flow::{Action, Flow, Row, fit, width, wrap};
use crate::look::Look;

/// Columns between two columns.
const GAP: usize = 2;
/// Widest a column of text may be when there is not room for all.
const TEXT_MAX: usize = 40;
/// Columns of a small curve.
const SPARK: usize = 16;
/// Columns of a bar.
const BAR: usize = 24;

/// The table, or what to say when it is empty.
pub(super) fn draw(table: &Table, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    title(&mut flow, &table.title);
    if table.rows.is_empty() {
        flow.text(fit(&table.empty, columns), look.dim());
        return flow;
    }
    let spelled = spelled(table, columns, look);
    let shown =
        layout(table, columns, look, |index| !spelled || natural(table, index, look) <= SHORT_MAX);
    let is_below = |index: &usize| spelled && shown.iter().all(|(shown, _)| shown != index);
    let below: Vec<usize> = (0..table.columns.len()).filter(is_below).collect();
    let mut header = Row::default();
    for (index, columns) in &shown {
        let column = &table.columns[*index];
        let text = column.title.clone();
        put(
            &mut header,
            Shown { column, columns: *columns, text, style: look.dim(), action: None },
        );
    }
    flow.push(header);
    for row in &table.rows {
        let mut line = Row::default();
        for (place, (index, columns)) in shown.iter().enumerate() {
            let Some(cell) = row.cells.get(*index) else { continue };
            let (text, mut style, mut action) = drawn(cell, look);
            if let (0, Some(link)) = (place, &row.link) {
                action = Some(Action::Open(link.clone()));
                style = look.link();
            }
            let column = &table.columns[*index];
            put(&mut line, Shown { column, columns: *columns, text, style, action });
        }
        flow.push(line);
        spell(&mut flow, table, row, &below, columns, look);
    }
    if let Some(total) = table.total_rows.filter(|total| *total > table.rows.len()) {
        flow.text(format!("{} of {total} rows", table.rows.len()), look.dim());
    }
    flow
}

/// A cell of a line: its text, and what it opens.
struct Shown<'a> {
    column: &'a Column,
    columns: usize,
    text: String,
    style: Style,
    action: Option<Action>,
}

fn put(row: &mut Row, cell: Shown<'_>) {
    if row.width() > 0 {
        row.space(GAP);
    }
    let start = row.width();
    let text = fit(&cell.text, cell.columns);
    if cell.column.numeric {
        row.space(cell.columns - width(&text));
    }
    match cell.action {
        Some(action) => row.target(text, cell.style, action),
        None => row.put(text, cell.style),
    }
    row.to(start + cell.columns);
}

fn drawn(cell: &Cell, look: Look) -> (String, Style, Option<Action>) {
    match cell {
        Cell::Text { text } => (text.clone(), Style::new(), None),
        Cell::Number(number) => {
            let style = match (number.value, number.status) {
                (None, _) => look.dim(),
                (Some(_), Some(status)) => look.status(status),
                (Some(_), None) => Style::new(),
            };
            (number.text.clone(), style, Some(Action::of(number)))
        }
        Cell::Status { status, text } => {
            let shape = look.shape(*status);
            (format!("{shape} {text}"), look.status(*status), None)
        }
        Cell::Command { text } => (text.clone(), look.link(), None),
        Cell::Fold { text, lines } if look.open && !lines.is_empty() => {
            (format!("{text}: {}", lines.join("; ")), Style::new(), None)
        }
        Cell::Fold { text, .. } => (text.clone(), look.dim(), None),
        Cell::Bar { from, to } => (bar(*from, *to, look), Style::new(), None),
        Cell::Spark { values } => (spark(values, look), Style::new(), None),
    }
}

/// At least one column where it is not nothing, so that a small step is seen.
fn bar(from: f64, to: f64, look: Look) -> String {
    let column = |place: f64| (place.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    let (low, high) = (from.min(to), from.max(to));
    let start = column(low).min(BAR - 1);
    let end = column(high).max(start + usize::from(high > low));
    let drawn = |at: usize| if (start..end).contains(&at) { look.full() } else { ' ' };
    (0..BAR).map(drawn).collect()
}

fn spark(values: &[Option<f64>], look: Look) -> String {
    let known = || values.iter().copied().flatten();
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(f64::NEG_INFINITY, f64::max);
    let character = |column| match column_value(values, column, SPARK) {
        Some(value) if high > low => look.level((value - low) / (high - low)),
        Some(_) => look.level(0.5),
        None => look.hatch(),
    };
    (0..SPARK).map(character).collect()
}

/// Columns a column takes that shows all of it.
fn natural(table: &Table, index: usize, look: Look) -> usize {
    let cells = table.rows.iter().filter_map(|row| row.cells.get(index));
    let widest = cells.map(|cell| width(&drawn(cell, look).0)).max().unwrap_or(0);
    widest.max(table.columns.get(index).map_or(0, |column| width(&column.title)))
}

/// Widest a column is that stands in the line where others stand below it.
const SHORT_MAX: usize = 24;

/// A text longer than this is a sentence, of which a part tells nothing.
const SENTENCE: usize = 60;

/// Whether long cells stand on lines of their own: a command or a sentence that is cut is of no use,
/// nor is one that is not shown.
fn spelled(table: &Table, columns: usize, look: Look) -> bool {
    let mut cells = table.rows.iter().flat_map(|row| &row.cells);
    let all = (0..table.columns.len()).map(|index| natural(table, index, look) + GAP);
    let is_whole = |cell: &Cell| match cell {
        Cell::Command { .. } => true,
        Cell::Text { text } => width(text) > SENTENCE,
        _ => false,
    };
    cells.any(is_whole) && all.sum::<usize>() > columns + GAP
}

/// Cells of a row on lines of their own, in full, with the titles of their columns.
fn spell(
    flow: &mut Flow,
    table: &Table,
    row: &data::Row,
    below: &[usize],
    columns: usize,
    look: Look,
) {
    const INDENT: usize = 4;
    for index in below {
        let (Some(cell), Some(column)) = (row.cells.get(*index), table.columns.get(*index)) else {
            continue;
        };
        let (text, style, _) = drawn(cell, look);
        if text.is_empty() {
            continue;
        }
        let text = format!("{}: {text}", column.title);
        for line in wrap(&text, columns.saturating_sub(INDENT)) {
            flow.text(format!("{}{line}", " ".repeat(INDENT)), style);
        }
    }
}

/// The columns that are shown, with their widths: those of the lowest ranks that fit.
fn layout(
    table: &Table,
    columns: usize,
    look: Look,
    may_show: impl Fn(usize) -> bool,
) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..table.columns.len()).filter(|i| may_show(*i)).collect();
    order.sort_by_key(|index| table.columns[*index].rank);
    let mut shown: Vec<(usize, usize)> = Vec::new();
    let mut used = 0;
    for index in order {
        let wanted = natural(table, index, look);
        let room = columns.saturating_sub(used + if shown.is_empty() { 0 } else { GAP });
        let least = wanted.min(if table.columns[index].numeric { 10 } else { 14 });
        let given = if wanted <= room { wanted } else { room.min(TEXT_MAX) };
        if given < least && !shown.is_empty() {
            continue;
        }
        used += given + if shown.is_empty() { 0 } else { GAP };
        shown.push((index, given));
    }
    shown.sort_by_key(|(index, _)| *index);
    shown
}
