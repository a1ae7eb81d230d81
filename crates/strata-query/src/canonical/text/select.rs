//! Canonical matchers in the words of one source, exactly: as alternatives that exclude each other.

use strata_model::catalog::{Expansion, ValueRule};
use strata_model::{METRIC_NAME, MatchOp, Matcher};

use super::Unsupported;
use super::facts::Facts;
use crate::canonical::labels::edge_text;

/// Alternatives one selector may become.
const ALTERNATIVES_MAX: usize = 16;

/// The source's matchers for these canonical ones: series match when they match all of any one set.
/// No set at all means that no series of the source can match.
pub(super) fn translate(
    matchers: &[Matcher],
    expansion: &Expansion,
    facts: &Facts,
) -> Result<Vec<Vec<Matcher>>, Unsupported> {
    let mut sets = vec![expansion.matchers.clone()];
    for matcher in matchers {
        let options = one(matcher, expansion, facts)?;
        sets = sets
            .iter()
            .flat_map(|set| options.iter().map(move |more| [&set[..], &more[..]].concat()))
            .collect();
        if sets.len() > ALTERNATIVES_MAX {
            let message = format!(
                "the conditions on {} become more than {ALTERNATIVES_MAX} selectors",
                expansion.metric
            );
            return Err(Unsupported::new(message));
        }
    }
    Ok(sets)
}

/// The alternatives of one condition; an empty alternative is no condition.
fn one(
    matcher: &Matcher,
    expansion: &Expansion,
    facts: &Facts,
) -> Result<Vec<Vec<Matcher>>, Unsupported> {
    let name = &matcher.name;
    if name == METRIC_NAME {
        // The one that names the metric holds; any other was checked by the caller.
        return Ok(vec![Vec::new()]);
    }
    if let Some((_, constant)) = expansion.constants.iter().find(|(label, _)| label == name) {
        return Ok(decided(matcher.matches(constant)));
    }
    let read = |rule: &ValueRule| matches!(rule, ValueRule::Label(label) if label == name);
    if expansion.value.iter().any(read) {
        return Ok(decided(matcher.matches_absent()));
    }
    if name == "le" && expansion.bucket_scale != 1.0 {
        return edges(matcher, expansion, facts);
    }
    let leads = |(_, to): &&(String, String)| to == name;
    if expansion.rename.iter().any(|pair| leads(&pair)) {
        let there = expansion.rename.iter().filter(leads);
        let there = there.filter(|(from, _)| facts.has_label(&expansion.metric, from));
        let sources: Vec<&str> = there.map(|(from, _)| from.as_str()).collect();
        return first_of(matcher, &sources);
    }
    if expansion.rename.iter().any(|(from, _)| from == name) {
        return Ok(decided(matcher.matches_absent()));
    }
    Ok(vec![vec![matcher.clone()]])
}

fn decided(holds: bool) -> Vec<Vec<Matcher>> {
    if holds { vec![Vec::new()] } else { Vec::new() }
}

/// A condition on the first of several labels that is there.
fn first_of(matcher: &Matcher, sources: &[&str]) -> Result<Vec<Vec<Matcher>>, Unsupported> {
    let on = |name: &str| {
        Matcher::new(matcher.op, name, matcher.value.clone())
            .map_err(|error| Unsupported::new(error.to_string()))
    };
    let present = |name: &str| Matcher::new(MatchOp::NotEqual, name, "");
    match sources {
        [] => return Ok(decided(matcher.matches_absent())),
        [only] => return Ok(vec![vec![on(only)?]]),
        _ => {}
    }
    let mut options = Vec::new();
    let mut absent = Vec::new();
    for source in sources {
        let mut set = absent.clone();
        set.push(present(source).map_err(|error| Unsupported::new(error.to_string()))?);
        set.push(on(source)?);
        options.push(set);
        absent.push(Matcher::equal(*source, ""));
    }
    if matcher.matches_absent() {
        options.push(absent);
    }
    Ok(options)
}

/// A condition on edges that are converted: the list of the source's edges that pass it.
fn edges(
    matcher: &Matcher,
    expansion: &Expansion,
    facts: &Facts,
) -> Result<Vec<Vec<Matcher>>, Unsupported> {
    let edges = facts.edges(&expansion.metric).iter();
    let passing = edges.filter(|edge| matcher.matches(&converted(edge, expansion.bucket_scale)));
    let list: Vec<String> = passing.map(|edge| regex::escape(edge)).collect();
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let list = Matcher::new(MatchOp::Regex, "le", list.join("|"));
    Ok(vec![vec![list.map_err(|error| Unsupported::new(error.to_string()))?]])
}

/// An edge in the canonical unit, written as the embedded engine writes it.
pub(super) fn converted(edge: &str, scale: f64) -> String {
    edge_text(edge, scale)
}
