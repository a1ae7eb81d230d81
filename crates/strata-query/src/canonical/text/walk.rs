//! The walk over a query: each node knows which of its labels matter to the node above.

use strata_model::{METRIC_NAME, MatchOp};

use super::build::{call_named, explicit, set_label, union};
use super::needs::Needs;
use super::terms::{Ask, canonical};
use super::{Text, Unsupported, asks_canonical, canonical_name};
use crate::promql::syntax::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Cardinality, Expr, MatrixSelector, Subquery,
    Unary, ValueType, VectorSelector, function,
};

/// Functions whose result has no name in Prometheus but keeps it in VictoriaMetrics, where it would be
/// the source's.
const NAME_KEPT_ELSEWHERE: &[&str] = &[
    "avg_over_time",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "double_exponential_smoothing",
    "floor",
    "max_over_time",
    "min_over_time",
    "predict_linear",
    "quantile_over_time",
    "round",
];

impl Text<'_> {
    pub(super) fn expr(&self, expr: &Expr, needs: &Needs) -> Result<Expr, Unsupported> {
        Ok(match expr {
            Expr::Number(_) | Expr::String(_) => expr.clone(),
            Expr::Vector(node) => match canonical_name(self.catalog, &node.matchers) {
                Some(name) => canonical(self, name, node, Ask::Value, needs)?,
                None => expr.clone(),
            },
            Expr::Matrix(node) => match canonical_name(self.catalog, &node.selector.matchers) {
                Some(name) => {
                    return Err(Unsupported::pullable(format!("the samples of {name} themselves")));
                }
                None => expr.clone(),
            },
            Expr::Subquery(node) => {
                let inner = self.expr(&node.expr, needs)?;
                Expr::Subquery(Box::new(Subquery { expr: inner, ..Subquery::clone(node) }))
            }
            Expr::Call(node) => self.call(node, needs)?,
            Expr::Aggregate(node) => self.aggregate(node, needs)?,
            Expr::Binary(node) => self.binary(node, needs)?,
            Expr::Unary(node) => {
                let inner = self.expr(&node.expr, &needs.with_name(needs.name && !node.negate))?;
                Expr::Unary(Box::new(Unary { expr: inner, ..Unary::clone(node) }))
            }
            Expr::Paren(inner, span) => Expr::Paren(Box::new(self.expr(inner, needs)?), *span),
            Expr::StepInvariant(inner) => Expr::StepInvariant(Box::new(self.expr(inner, needs)?)),
        })
    }

    fn call(&self, node: &Call, needs: &Needs) -> Result<Expr, Unsupported> {
        let result = self.call_inside(node, needs)?;
        let forgets = needs.name && NAME_KEPT_ELSEWHERE.contains(&node.func.name);
        Ok(if forgets && asks_canonical(&Expr::Call(Box::new(node.clone())), self.catalog) {
            set_label(result, METRIC_NAME, "")
        } else {
            result
        })
    }

    fn call_inside(&self, node: &Call, needs: &Needs) -> Result<Expr, Unsupported> {
        if let Some((at, range, name)) = self.canonical_range(node) {
            if node.func.name == "absent_over_time" {
                return self.absent_over_time(name, range);
            }
            let mut outer = node.clone();
            for (_, arg) in outer.args.iter_mut().enumerate().filter(|(index, _)| *index != at) {
                *arg = self.expr(arg, &Needs::all())?;
            }
            let ask = Ask::Range(&outer, at, range);
            return canonical(self, name, &range.selector, ask, needs);
        }
        if let Some((selector, name)) = self.canonical_argument(node) {
            match node.func.name {
                "timestamp" => {
                    return canonical(self, name, selector, Ask::Timestamp(node), needs);
                }
                "absent" => {
                    let inner = canonical(self, name, selector, Ask::Value, &Needs::all())?;
                    return Ok(absent(inner, selector));
                }
                "start_timestamp" => {
                    return Err(Unsupported::new(format!("start_timestamp() of {name}")));
                }
                _ => {}
            }
        }
        if node.func.name == "info" {
            self.check_info(node)?;
        }
        let below = below_function(node.func.name, needs);
        let mut args = Vec::new();
        for (index, arg) in node.args.iter().enumerate() {
            let info_selector = node.func.name == "info" && index == 1;
            args.push(if info_selector { arg.clone() } else { self.expr(arg, &below)? });
        }
        Ok(Expr::Call(Box::new(Call { args, ..node.clone() })))
    }

    /// The argument that is a range of a canonical name.
    fn canonical_range<'n>(&self, node: &'n Call) -> Option<(usize, &'n MatrixSelector, &'n str)> {
        node.args.iter().enumerate().find_map(|(at, arg)| match arg.unwrapped() {
            Expr::Matrix(range) => {
                let name = canonical_name(self.catalog, &range.selector.matchers)?;
                Some((at, &**range, name))
            }
            _ => None,
        })
    }

    /// The only argument, when it is a selector of a canonical name.
    fn canonical_argument<'n>(&self, node: &'n Call) -> Option<(&'n VectorSelector, &'n str)> {
        match node.args.first()?.unwrapped() {
            Expr::Vector(selector) => {
                Some((&**selector, canonical_name(self.catalog, &selector.matchers)?))
            }
            _ => None,
        }
    }

    fn check_info(&self, node: &Call) -> Result<(), Unsupported> {
        let Some(Expr::Vector(selector)) = node.args.get(1).map(Expr::unwrapped) else {
            return Ok(());
        };
        match canonical_name(self.catalog, &selector.matchers) {
            Some(name) => Err(Unsupported::new(format!("info() with the labels of {name}"))),
            None => Ok(()),
        }
    }

    fn absent_over_time(&self, name: &str, range: &MatrixSelector) -> Result<Expr, Unsupported> {
        let missing = || Unsupported::new("present_over_time() is no function");
        let present = function("present_over_time").ok_or_else(missing)?;
        let arg = Expr::Matrix(Box::new(range.clone()));
        let node = Call { func: present, args: vec![arg], span: range.selector.span };
        let ask = Ask::Range(&node, 0, range);
        let inner = canonical(self, name, &range.selector, ask, &Needs::all())?;
        Ok(absent(inner, &range.selector))
    }

    fn aggregate(&self, node: &Aggregate, needs: &Needs) -> Result<Expr, Unsupported> {
        let keeps_series = matches!(
            node.op,
            AggregateOp::Topk
                | AggregateOp::Bottomk
                | AggregateOp::Limitk
                | AggregateOp::LimitRatio
        );
        let below = if node.without {
            Needs::all().with_name(keeps_series && needs.name)
        } else if keeps_series {
            needs.and(node.grouping.iter().map(String::as_str))
        } else if twice(node.op) && self.is_selection(&node.expr) {
            Needs::only(&node.grouping).below(node.op)
        } else {
            Needs::only(&node.grouping)
        };
        let expr = self.expr(&node.expr, &below)?;
        let param = match &node.param {
            Some(param) => Some(self.expr(param, &Needs::all())?),
            None => None,
        };
        Ok(Expr::Aggregate(Box::new(Aggregate { expr, param, ..node.clone() })))
    }

    /// Whether this is a canonical selector, by itself or in a function over a range.
    fn is_selection(&self, expr: &Expr) -> bool {
        match expr.unwrapped() {
            Expr::Vector(node) => canonical_name(self.catalog, &node.matchers).is_some(),
            Expr::Call(node) => {
                node.func.name != "absent_over_time" && self.canonical_range(node).is_some()
            }
            _ => false,
        }
    }

    fn binary(&self, node: &Binary, needs: &Needs) -> Result<Expr, Unsupported> {
        let comparison = matches!(
            node.op,
            BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Greater
                | BinaryOp::Less
                | BinaryOp::GreaterEqual
                | BinaryOp::LessEqual
        ) && !node.return_bool;
        let set = matches!(node.op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless);
        let mentioned = node.matching.labels.iter().chain(&node.matching.include);
        let named = (needs.name && (comparison || set))
            || mentioned.clone().any(|label| label == METRIC_NAME);
        let vector = |expr: &Expr| expr.value_type() == ValueType::Vector;
        let vectors = vector(&node.lhs) && vector(&node.rhs);
        let below = if vectors {
            if !set && node.matching.on && node.matching.cardinality == Cardinality::OneToOne {
                // The result has these labels and no others.
                Needs::only(&node.matching.labels).with_name(named)
            } else {
                Needs::all().with_name(named)
            }
        } else {
            needs.with_name(named)
        };
        let lhs = self.expr(&node.lhs, &below)?;
        let rhs = self.expr(&node.rhs, &below)?;
        let matching =
            if vectors && !set { explicit(node.matching.clone()) } else { node.matching.clone() };
        Ok(Expr::Binary(Box::new(Binary { lhs, rhs, matching, ..node.clone() })))
    }
}

/// Whether the aggregation of aggregates is the aggregation.
fn twice(op: AggregateOp) -> bool {
    matches!(op, AggregateOp::Sum | AggregateOp::Min | AggregateOp::Max | AggregateOp::Group)
}

/// What a function's argument needs, given what its result needs.
fn below_function(name: &str, needs: &Needs) -> Needs {
    match name {
        "label_replace" | "label_join" | "info" | "sort_by_label" | "sort_by_label_desc"
        | "scalar" | "absent" | "absent_over_time" => Needs::all(),
        "sort" | "sort_desc" | "last_over_time" | "first_over_time" => needs.clone(),
        "histogram_quantile" | "histogram_fraction" | "histogram_quantiles" => {
            needs.with_name(false).and(["le"])
        }
        _ => needs.with_name(false),
    }
}

/// `absent` of a union, with the labels it has over a plain selector: those of its equalities,
/// unless a label is asked about twice.
fn absent(inner: Expr, selector: &VectorSelector) -> Expr {
    // A union is no selector, so that the engine gives no labels of its own.
    let wrapped = match inner {
        Expr::Vector(_) => union(vec![inner.clone(), inner]),
        other => Some(other),
    };
    let args: Vec<Expr> = wrapped.into_iter().collect();
    let Some(mut expr) = call_named("absent", args) else { return super::build::number(f64::NAN) };
    let matchers = selector.matchers.iter().filter(|m| m.name != METRIC_NAME);
    for matcher in matchers.clone() {
        let times = matchers.clone().filter(|other| other.name == matcher.name).count();
        if matcher.op == MatchOp::Equal && times == 1 && !matcher.value.is_empty() {
            expr = set_label(expr, &matcher.name, &matcher.value);
        }
    }
    expr
}
