//! What the catalog knows of the pages that collectors read, in the form in which they want it.

use std::sync::Arc;

use strata_collect::discover::Identified;
use strata_collect::scrape::{ModelOf, ModelQuestions, Sentinel, SourceRules};
use strata_model::catalog::{Catalog, SourceDef};

/// What program a page comes from, by the catalog.
pub(crate) fn identify(families: &[&str]) -> Option<Identified> {
    let source = Catalog::builtin().identify(families.iter().copied())?;
    Some(Identified { source: source.name.clone(), layer: source.layers.first().copied() })
}

/// What the catalog knows of the pages of a source: values that mean "no value", and families that
/// are not worth storing.
pub(crate) fn rules_of(source: &str) -> SourceRules {
    let Some(source) = Catalog::builtin().source(source) else { return SourceRules::default() };
    let mut rules = SourceRules::default();
    if !source.sentinels.is_empty() {
        rules.sentinel = Some(Arc::new(|family, value| source.sentinel(family, value)));
    }
    if !source.drops.is_empty() {
        rules.drop = Some(Arc::new(|sample| source.drops(sample)));
    }
    if let Some(questions) = questions_of(source) {
        rules.model = Some(Arc::new(move |_families| Some(questions.clone())));
    }
    rules
}

/// How to learn the model of an engine whose page does not name it.
fn questions_of(source: &SourceDef) -> Option<ModelQuestions> {
    let questions = source.model.iter().map(|one| (one.path.clone(), one.at.clone()));
    let questions: Vec<_> = questions.collect();
    (!questions.is_empty()).then(|| ModelQuestions { engine: source.name.clone(), questions })
}

/// For a configured page, which may come from any program: the sentinels of every source. What is
/// not worth storing is for the job's own `drop` to say: who names a page wants what is on it.
pub(crate) fn any_source() -> SourceRules {
    let sources = Catalog::builtin().sources().iter();
    let sources: Vec<_> = sources.filter(|source| !source.sentinels.is_empty()).collect();
    let sentinel: Sentinel =
        Arc::new(move |family, value| sources.iter().any(|one| one.sentinel(family, value)));
    let model: ModelOf =
        Arc::new(|families| questions_of(Catalog::builtin().identify(families.iter().copied())?));
    SourceRules { sentinel: Some(sentinel), drop: None, model: Some(model) }
}
