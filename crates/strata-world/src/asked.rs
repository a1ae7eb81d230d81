//! Which canonical metrics a question is about.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use strata_model::MetricKind;
use strata_model::catalog::Catalog;

use crate::ask::Planned;

/// Dotted names by the names of series: a histogram has three.
static BY_SERIES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
    let mut names = BTreeMap::new();
    for metric in Catalog::builtin().metrics() {
        let suffixes: &[&str] = match metric.kind {
            MetricKind::Histogram => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        for suffix in suffixes {
            names.insert(format!("{}{suffix}", metric.prometheus), metric.name.as_str());
        }
    }
    names
});

/// Dotted names of the canonical metrics that the texts of a plan name, in order, each once.
pub fn metrics_asked(plan: &[Planned]) -> Vec<&'static str> {
    let words = plan.iter().flat_map(|planned| {
        let is_name = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == ':';
        planned.text.split(move |one| !is_name(one))
    });
    let mut found: Vec<&'static str> =
        words.filter_map(|word| BY_SERIES.get(word).copied()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whatever_stands_around_them() {
        let text = "sum by (model) (rate(inference_ttft_seconds_bucket{le=\"1\"}[60s])) / \
                    count(hw_power_watts) or hw_power_watts_nothing";
        let plan = [Planned { key: String::new(), text: text.to_owned(), range: false }];
        assert_eq!(metrics_asked(&plan), ["hw.power", "inference.ttft"]);
        let who = metrics_asked(&crate::who::questions());
        assert!(who.contains(&"gpu.allocation") && who.contains(&"hw.gpu.memory.usage"), "{who:?}");
    }
}
