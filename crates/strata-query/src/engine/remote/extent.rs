//! From when to when a query looks at samples.

use crate::promql::syntax::{AtModifier, Expr, VectorSelector, When};

/// The first and the last time of samples that the query, evaluated between two times, may look at.
pub(super) fn extent(expr: &Expr, span: (i64, i64), lookback_ms: i64) -> (i64, i64) {
    let mut widest = span;
    widen(expr, span, lookback_ms, &mut widest);
    widest
}

fn widen(expr: &Expr, span: (i64, i64), lookback_ms: i64, widest: &mut (i64, i64)) {
    let mut below = |expr: &Expr| widen(expr, span, lookback_ms, widest);
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(node) => enter(node, span, lookback_ms, widest),
        Expr::Matrix(node) => enter(&node.selector, span, node.range_ms, widest),
        Expr::Subquery(node) => {
            let (start, end) = moved(&node.when, span);
            let inner = (start.saturating_sub(node.range_ms), end);
            widen(&node.expr, inner, lookback_ms, widest);
        }
        Expr::Call(node) => node.args.iter().for_each(below),
        Expr::Aggregate(node) => {
            below(&node.expr);
            node.param.iter().for_each(below);
        }
        Expr::Binary(node) => {
            below(&node.lhs);
            below(&node.rhs);
        }
        Expr::Unary(node) => below(&node.expr),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => below(inner),
    }
}

fn enter(node: &VectorSelector, span: (i64, i64), back_ms: i64, widest: &mut (i64, i64)) {
    let (start, end) = moved(&node.when, span);
    widest.0 = widest.0.min(start.saturating_sub(back_ms));
    widest.1 = widest.1.max(end);
}

fn moved(when: &When, (start, end): (i64, i64)) -> (i64, i64) {
    let (start, end) = match when.at {
        Some(AtModifier::Time(at)) => (at, at),
        Some(AtModifier::Start | AtModifier::End) | None => (start, end),
    };
    (start.saturating_sub(when.offset_ms), end.saturating_sub(when.offset_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::syntax::parse;

    #[test]
    fn ranges_offsets_and_fixed_times_count() {
        let check = |text: &str, expected: (i64, i64)| {
            assert_eq!(
                extent(&parse(text).unwrap(), (100_000, 200_000), 5_000),
                expected,
                "{text}"
            );
        };
        check("1", (100_000, 200_000));
        check("up", (95_000, 200_000));
        check("rate(up[1m])", (40_000, 200_000));
        check("rate(up[10s] offset 30s)", (60_000, 200_000));
        check("up offset -1m", (100_000, 260_000));
        check("max_over_time(rate(up[10s])[50s:10s])", (40_000, 200_000));
        check("up @ 10", (5_000, 200_000));
        check("sum(up) / sum(rate(up[20s] @ 300))", (95_000, 300_000));
    }
}
