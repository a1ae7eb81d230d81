//! Numbers side by side.

use ratatui::style::Style;
use strata_view::Number;

use crate::flow::{Action, Flow, Row, fit, width};
use crate::look::Look;

/// Columns a number takes at least.
const CELL: usize = 19;

/// Numbers in as many columns as fit: value, label, remark.
pub(super) fn draw(numbers: &[Number], columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let per_row = (columns / CELL).clamp(1, numbers.len().max(1));
    let cell = columns / per_row;
    for chunk in numbers.chunks(per_row) {
        let cells = chunk.iter().map(|number| number_cell(number, cell - 1, look)).collect();
        flow.below(Flow::beside(cells, cell - 1, 1));
    }
    flow
}

/// One number in a few lines.
fn number_cell(number: &Number, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let mut row = Row::default();
    let style = match (number.value, number.status) {
        (None, _) => look.dim(),
        (Some(_), Some(status)) => look.status(status).patch(Look::strong()),
        (Some(_), None) => Look::strong(),
    };
    let mark = number.status.filter(|_| number.value.is_some());
    let shape = mark.map_or(String::new(), |status| format!("{} ", look.shape(status)));
    let value = fit(&number.text, columns.saturating_sub(width(&shape)));
    row.put(shape, style);
    row.target(value, style, Action::of(number));
    flow.push(row);
    flow.text(fit(&number.label, columns), look.dim());
    if let Some(note) = &number.note {
        flow.text(fit(note, columns), Style::new());
    }
    flow
}
