//! Which labels of a value matter to what stands around it, so that text need not make the others.

use std::collections::BTreeSet;

use strata_model::METRIC_NAME;

use crate::promql::syntax::AggregateOp;

/// The labels that the reader of an expression looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    /// `None` means all: the label set is the identity of the series.
    labels: Option<BTreeSet<String>>,
    /// Whether the metric's name can be seen.
    pub(super) name: bool,
    /// The aggregation right above, when it may be done in two steps.
    pub(super) above: Option<AggregateOp>,
}

impl Needs {
    /// Everything, as at the top of a query.
    pub(super) fn all() -> Self {
        Self { labels: None, name: true, above: None }
    }

    /// Only these: an aggregation keeps no others.
    pub(super) fn only<'a>(labels: impl IntoIterator<Item = &'a String>) -> Self {
        let labels: BTreeSet<String> = labels.into_iter().cloned().collect();
        let name = labels.contains(METRIC_NAME);
        Self { labels: Some(labels), name, above: None }
    }

    /// The same labels, and whether the name matters.
    pub(super) fn with_name(&self, name: bool) -> Self {
        Self { labels: self.labels.clone(), name, above: None }
    }

    /// These labels too.
    pub(super) fn and<'a>(&self, more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut labels = self.labels.clone();
        if let Some(labels) = &mut labels {
            labels.extend(more.into_iter().map(str::to_owned));
        }
        Self { labels, name: self.name, above: self.above }
    }

    /// The same below an aggregation that gives the same when it is done twice.
    pub(super) fn below(self, above: AggregateOp) -> Self {
        Self { above: Some(above), ..self }
    }

    /// Whether the label set as a whole matters.
    pub(super) fn identity(&self) -> bool {
        self.labels.is_none()
    }

    /// The labels that matter; none when all do.
    pub(super) fn only_labels(&self) -> Option<&BTreeSet<String>> {
        self.labels.as_ref()
    }

    /// Whether this label matters.
    pub(super) fn label(&self, name: &str) -> bool {
        self.labels.as_ref().is_none_or(|labels| labels.contains(name))
    }
}
