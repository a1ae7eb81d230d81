//! Pieces of syntax trees. Unions and arithmetic come in parentheses, so that they print right
//! wherever they stand.

use strata_model::{METRIC_NAME, Matcher};

use crate::promql::syntax::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, Function, Matching,
    NumberLiteral, RangeKind, Span, StringLiteral, ValueType, VectorSelector, When, function,
};

/// A label that no series has.
const NO_LABEL: &str = "strata_none";
/// The span of what stands in no text.
const NOWHERE: Span = Span { start: 0, end: 0 };

pub(super) fn number(value: f64) -> Expr {
    Expr::Number(NumberLiteral { value, duration: false, span: NOWHERE })
}

fn string(value: &str) -> Expr {
    let value = value.to_owned();
    Expr::String(StringLiteral { value, not_utf8: None, span: NOWHERE })
}

/// A selector of `family` with these further matchers.
pub(super) fn selector(family: &str, matchers: &[Matcher], when: &When) -> VectorSelector {
    let mut all: Vec<Matcher> = matchers.to_vec();
    all.push(Matcher::equal(METRIC_NAME, family));
    VectorSelector {
        name: family.to_owned(),
        matchers: all,
        when: when.clone(),
        kind: RangeKind::Plain,
        may_match_all: false,
        stats_only: false,
        span: NOWHERE,
    }
}

pub(super) fn call(func: &'static Function, args: Vec<Expr>) -> Expr {
    Expr::Call(Box::new(Call { func, args, span: NOWHERE }))
}

/// A call of a function that the language has for sure; `None` cannot happen but costs nothing.
pub(super) fn call_named(name: &str, args: Vec<Expr>) -> Option<Expr> {
    function(name).map(|func| call(func, args))
}

/// `(lhs op rhs)`.
pub(super) fn binary(op: BinaryOp, lhs: Expr, rhs: Expr) -> Expr {
    let set = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless);
    let vectors = [&lhs, &rhs].iter().all(|side| side.value_type() == ValueType::Vector);
    let matching = if set {
        Matching { cardinality: Cardinality::ManyToMany, ..Matching::default() }
    } else if vectors {
        explicit(Matching::default())
    } else {
        Matching::default()
    };
    let node = Binary { op, lhs, rhs, matching, return_bool: false };
    Expr::Paren(Box::new(Expr::Binary(Box::new(node))), NOWHERE)
}

/// The same matching, written out. Without a word about it VictoriaMetrics takes a vector of one series
/// without labels for a number, and matches it with everything.
pub(super) fn explicit(matching: Matching) -> Matching {
    if matching.on || !matching.labels.is_empty() {
        return matching;
    }
    Matching { labels: vec![NO_LABEL.to_owned()], ..matching }
}

/// The values times a constant; without the operation where it is 1.
pub(super) fn scaled(expr: Expr, factor: f64) -> Expr {
    if factor == 1.0 { expr } else { binary(BinaryOp::Mul, expr, number(factor)) }
}

/// `op by (grouping) (expr)`.
pub(super) fn aggregate(op: AggregateOp, grouping: Vec<String>, expr: Expr) -> Expr {
    let node = Aggregate { op, expr, param: None, grouping, without: false, span: NOWHERE };
    Expr::Aggregate(Box::new(node))
}

/// `label_replace(expr, to, replacement, from, pattern)`.
pub(super) fn label_replace(
    expr: Expr,
    to: &str,
    replacement: &str,
    from: &str,
    pattern: &str,
) -> Expr {
    let args = vec![expr, string(to), string(replacement), string(from), string(pattern)];
    call_named("label_replace", args).unwrap_or_else(|| number(f64::NAN))
}

/// Give every series the label, or take it away when `value` is empty.
pub(super) fn set_label(expr: Expr, name: &str, value: &str) -> Expr {
    // `$` introduces a group in a replacement.
    label_replace(expr, name, &value.replace('$', "$$"), "", "")
}

/// `label_join(expr, to, separator, sources..)`.
pub(super) fn label_join(expr: Expr, to: &str, separator: &str, sources: &[&str]) -> Expr {
    let mut args = vec![expr, string(to), string(separator)];
    args.extend(sources.iter().map(|source| string(source)));
    call_named("label_join", args).unwrap_or_else(|| number(f64::NAN))
}

/// All of them, the first that has a series winning.
pub(super) fn union(terms: Vec<Expr>) -> Option<Expr> {
    terms.into_iter().reduce(|all, next| binary(BinaryOp::Or, all, next))
}
