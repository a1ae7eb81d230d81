//! A number as a person reads it, and how it was made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::status::Status;

/// One number with its words. What is not known has no `value`, and its `text` says "unknown".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Number {
    /// What it is, in the field's words: `KV pinned`.
    pub label: String,
    /// Value with unit, rounded for reading: `91 %`, `4.2 M tok`, `unknown`.
    pub text: String,
    /// The same in SI units and full precision, for scripts; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Unit of `value` in UCUM: `1`, `s`, `By`, `W`, `{token}/s`.
    pub unit: String,
    /// A remark beside it: `SLO 1 s`, `was 71 %`, `12 of 16 GPUs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The judgement of this number, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    pub explain: Explanation,
}

/// How a number was made: what "how computed" opens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// What the number means, in a sentence or two, with the source of the formula.
    pub definition: String,
    /// The formula in words or symbols: `pinned blocks / total blocks, worst replica`.
    pub formula: String,
    /// The PromQL that was asked, as it can be asked again in Explore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    pub inputs: Vec<Input>,
    /// Seconds between the newest sample that went in and the moment the page was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// The worst quality among the inputs, in the catalog's word: `exact`, `mean_only`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// Why the number is not known, and what would make it known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// One metric that went into a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Canonical name in Prometheus spelling.
    pub metric: String,
    /// Programs it was read from: `vLLM (vllm:kv_cache_usage_perc)`.
    pub sources: Vec<String>,
    /// Quality of the reading, in the catalog's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
}
