//! Signals and diagnoses in words.

use std::collections::BTreeSet;

use strata_diagnose::{Diagnosis, diagnoses};
use strata_model::Layer;
use strata_world::{Coverage, signal_def};

use crate::rooms::code;

/// A signal by its name without points and bars; of another layer with that layer's code.
pub(super) fn title(id: &str, layer: Layer) -> String {
    let name = id.split_once('.').map_or(id, |(_, name)| name).replace('_', " ");
    match signal_def(id).filter(|def| def.layer != layer) {
        Some(def) => format!("{} {name}", code(def.layer)),
        None => name,
    }
}

/// Signals that have all they need now.
pub(super) fn possible(coverage: &Coverage) -> BTreeSet<&'static str> {
    coverage.layers.iter().flat_map(|layer| layer.possible.iter().copied()).collect()
}

/// Diagnoses that `more` signals make possible beside those that are.
pub(super) fn opened(possible: &BTreeSet<&'static str>, more: &[&'static str]) -> Vec<Diagnosis> {
    let ready = |one: &Diagnosis| {
        let lacks: Vec<&str> = one.signals().filter(|id| !possible.contains(id)).collect();
        !lacks.is_empty() && lacks.iter().all(|id| more.contains(id))
    };
    diagnoses().filter(ready).collect()
}

/// `throttle thermal. It can then be found that: heat holds the clocks down`
pub(super) fn makes_known(
    signals: &[&'static str],
    possible: &BTreeSet<&'static str>,
    layer: Layer,
) -> String {
    let titles: Vec<String> = signals.iter().map(|id| title(id, layer)).collect();
    let mut text = titles.join(", ");
    let mut found: Vec<&str> = Vec::new();
    // A layer may say the same of a thing that hurts and of one that is worth a look.
    for one in opened(possible, signals) {
        if !found.contains(&one.says) {
            found.push(one.says);
        }
    }
    if !found.is_empty() {
        text.push_str(". It can then be found that: ");
        text.push_str(&found.join("; "));
    }
    text
}
