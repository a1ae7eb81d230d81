//! Adding up classic histograms whose buckets end at different edges.
//!
//! Where one histogram has an edge and another has not, the sum at that edge lacks the other's
//! observations: it is less than the sum at the edge before, and a quantile over it is wrong. So where
//! an aggregation keeps `le`, the histograms that it adds up keep the edges that all of them have, as
//! Prometheus does with custom buckets of native histograms. Every count that is left was counted;
//! none is made up. A quantile is then as coarse as the common edges, and NaN when only `+Inf` is
//! common.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::{Grouping, Labels, METRIC_NAME, Series};

use super::labels::{EDGE, edge_text};
use crate::projected::{Counting, Order, Projections, project};

/// The edges of one histogram, in their canonical spelling.
type Edges = BTreeSet<String>;

/// What has labels: a series, or the labels alone before its samples are read.
pub(super) trait Labelled {
    fn labels(&self) -> &Labels;
}

impl Labelled for Series {
    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Labelled for Labels {
    fn labels(&self) -> &Labels {
        self
    }
}

/// Leave out the buckets at edges that not all histograms of a sum have. Says whether any had to go.
pub(super) fn reconcile<T: Labelled>(
    series: &mut Vec<T>,
    sums: &[Grouping],
    memo: &Projections,
) -> bool {
    if sums.is_empty() || !sums.iter().all(|sum| sum.keeps(EDGE)) || are_alike(series, memo) {
        return false;
    }
    let mut histograms: BTreeMap<Labels, Edges> = BTreeMap::new();
    for one in series.iter().map(Labelled::labels) {
        if let Some(edge) = one.get(EDGE) {
            let histogram = one.filtered(|name| name != EDGE);
            histograms.entry(histogram).or_default().insert(edge_text(edge, 1.0));
        }
    }
    let kept = |name: &str| name != EDGE && sums.iter().all(|sum| sum.keeps(name));
    let group_of = |labels: &Labels| labels.filtered(|name| name != METRIC_NAME && kept(name));
    let mut common: BTreeMap<Labels, (Edges, bool)> = BTreeMap::new();
    for (labels, edges) in histograms {
        match common.get_mut(&group_of(&labels)) {
            None => {
                common.insert(group_of(&labels), (edges, false));
            }
            Some((shared, differ)) if *shared != edges => {
                shared.retain(|edge| edges.contains(edge));
                *differ = true;
            }
            Some(_) => {}
        }
    }
    if !common.values().any(|(_, differ)| *differ) {
        return false;
    }
    series.retain(|one| {
        let Some(edge) = one.labels().get(EDGE) else { return true };
        let group = common.get(&group_of(one.labels()));
        group.is_none_or(|(edges, differ)| !differ || edges.contains(&edge_text(edge, 1.0)))
    });
    true
}

/// Whether all histograms have the same edges, as most often: those of one engine's version.
fn are_alike<T: Labelled>(series: &[T], memo: &Projections) -> bool {
    let edge = [EDGE.to_owned()];
    let by = |only| {
        let counting = Counting { labels: &edge, only };
        let labels = series.iter().map(Labelled::labels);
        project(Some(memo), (labels, series.len()), counting, Order::Met)
    };
    let (histograms, edges) = (by(false), by(true));
    let mut of_histogram = vec![Vec::new(); histograms.labels.len()];
    for (histogram, edge) in histograms.of_row.iter().zip(edges.of_row) {
        of_histogram[*histogram].push(edge);
    }
    for edges in &mut of_histogram {
        edges.sort_unstable();
    }
    of_histogram.iter().all(|edges| Some(edges) == of_histogram.first())
}

/// What to say to the reader.
pub(super) fn note(name: &str) -> String {
    format!("histograms with different bucket edges were added at their common edges for {name:?}")
}
