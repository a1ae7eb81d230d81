//! `info`: labels of info series added to the series they describe.

use rustc_hash::{FxHashMap, FxHashSet};
use strata_model::selector::MatchOp;
use strata_model::{Labels, METRIC_NAME, Matcher, SelectHints, Selection, Series};

use super::instant::{Found, Reference, Walker};
use super::matching::braces;
use super::{Evaluator, Outcome, SAME_LABELSET, failed};
use crate::promql::syntax::{AtModifier, Call, Expr, Span, When};
use crate::promql::value::{Column, Row, Steps};

/// The labels by which a series and its info series know each other.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// The info series of one identity at one step: the newest sample wins.
type Newest = FxHashMap<(Labels, String), (i64, usize)>;

/// What the second argument of `info` asks for.
struct Wanted {
    /// Which metrics are info metrics.
    names: Vec<Matcher>,
    /// Conditions on other labels; when there are any, only these labels are added.
    data: Vec<Matcher>,
}

impl Wanted {
    fn new(node: &Call) -> Self {
        let Some(Expr::Vector(selector)) = node.args.get(1) else {
            return Self { names: vec![Matcher::equal(METRIC_NAME, "target_info")], data: vec![] };
        };
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            selector.matchers.iter().cloned().partition(|m| m.name == METRIC_NAME);
        let positive = names.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex));
        if names.is_empty() {
            names.push(Matcher::equal(METRIC_NAME, "target_info"));
        } else if !positive && let Ok(any) = Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info") {
            names.insert(0, any);
        }
        Self { names, data }
    }

    fn is_info(&self, labels: &Labels) -> bool {
        self.names.iter().all(|m| m.matches(labels.metric_name()))
    }

    fn adds(&self, name: &str) -> bool {
        self.data.is_empty() || self.data.iter().any(|m| m.name == name)
    }

    /// Whether a series without any info series stays.
    fn allows_none(&self) -> bool {
        self.data.iter().all(Matcher::matches_absent)
    }
}

fn identity(labels: &Labels) -> Labels {
    labels.filtered(|name| IDENTIFYING.contains(&name))
}

impl Evaluator<'_> {
    pub(super) fn info(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let rows = self.rows(&node.args[0], steps)?;
        let wanted = Wanted::new(node);
        let reference = Reference::new(&first_when(&node.args[0]), steps);
        let infos = self.info_series(&rows, &wanted, &reference)?;
        let names: FxHashSet<&str> = infos.iter().map(|s| s.labels.metric_name()).collect();
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        let mut walkers: Vec<Walker<'_>> = infos.iter().map(|s| Walker::new(&s.points)).collect();
        let mut out: Vec<Row> = Vec::new();
        let mut known: FxHashMap<Labels, usize> = FxHashMap::default();
        for at in 0..steps.count {
            self.poll()?;
            let newest = self.newest(&infos, &mut walkers, reference.at(at))?;
            for row in &rows {
                let Some(cell) = row.column.cell(at) else { continue };
                let labels = if wanted.is_info(&row.labels) {
                    row.labels.clone()
                } else {
                    match enriched(&row.labels, &wanted, &infos, &newest, &names)? {
                        Some(labels) => labels,
                        None => continue,
                    }
                };
                let slot = *known.entry(labels).or_insert_with_key(|labels| {
                    let column = Column::absent(steps.count);
                    let labels = labels.clone();
                    out.push(Row { labels, drop_name: row.drop_name, column });
                    out.len() - 1
                });
                let column = &mut out[slot].column;
                if column.is_present(at) {
                    return Err(failed(SAME_LABELSET));
                }
                column.set(at, cell);
            }
        }
        Ok(out)
    }

    fn info_series(
        &mut self,
        rows: &[Row],
        wanted: &Wanted,
        reference: &Reference,
    ) -> Outcome<Vec<Series>> {
        let mut matchers = Vec::new();
        for name in IDENTIFYING {
            let rows = rows.iter().filter(|row| !wanted.is_info(&row.labels));
            let mut values: Vec<String> =
                rows.filter_map(|row| row.labels.get(name)).map(regex::escape).collect();
            values.sort_unstable();
            values.dedup();
            if !values.is_empty() {
                let matcher = Matcher::new(MatchOp::Regex, name, values.join("|"));
                // Too many values for one expression: read more series and match them here.
                matchers.extend(matcher.ok());
            }
        }
        if matchers.is_empty() || reference.steps().count == 0 {
            return Ok(Vec::new());
        }
        matchers.extend(wanted.data.iter().cloned());
        matchers.extend(wanted.names.iter().cloned());
        let lookback = self.options.lookback_ms;
        let selection = Selection {
            matchers,
            start_ms: reference.first().saturating_sub(lookback - 1),
            end_ms: reference.last(),
            hints: SelectHints { func: Some("info".to_owned()), ..SelectHints::default() },
        };
        self.select(&selection, Span::default())
    }

    /// The info series to use for each identity and metric at a time.
    fn newest(&self, infos: &[Series], walkers: &mut [Walker<'_>], at: i64) -> Outcome<Newest> {
        let mut newest = Newest::default();
        for (index, (series, walker)) in infos.iter().zip(walkers).enumerate() {
            let time = match walker.latest(at, self.options.lookback_ms) {
                None => continue,
                Some(Found::Float(time, _)) => time,
                Some(Found::Histogram(..)) => {
                    let labels = braces(&series.labels);
                    return Err(failed(format_args!(
                        "this should be an info metric, with float samples: {labels}"
                    )));
                }
            };
            let key = (identity(&series.labels), series.labels.metric_name().to_owned());
            match newest.get(&key) {
                Some((other, _)) if *other > time => {}
                Some((other, held)) if *other == time => {
                    let (held, new) = (braces(&infos[*held].labels), braces(&series.labels));
                    return Err(failed(format_args!(
                        "found duplicate series for info metric: existing {held} @ {other}, new \
                         {new} @ {time}"
                    )));
                }
                _ => {
                    newest.insert(key, (time, index));
                }
            }
        }
        Ok(newest)
    }
}

/// The labels of a series with those of its info series; `None` when it lacks one it needs.
fn enriched(
    labels: &Labels,
    wanted: &Wanted,
    infos: &[Series],
    newest: &Newest,
    names: &[&str],
) -> Outcome<Option<Labels>> {
    let own = identity(labels);
    let mut added: Vec<(&str, &str)> = Vec::new();
    let mut found = false;
    for name in names {
        let Some((_, index)) = newest.get(&(own.clone(), (*name).to_owned())) else { continue };
        found = true;
        for (label, value) in infos[*index].labels.iter() {
            if label == METRIC_NAME || !wanted.adds(label) {
                continue;
            }
            if added.iter().any(|(known, other)| *known == label && *other != value) {
                return Err(failed(format_args!("conflicting label: {label}")));
            }
            if labels.get(label).is_none() {
                added.push((label, value));
            }
        }
    }
    if !found && !wanted.allows_none() {
        return Ok(None);
    }
    let mut builder = labels.to_builder();
    for (label, value) in added {
        builder.set(label, value);
    }
    Ok(Some(builder.build()))
}

/// The modifiers that say when the first selector of an expression is evaluated: its own and those
/// of the subqueries around it, up to the innermost fixed time.
fn first_when(expr: &Expr) -> When {
    let mut found = None;
    first_selector(expr, &mut Vec::new(), &mut found);
    found.unwrap_or_default()
}

fn first_selector<'a>(expr: &'a Expr, around: &mut Vec<&'a When>, found: &mut Option<When>) {
    if found.is_some() {
        return;
    }
    let mut take = |own: &When, around: &[&When]| {
        let mut when = When { offset_expr: None, ..own.clone() };
        for outer in around.iter().rev() {
            if matches!(when.at, Some(AtModifier::Time(_))) {
                break;
            }
            when.offset_ms = when.offset_ms.saturating_add(outer.offset_ms);
            when.at = outer.at;
        }
        *found = Some(when);
    };
    match expr {
        Expr::Vector(node) => take(&node.when, around),
        Expr::Matrix(node) => take(&node.selector.when, around),
        Expr::Subquery(node) => {
            around.push(&node.when);
            first_selector(&node.expr, around, found);
            around.pop();
        }
        Expr::Call(node) => node.args.iter().for_each(|arg| first_selector(arg, around, found)),
        Expr::Aggregate(node) => first_selector(&node.expr, around, found),
        Expr::Binary(node) => {
            first_selector(&node.lhs, around, found);
            first_selector(&node.rhs, around, found);
        }
        Expr::Unary(node) => first_selector(&node.expr, around, found),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => {
            first_selector(inner, around, found);
        }
        Expr::Number(_) | Expr::String(_) => {}
    }
}
