//! What is seen and what is not, metric by metric: the ground of the Doctor page.

use strata_model::catalog::Quality;
use strata_model::{Layer, SourceStatus};

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

/// One signal: a number of the pages.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalCoverage {
    /// Id of the signal.
    pub signal: &'static str,
    /// `Ok` where all inputs of one way to it are here.
    pub state: CoverageState,
    /// What the way that is nearest to complete lacks: dotted names, with the labels that are asked
    /// for (`gpu.interconnect.errors{type="c2c"}`).
    pub lacks: Vec<String>,
    /// Why it is not ok, in a sentence.
    pub reason: Option<String>,
    /// The commands or settings that mend it.
    pub mend: Option<String>,
}

/// A thing to do that makes signals of a layer possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// The command or setting.
    pub mend: String,
    /// Ids of signals that are not possible now, nor with the steps before, and are with it.
    pub opens: Vec<&'static str>,
}

/// What the coverage of a layer comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerCoverage {
    pub layer: Layer,
    /// Signals at least one of whose inputs is collected now.
    pub fed: usize,
    /// Signals there are.
    pub signals: usize,
    /// Ids of signals that have all inputs of one way to them, in order.
    pub possible: Vec<&'static str>,
    /// What to do, the step that opens most first; empty where nothing known would add a signal.
    pub steps: Vec<NextStep>,
}

/// Everything that is and is not seen.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// In the order of the catalog.
    pub metrics: Vec<MetricCoverage>,
    /// In order of id; empty when it is not known which metrics are there.
    pub signals: Vec<SignalCoverage>,
    /// Lowest first; empty when it is not known which metrics are there.
    pub layers: Vec<LayerCoverage>,
    /// What this program reads from, as `strata sources` lists it; empty over a remote engine.
    pub sources: Vec<SourceStatus>,
}
