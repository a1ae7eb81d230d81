//! Label functions around a whole query, done here: once for each series of the answer. A Prometheus
//! before 2.51 does them again at each step, which took a minute for 10,000 GPUs.

use std::collections::BTreeMap;

use regex::Regex;
use strata_model::Labels;

use crate::engine::{AnswerSeries, QueryError, QueryErrorKind, QueryValue, Value};
use crate::promql::syntax::{Call, Expr};

/// What is done to the labels of each series.
#[derive(Debug)]
pub(super) struct Step {
    to: String,
    from: Vec<String>,
    change: Change,
}

#[derive(Debug)]
enum Change {
    /// The values of the sources with this between them.
    Join(String),
    /// The value of the source, and none when it has none.
    Copy,
    /// This text, whatever there is.
    Set(String),
    /// This text, or the first group, where the source matches.
    Replace(Regex, Option<String>),
}

/// The query without the label functions around it, and those, in the order to do them in.
pub(super) fn peel(expr: Expr) -> (Expr, Vec<Step>) {
    let mut inner = expr;
    let mut steps = Vec::new();
    loop {
        let next = match inner.unwrapped() {
            Expr::Call(call) => step(call).zip(call.args.first().cloned()),
            _ => None,
        };
        let Some((step, below)) = next else { break };
        steps.push(step);
        inner = below;
    }
    steps.reverse();
    (inner, steps)
}

/// A call as a step, when it is one that can be done here.
fn step(call: &Call) -> Option<Step> {
    let texts: Option<Vec<&str>> = call.args.iter().skip(1).map(text).collect();
    let texts = texts?;
    let (to, change, from) = match (call.func.name, texts.as_slice()) {
        ("label_join", [to, separator, from @ ..]) => {
            (to, Change::Join((*separator).to_owned()), from.to_vec())
        }
        ("label_replace", [to, "$1", from, "(?s)(.*)"]) => (to, Change::Copy, vec![*from]),
        ("label_replace", [to, replacement, "", ""]) => {
            (to, Change::Set(literal(replacement)??), Vec::new())
        }
        ("label_replace", [to, replacement, from, pattern]) => {
            let pattern = Regex::new(&format!("^(?s:{pattern})$")).ok()?;
            (to, Change::Replace(pattern, literal(replacement)?), vec![*from])
        }
        _ => return None,
    };
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid = to.starts_with(|c: char| name(c) && !c.is_ascii_digit()) && to.chars().all(name);
    let from = from.into_iter().map(str::to_owned).collect();
    valid.then(|| Step { to: (*to).to_owned(), from, change })
}

/// A replacement without groups, or none for the first group; other groups cannot be done here.
#[expect(clippy::option_option, reason = "refused, the first group, a text: three things")]
fn literal(replacement: &str) -> Option<Option<String>> {
    if replacement == "$1" {
        return Some(None);
    }
    let plain = replacement.replace("$$", "");
    (!plain.contains('$')).then(|| Some(replacement.replace("$$", "$")))
}

fn text(expr: &Expr) -> Option<&str> {
    match expr.unwrapped() {
        Expr::String(node) if node.not_utf8.is_none() => Some(&node.value),
        _ => None,
    }
}

impl Step {
    fn apply(&self, labels: &mut BTreeMap<String, String>) {
        let value = |name: &String| labels.get(name).map_or("", String::as_str);
        let source = || self.from.first().map_or("", value);
        let new = match &self.change {
            Change::Copy => source().to_owned(),
            Change::Set(text) => text.clone(),
            Change::Join(separator) => {
                self.from.iter().map(value).collect::<Vec<_>>().join(separator)
            }
            Change::Replace(pattern, text) => {
                let Some(found) = pattern.captures(source()) else { return };
                let group = || found.get(1).map_or("", |group| group.as_str()).to_owned();
                text.clone().unwrap_or_else(group)
            }
        };
        if new.is_empty() {
            labels.remove(&self.to);
        } else {
            labels.insert(self.to.clone(), new);
        }
    }
}

/// The labels after all steps.
fn changed(steps: &[Step], labels: &Labels) -> Labels {
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut pairs: BTreeMap<String, String> = pairs.collect();
    for step in steps {
        step.apply(&mut pairs);
    }
    Labels::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Do the steps to an answer.
///
/// # Errors
/// Two series have the same labels afterwards, at the same time.
pub(super) fn apply(steps: &[Step], value: QueryValue) -> Result<QueryValue, QueryError> {
    if steps.is_empty() {
        return Ok(value);
    }
    Ok(match value {
        QueryValue::Vector(series) => QueryValue::Vector(relabelled(steps, series)?),
        QueryValue::Matrix(series) => QueryValue::Matrix(relabelled(steps, series)?),
        other => other,
    })
}

fn relabelled(steps: &[Step], series: Vec<AnswerSeries>) -> Result<Vec<AnswerSeries>, QueryError> {
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut out: Vec<AnswerSeries> = Vec::with_capacity(series.len());
    for one in series {
        let labels = changed(steps, &one.labels);
        match places.get(&labels).and_then(|at| out.get_mut(*at)) {
            None => {
                places.insert(labels.clone(), out.len());
                out.push(AnswerSeries { labels, points: one.points });
            }
            Some(other) => merge(&mut other.points, one.points)?,
        }
    }
    Ok(out)
}

/// One series after the other, or in its gaps; never two values at one time.
fn merge(into: &mut Vec<(i64, Value)>, more: Vec<(i64, Value)>) -> Result<(), QueryError> {
    into.extend(more);
    into.sort_by_key(|(at, _)| *at);
    if into.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        let message = "vector cannot contain metrics with the same labelset";
        return Err(QueryError::new(QueryErrorKind::Execution, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::syntax::parse;

    fn series(pairs: &[(&str, &str)], at: i64) -> AnswerSeries {
        let labels = Labels::from_pairs(pairs.iter().copied());
        AnswerSeries { labels, points: vec![(at, Value::Float(1.0))] }
    }

    #[test]
    fn label_functions_around_a_query_are_done_here() {
        let text = "label_replace(label_replace(label_join(x, \"j\", \"-\", \"a\", \"b\"), \
                    \"c\", \"$1\", \"j\", \"(.*)-.*\"), \"__name__\", \"n\", \"\", \"\")";
        let (inner, steps) = peel(parse(text).unwrap());
        assert_eq!(inner.to_string(), "x");
        let answer =
            QueryValue::Vector(vec![series(&[("__name__", "x"), ("a", "1"), ("b", "2")], 0)]);
        let QueryValue::Vector(done) = apply(&steps, answer).unwrap() else { panic!("no vector") };
        assert_eq!(done[0].labels.to_string(), "n{a=\"1\",b=\"2\",c=\"1\",j=\"1-2\"}");
    }

    #[test]
    fn what_cannot_be_done_here_stays() {
        let check = |text: &str| {
            let (inner, steps) = peel(parse(text).unwrap());
            assert_eq!((inner.to_string(), steps.len()), (text.to_owned(), 0));
        };
        check("label_replace(x, \"a\", \"$1-$2\", \"b\", \"(.)(.)\")");
        check("sum(label_replace(x, \"a\", \"b\", \"\", \"\"))");
        check("x");
    }

    #[test]
    fn two_series_may_follow_each_other_but_not_collide() {
        let (_, steps) = peel(parse("label_replace(x, \"a\", \"\", \"\", \"\")").unwrap());
        let two = |first: i64, second: i64| {
            let series = vec![series(&[("a", "1")], first), series(&[("a", "2")], second)];
            apply(&steps, QueryValue::Matrix(series))
        };
        let QueryValue::Matrix(one) = two(2, 1).unwrap() else { panic!("no matrix") };
        assert_eq!(one[0].points.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(two(1, 1).unwrap_err().kind, QueryErrorKind::Execution);
    }
}
