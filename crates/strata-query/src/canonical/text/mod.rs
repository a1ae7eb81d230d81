//! Canonical names as PromQL text that other engines understand.
//!
//! A query over canonical names becomes one over the names that the sources gave: each selector the
//! union of the mappings that have data there, with scale, labels and value rules written as
//! arithmetic, `label_replace` and `or`. A function over a range is applied to each source's series
//! and the rest is done outside of it. Only what Prometheus 2.42, VictoriaMetrics 1.79, Mimir and
//! Thanos all read is written. What cannot be said in text is an error that names it.
//!
//! Two things differ from the embedded engine, where samples of several mappings are merged before
//! anything else: a metric that was renamed during a range gives the rate of one of its spellings,
//! and where one spelling is gone without a staleness marker it lasts for the lookback.

mod build;
mod facts;
mod needs;
mod relabel;
mod select;
mod terms;
#[cfg(test)]
mod tests;
mod values;
mod walk;

use strata_model::catalog::Catalog;
use strata_model::{METRIC_NAME, MatchOp, Matcher};

pub use facts::{Facts, Found, Want};

use crate::promql::syntax::{Expr, VectorSelector};
use needs::Needs;

/// Why a query cannot be written as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unsupported {
    pub message: String,
    /// Whether it can be computed from the samples themselves.
    pub pullable: bool,
}

impl Unsupported {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), pullable: false }
    }

    fn pullable(message: impl Into<String>) -> Self {
        Self { message: message.into(), pullable: true }
    }

    fn within(self, function: &str, name: &str, metric: &str) -> Self {
        let message = format!("{function}() of {name}, which is {metric}, {}", self.message);
        Self { message, ..self }
    }
}

/// Writes canonical names as text, with what is known of the data.
#[derive(Clone, Copy)]
struct Text<'a> {
    catalog: &'a Catalog,
    facts: &'a Facts,
}

/// The query over source names that means the same. When `facts` leave questions open
/// ([`Facts::take_wanted`]) the result is not final: look them up and call again.
///
/// # Errors
/// Something in it cannot be said in text.
pub fn rewrite(expr: &Expr, catalog: &Catalog, facts: &Facts) -> Result<Expr, Unsupported> {
    let text = Text { catalog, facts };
    text.expr(expr, &Needs::all())
}

/// The canonical name a selector asks for, if it does.
pub fn canonical_name<'m>(catalog: &Catalog, matchers: &'m [Matcher]) -> Option<&'m str> {
    let named = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal;
    let name = matchers.iter().find(named)?.value.as_str();
    catalog.by_prometheus_name(name).map(|_| name)
}

/// Whether any selector of the query asks for a canonical name.
pub fn asks_canonical(expr: &Expr, catalog: &Catalog) -> bool {
    let mut any = false;
    expr.walk(&mut |node| {
        let selector: Option<&VectorSelector> = match node {
            Expr::Vector(selector) => Some(selector),
            Expr::Matrix(matrix) => Some(&matrix.selector),
            _ => None,
        };
        any |= selector.is_some_and(|one| canonical_name(catalog, &one.matchers).is_some());
    });
    any
}
