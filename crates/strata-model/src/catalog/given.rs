//! Which labels the mappings give to stored series, for look-ups that name no metric.

use std::collections::BTreeSet;

use super::expand::{expand, stored_names};
use super::{Catalog, Expansion, Mapping, MetricDef, SourceDef};
use crate::batch::MetricKind;

/// Stored names whose series get the same labels.
#[derive(Debug, Clone)]
pub struct GivenLabels {
    /// How their labels become canonical; its `metric` is one of the names.
    pub expansion: Expansion,
    /// Sorted.
    pub metrics: BTreeSet<String>,
}

impl Catalog {
    /// The labels that mappings give to series of these `stored` names, in groups; names of which
    /// no label changes are not among them.
    pub fn given_labels(&self, stored: &BTreeSet<String>) -> Vec<GivenLabels> {
        let mut groups: Vec<GivenLabels> = Vec::new();
        for source in self.sources() {
            let first = groups.len();
            for mapping in &source.maps {
                let plain = mapping.rename.is_empty() && mapping.constants.is_empty();
                let Some(metric) = self.metric(&mapping.metric) else { continue };
                if plain && source.model.is_empty() {
                    continue;
                }
                let Some((expansion, metrics)) = present(source, mapping, metric, stored) else {
                    continue;
                };
                let alike = |group: &&mut GivenLabels| {
                    group.expansion.rename == mapping.rename
                        && group.expansion.constants == mapping.constants
                        && group.expansion.matchers == mapping.matchers
                };
                match groups.iter_mut().skip(first).find(alike) {
                    Some(group) => group.metrics.extend(metrics),
                    None => groups.push(GivenLabels { expansion, metrics }),
                }
            }
        }
        groups
    }
}

/// The stored names that a mapping reads, and how it reads one of them.
fn present(
    source: &SourceDef,
    mapping: &Mapping,
    metric: &MetricDef,
    stored: &BTreeSet<String>,
) -> Option<(Expansion, BTreeSet<String>)> {
    let suffixes: &[&str] = match metric.kind {
        MetricKind::Histogram => &["", "_bucket", "_sum", "_count"],
        _ => &[""],
    };
    let mut found: Option<(Expansion, BTreeSet<String>)> = None;
    for suffix in suffixes {
        let names = stored_names(source, mapping, metric, suffix);
        let names: Vec<String> = names.into_iter().filter(|name| stored.contains(name)).collect();
        if names.is_empty() {
            continue;
        }
        if let Some((_, known)) = &mut found {
            known.extend(names);
        } else {
            let one = expand(source, mapping, metric, suffix).into_iter();
            let one = one.into_iter().find(|one| names.contains(&one.metric))?;
            found = Some((one, names.into_iter().collect()));
        }
    }
    found
}
