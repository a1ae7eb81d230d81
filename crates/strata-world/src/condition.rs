//! The condition of a device, as its source judges it.

/// `hw.status` of one device at the end of the window, and why it is not ok.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `ok`, `predicted_failure`, `degraded`, `failed`; of several sources the worst.
    pub state: String,
    /// In words, in order; empty where it is ok or the source gives no reason.
    pub reasons: Vec<String>,
}
