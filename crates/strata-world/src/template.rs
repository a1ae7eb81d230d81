//! Templates of queries: PromQL in which a metric is written by its dotted name.
//!
//! `<hw.power>` is the metric, `<hw.power|sensor="average">` with matchers,
//! `<inference.ttft:bucket>` one of the series of a histogram. `rate<..>` is its rate over the
//! rate window, `steady<..>` its rate over one that suits what is told once a minute, `increase<..>` its increase over the event window, `window<..>` its increase over
//! the whole window of the question, `peak<..>` its greatest value in the event window and `floor<..>` its least,
//! `best<..>` its greatest value in the hour before, `period<..>` its increase over thirty days,
//! `mean<..>` its mean over the rate window, `total<..>` the sum and `samples<..>` the number of its samples
//! there, `<!hw.power>` the metric whatever the scope. A comparison is
//! written with a blank after the sign. `(%` opens the labels that tell things of the signal's kind
//! apart. Prometheus names are derived, never written.

use std::fmt::Write as _;

use strata_model::MetricKind;
use strata_model::catalog::Catalog;

use crate::entity::EntityKind;
use crate::plan::scope::Narrowing;
use crate::window::Window;

/// Window of rates: two samples of a source that is read once a minute, as Prometheus does by
/// default, and as fresh as that allows.
const RATE_WINDOW_MS: i64 = 120_000;

/// Window of rates of what is told once a minute, as the ledger tells: a late minute leaves two
/// samples still.
const STEADY_WINDOW_MS: i64 = 300_000;

/// Window in which events are counted: long enough to be seen by a person who looks now and then,
/// short enough to be over when the cause is.
const EVENT_WINDOW_MS: i64 = 600_000;

/// What a thing is compared with when it is compared with its own past: long enough to hold what was
/// usual, short enough that another job's past is not taken for it.
const PAST_WINDOW_MS: i64 = 3_600_000;

/// What an error budget is counted over, as the SRE workbook proposes (four weeks, or a month).
const PERIOD_WINDOW_MS: i64 = 30 * 86_400_000;

/// A metric in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Atom<'t> {
    /// `rate`, `steady`, `increase`, `window`, `period`, `peak`, `best`, `floor`, `mean`, `total`, `samples`, or empty.
    function: &'t str,
    /// Whatever the scope.
    everywhere: bool,
    /// Dotted.
    name: &'t str,
    /// `bucket`, `sum`, `count`, or empty.
    suffix: &'t str,
    /// As in a selector, without braces.
    matchers: &'t str,
}

/// What may stand before a metric.
const FUNCTIONS: [&str; 11] = [
    "rate", "steady", "increase", "window", "period", "peak", "best", "floor", "mean", "total",
    "samples",
];

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Atom(Atom<'t>),
}

/// Cut a template into pieces.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some((before, inside, after)) = next_atom(rest) {
        let function = FUNCTIONS.into_iter().find(|function| before.ends_with(function));
        let function = function.unwrap_or("");
        found.push(Piece::Text(before.strip_suffix(function).unwrap_or(before)));
        found.push(Piece::Atom(atom(function, inside)));
        rest = after;
    }
    found.push(Piece::Text(rest));
    found
}

/// Text before the next atom, the inside of the atom, and the text after it.
fn next_atom(text: &str) -> Option<(&str, &str, &str)> {
    let opens = |(at, _): &(usize, &str)| {
        let next = text.get(at + 1..).and_then(|rest| rest.chars().next());
        next.is_some_and(|next| next == '!' || next.is_ascii_lowercase())
    };
    let (start, _) = text.match_indices('<').find(opens)?;
    let inside = text.get(start + 1..)?;
    // No matcher of a template holds the sign.
    let (inside, after) = inside.split_once('>')?;
    Some((text.get(..start)?, inside, after))
}

fn atom<'t>(function: &'t str, inside: &'t str) -> Atom<'t> {
    let everywhere = inside.starts_with('!');
    let inside = inside.trim_start_matches('!');
    let (name, matchers) = inside.split_once('|').unwrap_or((inside, ""));
    let (name, suffix) = name.split_once(':').unwrap_or((name, ""));
    Atom { function, everywhere, name, suffix, matchers }
}

/// Dotted names in a template, in order, repeated where repeated.
pub(crate) fn metrics_of(template: &str) -> impl Iterator<Item = &str> {
    pieces(template).into_iter().filter_map(|piece| match piece {
        Piece::Atom(atom) => Some(atom.name),
        Piece::Text(_) => None,
    })
}

/// Dotted names in a template with the labels asked of them, in order, repeated where repeated.
pub(crate) fn selected(template: &str) -> impl Iterator<Item = (&str, &str)> {
    pieces(template).into_iter().filter_map(|piece| match piece {
        Piece::Atom(atom) => Some((atom.name, atom.matchers)),
        Piece::Text(_) => None,
    })
}

/// Histograms that a template takes quantiles of, in order.
pub(crate) fn quantiles_of(template: &str) -> Vec<&str> {
    let histogram = |piece| match piece {
        Piece::Atom(atom) if atom.suffix == "bucket" => Some(atom.name),
        Piece::Atom(_) | Piece::Text(_) => None,
    };
    let found = pieces(template).into_iter().filter_map(histogram);
    if template.contains("histogram_quantile(") { found.collect() } else { Vec::new() }
}

/// The observations of a histogram by upper edge, as a quantile over everything reads them: where
/// both are asked for they cost as much as one.
pub(crate) fn edges_of(metric: &str, filling: Filling<'_>) -> String {
    fill(&format!("sum by (le) (rate<{metric}:bucket>)"), filling)
}

/// What a template is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filling<'f> {
    pub(crate) entity: EntityKind,
    pub(crate) narrowing: &'f Narrowing,
    pub(crate) window: Window,
    /// `window<..>` means the increase up to each step instead of over all of them.
    pub(crate) per_step: bool,
}

/// How far back events are counted, in milliseconds.
pub fn event_window_ms(window: Window) -> i64 {
    EVENT_WINDOW_MS.max(window.step_ms)
}

/// How far back an increase of a step looks, in milliseconds.
pub(crate) fn step_range_ms(window: Window) -> i64 {
    RATE_WINDOW_MS.max(window.step_ms)
}

/// The time of the newest sample of a metric, in seconds.
pub(crate) fn newest_of(metric: &str, filling: Filling<'_>) -> String {
    let histogram = Catalog::builtin()
        .metric(metric)
        .is_some_and(|metric| metric.kind == MetricKind::Histogram);
    let suffix = if histogram { "count" } else { "" };
    let atom = Atom { function: "", everywhere: false, name: metric, suffix, matchers: "" };
    let newest = filling.narrowing.matchers(metric).into_iter().map(|scope| {
        let mut selector = String::new();
        write_selector(&mut selector, &atom, &scope, filling);
        format!("max(timestamp({selector}))")
    });
    newest.collect::<Vec<_>>().join(" or ")
}

/// Labels that tell things of a kind apart; several make one key.
pub(crate) fn labels_of(kind: EntityKind) -> &'static [&'static str] {
    match kind {
        EntityKind::Node => &["node", "instance"],
        EntityKind::Gpu => &["gpu_uuid", "node", "gpu"],
        EntityKind::Slice => &["gpu_uuid", "node", "gpu", "mig_instance"],
        EntityKind::Process => &["node", "instance", "pid", "process"],
        EntityKind::Container => &["namespace", "pod", "container"],
        EntityKind::Pod => &["namespace", "pod"],
        EntityKind::Workload => &["namespace", "workload_kind", "workload", "slurm_job_id"],
        EntityKind::Namespace => &["namespace"],
        EntityKind::Team => &["team"],
        EntityKind::Queue => &["queue"],
        EntityKind::Replica => &["instance"],
        EntityKind::Model => &["model"],
        EntityKind::Run => &["run"],
        EntityKind::Rank => &["run", "rank"],
        EntityKind::Communicator => &["comm"],
        EntityKind::Tenant => &["tenant"],
    }
}

/// The query that a template stands for.
pub(crate) fn fill(template: &str, filling: Filling<'_>) -> String {
    let by = labels_of(filling.entity).join(", ");
    let mut query = String::with_capacity(template.len() * 2);
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => query.push_str(&text.replace("(%", &format!("({by}"))),
            Piece::Atom(atom) => write_atom(&mut query, &atom, filling),
        }
    }
    query
}

fn write_atom(query: &mut String, atom: &Atom<'_>, filling: Filling<'_>) {
    let fleet = Narrowing::default();
    let narrowing = if atom.everywhere { &fleet } else { filling.narrowing };
    let alternatives = narrowing.matchers(atom.name);
    let many = alternatives.len() > 1;
    if many {
        query.push('(');
    }
    for (at, scope) in alternatives.iter().enumerate() {
        if at > 0 {
            query.push_str(" or ");
        }
        write_selector(query, atom, scope, filling);
    }
    if many {
        query.push(')');
    }
}

fn write_selector(query: &mut String, atom: &Atom<'_>, scope: &str, filling: Filling<'_>) {
    let window = filling.window;
    let metric = Catalog::builtin().metric(atom.name);
    let name = metric.map_or(atom.name, |metric| metric.prometheus.as_str());
    let (function, range_ms) = match atom.function {
        "rate" => ("rate", step_range_ms(window)),
        "steady" => ("rate", STEADY_WINDOW_MS.max(window.step_ms)),
        "increase" => ("increase", event_window_ms(window)),
        "period" => ("increase", PERIOD_WINDOW_MS),
        "peak" => ("max_over_time", EVENT_WINDOW_MS),
        "best" => ("max_over_time", PAST_WINDOW_MS),
        "floor" => ("min_over_time", EVENT_WINDOW_MS),
        "mean" => ("avg_over_time", RATE_WINDOW_MS),
        "total" => ("sum_over_time", RATE_WINDOW_MS),
        "samples" => ("count_over_time", RATE_WINDOW_MS),
        "window" if filling.per_step => ("increase", step_range_ms(window)),
        "window" => ("increase", RATE_WINDOW_MS.max(window.end_ms - window.start_ms)),
        _ => ("", 0),
    };
    let comma = if scope.is_empty() || atom.matchers.is_empty() { "" } else { "," };
    let underscore = if atom.suffix.is_empty() { "" } else { "_" };
    let (open, close) =
        if scope.is_empty() && atom.matchers.is_empty() { ("", "") } else { ("{", "}") };
    let selector =
        format!("{name}{underscore}{}{open}{}{comma}{scope}{close}", atom.suffix, atom.matchers);
    // Writing to a String cannot fail.
    let _infallible = if function.is_empty() {
        write!(query, "{selector}")
    } else {
        write!(query, "{function}({selector}[{}])", duration(range_ms))
    };
}

/// A PromQL duration.
fn duration(ms: i64) -> String {
    if ms % 1000 == 0 { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

/// The alternatives of a template: what stands between the `or`s outside of parentheses.
pub(crate) fn alternatives(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, character) in template.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 => {
                let or = template.get(at..).is_some_and(|rest| rest.starts_with(" or "));
                if or && let Some(part) = template.get(start..at) {
                    found.push(part);
                    start = at + 4;
                }
            }
            _ => {}
        }
    }
    found.extend(template.get(start..));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_told_apart_outside_of_parentheses() {
        let check = |template: &str, expected: &[&str]| {
            assert_eq!(alternatives(template), expected);
        };
        check("<a.b>", &["<a.b>"]);
        check("max (<a>) or (<b> or <c>) or <d>", &["max (<a>)", "(<b> or <c>)", "<d>"]);
    }

    #[test]
    fn metrics_are_read_off_templates() {
        let check = |template: &str, expected: &[&str]| {
            assert_eq!(metrics_of(template).collect::<Vec<_>>(), expected);
        };
        check("rate<a.b:sum|x=\"1\"> / (<!c> > 0) < 3", &["a.b", "c"]);
        check("1 < 2", &[]);
    }
}
