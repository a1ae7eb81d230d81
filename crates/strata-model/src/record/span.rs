//! One span of a trace, without content.

use serde::{Deserialize, Serialize};

/// One span. Attributes that hold content of requests were left out before it got here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub name: String,
    /// `service.name` of the program.
    pub service: Option<String>,
    /// Microseconds since the Unix epoch.
    pub start_us: i64,
    /// Microseconds since the Unix epoch; `None` when the sender did not say.
    pub end_us: Option<i64>,
    /// Whether the program said that it failed.
    pub failed: bool,
    /// The remaining attributes, as a JSON object.
    pub attributes: String,
}

impl SpanRecord {
    /// Bytes it takes in memory, roughly.
    pub fn weight(&self) -> usize {
        size_of::<Self>() + 48 + self.name.len() + self.attributes.len()
    }
}
