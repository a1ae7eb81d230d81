//! What a page wants, the queries that follow, and their answers.

use std::collections::BTreeMap;

use strata_model::SourceStatus;
use strata_query::{Answer, QueryError, QueryValue};

use crate::capacity::Targets;
use crate::entity::EntityId;
use crate::window::Window;

/// What the World shall be about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Everything.
    #[default]
    Fleet,
    /// One thing and what joins it.
    Entity(EntityId),
}

/// Of how many things a signal is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// One for all in scope.
    Whole,
    /// One for each thing of the signal's kind.
    Each,
}

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    /// Id of the signal: `l6.kv_pinned`.
    pub signal: &'static str,
    pub grain: Grain,
    /// The values over the window as well, not only the one at its end.
    pub track: bool,
}

/// What a page wants.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one part that a page wants or not")]
pub struct Ask {
    pub window: Window,
    pub scope: Scope,
    pub wants: Vec<Want>,
    /// Entities and edges as well: needed for anything that is listed, grouped or drawn.
    pub entities: bool,
    /// Who holds and uses each GPU ([`crate::World::holdings`]) and what waits; of the fleet only.
    pub who: bool,
    /// How devices are wired ([`crate::World::wiring`]).
    pub wires: bool,
    /// The coverage of every canonical metric.
    pub coverage: bool,
    /// What engines may be used to.
    pub targets: Targets,
}

/// One query of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Stable within the plan.
    pub key: String,
    /// PromQL in canonical names that Prometheus 2.42 and VictoriaMetrics both accept once expanded.
    pub text: String,
    /// Over the window's grid; otherwise at its end.
    pub range: bool,
}

/// The queries of an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub ask: Ask,
    pub queries: Vec<Planned>,
    /// The names of the metrics that have samples in the last minutes are needed.
    pub names: bool,
}

/// What came back.
#[derive(Debug, Default)]
pub struct Answers {
    /// By key of the plan; a query without an answer counts as failed.
    pub queries: BTreeMap<String, Result<Answer, QueryError>>,
    /// Metric names with samples in the last minutes, sorted, as stored.
    pub names: Option<Vec<String>>,
    /// Metric names with samples within the last day, sorted, as stored: tells stale from absent.
    pub names_before: Option<Vec<String>>,
    /// Time in milliseconds of the newest sample of each metric, by name as stored, where somebody
    /// knows without being asked in a query.
    pub newest: Option<BTreeMap<String, i64>>,
    /// The state of this program's own sources.
    pub sources: Vec<SourceStatus>,
}

impl Answers {
    /// Series over all answers.
    pub(crate) fn series(&self) -> usize {
        let answers = self.queries.values().flatten();
        let series = answers.map(|answer| match &answer.value {
            QueryValue::Vector(series) | QueryValue::Matrix(series) => series.len(),
            QueryValue::Scalar(..) | QueryValue::String(..) => 1,
        });
        series.sum()
    }
}
