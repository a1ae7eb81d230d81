//! A whole page as lines: header, north star, notices, sections.

use ratatui::style::Style;
use strata_view::{Page, Section};

use crate::block;
use crate::flow::{Action, Flow, Row, fit, wrap};
use crate::look::Look;

/// A page as text, `columns` wide, without any escape code: for files, pipes and scripts. With `open`
/// what is folded is there too.
pub fn once(page: &Page, columns: usize, open: bool) -> String {
    let look = Look { open, ..Look::PLAIN };
    let mut flow = header(page, columns, look);
    flow.below(body(page, columns, look));
    let lines = flow.lines.iter().map(|line| {
        let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
        text.trim_end().to_owned()
    });
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

/// Title and north star.
pub(crate) fn header(page: &Page, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let mut row = Row::default();
    row.put(fit(&page.title, columns / 2), Look::strong());
    if page.simulated {
        row.space(2);
        row.put("SIMULATED", look.gold());
    }
    row.space(2);
    row.put(fit(&page.subtitle, columns.saturating_sub(row.width())), look.dim());
    flow.push(row);
    north_star(&mut flow, page, columns, look);
    flow.text(look.rule().to_string().repeat(columns), look.dim());
    flow
}

/// The north star in as many rows as it takes: none of its numbers is left out.
fn north_star(flow: &mut Flow, page: &Page, columns: usize, look: Look) {
    let most = (columns / 16).max(1);
    let rows = page.north_star.len().div_ceil(most).max(1);
    // Rows as even as they can be: six numbers in two rows are three and three.
    let per_row = page.north_star.len().div_ceil(rows).max(1);
    let cell = columns / per_row;
    for (line, numbers) in page.north_star.chunks(per_row).enumerate() {
        let (mut values, mut labels) = (Row::default(), Row::default());
        for (index, number) in numbers.iter().enumerate() {
            let style = match (line + index, number.value) {
                (_, None) => look.dim(),
                (0, Some(_)) => look.gold(),
                _ => Look::strong(),
            };
            let text = fit(&number.text, cell.saturating_sub(1));
            values.to(index * cell);
            values.target(text, style, Action::of(number));
            labels.to(index * cell);
            labels.put(fit(&number.label, cell.saturating_sub(1)), look.dim());
        }
        flow.push(values);
        flow.push(labels);
    }
}

/// Columns from which on sections stand in two columns.
const WIDE: usize = 150;

/// Notices and sections.
pub(crate) fn body(page: &Page, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    for notice in &page.notices {
        let text = format!("{} {}", look.verdict(notice.status), notice.text);
        for line in wrap(&text, columns) {
            flow.text(line, look.status(notice.status));
        }
        if let Some(command) = &notice.command {
            flow.text(format!("  $ {command}"), look.link());
        }
    }
    if columns < WIDE {
        for section in &page.sections {
            flow.below(draw_section(section, columns, look));
        }
        return flow;
    }
    two_columns(&mut flow, page, columns, look);
    flow
}

/// Sections in two columns: each goes where less stands so far, so that their order stays readable.
fn two_columns(flow: &mut Flow, page: &Page, columns: usize, look: Look) {
    const GAP: usize = 3;
    let half = (columns - GAP) / 2;
    let (mut left, mut right) = (Flow::default(), Flow::default());
    for section in &page.sections {
        let shorter = if left.lines.len() <= right.lines.len() { &mut left } else { &mut right };
        shorter.below(draw_section(section, half, look));
    }
    flow.below(Flow::beside(vec![left, right], half, GAP));
}

fn draw_section(section: &Section, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    if !section.title.is_empty() {
        let mut row = Row::default();
        row.put(fit(&section.title, columns), look.gold());
        if !section.brief.is_empty() && row.width() + 4 < columns {
            row.put("  ", Style::new());
            row.put(fit(&section.brief, columns - row.width()), look.dim());
        }
        flow.push(row);
    }
    for block in &section.blocks {
        flow.below(block::draw(block, columns, look));
    }
    flow.blank();
    flow
}
