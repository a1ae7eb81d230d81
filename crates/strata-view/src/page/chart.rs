//! Numbers over time, and how they are spread.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::number::{Explanation, Number};
use super::status::Status;

/// Equidistant points of time: `start_ms + i * step_ms` for `i < count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeAxis {
    pub start_ms: i64,
    pub step_ms: i64,
    pub count: usize,
}

/// How numbers of an axis are written, so that every renderer writes them alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scale {
    /// UCUM unit of the values: `s`.
    pub unit: String,
    /// Divide the values by this before writing them; the unit written is `symbol`.
    pub divisor: f64,
    /// Written behind the number: `ms`, `%`, `GB/s`.
    pub symbol: String,
    /// Digits behind the point.
    pub digits: u8,
}

/// Lines over a shared time axis. A missing point is `None` and is drawn as hatch, never as zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chart {
    pub title: String,
    pub axis: TimeAxis,
    pub scale: Scale,
    pub lines: Vec<Line>,
    /// Horizontal lines with a name: a limit, an objective.
    pub marks: Vec<Mark>,
    /// Smallest and largest value of the axis where they are fixed (0..1 for ratios).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Draw the lines on top of each other's areas.
    pub stacked: bool,
    /// Why there is nothing to draw, when there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    pub explain: Explanation,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    pub name: String,
    /// One value per point of the axis.
    pub values: Vec<Option<f64>>,
    /// True for what others are compared with: a cohort's median, the range before.
    #[serde(default)]
    pub faint: bool,
}

/// A named horizontal line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    pub name: String,
    pub value: f64,
}

/// The small chart of a layer: one line, and the status at each point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strip {
    /// What the line is: `KV pinned, worst replica`.
    pub title: String,
    pub axis: TimeAxis,
    pub scale: Scale,
    pub values: Vec<Option<f64>>,
    /// One status per point of the axis; BLIND where there is no signal.
    pub statuses: Vec<Status>,
    /// What is written into the hatch where nothing is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// What a duration is made of, one bar a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anatomy {
    pub title: String,
    pub scale: Scale,
    /// Names of the segments in their order: queue, prefill, decode, residual.
    pub segments: Vec<String>,
    pub bars: Vec<Bar>,
    pub explain: Explanation,
}

/// One bar of an anatomy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bar {
    pub name: String,
    /// One per segment; `None` is drawn as hatch with the word "unknown".
    pub values: Vec<Option<f64>>,
    /// Total as a number of its own: the segments need not add up to it.
    pub total: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// How a quantity is spread over buckets, for one thing or over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    pub title: String,
    /// Of the bucket edges.
    pub scale: Scale,
    /// Upper edges of the buckets, rising; the last may be absent for "above the last edge".
    pub edges: Vec<Option<f64>>,
    /// One column a time of `axis`, or a single column without an axis; one share of 0..1 per
    /// bucket, `None` where nothing was observed.
    pub columns: Vec<Option<Vec<f64>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<TimeAxis>,
    /// p50, p90, p99 and the count of observations.
    pub numbers: Vec<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    pub explain: Explanation,
}
