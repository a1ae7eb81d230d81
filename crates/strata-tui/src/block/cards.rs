//! Cards, and the Explore box.

use ratatui::style::Style;
use strata_view::page::block::{Card, Explore};
use strata_view::{Link, PageId};

use super::numbers;
use crate::flow::{Action, Flow, Row, fit, wrap};
use crate::look::Look;

/// A finding, a blind spot or advice.
pub(super) fn card(card: &Card, columns: usize, look: Look) -> Flow {
    let inner = columns.saturating_sub(2);
    let mut body = Flow::default();
    let mut row = Row::default();
    row.put(format!("{} ", look.verdict(card.status)), look.status(card.status));
    let title = fit(&card.title, inner.saturating_sub(row.width()));
    match &card.link {
        Some(link) => row.target(title, Look::strong(), Action::Open(link.clone())),
        None => row.put(title, Look::strong()),
    }
    body.push(row);
    for line in wrap(&card.text, inner) {
        body.text(line, Style::new());
    }
    for (place, text) in &card.steps {
        let mut row = Row::default();
        row.put(format!("{place}  "), look.dim());
        row.put(fit(text, inner.saturating_sub(row.width())), Style::new());
        body.push(row);
    }
    if !card.numbers.is_empty() {
        body.below(numbers::draw(&card.numbers, inner, look));
    }
    for command in &card.commands {
        for line in command.lines() {
            body.text(format!("$ {line}"), look.link());
        }
    }
    indent(body, if look.unicode { "\u{258c} " } else { "| " }, look.status(card.status))
}

/// Put a bar before every line.
fn indent(mut flow: Flow, bar: &'static str, style: Style) -> Flow {
    for line in &mut flow.lines {
        line.spans.insert(0, ratatui::text::Span::styled(bar, style));
    }
    for target in &mut flow.targets {
        target.start += 2;
        target.end += 2;
    }
    flow
}

/// Lines of a question at most; the whole of it is behind the key that edits it.
const QUERY_LINES_MAX: usize = 6;

/// Leads to the Explore page in a language.
fn open(mut params: Vec<(String, String)>, lang: &str) -> Action {
    params.push(("lang".to_owned(), lang.to_owned()));
    Action::Open(Link { page: PageId::Explore.name().to_owned(), params })
}

/// Where to type a question, in which language, and questions worth trying.
pub(super) fn explore(explore: &Explore, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let mut row = Row::default();
    for choice in &explore.lang_choices {
        if choice.current {
            row.put(format!("[{}]", choice.title), Look::strong());
        } else {
            row.target(&choice.title, look.link(), open(Vec::new(), &choice.id));
        }
        row.space(2);
    }
    flow.push(row);
    let query = if explore.query.is_empty() { "press : to type a query" } else { &explore.query };
    for line in wrap(query, columns).into_iter().take(QUERY_LINES_MAX) {
        flow.text(line, Look::strong());
    }
    for line in wrap(&explore.bounds, columns) {
        flow.text(line, look.dim());
    }
    for notice in &explore.notices {
        for line in wrap(&notice.text, columns) {
            flow.text(line, look.status(notice.status));
        }
    }
    for (title, query) in &explore.examples {
        let mut row = Row::default();
        let params = vec![("query".to_owned(), query.clone())];
        row.target(fit(title, columns), look.link(), open(params, explore.lang.name()));
        row.put(fit(&format!("  {query}"), columns.saturating_sub(row.width())), look.dim());
        flow.push(row);
    }
    flow
}
