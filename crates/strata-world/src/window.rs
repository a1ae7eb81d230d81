//! The grid of time a World stands on.

/// Equidistant steps from `start_ms` to `end_ms`, both included, all aligned to `step_ms`.
///
/// Aligned, so that a page that is looked at again stands on the same steps and asks only for the new
/// ones. Of a step of minutes the newest samples would then be missing, so the last step is read
/// at `moment_ms`, less than a step later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Milliseconds since the Unix epoch.
    pub start_ms: i64,
    pub end_ms: i64,
    /// Positive.
    pub step_ms: i64,
    /// When the last step, and what is asked of one moment only, is read: `end_ms`, or less than a
    /// step later.
    pub moment_ms: i64,
    /// The moment the World is made for; `end_ms` or later.
    pub now_ms: i64,
}

impl Window {
    /// Number of steps, both ends included.
    pub fn len(&self) -> usize {
        usize::try_from((self.end_ms - self.start_ms) / self.step_ms + 1).unwrap_or(0)
    }

    /// True when there is no step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
