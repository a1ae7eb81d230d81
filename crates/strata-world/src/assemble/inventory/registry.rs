//! Things and edges by identity, filled in any order.

use std::collections::BTreeMap;

use strata_model::Labels;

use crate::edge::{Edge, Method, Relation};
use crate::entity::{Entity, EntityId, EntityKind};

/// What is known of a thing so far.
#[derive(Default)]
struct Known {
    name: Option<String>,
    facts: BTreeMap<String, String>,
}

/// How an edge is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) method: Method,
    /// 0..1
    pub(super) confidence: f64,
    /// First and last time it was seen, in milliseconds.
    pub(super) held_ms: (i64, i64),
}

/// Collects things and edges.
#[derive(Default)]
pub(super) struct Registry {
    things: BTreeMap<EntityId, Known>,
    edges: BTreeMap<(EntityId, EntityId, Relation), Evidence>,
}

impl Registry {
    /// A thing exists.
    pub(super) fn see(&mut self, id: &EntityId) {
        if !self.things.contains_key(id) {
            self.things.insert(id.clone(), Known::default());
        }
    }

    /// What people call it; the first word on it stays.
    pub(super) fn call(&mut self, id: &EntityId, name: String) {
        let known = self.things.entry(id.clone()).or_default();
        known.name.get_or_insert(name);
    }

    /// Facts from labels of the same names; the first word on each stays.
    pub(super) fn learn(&mut self, id: &EntityId, labels: &Labels, names: &[&str]) {
        for name in names {
            if let Some(value) = labels.get(name).filter(|value| !value.is_empty()) {
                self.fact(id, name, value);
            }
        }
    }

    pub(super) fn fact(&mut self, id: &EntityId, name: &str, value: &str) {
        let known = self.things.entry(id.clone()).or_default();
        known.facts.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    pub(super) fn knows(&self, id: &EntityId) -> bool {
        self.things.contains_key(id)
    }

    /// Draw an edge and see both ends. Of two ways to know it the surer counts, and it held as
    /// long as either says.
    pub(super) fn join(
        &mut self,
        from: &EntityId,
        to: &EntityId,
        relation: Relation,
        evidence: Evidence,
    ) {
        self.see(from);
        self.see(to);
        let key = (from.clone(), to.clone(), relation);
        let edge = self.edges.entry(key).or_insert(evidence);
        let held = (edge.held_ms.0.min(evidence.held_ms.0), edge.held_ms.1.max(evidence.held_ms.1));
        if evidence.confidence > edge.confidence {
            *edge = evidence;
        }
        edge.held_ms = held;
    }

    /// Things that a thing leads to, with how that is known.
    pub(super) fn targets(&self, from: &EntityId, relation: Relation) -> Vec<(EntityId, Evidence)> {
        let first = (from.clone(), EntityId::new(EntityKind::Node, ""), Relation::RunsOn);
        let edges = self.edges.range(first..).take_while(|((start, ..), _)| start == from);
        edges
            .filter(|((.., known), _)| *known == relation)
            .map(|((_, to, _), evidence)| (to.clone(), *evidence))
            .collect()
    }

    /// Everything, in order.
    pub(super) fn finish(self) -> (Vec<Entity>, Vec<Edge>) {
        let entities = self.things.into_iter().map(|(id, known)| Entity {
            name: known.name.unwrap_or_else(|| id.key.to_string()),
            facts: known.facts.into_iter().collect(),
            id,
        });
        let edges = self.edges.into_iter().map(|((from, to, relation), evidence)| Edge {
            from,
            to,
            relation,
            method: evidence.method,
            confidence: evidence.confidence,
            held_ms: evidence.held_ms,
        });
        (entities.collect(), edges.collect())
    }
}

/// A label that the source itself wrote: certain, as far as the source is.
pub(super) fn by_label(points: &[(i64, f64)]) -> Evidence {
    Evidence { method: Method::SourceLabel, confidence: 1.0, held_ms: held(points) }
}

/// An info series joined on an identity.
pub(super) fn by_info(points: &[(i64, f64)]) -> Evidence {
    Evidence { method: Method::InfoSeries, confidence: 1.0, held_ms: held(points) }
}

/// First and last time of the points.
fn held(points: &[(i64, f64)]) -> (i64, i64) {
    let first = points.first().map_or(0, |(at, _)| *at);
    (first, points.last().map_or(first, |(at, _)| *at))
}
