//! The verdict of a thing, in a word, a shape and a color: never by color alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a thing is. The order is that of attention: the greatest wins when several are joined.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing to judge: the thing is not here, and nobody said that it should be.
    Absent,
    /// Seen and well.
    Ok,
    /// No signal that would tell, although the thing is here. Not zero, not well.
    Blind,
    /// Seen, and worth watching.
    Watch,
    /// Seen, and hurting.
    Broken,
}

impl Status {
    /// The word in capitals: `WATCH`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "ABSENT",
            Self::Ok => "OK",
            Self::Blind => "BLIND",
            Self::Watch => "WATCH",
            Self::Broken => "BROKEN",
        }
    }
}
