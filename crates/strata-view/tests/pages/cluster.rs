//! The cluster that the pages are of.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use strata_model::catalog::Catalog;
use strata_model::{SeriesSource, SourceKind, SourceState, SourceStatus};
use strata_query::canonical::CanonicalSource;
use strata_query::promql::{EvalOptions, Query, evaluate};
use strata_query::promqltest::{MemorySource, load_all};
use strata_world::{Answers, Ask, EntityKind, Sizes, World, assemble, plan_sized};

/// The worlds that stand side by side.
const SCENARIOS: [&str; 6] =
    ["api", "gpus_dcgm", "host_native", "kubernetes", "kv_pressure", "training"];
/// What they load ends here.
pub(crate) const NOW_MS: i64 = 600_000;

pub(crate) struct Cluster {
    source: Arc<MemorySource>,
}

impl Cluster {
    pub(crate) fn read() -> Self {
        Self::of(&SCENARIOS)
    }

    /// The worlds of these scenarios.
    pub(crate) fn of(scenarios: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../strata-world/scenarios");
        let mut load = String::new();
        for name in scenarios {
            let text = std::fs::read_to_string(folder.join(name).with_extension("scn")).unwrap();
            // Only what is loaded: what is asked and expected is for that crate's tests.
            let loaded = |line: &&str| line.starts_with("load ") || line.starts_with(' ');
            text.lines().filter(loaded).for_each(|line| {
                load.push_str(line);
                load.push('\n');
            });
            load.push('\n');
        }
        let source =
            load_all(&load).unwrap_or_else(|bad| panic!("line {}: {}", bad.line, bad.what));
        Self { source: Arc::new(source) }
    }

    /// What the real engine answers, put together.
    pub(crate) fn world(&self, ask: &Ask) -> World {
        // As the program asks when it knows that there are few.
        let plan = plan_sized(ask, &Sizes([(EntityKind::Gpu, 0)].into()));
        let window = ask.window;
        let stored: Arc<dyn SeriesSource> = Arc::<MemorySource>::clone(&self.source);
        let names = stored.label_values("__name__", &[], 0, window.end_ms).unwrap();
        let seen = CanonicalSource::new(stored, Catalog::builtin());
        let mut queries = BTreeMap::new();
        for query in &plan.queries {
            let (start_ms, step_ms) = if query.range {
                (window.start_ms, Some(window.step_ms))
            } else {
                (window.end_ms, None)
            };
            let asked = Query { text: &query.text, start_ms, end_ms: window.end_ms, step_ms };
            let answer = evaluate(&seen, &asked, &EvalOptions::default(), &|| None);
            queries.insert(query.key.clone(), answer);
        }
        let answers = Answers {
            queries,
            names: Some(names.clone()),
            names_before: Some(names),
            newest: None,
            sources: vec![
                status("host/cpu", SourceState::Ok, ""),
                status("host/pressure", SourceState::Unsupported, "boot the kernel with psi=1"),
            ],
        };
        assemble(&plan, &answers)
    }
}

fn status(id: &str, state: SourceState, hint: &str) -> SourceStatus {
    SourceStatus {
        id: id.to_owned(),
        kind: SourceKind::Native,
        layer: None,
        state,
        last_success_ms: None,
        last_duration_seconds: None,
        last_samples: None,
        samples_total: 0,
        faults_total: 0,
        recent_faults: Vec::new(),
        hint: hint.to_owned(),
    }
}
