//! From a canonical Prometheus name to the stored names it stands for.

use super::{
    Catalog, Expansion, Mapping, MetricDef, NATIVE, Quality, Reading, SourceDef, ValueRule,
};
use crate::batch::MetricKind;

/// Suffixes of the series of a classic histogram.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

impl Catalog {
    /// The metric this Prometheus name belongs to, and the name's suffix: `_bucket`, `_sum` or
    /// `_count` of a histogram, else empty (gauges, counters, native histograms).
    pub fn by_prometheus_name(&self, name: &str) -> Option<(&MetricDef, &'static str)> {
        if let Some(index) = self.by_prometheus.get(name) {
            return Some((&self.metrics[*index], ""));
        }
        HISTOGRAM_SUFFIXES.iter().find_map(|suffix| {
            let index = self.by_prometheus.get(name.strip_suffix(suffix)?)?;
            let metric = &self.metrics[*index];
            (metric.kind == MetricKind::Histogram).then_some((metric, *suffix))
        })
    }

    /// Every way to read this canonical Prometheus name, series stored under the name itself
    /// first. None when the name is not canonical. Expansions of lower priority number win where
    /// two yield the same label set at the same time.
    pub fn expansions(&self, prometheus_name: &str) -> Option<Vec<Expansion>> {
        let (metric, suffix) = self.by_prometheus_name(prometheus_name)?;
        let index = *self.by_dotted.get(&metric.name)?;
        let mut expansions = vec![Expansion {
            source: NATIVE.to_owned(),
            metric: prometheus_name.to_owned(),
            matchers: self.native[index].clone(),
            rename: Vec::new(),
            constants: Vec::new(),
            value: Vec::new(),
            bucket_scale: 1.0,
            quality: Quality::Exact,
            priority: 0,
            door: None,
            asks_model: false,
        }];
        for (source, mapping) in self.mappings_of(&metric.name) {
            expansions.extend(expand(source, mapping, metric, suffix));
        }
        Some(expansions)
    }
}

/// The expansions of one mapping for one suffix: one for each spelling of the stored name.
pub(super) fn expand(
    source: &SourceDef,
    mapping: &Mapping,
    metric: &MetricDef,
    suffix: &str,
) -> Vec<Expansion> {
    let names = stored_names(source, mapping, metric, suffix);
    let (value, bucket_scale) = match suffix {
        "_bucket" => (Vec::new(), mapping.scale),
        "_count" => (Vec::new(), 1.0),
        _ => (value_rules(mapping), 1.0),
    };
    let spellings = names.into_iter().enumerate();
    let expansions = spellings.map(|(at, name)| Expansion {
        source: source.name.clone(),
        metric: name,
        matchers: mapping.matchers.clone(),
        rename: mapping.rename.clone(),
        constants: mapping.constants.clone(),
        value: value.clone(),
        bucket_scale,
        quality: mapping.quality,
        priority: mapping.priority + at as u32,
        door: source.door.clone(),
        asks_model: !source.model.is_empty(),
    });
    expansions.collect()
}

fn value_rules(mapping: &Mapping) -> Vec<ValueRule> {
    let scale = (mapping.scale != 1.0).then_some(ValueRule::Scale(mapping.scale));
    scale.into_iter().chain(mapping.value.iter().cloned()).collect()
}

pub(super) fn stored_names(
    source: &SourceDef,
    mapping: &Mapping,
    metric: &MetricDef,
    suffix: &str,
) -> Vec<String> {
    let histogram = metric.kind == MetricKind::Histogram;
    match &mapping.reading {
        Reading::SumCount { sum, count } => match suffix {
            "_sum" => vec![sum.clone()],
            "_count" => vec![count.clone()],
            _ => Vec::new(),
        },
        // A native histogram cannot be scaled: its bucket edges are powers of its base.
        Reading::Families(_) if histogram && suffix.is_empty() && mapping.scale != 1.0 => {
            Vec::new()
        }
        Reading::Families(families) => {
            let bare = source.bare_counters && metric.kind == MetricKind::Counter;
            let mut names = Vec::new();
            for family in families {
                names.push(format!("{family}{suffix}"));
                if bare && let Some(stem) = family.strip_suffix("_total") {
                    names.push(stem.to_owned());
                }
            }
            names
        }
    }
}
