//! What a target's configuration does to the labels and samples of its page.

use std::borrow::Cow;
use std::sync::Arc;

use regex::RegexSet;
use strata_model::labels::{METRIC_NAME, push_pair};
use strata_model::{FaultCode, Labels};

use super::model::ModelOf;
use crate::exposition::Decoded;

/// What Prometheus puts before the name of a page's label that the target's own label displaces.
const EXPORTED: &str = "exported_";

/// Bounds on one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Samples that may remain after dropping; a page with more fails as a whole.
    pub samples: usize,
    /// Labels per series, target labels included; a series with more is refused.
    pub labels: usize,
    /// Bytes of a label name or metric name.
    pub name_bytes: usize,
    /// Bytes of a label value.
    pub value_bytes: usize,
    /// Populated buckets of a native histogram.
    pub buckets: usize,
}

impl Default for PageLimits {
    /// Far above any healthy page, far below what would hurt: the largest real pages
    /// (kube-state-metrics of a big cluster) have some hundred thousand samples.
    fn default() -> Self {
        Self {
            samples: 1_000_000,
            labels: 128,
            name_bytes: 512,
            value_bytes: 16_384,
            buckets: 1_600,
        }
    }
}

/// Says whether a value of a metric is a vendor's way of saying "no value".
pub type Sentinel = Arc<dyn Fn(&str, f64) -> bool + Send + Sync>;

/// Says whether a metric is not worth storing.
pub type Drop = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What is known of the program behind a page, besides the target's configuration.
#[derive(Clone, Default)]
pub struct SourceRules {
    pub sentinel: Option<Sentinel>,
    /// Asked with the name of the sample: `x_bucket`, `x_sum` and `x_count` of a histogram `x`.
    pub drop: Option<Drop>,
    /// How to learn the model of an engine whose page does not name it.
    pub model: Option<ModelOf>,
}

/// The rules of one target.
#[derive(Clone)]
pub(crate) struct Rules {
    /// Labels every series of the target gets: job, instance, node, and the configured ones.
    pub(crate) labels: Labels,
    /// A label of the page wins over the target's label of the same name.
    pub(crate) honor_labels: bool,
    /// Times written on the page are used.
    pub(crate) honor_timestamps: bool,
    /// Names of metrics that are left out.
    pub(crate) drop: RegexSet,
    pub(crate) limits: PageLimits,
    pub(crate) source: SourceRules,
}

impl Rules {
    /// Whether samples of this metric are left out.
    pub(crate) fn drops(&self, metric: &str) -> bool {
        (!self.drop.is_empty() && self.drop.is_match(metric))
            || self.source.drop.as_ref().is_some_and(|drop| drop(metric))
    }

    /// The finished labels of a series of the page.
    ///
    /// # Errors
    /// The class of the fault and a constant phrase, when a bound is exceeded.
    pub(crate) fn finish<'p>(
        &'p self,
        mut pairs: Decoded<'p>,
        scratch: &mut Vec<u8>,
    ) -> Result<Labels, (FaultCode, &'static str)> {
        pairs.retain(|(_, value)| !value.is_empty());
        let mut displaced: Vec<(String, String)> = Vec::new();
        for (name, value) in self.labels.iter() {
            match pairs.iter_mut().find(|(existing, _)| existing == name) {
                Some(_) if self.honor_labels => {}
                Some(pair) => {
                    let old = std::mem::replace(&mut pair.1, Cow::Borrowed(value));
                    displaced.push((name.to_owned(), old.into_owned()));
                }
                None => pairs.push((Cow::Borrowed(name), Cow::Borrowed(value))),
            }
        }
        displaced.sort_by_key(|(name, _)| name.len());
        for (name, value) in displaced {
            let mut exported = format!("{EXPORTED}{name}");
            while pairs.iter().any(|(existing, _)| *existing == exported) {
                exported.insert_str(0, EXPORTED);
            }
            pairs.push((Cow::Owned(exported), Cow::Owned(value)));
        }
        let limits = &self.limits;
        if pairs.len() > limits.labels {
            return Err((FaultCode::OverLimit, "a series has too many labels"));
        }
        for (name, value) in &pairs {
            let metric_name = name == METRIC_NAME && value.len() > limits.name_bytes;
            if name.len() > limits.name_bytes || metric_name {
                return Err((FaultCode::OverLimit, "a name is too long"));
            }
            if value.len() > limits.value_bytes {
                return Err((FaultCode::OverLimit, "a label value is too long"));
            }
        }
        pairs.sort_unstable();
        scratch.clear();
        for (name, value) in &pairs {
            push_pair(scratch, name, value);
        }
        // The pairs are sorted, unique and not empty, so the bytes are canonical.
        Labels::from_encoded(scratch)
            .ok_or((FaultCode::Malformed, "the labels of a series contradict each other"))
    }
}
