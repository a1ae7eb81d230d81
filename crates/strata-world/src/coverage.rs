//! What is seen and what is not, metric by metric: the ground of the Doctor page.

use strata_model::SourceStatus;
use strata_model::catalog::Quality;

/// How a canonical metric stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoverageState {
    Ok,
    /// Seen before, not now.
    Stale,
    /// There and not readable.
    Denied,
    /// The hardware, kernel or engine does not have it.
    Unsupported,
    /// No source of it is here.
    Absent,
}

/// One canonical metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricCoverage {
    /// Dotted canonical name.
    pub metric: &'static str,
    pub state: CoverageState,
    /// (title of the source, family as stored, quality) that give it now.
    pub sources: Vec<(String, String, Quality)>,
    /// Why it is not ok, in a sentence.
    pub reason: Option<String>,
    /// The command or setting that mends it.
    pub mend: Option<String>,
    /// Ids of the signals that become possible with it.
    pub enables: Vec<&'static str>,
}

/// Everything that is and is not seen.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// In the order of the catalog.
    pub metrics: Vec<MetricCoverage>,
    /// What this program reads from, as `strata sources` lists it; empty over a remote engine.
    pub sources: Vec<SourceStatus>,
}
