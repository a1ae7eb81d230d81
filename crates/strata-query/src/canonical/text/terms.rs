//! One canonical selector as the union of what its sources contribute.

use std::collections::BTreeSet;

use strata_model::catalog::{Expansion, MODEL_INFO, ValueRule};
use strata_model::{METRIC_NAME, MatchOp, Matcher};

use super::build::{binary, call, selector, set_label, union};
use super::needs::Needs;
use super::relabel::{aggregated, relabel};
use super::values::{self, Nature};
use super::{Text, Unsupported, select};
use crate::canonical::labels::{EDGE, MODEL, edge_text};
use crate::promql::syntax::{BinaryOp, Call, Expr, MatrixSelector, RangeKind, VectorSelector};

/// Combinations of label values that may become factors: each is a selector of its own.
const TUPLES_MAX: usize = 256;

/// What is asked of the selected series.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    /// The value at each moment.
    Value,
    /// The time of the last sample.
    Timestamp(&'a Call),
    /// A function of the samples in a range: the call, which argument the range is, and the range.
    Range(&'a Call, usize, &'a MatrixSelector),
}

/// What one mapping contributes.
struct Term<'a> {
    expansion: &'a Expansion,
    families: Vec<&'a str>,
    parts: Vec<Expr>,
    /// Whether it is a plain selector of the canonical name itself.
    native: bool,
}

/// The union of all expansions that have data.
pub(super) fn canonical(
    text: &Text<'_>,
    name: &str,
    node: &VectorSelector,
    ask: Ask<'_>,
    needs: &Needs,
) -> Result<Expr, Unsupported> {
    let expansions = text.catalog.expansions(name).unwrap_or_default();
    let nameless = |m: &&Matcher| m.name == METRIC_NAME;
    let fits = node.matchers.iter().filter(nameless).all(|matcher| matcher.matches(name));
    let mut known: Vec<&Expansion> =
        expansions.iter().filter(|one| fits && has_data(text, one)).collect();
    known.sort_by_key(|one| one.priority);
    let mut terms: Vec<Term<'_>> = Vec::new();
    for expansion in known {
        if expansion.asks_model && needs.label(MODEL) && text.facts.exists(MODEL_INFO) {
            let message = format!("{} takes its model from another series", expansion.metric);
            return Err(Unsupported::pullable(message));
        }
        let parts = parts(text, name, expansion, node, ask)?;
        let native = expansion.metric == name
            && matches!(ask, Ask::Value)
            && expansion.rename.is_empty()
            && expansion.constants.is_empty();
        if parts.is_empty() {
            continue;
        }
        match terms.last_mut() {
            Some(last) if alike(last.expansion, expansion) && !native && !last.native => {
                last.families.push(&expansion.metric);
                last.parts.extend(parts);
            }
            _ => {
                let families = vec![expansion.metric.as_str()];
                terms.push(Term { expansion, families, parts, native });
            }
        }
    }
    if terms.is_empty() {
        return Ok(nothing(name, &expansions, node, ask));
    }
    if name.ends_with("_bucket") && !needs.identity() && needs.label(EDGE) {
        same_edges(text, name, &terms)?;
    }
    let named = terms.iter().all(|term| term.native);
    let needs_of_terms = enough(&terms, needs);
    let mut united = Vec::new();
    for term in terms {
        let Some(raw) = union(term.parts) else { continue };
        let families = &term.families;
        let raw = match needs_of_terms.above.filter(|_| !needs_of_terms.identity()) {
            Some(op) => {
                aggregated(raw, op, term.expansion, families, (&needs_of_terms, text.facts))
            }
            None => raw,
        };
        united.push(relabel(raw, term.expansion, families, &needs_of_terms, text.facts)?);
    }
    let union = union(united).ok_or_else(|| Unsupported::new(format!("{name} has no term")))?;
    Ok(if needs.name && !named && keeps_name(ask) {
        set_label(union, METRIC_NAME, name)
    } else {
        union
    })
}

/// Whether there are series of the mapping's family and of all others that its value is made of.
fn has_data(text: &Text<'_>, expansion: &Expansion) -> bool {
    families_of(expansion).all(|family| text.facts.exists(family))
}

/// The mapping's family and all others that its value is made of.
fn families_of(expansion: &Expansion) -> impl Iterator<Item = &String> {
    let partners = expansion.value.iter().filter_map(|rule| match rule {
        ValueRule::Multiply(family)
        | ValueRule::Divide(family)
        | ValueRule::Plus(family)
        | ValueRule::Minus(family) => Some(family),
        ValueRule::Scale(_) | ValueRule::Invert | ValueRule::Label(_) => None,
    });
    std::iter::once(&expansion.metric).chain(partners)
}

/// Whether series of both have the same identity before relabelling when they have it afterwards,
/// and can be united before.
fn alike(a: &Expansion, b: &Expansion) -> bool {
    let plain =
        |one: &Expansion| one.bucket_scale == 1.0 && values::label_rules(&one.value).is_empty();
    a.rename == b.rename && a.constants == b.constants && plain(a) && plain(b)
}

/// Which labels must be made before the union. When a constant tells all terms apart, no two series
/// of different terms can be the same, and only what is looked at matters. Otherwise all do.
fn enough(terms: &[Term<'_>], needs: &Needs) -> Needs {
    if terms.len() <= 1 || needs.identity() {
        return needs.clone();
    }
    let Some(first) = terms.first() else { return needs.clone() };
    let value = |term: &Term<'_>, key: &str| {
        let mut constants = term.expansion.constants.iter();
        constants.find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let distinct = |key: &str| {
        let mut values: Vec<_> = terms.iter().map(|term| value(term, key)).collect();
        values.sort_unstable();
        let count = values.len();
        values.dedup();
        values.len() == count && !values.contains(&None)
    };
    let keys = first.expansion.constants.iter().map(|(name, _)| name.as_str());
    match keys.into_iter().find(|key| distinct(key)) {
        Some(key) => needs.and([key]),
        None => Needs::all().with_name(needs.name),
    }
}

/// Refuse to add up histograms with different bucket edges: what is added are single edges, and
/// which of them all histograms have is known only from the series themselves.
fn same_edges(text: &Text<'_>, name: &str, terms: &[Term<'_>]) -> Result<(), Unsupported> {
    let mut known: Option<BTreeSet<String>> = None;
    let families = terms.iter().flat_map(|term| {
        let scale = term.expansion.bucket_scale;
        term.families.iter().map(move |family| (*family, scale))
    });
    for (family, scale) in families {
        let edges = text.facts.edges(family).iter();
        let edges: BTreeSet<String> = edges.map(|edge| edge_text(edge, scale)).collect();
        match &known {
            // Still an open question.
            _ if edges.is_empty() => {}
            Some(known) if *known != edges => {
                let message = format!("the engines' buckets of {name} have different edges");
                return Err(Unsupported::pullable(message));
            }
            _ => known = Some(edges),
        }
    }
    Ok(())
}

fn keeps_name(ask: Ask<'_>) -> bool {
    match ask {
        Ask::Value => true,
        Ask::Timestamp(_) => false,
        Ask::Range(node, ..) => matches!(node.func.name, "last_over_time" | "first_over_time"),
    }
}

/// The alternatives of one expansion.
fn parts(
    text: &Text<'_>,
    name: &str,
    expansion: &Expansion,
    node: &VectorSelector,
    ask: Ask<'_>,
) -> Result<Vec<Expr>, Unsupported> {
    let mut parts = Vec::new();
    let labels = values::label_rules(&expansion.value);
    for matchers in select::translate(&node.matchers, expansion, text.facts)? {
        if labels.is_empty() {
            parts.push(part(text, name, expansion, (node, ask), (&matchers, &[]))?);
            continue;
        }
        let tuples = text.facts.tuples(&expansion.metric, &labels);
        let known: Vec<_> =
            tuples.iter().filter_map(|tuple| Some((tuple, values::numbers(tuple)?))).collect();
        if known.len() > TUPLES_MAX {
            let message = format!(
                "{} has more than {TUPLES_MAX} combinations of {}, which are read as numbers",
                expansion.metric,
                labels.join(" and ")
            );
            return Err(Unsupported::pullable(message));
        }
        for (tuple, factors) in known {
            let narrowed = [matchers.clone(), values::has_tuple(&labels, tuple)].concat();
            parts.push(part(text, name, expansion, (node, ask), (&narrowed, &factors))?);
        }
    }
    Ok(parts)
}

/// One selector of the source with all that is done to its values.
fn part(
    text: &Text<'_>,
    name: &str,
    expansion: &Expansion,
    (node, ask): (&VectorSelector, Ask<'_>),
    (matchers, factors): (&[Matcher], &[f64]),
) -> Result<Expr, Unsupported> {
    let select =
        |family: &str| VectorSelector { kind: node.kind, ..selector(family, matchers, &node.when) };
    let rules = &expansion.value;
    let real = |family: &str| values::real(text.catalog, &expansion.source, family);
    let at = |family: &str| values::only(Expr::Vector(Box::new(select(family))), &real(family));
    match ask {
        Ask::Value => Ok(values::at_one_moment(at(&expansion.metric), rules, factors, &at)),
        Ask::Timestamp(node) => {
            let own = call(node.func, vec![Expr::Vector(Box::new(select(&expansion.metric)))]);
            if rules.is_empty() && real(&expansion.metric).is_empty() {
                return Ok(own);
            }
            // The time of the sample where there is a canonical value at all.
            let value = values::at_one_moment(at(&expansion.metric), rules, factors, &at);
            Ok(binary(BinaryOp::And, own, value))
        }
        Ask::Range(node, at, range) => {
            if families_of(expansion).any(|family| !real(family).is_empty()) {
                let message = "some of whose values mean that there is none".to_owned();
                let error = Unsupported::pullable(message);
                return Err(error.within(node.func.name, name, &expansion.metric));
            }
            let apply = |family: &str| {
                let mut args = node.args.clone();
                let inner = MatrixSelector { selector: select(family), ..range.clone() };
                if let Some(arg) = args.get_mut(at) {
                    *arg = Expr::Matrix(Box::new(inner));
                }
                call(node.func, args)
            };
            let own = apply(&expansion.metric);
            if rules.is_empty() {
                return Ok(own);
            }
            let plain = range.selector.kind == RangeKind::Plain;
            let Some(nature) = Nature::of(node.func.name).filter(|_| plain) else {
                let message = format!("{}() over computed values", node.func.name);
                return Err(Unsupported::pullable(message));
            };
            values::over_a_range(own, nature, rules, factors, &apply)
                .map_err(|error| error.within(node.func.name, name, &expansion.metric))
        }
    }
}

/// A selector that matches nothing, because no source has the metric: the canonical name itself.
fn nothing(name: &str, expansions: &[Expansion], node: &VectorSelector, ask: Ask<'_>) -> Expr {
    let mut matchers: Vec<Matcher> =
        node.matchers.iter().filter(|m| m.name != METRIC_NAME).cloned().collect();
    let others = node.matchers.iter().filter(|m| m.name == METRIC_NAME && m.op != MatchOp::Equal);
    matchers.extend(others.cloned());
    let native = expansions.iter().find(|one| one.metric == name);
    matchers.extend(native.into_iter().flat_map(|one| one.matchers.iter().cloned()));
    let select = VectorSelector { kind: node.kind, ..selector(name, &matchers, &node.when) };
    match ask {
        Ask::Value => Expr::Vector(Box::new(select)),
        Ask::Timestamp(node) => call(node.func, vec![Expr::Vector(Box::new(select))]),
        Ask::Range(node, at, range) => {
            let mut args = node.args.clone();
            let inner = MatrixSelector { selector: select, ..range.clone() };
            if let Some(arg) = args.get_mut(at) {
                *arg = Expr::Matrix(Box::new(inner));
            }
            call(node.func, args)
        }
    }
}
