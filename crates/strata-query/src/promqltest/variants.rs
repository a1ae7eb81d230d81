//! The same query with every selector pinned in time, which must give the same at any time.

use crate::promql::follows_time;
use crate::promql::syntax::{AtModifier, Expr, When, parse};

/// The pinned query and the times to evaluate it at; nothing where pinning changes the meaning.
pub(super) fn pinned(text: &str, at: i64) -> Vec<(String, i64)> {
    let Ok(mut expr) = parse(text) else { return Vec::new() };
    let mut varies = false;
    expr.walk(&mut |node| {
        if let Expr::Call(call) = node {
            varies |= follows_time(call.func.name);
        }
    });
    if varies {
        return Vec::new();
    }
    pin(&mut expr, at);
    let text = expr.to_string();
    let times = if at == 0 { vec![-1000, 0, 1000] } else { vec![-10 * at, 0, at / 5, at, 10 * at] };
    times.into_iter().map(|time| (text.clone(), time)).collect()
}

fn pin(expr: &mut Expr, at: i64) {
    let set = |when: &mut When| {
        when.at.get_or_insert(AtModifier::Time(at));
    };
    match expr {
        Expr::Vector(node) => set(&mut node.when),
        Expr::Matrix(node) => set(&mut node.selector.when),
        // What is inside a pinned subquery is pinned with it.
        Expr::Subquery(node) => set(&mut node.when),
        Expr::Call(node) => node.args.iter_mut().for_each(|arg| pin(arg, at)),
        Expr::Aggregate(node) => {
            pin(&mut node.expr, at);
            if let Some(param) = &mut node.param {
                pin(param, at);
            }
        }
        Expr::Binary(node) => {
            pin(&mut node.lhs, at);
            pin(&mut node.rhs, at);
        }
        Expr::Unary(node) => pin(&mut node.expr, at),
        Expr::Paren(inner, _) | Expr::StepInvariant(inner) => pin(inner, at),
        Expr::Number(_) | Expr::String(_) => {}
    }
}
