//! Whether a series is a counter, whose increase is worth keeping.

use std::collections::BTreeMap;

use strata_model::{Metadata, MetricKind};

/// Endings by which Prometheus's conventions mark series that only grow.
const SUFFIXES: [&str; 4] = ["_total", "_bucket", "_sum", "_count"];

/// What the family's source declared, where it did; else what the name says.
pub(crate) fn is_counter(name: &str, families: &BTreeMap<String, Metadata>) -> bool {
    let kind = |family: &str| families.get(family).map_or(MetricKind::Unknown, |f| f.kind);
    match kind(name) {
        MetricKind::Unknown => {}
        kind => return kind == MetricKind::Counter,
    }
    for suffix in SUFFIXES {
        let Some(family) = name.strip_suffix(suffix) else { continue };
        // Any other kind has no series of this ending, so the family is not the series' own.
        return kind(family) != MetricKind::Gaugehistogram;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_kinds_go_before_names() {
        let families: BTreeMap<String, Metadata> = [
            ("jobs_total", MetricKind::Gauge),
            ("requests", MetricKind::Counter),
            ("size", MetricKind::Gaugehistogram),
            ("latency", MetricKind::Histogram),
            ("reads", MetricKind::Counter),
        ]
        .into_iter()
        .map(|(family, kind)| {
            let text = String::new();
            let metadata =
                Metadata { family: family.to_owned(), kind, unit: text.clone(), help: text };
            (family.to_owned(), metadata)
        })
        .collect();
        let check = |name, expected| assert_eq!(is_counter(name, &families), expected, "{name}");
        check("jobs_total", false);
        check("requests_total", true);
        check("size_bucket", false);
        check("latency_bucket", true);
        check("latency", false);
        check("reads", true);
        check("errors_total", true);
        check("temperature", false);
    }
}
