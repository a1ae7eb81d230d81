//! The catalog: the only place that names canonical metrics and says what source metrics mean.
//!
//! Data, not code: `catalog/metrics/*.toml` define every canonical metric once,
//! `catalog/sources/*.toml` say which metric of which program it is. Writes never look in here; a
//! query does, so a repaired mapping repairs the past as well.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::batch::MetricKind;
use crate::layer::Layer;
use crate::selector::Matcher;

/// How far a mapped number can be trusted to mean what the canonical definition says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// The source measures exactly this.
    Exact,
    /// Only a mean can be had, no distribution.
    MeanOnly,
    /// Histogram whose first edge hides the common values: "<= edge" is all that can be said.
    BucketFloor,
    /// Computed from other metrics of the source.
    Derived,
    /// Counts reusable cache as used (KV cache): not comparable with pinned.
    ResidentSemantics,
    /// The source refreshes it slower than it is read.
    Stale,
}

/// One canonical metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDef {
    /// Dotted canonical name: `inference.kv_cache.utilization`.
    pub name: String,
    pub layer: Layer,
    pub kind: MetricKind,
    /// UCUM unit without prefix: `s`, `By`, `1`, `{token}`, `W`.
    pub unit: String,
    /// One sentence.
    pub brief: String,
    /// How it is defined or computed, with the citation.
    pub definition: String,
    /// The OpenTelemetry name it follows, if any.
    pub otel: Option<String>,
    /// Attributes in Prometheus spelling (`model`, `gpu_uuid`).
    pub attributes: Vec<String>,
    /// Derived Prometheus name: `inference_kv_cache_utilization_ratio`.
    pub prometheus: String,
}

/// How the canonical value is made from the source's value, applied left to right.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRule {
    /// Times a constant.
    Scale(f64),
    /// One over the value.
    Invert,
    /// The number written in this label of an info series.
    Label(String),
    /// Times, per, or minus the series of another family with the same other labels and time.
    Multiply(String),
    Divide(String),
    Minus(String),
}

/// One way to read a canonical metric from one source.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// Name of the source file: `vllm`.
    pub source: String,
    /// Metric name as stored, suffix included: `vllm:time_to_first_token_seconds_bucket`.
    pub metric: String,
    /// Further conditions that select the right series of it.
    pub matchers: Vec<Matcher>,
    /// Source label -> canonical label.
    pub rename: Vec<(String, String)>,
    /// Labels with constant values that every series gets, `inference_engine="vllm"`.
    pub constants: Vec<(String, String)>,
    pub value: Vec<ValueRule>,
    pub quality: Quality,
    /// When two mappings yield the same label set, the lower number wins (pass-through copies).
    pub priority: u32,
}

/// Why catalog files do not load; all problems at once, each with file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CatalogError(pub Vec<String>);

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the catalog has {} problems: {}", self.0.len(), self.0.join("; "))
    }
}
