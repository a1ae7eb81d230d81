//! From a source's labels to canonical ones, as calls of `label_replace` and `label_join`.

use strata_model::catalog::{Expansion, ValueRule};

use super::Unsupported;
use super::build::{aggregate, label_join, label_replace, set_label};
use super::facts::Facts;
use super::needs::Needs;
use super::select::converted;
use crate::promql::syntax::{AggregateOp, Expr};

/// Stands between joined values; no label value holds it.
const SEPARATOR: &str = "\u{1}";
/// Holds joined values for a moment: VictoriaMetrics 1.79 garbles a label that is joined into itself.
const JOINED: &str = "strata_joined";
/// The first of the joined values that is not empty.
const FIRST_JOINED: &str = "(?s)\u{1}*([^\u{1}]*)(?:\u{1}.*)?";

/// Give `expr`, whose series come from `families` of one mapping, its canonical labels, as far as
/// `needs` asks for them.
pub(super) fn relabel(
    mut expr: Expr,
    expansion: &Expansion,
    families: &[&str],
    needs: &Needs,
    facts: &Facts,
) -> Result<Expr, Unsupported> {
    let there = |label: &str| families.iter().any(|family| facts.has_label(family, label));
    let mut pending = copies(expansion, &there, needs);
    while !pending.is_empty() {
        // A label may be overwritten once nobody reads it any more.
        let free = |to: &str| {
            !pending.iter().any(|(other, from)| other != to && from.iter().any(|f| f == to))
        };
        let Some(at) = pending.iter().position(|(to, _)| free(to)) else {
            let message = format!("the labels of {} change places", expansion.metric);
            return Err(Unsupported::new(message));
        };
        let (to, from) = pending.remove(at);
        expr = copied(expr, &to, &from);
    }
    for label in leftovers(expansion, &there).iter().filter(|label| needs.label(label)) {
        expr = set_label(expr, label, "");
    }
    for (name, value) in expansion.constants.iter().filter(|(name, _)| needs.label(name)) {
        expr = set_label(expr, name, value);
    }
    if expansion.bucket_scale != 1.0 && needs.label("le") {
        for family in families {
            expr = scale_edges(expr, facts.edges(family), expansion.bucket_scale);
        }
    }
    Ok(expr)
}

/// Aggregate by the source's labels first, so that labels are made of the few results and not of every
/// series: label functions are the dearest part of a query, above all before Prometheus 2.51. As it is
/// when no label has to be made.
pub(super) fn aggregated(
    raw: Expr,
    op: AggregateOp,
    expansion: &Expansion,
    families: &[&str],
    (needs, facts): (&Needs, &Facts),
) -> Expr {
    let there = |label: &str| families.iter().any(|family| facts.has_label(family, label));
    let edges = expansion.bucket_scale != 1.0 && needs.label("le");
    let Some(wanted) = needs.only_labels() else { return raw };
    if needs.name || (copies(expansion, &there, needs).is_empty() && !edges) {
        return raw;
    }
    let gone = leftovers(expansion, &there);
    let constant = |label: &str| expansion.constants.iter().any(|(name, _)| name == label);
    let mut grouping: Vec<String> = Vec::new();
    for label in wanted.iter().filter(|label| !constant(label)) {
        let sources = expansion.rename.iter().filter(|(from, to)| to == label && there(from));
        let sources: Vec<String> = sources.map(|(from, _)| from.clone()).collect();
        if !sources.is_empty() {
            grouping.extend(sources);
        } else if !gone.contains(label) {
            grouping.push(label.clone());
        }
    }
    grouping.sort_unstable();
    grouping.dedup();
    aggregate(op, grouping, raw)
}

/// The canonical labels that are made from others: each with those that are there.
fn copies(
    expansion: &Expansion,
    there: &impl Fn(&str) -> bool,
    needs: &Needs,
) -> Vec<(String, Vec<String>)> {
    let mut copies: Vec<(String, Vec<String>)> = Vec::new();
    for (from, to) in &expansion.rename {
        if !there(from) || !needs.label(to) {
            continue;
        }
        match copies.iter_mut().find(|(other, _)| other == to) {
            Some((_, sources)) => sources.push(from.clone()),
            None => copies.push((to.clone(), vec![from.clone()])),
        }
    }
    copies.retain(|(to, sources)| sources.len() != 1 || sources[0] != *to);
    copies
}

fn copied(expr: Expr, to: &str, from: &[String]) -> Expr {
    if let [only] = from {
        return label_replace(expr, to, "$1", only, "(?s)(.*)");
    }
    let sources: Vec<&str> = from.iter().map(String::as_str).collect();
    let joined = label_join(expr, JOINED, SEPARATOR, &sources);
    set_label(label_replace(joined, to, "$1", JOINED, FIRST_JOINED), JOINED, "")
}

/// Labels of the source that the canonical series does not have: renamed ones, labels that the
/// mapping owns but finds no source for, and labels that became the value.
fn leftovers(expansion: &Expansion, there: &impl Fn(&str) -> bool) -> Vec<String> {
    let rename = &expansion.rename;
    let made = |label: &str| rename.iter().any(|(from, to)| to == label && there(from));
    let owned = rename.iter().flat_map(|(from, to)| [from, to]);
    let read = expansion.value.iter().filter_map(|rule| match rule {
        ValueRule::Label(label) => Some(label),
        _ => None,
    });
    let gone = owned.filter(|label| !made(label)).chain(read);
    let mut gone: Vec<String> = gone.filter(|label| there(label)).cloned().collect();
    gone.sort_unstable();
    gone.dedup();
    gone
}

/// Write each edge in the canonical unit. The order keeps an edge that was written from being taken
/// for one that is still to be converted.
fn scale_edges(mut expr: Expr, edges: &[String], scale: f64) -> Expr {
    let number = |edge: &String| edge.parse::<f64>().ok().filter(|number| number.is_finite());
    let mut finite: Vec<(f64, &String)> =
        edges.iter().filter_map(|edge| Some((number(edge)?, edge))).collect();
    finite.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Edges above zero shrink when the scale is below one; those below zero move the other way.
    let (below, above): (Vec<_>, Vec<_>) = finite.into_iter().partition(|(edge, _)| *edge < 0.0);
    let shrinks = scale < 1.0;
    let below: Vec<_> = if shrinks { below.into_iter().rev().collect() } else { below };
    let above: Vec<_> = if shrinks { above } else { above.into_iter().rev().collect() };
    for (_, edge) in below.into_iter().chain(above) {
        let to = converted(edge, scale);
        if to != *edge {
            expr = label_replace(expr, "le", &to, "le", &regex::escape(edge));
        }
    }
    expr
}
