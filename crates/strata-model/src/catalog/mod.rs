//! The catalog: the only place that names canonical metrics and says what source metrics mean.
//!
//! Data, not code: `catalog/metrics/*.toml` define every canonical metric once,
//! `catalog/sources/*.toml` say which metric of which program it is. Writes never look in here; a
//! query does, so a repaired mapping repairs the past as well.

mod expand;
mod files;
mod given;
mod identify;
mod load;
mod names;
pub mod reference;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub use given::GivenLabels;
pub use identify::{Identify, Sentinel};
pub use names::{prometheus_name, valid_unit};

use crate::batch::MetricKind;
use crate::layer::Layer;
use crate::selector::Matcher;

/// How far a mapped number can be trusted to mean what the canonical definition says.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// The source measures exactly this.
    #[default]
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

impl Quality {
    /// The word used in files and JSON: `mean_only`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::MeanOnly => "mean_only",
            Self::BucketFloor => "bucket_floor",
            Self::Derived => "derived",
            Self::ResidentSemantics => "resident_semantics",
            Self::Stale => "stale",
        }
    }
}

/// One canonical metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDef {
    /// Dotted canonical name: `inference.kv_cache.utilization`.
    pub name: String,
    /// None for `strata.*`, which tells about the program itself.
    pub layer: Option<Layer>,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueRule {
    /// Times a constant.
    Scale(f64),
    /// One over the value; zero yields no sample.
    Invert,
    /// Times the number written in this label. An info series has the value 1, so this is that
    /// number. A label that is absent or no number (`None`) yields no sample.
    Label(String),
    /// Times, per, plus or minus the series of another family with the same other labels and time;
    /// where there is none, no sample.
    Multiply(String),
    Divide(String),
    Plus(String),
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
    /// Source label -> canonical label, all at once. A canonical label that is renamed to belongs to
    /// the mapping: of the source labels that lead to it the first in this order that is there gives
    /// its value, and without any it is absent. A source that also writes the canonical label itself
    /// therefore lists it (`pod` -> `pod` beside `exported_pod` -> `pod`).
    pub rename: Vec<(String, String)>,
    /// Labels with constant values that every series gets, `inference_engine="vllm"`; they replace.
    pub constants: Vec<(String, String)>,
    pub value: Vec<ValueRule>,
    /// Factor for the numbers in the `le` label of classic buckets; 1 where there is none.
    pub bucket_scale: f64,
    pub quality: Quality,
    /// When two mappings yield the same label set, the lower number wins (pass-through copies).
    pub priority: u32,
    /// Set when others look at the same things as the source does.
    pub door: Option<Door>,
    /// Whether the model comes from [`MODEL_INFO`], because the source's series do not name it.
    pub asks_model: bool,
}

/// One of several sources through which the same thing can be seen: a host natively and by
/// `node_exporter`, a GPU by several exporters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Canonical label that says which thing it is: `node`, `gpu_uuid`.
    pub identity: String,
    /// Of the doors to one thing the lowest is read; series stored under the canonical name are 0.
    pub rank: u32,
}

/// A question to the engine itself for what its page does not say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Path of a JSON answer on the same server as the page: `/v1/models`.
    pub path: String,
    /// Where the name is in it: keys separated by `/`, `*` for every element of a list. Several
    /// different names are no answer.
    pub at: String,
}

/// Prometheus name of the info metric that says which model an engine serves.
pub const MODEL_INFO: &str = "inference_engine_model_info";

/// What a mapping reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A family, under each spelling it had.
    Families(Vec<String>),
    /// Sum and count of a histogram of which the source has no buckets.
    SumCount { sum: String, count: String },
}

/// What one source says about one canonical metric.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Dotted canonical name.
    pub metric: String,
    pub reading: Reading,
    pub matchers: Vec<Matcher>,
    /// Source label -> canonical label, those of the source included.
    pub rename: Vec<(String, String)>,
    /// Constant labels, those of the source included.
    pub constants: Vec<(String, String)>,
    /// Factor to the canonical unit; applied before `value`.
    pub scale: f64,
    pub value: Vec<ValueRule>,
    pub quality: Quality,
    pub priority: u32,
    /// First and last version of the source that has it, as the source counts them.
    pub since: Option<String>,
    pub until: Option<String>,
    /// What to know about it.
    pub note: Option<String>,
}

/// One program whose metrics the catalog understands.
#[derive(Debug, Clone)]
pub struct SourceDef {
    /// Name of its file: `vllm`.
    pub name: String,
    /// As its makers write it: `vLLM`.
    pub title: String,
    pub layers: Vec<Layer>,
    pub role: Option<Role>,
    /// What to know before believing its numbers.
    pub notes: Vec<String>,
    /// Ports it usually listens on. A hint where to look, never an identification.
    pub ports: Vec<u16>,
    /// HTTP paths of its metrics, the most likely first; `/metrics` when the file names none.
    pub paths: Vec<String>,
    pub identify: Identify,
    /// Set when others look at the same things.
    pub door: Option<Door>,
    /// How to learn the model from the engine, in this order; empty when its page names it.
    pub model: Vec<Question>,
    /// Family patterns that are not worth storing, with the reason.
    pub drops: Vec<(String, String)>,
    pub sentinels: Vec<Sentinel>,
    pub maps: Vec<Mapping>,
    /// Read counters with and without `_total`.
    pub bare_counters: bool,
}

/// What a source is for. One that only measures has no role: it can be added for a number's sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves models.
    Engine,
    /// Stands before engines.
    Router,
    Trainer,
    Scheduler,
}

/// Name of the source of series that are stored under their canonical name.
pub const NATIVE: &str = "native";

/// All canonical metrics and all sources.
#[derive(Debug)]
pub struct Catalog {
    metrics: Vec<MetricDef>,
    by_dotted: FxHashMap<String, usize>,
    by_prometheus: FxHashMap<String, usize>,
    sources: Vec<SourceDef>,
    /// For each metric the (source, mapping) pairs that yield it.
    maps_of: Vec<Vec<(usize, usize)>>,
    /// For each metric the conditions under which a series of its own name is already canonical.
    native: Vec<Vec<Matcher>>,
    /// Mapped family -> source; the first source by name where several have it.
    family_source: FxHashMap<String, usize>,
}

/// The files that are built in: path below `catalog/`, text.
static BUILTIN_FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalog_files.rs"));

static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::load(BUILTIN_FILES).expect("the built-in catalog loads, which a test proves")
});

impl Catalog {
    /// The catalog that is built into the program.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The files of the built-in catalog, for building a changed one with [`Self::load`].
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        BUILTIN_FILES
    }

    /// All metrics, by layer and then in the order of their file.
    pub fn metrics(&self) -> &[MetricDef] {
        &self.metrics
    }

    /// The metric with this dotted name.
    pub fn metric(&self, dotted: &str) -> Option<&MetricDef> {
        self.by_dotted.get(dotted).map(|index| &self.metrics[*index])
    }

    /// All sources, by name.
    pub fn sources(&self) -> &[SourceDef] {
        &self.sources
    }

    /// The source with this name.
    pub fn source(&self, name: &str) -> Option<&SourceDef> {
        let index = self.sources.binary_search_by(|source| source.name.as_str().cmp(name)).ok()?;
        self.sources.get(index)
    }

    /// The mappings that yield this metric, with their sources.
    pub fn mappings_of(&self, dotted: &str) -> impl Iterator<Item = (&SourceDef, &Mapping)> {
        let pairs = self.by_dotted.get(dotted).map_or(&[][..], |index| &self.maps_of[*index]);
        pairs.iter().map(|(source, map)| {
            let source = &self.sources[*source];
            (source, &source.maps[*map])
        })
    }
}

/// Why catalog files do not load; all problems at once, each with file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CatalogError(pub Vec<String>);

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the catalog has {} problems: {}", self.0.len(), self.0.join("; "))
    }
}
