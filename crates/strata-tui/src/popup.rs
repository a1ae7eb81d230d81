//! What lies over a page: how a number was made, the palette, the keys, the ranges.

use ratatui::style::Style;
use strata_view::{Explanation, Link, Status, Suggestion};

use crate::flow::{Action, Flow, Row, fit, wrap};
use crate::look::Look;

/// The keys, as `?` shows them.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("0 1..8", "overview, layers L1 to L8"),
    ("d e t", "doctor, explore, topology"),
    ("Tab, arrows", "next and previous thing that can be opened; arrows scroll too"),
    ("Enter, click", "open it"),
    ("Space, i", "how a number was made"),
    ("Backspace", "back"),
    ("PgUp PgDn Home End", "scroll; so does the wheel"),
    ("/", "find a GPU, pod, replica, host, model"),
    (":", "type PromQL; SQL on the SQL side of Explore"),
    ("o", "open and close what is folded (lines with a +)"),
    ("r", "choose the range of time"),
    ("l", "live on and off"),
    ("?", "these keys"),
    ("q, Ctrl-C", "quit"),
];

/// Ranges to choose from: key, words, seconds.
pub(crate) const RANGES: &[(char, &str, u32)] = &[
    ('1', "last 15 minutes", 15 * 60),
    ('2', "last hour", 3600),
    ('3', "last 6 hours", 6 * 3600),
    ('4', "last 24 hours", 24 * 3600),
    ('5', "last 7 days", 7 * 24 * 3600),
];

/// How a number was made.
pub(crate) fn explain(
    title: &str,
    explain: &Explanation,
    link: Option<&Link>,
    columns: usize,
    look: Look,
) -> Flow {
    let mut flow = Flow::default();
    flow.text(fit(title, columns), Look::strong());
    let age = explain.age_seconds.map(|age| format!("{age:.0} s"));
    let query = explain.query.as_ref();
    let parts = [
        ("means", Some(&explain.definition)),
        ("formula", Some(&explain.formula)),
        ("unknown", explain.unknown.as_ref()),
        ("quality", explain.quality.as_ref()),
        ("age", age.as_ref()),
        ("query", query),
    ];
    for (name, text) in parts {
        let Some(text) = text.filter(|text| !text.is_empty()) else { continue };
        part(&mut flow, name, text, columns, look);
    }
    for input in &explain.inputs {
        let from = if input.sources.is_empty() {
            "no source".to_owned()
        } else {
            input.sources.join(", ")
        };
        let quality = input.quality.as_deref().map_or(String::new(), |word| format!(" ({word})"));
        part(&mut flow, "input", &format!("{}{quality} from {from}", input.metric), columns, look);
    }
    let mut row = Row::default();
    if let Some(link) = link {
        row.target("[open]", look.link(), Action::Open(link.clone()));
        row.space(2);
    }
    if let Some(query) = query {
        let params = vec![("query".to_owned(), query.clone())];
        let action = Action::Open(Link { page: "explore".to_owned(), params });
        row.target("[explore]", look.link(), action);
    }
    if row.width() > 0 {
        flow.push(row);
    }
    flow
}

fn part(flow: &mut Flow, name: &str, text: &str, columns: usize, look: Look) {
    const NAME: usize = 9;
    for (index, line) in wrap(text, columns.saturating_sub(NAME)).into_iter().enumerate() {
        let mut row = Row::default();
        row.put(if index == 0 { name } else { "" }, look.dim());
        row.to(NAME);
        row.put(line, Style::new());
        flow.push(row);
    }
}

/// The keys.
pub(crate) fn keys(look: Look) -> Flow {
    let mut flow = Flow::default();
    flow.text("Keys", Look::strong());
    for (key, what) in KEYS {
        let mut row = Row::default();
        row.put(*key, look.link());
        row.to(20);
        row.put(*what, Style::new());
        flow.push(row);
    }
    flow
}

/// The ranges.
pub(crate) fn ranges(look: Look) -> Flow {
    let mut flow = Flow::default();
    flow.text("Range of time", Look::strong());
    for (key, words, _) in RANGES {
        let mut row = Row::default();
        row.put(format!("{key}  "), look.link());
        row.put(*words, Style::new());
        flow.push(row);
    }
    flow
}

/// What was typed and what fits; none while it is looked for.
pub(crate) fn palette(
    typed: &str,
    found: Option<&[Suggestion]>,
    chosen: usize,
    columns: usize,
    look: Look,
) -> Flow {
    let mut flow = Flow::default();
    flow.text(fit(&format!("find: {typed}_"), columns), Look::strong());
    let Some(found) = found else {
        flow.text("looking", look.dim());
        return flow;
    };
    if found.is_empty() && !typed.is_empty() {
        flow.text("nothing of this name", look.dim());
    }
    for (index, one) in found.iter().enumerate() {
        let mut row = Row::default();
        let status = one.status;
        row.put(if index == chosen { "> " } else { "  " }, look.gold());
        row.put(format!("{} ", look.shape(status)), look.status(status));
        row.put(format!("{:<10} ", one.kind), look.dim());
        row.target(
            fit(&one.name, columns.saturating_sub(18)),
            if status == Status::Absent { look.dim() } else { look.link() },
            Action::Open(Link {
                page: one.page.clone(),
                params: vec![("entity".to_owned(), one.id.clone())],
            }),
        );
        row.put(fit(&format!("  {}", one.detail), columns.saturating_sub(row.width())), look.dim());
        flow.push(row);
    }
    flow
}
