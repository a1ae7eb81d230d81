//! One layer of the overview.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Link;
use super::chart::Strip;
use super::number::Number;
use super::status::Status;

/// A layer at a glance: a verdict, three numbers, the strip of the range, and how much is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stratum {
    /// `L6`
    pub code: String,
    /// `Inference engine`
    pub title: String,
    /// `How much capacity is left?`
    pub question: String,
    pub verdict: Status,
    /// Why this verdict, in one sentence; for BLIND what would open the eyes.
    pub reason: String,
    /// Three, fewer when the layer is blind.
    pub numbers: Vec<Number>,
    pub strip: Strip,
    /// `12 of 19 signals`, with the explanation of what is missing on the Doctor page.
    pub coverage: Number,
    pub link: Link,
}
