//! Types and rules that the grammar alone does not express.

use strata_model::METRIC_NAME;

use super::ast::{Aggregate, Binary, Call, Cardinality, Expr, Span, ValueType, VectorSelector};
use super::functions::Arity;
use super::literal::quote;
use super::parse::{Fault, Parsed};
use super::token::AggregateOp;

/// Check a tree; `text` is the query it came from.
pub(super) fn check(expr: &Expr, text: &str) -> Parsed<ValueType> {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(node) => check_selector(node)?,
        Expr::Matrix(node) => check_selector(&node.selector)?,
        Expr::Subquery(node) => {
            let inner = check(&node.expr, text)?;
            if inner != ValueType::Vector {
                let name = inner.name();
                let message =
                    format!("subquery is only allowed on instant vector, got {name} instead");
                return Err(Fault::new(expr.span(), message));
            }
        }
        Expr::Call(node) => check_call(node, text)?,
        Expr::Aggregate(node) => check_aggregate(node, text)?,
        Expr::Binary(node) => check_binary(node, text)?,
        Expr::Unary(node) => {
            let inner = check(&node.expr, text)?;
            if !matches!(inner, ValueType::Scalar | ValueType::Vector) {
                let message = format!(
                    "unary expression only allowed on expressions of type scalar or instant \
                     vector, got {}",
                    quote(inner.documented())
                );
                return Err(Fault::new(expr.span(), message));
            }
        }
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => {
            check(inner, text)?;
        }
    }
    Ok(expr.value_type())
}

fn expect(expr: &Expr, wanted: ValueType, context: &str, text: &str) -> Parsed<()> {
    let got = check(expr, text)?;
    if got == wanted {
        return Ok(());
    }
    let message =
        format!("expected type {} in {context}, got {}", wanted.documented(), got.documented());
    Err(Fault::new(expr.span(), message))
}

fn check_selector(node: &VectorSelector) -> Parsed<()> {
    if !node.name.is_empty() {
        let others = node.matchers.split_last().map_or(&[][..], |(_, others)| others);
        if let Some(other) = others.iter().find(|m| m.name == METRIC_NAME) {
            let message = format!(
                "metric name must not be set twice: {} or {}",
                quote(&node.name),
                quote(&other.value)
            );
            return Err(Fault::new(node.span, message));
        }
        return Ok(());
    }
    if !node.may_match_all && node.matchers.iter().all(strata_model::Matcher::matches_absent) {
        let message = "vector selector must contain at least one non-empty matcher";
        return Err(Fault::new(node.span, message));
    }
    Ok(())
}

fn check_aggregate(node: &Aggregate, text: &str) -> Parsed<()> {
    expect(&node.expr, ValueType::Vector, "aggregation expression", text)?;
    if let Some(param) = &node.param {
        let wanted =
            if node.op == AggregateOp::CountValues { ValueType::String } else { ValueType::Scalar };
        expect(param, wanted, "aggregation parameter", text)?;
    }
    Ok(())
}

fn check_call(node: &Call, text: &str) -> Parsed<()> {
    let (name, got) = (node.func.name, node.args.len());
    let listed = node.func.args.len();
    let fault = |message| Err(Fault::new(node.span, message));
    let quoted = quote(name);
    if node.func.arity == Arity::Fixed {
        if got != listed {
            return fault(format!("expected {listed} argument(s) in call to {quoted}, got {got}"));
        }
    } else {
        let least = listed - 1;
        if got < least {
            return fault(format!(
                "expected at least {least} argument(s) in call to {quoted}, got {got}"
            ));
        }
        if let Arity::UpTo(extra) = node.func.arity
            && got > least + extra
        {
            let most = least + extra;
            return fault(format!(
                "expected at most {most} argument(s) in call to {quoted}, got {got}"
            ));
        }
    }
    if name == "info"
        && let Some(labels) = node.args.get(1)
    {
        check_info_labels(labels)?;
    }
    let context = format!("call to function {quoted}");
    for (at, arg) in node.args.iter().enumerate() {
        if name == "info" && at == 1 {
            continue;
        }
        if let Some(wanted) = node.func.args.get(at.min(listed.saturating_sub(1))) {
            expect(arg, *wanted, &context, text)?;
        }
    }
    Ok(())
}

/// The second argument of `info` is a selector that only names labels.
fn check_info_labels(labels: &Expr) -> Parsed<()> {
    let got = labels.value_type();
    if got != ValueType::Vector {
        let message = format!(
            "expected type instant vector in call to function \"info\", got {}",
            got.documented()
        );
        return Err(Fault::new(labels.span(), message));
    }
    match labels {
        Expr::Vector(node) if node.name.is_empty() => Ok(()),
        Expr::Vector(_) => {
            let message = "expected label selectors only, got vector selector instead";
            Err(Fault::new(labels.span(), message))
        }
        _ => Err(Fault::new(labels.span(), "expected label selectors only")),
    }
}

fn check_binary(node: &Binary, text: &str) -> Parsed<()> {
    let lt = check(&node.lhs, text)?;
    let rt = check(&node.rhs, text)?;
    let scalars = lt == ValueType::Scalar && rt == ValueType::Scalar;
    if node.return_bool && !node.op.is_comparison() {
        let message = "bool modifier can only be used on comparison operators";
        return Err(Fault::new(operator_span(node, text), message));
    }
    if node.op.is_comparison() && !node.return_bool && scalars {
        let message = "comparisons between scalars must use BOOL modifier";
        return Err(Fault::new(operator_span(node, text), message));
    }
    let matching = &node.matching;
    if matching.on
        && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
    {
        let message =
            format!("label {} must not occur in ON and GROUP clause at once", quote(label));
        return Err(Fault::new(operator_span(node, text), message));
    }
    for (side, got) in [(&node.lhs, lt), (&node.rhs, rt)] {
        if !matches!(got, ValueType::Scalar | ValueType::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err(Fault::new(side.span(), message));
        }
    }
    check_matching(node, lt == ValueType::Vector && rt == ValueType::Vector)
}

fn check_matching(node: &Binary, vectors: bool) -> Parsed<()> {
    let matching = &node.matching;
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    let grouped = matches!(matching.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne);
    let op = quote(node.op.text());
    let message = if !vectors && !matching.labels.is_empty() {
        "vector matching only allowed between instant vectors".to_owned()
    } else if !vectors && fills {
        "filling in missing series only allowed between instant vectors".to_owned()
    } else if vectors && node.op.is_set() && grouped {
        format!("no grouping allowed for {op} operation")
    } else if vectors && node.op.is_set() && fills {
        "filling in missing series not allowed for set operators".to_owned()
    } else if !vectors && node.op.is_set() {
        format!("set operator {op} not allowed in binary scalar expression")
    } else {
        return Ok(());
    };
    Err(Fault::new(node.span(), message))
}

/// The text between the operands without the space around it.
fn operator_span(node: &Binary, text: &str) -> Span {
    let bytes = text.as_bytes();
    let space = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_whitespace);
    let mut start = node.lhs.span().end;
    while space(start) {
        start += 1;
    }
    let mut end = node.rhs.span().start;
    while end > start && space(end - 1) {
        end -= 1;
    }
    Span { start, end }
}
