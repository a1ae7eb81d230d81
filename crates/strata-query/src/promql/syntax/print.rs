//! The canonical print of a tree, in one line or split over several.

use std::fmt;

use strata_model::METRIC_NAME;
use strata_model::histogram::format_number;
use strata_model::selector::MatchOp;

use super::ast::{
    Aggregate, AtModifier, Binary, Cardinality, DurationExpr, DurationOp, Expr, RangeKind,
    VectorSelector, When,
};
use super::duration::format_duration_ms;
use super::literal::{format_float, quote};

/// Nodes that print longer than this are split over lines.
const LINE: usize = 100;

/// The query laid out as `/api/v1/format_query` does.
pub fn pretty(expr: &Expr) -> String {
    Pretty(expr, 0).text()
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(node) if node.duration => {
                f.write_str(&format_duration_ms((node.value * 1000.0).round() as i64))
            }
            Self::Number(node) => f.write_str(&format_float(node.value)),
            Self::String(node) => match &node.not_utf8 {
                Some(quoted) => f.write_str(quoted),
                None => f.write_str(&quote(&node.value)),
            },
            Self::Vector(node) => write_selector(f, node, true),
            Self::Matrix(node) => {
                write_selector(f, &node.selector, false)?;
                write!(f, "[{}]", length(node.range_ms, node.range_expr.as_ref()))?;
                f.write_str(kind_text(node.selector.kind))?;
                write_when(f, &node.selector.when)
            }
            Self::Subquery(node) => {
                write!(f, "{}", node.expr)?;
                write_subquery_suffix(f, node)
            }
            Self::Call(node) => {
                write!(f, "{}(", node.func.name)?;
                for (at, arg) in node.args.iter().enumerate() {
                    write!(f, "{}{arg}", if at == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Aggregate(node) => {
                write!(f, "{}(", aggregate_head(node))?;
                if let Some(param) = &node.param {
                    write!(f, "{param}, ")?;
                }
                write!(f, "{})", node.expr)
            }
            Self::Binary(node) => write!(f, "{} {} {}", node.lhs, operator(node), node.rhs),
            Self::Unary(node) => write!(f, "{}{}", if node.negate { "-" } else { "+" }, node.expr),
            Self::Paren(inner, _) => write!(f, "({inner})"),
            Self::StepInvariant(inner) => write!(f, "{inner}"),
        }
    }
}

fn write_subquery_suffix(f: &mut impl fmt::Write, node: &super::ast::Subquery) -> fmt::Result {
    let range = length(node.range_ms, node.range_expr.as_ref());
    let step = match (node.step_ms, &node.step_expr) {
        (0, None) => String::new(),
        (ms, expr) => length(ms, expr.as_ref()),
    };
    write!(f, "[{range}:{step}]")?;
    write_when(f, &node.when)
}

fn length(ms: i64, expr: Option<&DurationExpr>) -> String {
    expr.map_or_else(|| format_duration_ms(ms), ToString::to_string)
}

fn kind_text(kind: RangeKind) -> &'static str {
    match kind {
        RangeKind::Plain => "",
        RangeKind::Anchored => " anchored",
        RangeKind::Smoothed => " smoothed",
    }
}

fn write_at(f: &mut impl fmt::Write, when: &When) -> fmt::Result {
    match when.at {
        Some(AtModifier::Time(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0),
        Some(AtModifier::Start) => f.write_str(" @ start()"),
        Some(AtModifier::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(f: &mut impl fmt::Write, when: &When) -> fmt::Result {
    match &when.offset_expr {
        Some(expr) => write!(f, " offset {expr}"),
        None if when.offset_ms != 0 => {
            write!(f, " offset {}", format_duration_ms(when.offset_ms))
        }
        None => Ok(()),
    }
}

fn write_when(f: &mut impl fmt::Write, when: &When) -> fmt::Result {
    write_at(f, when)?;
    write_offset(f, when)
}

fn write_selector(
    f: &mut fmt::Formatter<'_>,
    node: &VectorSelector,
    modifiers: bool,
) -> fmt::Result {
    let mut parts: Vec<String> = node
        .matchers
        .iter()
        .filter(|m| {
            let is_name = m.name == METRIC_NAME && m.op == MatchOp::Equal && m.value == node.name;
            !is_name || m.value.is_empty()
        })
        .map(|m| {
            let op = match m.op {
                MatchOp::Equal => "=",
                MatchOp::NotEqual => "!=",
                MatchOp::Regex => "=~",
                MatchOp::NotRegex => "!~",
            };
            format!("{}{op}{}", label(&m.name), quote(&m.value))
        })
        .collect();
    parts.sort_unstable();
    f.write_str(&node.name)?;
    if !parts.is_empty() {
        write!(f, "{{{}}}", parts.join(","))?;
    }
    if modifiers {
        write_at(f, &node.when)?;
        f.write_str(kind_text(node.kind))?;
        write_offset(f, &node.when)?;
    }
    Ok(())
}

/// A label's name, quoted where it is not an identifier.
fn label(name: &str) -> String {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        name.to_owned()
    } else {
        quote(name)
    }
}

fn labels(names: &[String]) -> String {
    names.iter().map(|name| label(name)).collect::<Vec<_>>().join(", ")
}

fn aggregate_head(node: &Aggregate) -> String {
    let op = node.op.text();
    let names = labels(&node.grouping);
    if node.without {
        format!("{op} without ({names}) ")
    } else if node.grouping.is_empty() {
        op.to_owned()
    } else {
        format!("{op} by ({names}) ")
    }
}

fn operator(node: &Binary) -> String {
    let matching = &node.matching;
    let mut out = node.op.text().to_owned();
    if node.return_bool {
        out += " bool";
    }
    let group = match matching.cardinality {
        Cardinality::ManyToOne => " group_left",
        Cardinality::OneToMany => " group_right",
        _ => "",
    };
    if !matching.labels.is_empty() || matching.on || !group.is_empty() {
        out += if matching.on { " on (" } else { " ignoring (" };
        out += &labels(&matching.labels);
        out += ")";
    }
    if !group.is_empty() {
        out += group;
        out += " (";
        out += &labels(&matching.include);
        out += ")";
    }
    let mut fill = |name: &str, value: f64| {
        out += name;
        out += &format_number(value);
        out += ")";
    };
    match (matching.fill_left, matching.fill_right) {
        (Some(left), Some(right)) if left == right => fill(" fill (", left),
        (left, right) => {
            if let Some(left) = left {
                fill(" fill_left (", left);
            }
            if let Some(right) = right {
                fill(" fill_right (", right);
            }
        }
    }
    out
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(node) => write!(f, "{}", Expr::Number(node.clone())),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::Unary { negate, inner, .. } => {
                write!(f, "{}{inner}", if *negate { "-" } else { "" })
            }
            Self::Paren(inner, _) => write!(f, "({inner})"),
            Self::Binary { op, lhs, rhs, .. } => {
                let sign = match op {
                    DurationOp::Add => "+",
                    DurationOp::Sub => "-",
                    DurationOp::Mul => "*",
                    DurationOp::Div => "/",
                    DurationOp::Mod => "%",
                    DurationOp::Pow => "^",
                    DurationOp::MinOf => return write!(f, "min_of({lhs}, {rhs})"),
                    DurationOp::MaxOf => return write!(f, "max_of({lhs}, {rhs})"),
                };
                write!(f, "{lhs} {sign} {rhs}")
            }
        }
    }
}

/// A node to lay out, and how deep it is indented.
struct Pretty<'a>(&'a Expr, usize);

impl Pretty<'_> {
    fn text(&self) -> String {
        let Self(expr, level) = *self;
        let indent = "  ".repeat(level);
        let flat = expr.to_string();
        if flat.len() <= LINE && !matches!(expr, Expr::Unary(_)) {
            let bare = matches!(expr, Expr::Subquery(_));
            return if bare { flat } else { indent + &flat };
        }
        let below = |child: &Expr| Pretty(child, level + 1).text();
        match expr {
            Expr::Aggregate(node) => {
                let param =
                    node.param.as_ref().map_or(String::new(), |p| format!("{},\n", below(p)));
                let head = aggregate_head(node);
                format!("{indent}{head}(\n{param}{}\n{indent})", below(&node.expr))
            }
            Expr::Binary(node) => {
                let (lhs, rhs) = (below(&node.lhs), below(&node.rhs));
                format!("{lhs}\n{indent}{}\n{rhs}", operator(node))
            }
            Expr::Call(node) => {
                let args: Vec<String> = node.args.iter().map(below).collect();
                format!("{indent}{}(\n{}\n{indent})", node.func.name, args.join(",\n"))
            }
            Expr::Paren(inner, _) => format!("{indent}(\n{}\n{indent})", below(inner)),
            Expr::Subquery(node) => {
                let mut out = Pretty(&node.expr, level).text();
                // Writing to a String cannot fail.
                let _infallible = write_subquery_suffix(&mut out, node);
                out
            }
            Expr::Unary(node) => {
                let child = Pretty(&node.expr, level).text();
                format!("{indent}{}{}", if node.negate { "-" } else { "+" }, child.trim())
            }
            Expr::StepInvariant(inner) => Pretty(inner, level).text(),
            _ => indent + &flat,
        }
    }
}
