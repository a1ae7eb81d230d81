//! The queries that pages ask: those of a plan of every signal.

use strata_world::capacity::Targets;
use strata_world::{Ask, Grain, Scope, Want, Window, plan, signals};

use super::suite::Case;
use super::{AT_MS, RANGE_MS};

/// Why a quantile over a whole fleet of several engines differs.
const MIXED: &str =
    "a sum over engines with other edges is no distribution and is mended in another way";

/// Every query of the plan for everything; answers may be empty, because no page here has every
/// layer.
pub(super) fn cases(start_ms: i64) -> Vec<Case> {
    let (from, _, step_ms) = RANGE_MS;
    let end_ms = start_ms + AT_MS;
    let window =
        Window { start_ms: start_ms + from, end_ms, step_ms, moment_ms: end_ms, now_ms: end_ms };
    let wants = signals().iter().flat_map(|def| {
        [Grain::Whole, Grain::Each].map(|grain| Want { signal: def.id, grain, track: true })
    });
    let wants: Vec<Want> = wants.collect();
    let (scope, targets) = (Scope::Fleet, Targets::default());
    let ask = Ask {
        window,
        scope,
        wants,
        entities: true,
        who: true,
        wires: true,
        coverage: true,
        targets,
    };
    let queries = plan(&ask).queries.into_iter();
    let case = |text: String, range: bool| {
        let mixed = text.starts_with("histogram_quantile(") && text.contains("sum by (le) (");
        let differs = mixed.then(|| ("victoriametrics".to_owned(), MIXED.to_owned()));
        let differs = differs.into_iter().collect();
        Case { instant: !range, any: true, differs, ..Case::instant(text) }
    };
    queries.map(|query| case(query.text, query.range)).collect()
}
