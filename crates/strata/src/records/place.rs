//! Where a request was served: the replica and its GPUs as metrics of that time know them.

use std::sync::Arc;
use std::time::Duration;

use strata_model::Clock;
use strata_query::MetricsEngine;
use strata_view::rooms::Place;
use strata_world::capacity::Targets;
use strata_world::{
    Answers, Ask, Entity, EntityId, EntityKind, Relation, Scope, Window, World, assemble, plan,
};

use crate::ask::{Asking, ask_all};

const ASKING: Asking = Asking { at_once: 4, deadline: Duration::from_secs(5) };
/// What stands around a request: engines are read every few seconds, a minute has several readings.
const AROUND_MS: i64 = 60_000;
const STEP_MS: i64 = 15_000;

/// The place of a replica between two moments.
pub(super) async fn of(
    replica: &str,
    (start_ms, end_ms): (i64, i64),
    engine: &Arc<dyn MetricsEngine>,
    clock: &Arc<dyn Clock>,
) -> Place {
    let start_ms = (start_ms - AROUND_MS).div_euclid(STEP_MS) * STEP_MS;
    let now_ms = clock.now_ms();
    let end_ms = (end_ms + AROUND_MS).min(now_ms).div_euclid(STEP_MS) * STEP_MS;
    let end_ms = end_ms.max(start_ms + STEP_MS);
    let window = Window {
        start_ms,
        end_ms,
        step_ms: STEP_MS,
        moment_ms: end_ms,
        now_ms: now_ms.max(end_ms),
    };
    let (scope, wants, targets) = (Scope::Fleet, Vec::new(), Targets::default());
    let ask = Ask {
        window,
        scope,
        wants,
        entities: true,
        who: false,
        wires: false,
        coverage: false,
        targets,
    };
    let plan = plan(&ask);
    let queries = ask_all(engine, &plan.queries, window, ASKING, clock).await;
    let answers =
        Answers { queries, names: None, names_before: None, newest: None, sources: Vec::new() };
    let replica = replica.to_owned();
    let found = tokio::task::spawn_blocking(move || find(&assemble(&plan, &answers), &replica));
    found.await.unwrap_or_else(|error| Place { why: error.to_string(), ..Place::default() })
}

/// The replica of this name: by its address, by the name of its pod, or by the pod's own.
fn find(world: &World, named: &str) -> Place {
    let fact = |entity: &Entity, name: &str| {
        entity.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let is_it = |one: &&Entity| {
        let pod = fact(one, "pod");
        one.id.key.as_ref() == named || pod.as_deref() == Some(named)
    };
    let replicas: Vec<&Entity> = world.of_kind(EntityKind::Replica).filter(is_it).collect();
    let [replica] = replicas.as_slice() else {
        let why = match replicas.len() {
            0 => "no metrics of that time are of a replica of this name".to_owned(),
            several => format!("{several} replicas of that time have this name"),
        };
        return Place { why, ..Place::default() };
    };
    let edges = world.targets(&replica.id, Relation::RunsOn);
    let gpus = edges.filter(|edge| edge.to.kind == EntityKind::Gpu).map(|edge| {
        let name = |id: &EntityId| world.entity(id).map(|gpu| gpu.name.clone());
        let name = name(&edge.to).unwrap_or_else(|| edge.to.key.to_string());
        (edge.to.clone(), name, edge.confidence)
    });
    let gpus: Vec<_> = gpus.collect();
    let why = if gpus.is_empty() {
        "which GPUs it ran on is told by its pod: run strata agents on the nodes, or kubelet's \
         PodResources"
    } else {
        ""
    };
    Place { replica: Some((replica.id.clone(), replica.name.clone())), gpus, why: why.to_owned() }
}
