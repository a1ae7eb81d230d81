//! Stratascope's own endpoints: health, its own metrics, sources, status.

pub(crate) mod exposition;
pub(crate) mod health;
mod process;
pub(crate) mod strata;

/// A time as our JSON writes it; empty when it is beyond the calendar.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map(|time| time.to_string()).unwrap_or_default()
}
