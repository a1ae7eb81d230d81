//! One scenario: what is loaded, asked and expected.

use std::collections::BTreeMap;
use std::sync::Arc;

use strata_model::catalog::Catalog;
use strata_model::{SeriesSource, SourceKind, SourceState, SourceStatus};
use strata_query::canonical::CanonicalSource;
use strata_query::promql::syntax::parse_duration_ms;
use strata_query::promql::{EvalOptions, Query, evaluate};
use strata_query::promqltest::{MemorySource, load_all};
use strata_world::capacity::Targets;
use strata_world::{
    Answers, Ask, EntityId, EntityKind, Grain, Plan, Scope, Sizes, Want, Window, plan_sized,
    signals,
};

pub(crate) struct Scenario {
    source: Arc<MemorySource>,
    pub(crate) plan: Plan,
    sources: Vec<SourceStatus>,
    /// Line, from 1, and text after `expect`.
    pub(crate) expectations: Vec<(usize, String)>,
}

impl Scenario {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut end_ms, mut length_ms, mut step_ms) = (600_000, 300_000, 30_000);
        let mut scope = Scope::Fleet;
        let mut sizes = Sizes([(EntityKind::Gpu, 0)].into());
        let (mut sources, mut expectations) = (Vec::new(), Vec::new());
        let mut load = String::new();
        for (at, line) in text.lines().enumerate() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let time = || parse_duration_ms(rest).map_err(|why| format!("line {}: {why}", at + 1));
            match word {
                "at" => end_ms = time()?,
                "window" => length_ms = time()?,
                "step" => step_ms = time()?,
                "scope" => scope = Scope::Entity(EntityId::parse(rest).ok_or("bad scope")?),
                "gpus" => {
                    let count = rest.parse().map_err(|why| format!("line {}: {why}", at + 1))?;
                    sizes.0.insert(EntityKind::Gpu, count);
                }
                "source" => sources.push(status(rest)?),
                "expect" => expectations.push((at + 1, rest.to_owned())),
                _ => load.push_str(line),
            }
            // Lines keep their numbers.
            load.push('\n');
        }
        let source = load_all(&load).map_err(|bad| format!("line {}: {}", bad.line, bad.what))?;
        let window = Window {
            start_ms: end_ms - length_ms,
            end_ms,
            step_ms,
            moment_ms: end_ms,
            now_ms: end_ms,
        };
        let (wants, targets) = (everything(), Targets::default());
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
        Ok(Self { source: Arc::new(source), plan: plan_sized(&ask, &sizes), sources, expectations })
    }

    /// The answers of the real engine.
    pub(crate) fn answers(&self) -> Answers {
        let window = self.plan.ask.window;
        let stored: Arc<dyn SeriesSource> = Arc::<MemorySource>::clone(&self.source);
        let names = |start_ms: i64| {
            stored
                .label_values("__name__", &[], start_ms, window.end_ms)
                .expect("a memory source lists its names")
        };
        let (names, before) = (names(window.end_ms - 300_000), names(window.end_ms - 86_400_000));
        let seen = CanonicalSource::new(stored, Catalog::builtin());
        let mut queries = BTreeMap::new();
        for query in &self.plan.queries {
            let (start_ms, step_ms) = if query.range {
                (window.start_ms, Some(window.step_ms))
            } else {
                (window.end_ms, None)
            };
            let asked = Query { text: &query.text, start_ms, end_ms: window.end_ms, step_ms };
            let answer = evaluate(&seen, &asked, &EvalOptions::default(), &|| None);
            queries.insert(query.key.clone(), answer);
        }
        Answers {
            queries,
            names: Some(names),
            names_before: Some(before),
            newest: None,
            sources: self.sources.clone(),
        }
    }
}

fn everything() -> Vec<Want> {
    let wants = signals().iter().flat_map(|def| {
        [Grain::Whole, Grain::Each].map(|grain| Want { signal: def.id, grain, track: true })
    });
    wants.collect()
}

/// `ID STATE HINT`
fn status(text: &str) -> Result<SourceStatus, String> {
    let mut words = text.splitn(3, ' ');
    let id = words.next().unwrap_or_default().to_owned();
    let state = match words.next() {
        Some("unsupported") => SourceState::Unsupported,
        Some("denied") => SourceState::Denied,
        Some("ok") => SourceState::Ok,
        Some("absent") => SourceState::Absent,
        other => return Err(format!("unknown state {other:?}")),
    };
    Ok(SourceStatus {
        id,
        kind: SourceKind::Native,
        layer: None,
        state,
        last_success_ms: None,
        last_duration_seconds: None,
        last_samples: None,
        samples_total: 0,
        faults_total: 0,
        recent_faults: Vec::new(),
        hint: words.next().unwrap_or_default().to_owned(),
    })
}
