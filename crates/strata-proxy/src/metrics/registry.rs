//! All groups, and what they are as a batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strata_model::catalog::Catalog;
use strata_model::{Batch, HistogramSample, Labels, METRIC_NAME};

use super::group::{Figure, Group};
use super::names;
use crate::call::{GenAiCall, Outcome};

/// Models told apart. Names come from clients, so only those that an upstream has answered for.
const MODELS_MAX: usize = 200;
/// Combinations of model, tenant and route told apart; each is up to some 300 series.
const GROUPS_MAX: usize = 500;
/// The model of a call that names none that is known.
const UNKNOWN: &str = "unknown";
/// The tenant and model of what came after all places were taken.
const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    model: String,
    tenant: String,
    route: Arc<str>,
}

#[derive(Debug, Default)]
struct State {
    groups: BTreeMap<Key, Group>,
    inflight: BTreeMap<Key, i64>,
    models: BTreeSet<String>,
}

/// Counts calls, and gives the counts as the catalog's `gateway.*` series.
#[derive(Debug, Default)]
pub struct Registry(Mutex<State>);

/// A request that is in flight for as long as this lives.
#[derive(Debug)]
pub(crate) struct InFlight {
    registry: Arc<Registry>,
    key: Key,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(count) = self.registry.lock().inflight.get_mut(&self.key) {
            *count -= 1;
        }
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has been received.
    pub(crate) fn enter(
        self: &Arc<Self>,
        model: Option<&str>,
        tenant: Option<&str>,
        route: &Arc<str>,
    ) -> InFlight {
        let mut state = self.lock();
        let model = model.filter(|model| state.models.contains(*model)).unwrap_or(UNKNOWN);
        let mut key = key_of(model, tenant, route);
        if state.inflight.len() >= GROUPS_MAX && !state.inflight.contains_key(&key) {
            key = key_of(OTHER, Some(OTHER), route);
        }
        *state.inflight.entry(key.clone()).or_default() += 1;
        drop(state);
        InFlight { registry: Arc::clone(self), key }
    }

    /// A call has ended.
    pub(crate) fn count(&self, call: &GenAiCall) {
        let mut state = self.lock();
        let asked = call.model_asked.as_ref().or(call.model_served.as_ref());
        let model = match asked {
            Some(model) if state.models.contains(model) => model.as_str(),
            Some(model) if call.outcome == Outcome::Success => {
                if state.models.len() < MODELS_MAX {
                    state.models.insert(model.clone());
                    model.as_str()
                } else {
                    OTHER
                }
            }
            _ => UNKNOWN,
        };
        let mut key = key_of(model, call.tenant.as_deref(), &call.route);
        if state.groups.len() >= GROUPS_MAX && !state.groups.contains_key(&key) {
            key = key_of(OTHER, Some(OTHER), &call.route);
        }
        state.groups.entry(key).or_default().count(call);
    }

    /// All series at `at_ms` (milliseconds since the Unix epoch), each with the labels `identity`.
    pub fn batch(&self, source: &Arc<str>, identity: &[(&str, &str)], at_ms: i64) -> Batch {
        let mut batch = Batch::new(Arc::clone(source));
        let state = self.lock();
        for (key, group) in &state.groups {
            group.tell(&mut |metric, suffix, labels, figure| {
                push(&mut batch, (metric, suffix), (key, identity), labels, (at_ms, figure));
            });
        }
        for (key, count) in &state.inflight {
            push(
                &mut batch,
                (names::INFLIGHT, ""),
                (key, identity),
                &[],
                (at_ms, Figure::Number(*count as f64)),
            );
        }
        batch
    }
}

fn key_of(model: &str, tenant: Option<&str>, route: &Arc<str>) -> Key {
    let tenant = tenant.unwrap_or_default().to_owned();
    Key { model: model.to_owned(), tenant, route: Arc::clone(route) }
}

fn push(
    batch: &mut Batch,
    (metric, suffix): (&str, &str),
    (key, identity): (&Key, &[(&str, &str)]),
    labels: &[(&str, &str)],
    (at_ms, figure): (i64, Figure),
) {
    // A test holds the table of names against the catalog.
    let Some(metric) = Catalog::builtin().metric(metric) else { return };
    let name = format!("{}{suffix}", metric.prometheus);
    let group = [
        (METRIC_NAME, name.as_str()),
        ("model", &key.model),
        ("tenant", &key.tenant),
        ("route", &key.route),
    ];
    let pairs = group.iter().chain(identity).chain(labels).copied();
    let labels = Labels::from_pairs(pairs);
    match figure {
        Figure::Number(value) => batch.push(&labels, at_ms, value),
        Figure::Spread(spread) => {
            let (series, histogram) = (batch.series_of(&labels), Arc::from(spread));
            batch.histograms.push(HistogramSample { series, at_ms, histogram });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_every_name_and_label() {
        for name in names::ALL {
            let metric = Catalog::builtin().metric(name);
            assert!(metric.is_some(), "{name} is not in the catalog");
        }
    }
}
