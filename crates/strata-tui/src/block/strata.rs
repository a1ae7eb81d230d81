//! The eight layers: two lines each, so that all of them fit 24 lines.

use ratatui::style::Style;
use strata_view::Status;
use strata_view::page::chart::Strip;
use strata_view::page::strata::Stratum;

use crate::braille::column_value;
use crate::flow::{Action, Flow, Row, fit};
use crate::look::Look;

/// Columns of code, title and verdict before the numbers.
const HEAD: usize = 32;
/// Columns from which the coverage stands beside the numbers; below, it takes some of the strip.
const WIDE: usize = 100;
/// `12 of 19 signals`, and the first three words of it.
const COVERAGE: usize = 18;
const COVERAGE_SHORT: usize = 9;

/// All layers, highest first.
pub(super) fn draw(strata: &[Stratum], columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    for stratum in strata {
        first_line(&mut flow, stratum, columns, look);
        second_line(&mut flow, stratum, columns, look);
    }
    flow
}

/// Columns for each number.
fn cell(stratum: &Stratum, columns: usize) -> usize {
    let coverage = if columns >= WIDE { COVERAGE } else { 0 };
    columns.saturating_sub(HEAD + coverage) / stratum.numbers.len().max(1)
}

fn first_line(flow: &mut Flow, stratum: &Stratum, columns: usize, look: Look) {
    let mut row = Row::default();
    row.put(format!("{} ", stratum.code), look.dim());
    let open = Action::Open(stratum.link.clone());
    row.target(fit(&stratum.title, 17), Look::strong(), open);
    row.to(21);
    row.put(look.verdict(stratum.verdict), look.status(stratum.verdict));
    row.to(HEAD);
    if stratum.numbers.is_empty() {
        row.put(fit(&stratum.reason, columns.saturating_sub(HEAD)), look.dim());
    }
    let cell = cell(stratum, columns);
    for (index, number) in stratum.numbers.iter().enumerate() {
        row.to(HEAD + index * cell);
        let style = match (number.value, number.status) {
            (None, _) => look.dim(),
            (Some(_), Some(status)) => look.status(status).patch(Look::strong()),
            (Some(_), None) => Look::strong(),
        };
        row.target(fit(&number.text, cell.saturating_sub(1)), style, Action::of(number));
    }
    if columns >= WIDE && !stratum.numbers.is_empty() {
        row.to(columns - COVERAGE);
        let coverage = &stratum.coverage;
        row.target(fit(&coverage.text, COVERAGE), look.dim(), Action::of(coverage));
    }
    flow.push(row);
}

fn second_line(flow: &mut Flow, stratum: &Stratum, columns: usize, look: Look) {
    let mut row = Row::default();
    row.space(3);
    // The labels stand under their numbers; the strip takes the room left of them.
    let beside = columns < WIDE && !stratum.numbers.is_empty();
    let strip_columns = HEAD - 5 - if beside { COVERAGE_SHORT } else { 0 };
    strip(&mut row, &stratum.strip, strip_columns, look);
    if beside {
        row.space(1);
        let words: Vec<&str> = stratum.coverage.text.split(' ').take(3).collect();
        let text = fit(&words.join(" "), COVERAGE_SHORT);
        row.target(text, look.dim(), Action::of(&stratum.coverage));
    }
    row.to(HEAD);
    if stratum.numbers.is_empty() {
        row.target(
            fit(&stratum.coverage.text, columns.saturating_sub(HEAD)),
            look.dim(),
            Action::of(&stratum.coverage),
        );
    }
    let cell = cell(stratum, columns);
    for (index, number) in stratum.numbers.iter().enumerate() {
        row.to(HEAD + index * cell);
        row.put(fit(&number.label, cell.saturating_sub(1)), look.dim());
    }
    if columns >= WIDE && !stratum.numbers.is_empty() {
        row.to(columns - COVERAGE);
        row.put(fit(&stratum.coverage.label, COVERAGE), look.dim());
    }
    flow.push(row);
}

/// A strip as block characters, colored by the status at each point; hatched where nothing is seen.
fn strip(row: &mut Row, strip: &Strip, columns: usize, look: Look) {
    let known = || strip.values.iter().copied().flatten();
    let low = known().fold(f64::INFINITY, f64::min);
    let high = known().fold(f64::NEG_INFINITY, f64::max);
    for column in 0..columns {
        let status = status_at(&strip.statuses, column, columns);
        match column_value(&strip.values, column, columns) {
            Some(value) => {
                let share = if high > low { (value - low) / (high - low) } else { 0.5 };
                let style = match status {
                    Status::Watch | Status::Broken => look.status(status),
                    _ => Style::new(),
                };
                row.put(look.level(share).to_string(), style);
            }
            None => row.put(look.hatch().to_string(), look.dim()),
        }
    }
}

/// The worst status of the points that fall on a column.
fn status_at(statuses: &[Status], column: usize, columns: usize) -> Status {
    let from = (column * statuses.len() / columns).min(statuses.len());
    let until = ((column + 1) * statuses.len() / columns).max(from + 1).min(statuses.len());
    statuses[from..until].iter().copied().max().unwrap_or(Status::Blind)
}
