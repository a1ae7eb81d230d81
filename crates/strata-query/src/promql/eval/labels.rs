//! `label_replace`, `label_join` and the order of `sort_by_label`.

use std::cmp::Ordering;

use regex::Regex;
use strata_model::METRIC_NAME;

use super::{Evaluator, Outcome, failed, finish, label_of, text_of};
use crate::promql::syntax::Call;
use crate::promql::value::{Row, Steps};

impl Evaluator<'_> {
    pub(super) fn label_replace(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let [template, source, pattern] = [2, 3, 4].map(|at| text_of(&node.args[at]));
        let regex = regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
            .size_limit(1 << 20)
            .build()
            .map_err(|_unhelpful| {
                failed(format_args!("invalid regular expression in label_replace(): {pattern}"))
            })?;
        let target = destination(node)?;
        let template = to_braced(template);
        let mut rows = self.rows(&node.args[0], steps)?;
        for row in &mut rows {
            let value = replaced(&regex, row.labels.get(source).unwrap_or(""), &template);
            if let Some(value) = value {
                set_label(row, target, &value);
            }
        }
        finish::merged(rows)
    }

    pub(super) fn label_join(&mut self, node: &Call, steps: Steps) -> Outcome<Vec<Row>> {
        let separator = text_of(&node.args[2]);
        let mut sources = Vec::new();
        for arg in node.args.iter().skip(3) {
            let bad = || {
                let name = text_of(arg);
                failed(format_args!("invalid source label name in label_join(): {name}"))
            };
            sources.push(label_of(arg).ok_or_else(bad)?);
        }
        let target = destination(node)?;
        let mut rows = self.rows(&node.args[0], steps)?;
        for row in &mut rows {
            let values: Vec<&str> =
                sources.iter().map(|source| row.labels.get(source).unwrap_or("")).collect();
            let value = values.join(separator);
            set_label(row, target, &value);
        }
        finish::merged(rows)
    }
}

/// The label a call writes to.
fn destination(node: &Call) -> Outcome<&str> {
    label_of(&node.args[1]).ok_or_else(|| {
        let (name, function) = (text_of(&node.args[1]), node.func.name);
        failed(format_args!("invalid destination label name in {function}(): {name}"))
    })
}

fn set_label(row: &mut Row, name: &str, value: &str) {
    row.labels = row.labels.to_builder().set(name, value).build();
    if name == METRIC_NAME {
        row.drop_name = false;
    }
}

fn replaced(regex: &Regex, value: &str, template: &str) -> Option<String> {
    let captures = regex.captures(value)?;
    let mut out = String::new();
    captures.expand(template, &mut out);
    Some(out)
}

/// Go takes the longest word after `$` as the name of a group as the regex crate does, but leaves
/// a `$` alone that no name follows; write such a one as `$$`.
fn to_braced(template: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '$' {
            continue;
        }
        match chars.peek() {
            Some('$') => {
                out.push('$');
                chars.next();
            }
            Some(next) if *next == '{' || *next == '_' || next.is_alphanumeric() => {}
            _ => out.push('$'),
        }
    }
    out
}

/// Order rows by the natural order of these labels, then by all labels.
pub(super) fn sort_by_labels(rows: &mut [Row], names: &[&str]) {
    rows.sort_by(|a, b| {
        for name in names {
            let (x, y) = (a.labels.get(name).unwrap_or(""), b.labels.get(name).unwrap_or(""));
            let order = natural(x, y);
            if order != Ordering::Equal {
                return order;
            }
        }
        a.labels.cmp(&b.labels)
    });
}

/// Runs of digits compare as numbers, everything else as bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (run_a, after_a) = digits(a);
            let (run_b, after_b) = digits(b);
            let order = compare_digits(run_a, run_b);
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (after_a, after_b);
        } else if x == y {
            (a, b) = (rest_a, rest_b);
        } else {
            return x.cmp(y);
        }
    }
    a.len().cmp(&b.len())
}

fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// By value, and of equal values the one with fewer leading zeros first.
fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let strip =
        |run: &'_ [u8]| -> usize { run.iter().position(|d| *d != b'0').unwrap_or(run.len()) };
    let (short_a, short_b) = (&a[strip(a)..], &b[strip(b)..]);
    short_a
        .len()
        .cmp(&short_b.len())
        .then_with(|| short_a.cmp(short_b))
        .then_with(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count() {
        let check = |a: &str, b: &str, expected| assert_eq!(natural(a, b), expected, "{a} {b}");
        check("gpu2", "gpu10", Ordering::Less);
        check("gpu10", "gpu10", Ordering::Equal);
        check("a", "b", Ordering::Less);
        check("1.9", "1.10", Ordering::Less);
        check("", "a", Ordering::Less);
        check("v01", "v1", Ordering::Greater);
    }
}
