//! L4: what waits, what holds devices, and where allocation and use differ.

use strata_world::{Entity, EntityId, EntityKind, Relation, World};

use super::pieces::{ROWS_MAX, Show, fact_of, link_to, name, number, table};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;

/// Peak of ten minutes below which a GPU does nothing, as `strata who` and `l4.gpus_held_idle` have
/// it: less than one short kernel a second.
const IDLE_BELOW: f64 = 0.01;

/// Signals of each thing that the tables show.
pub(super) const SIGNALS: [&str; 8] = [
    "l1.utilization_peak",
    "l4.queue_admitted",
    "l4.queue_pending",
    "l4.queue_gpus_used",
    "l4.queue_gpus_wanted",
    "l4.queue_gpu_quota_used",
    "l4.job_gpus",
    "l4.job_wait",
];

/// One row for each queue of any scheduler.
pub(super) fn queues(world: &World) -> Table {
    let columns = [
        ("scheduler", 0, Show::Fact("scheduler")),
        ("running", 0, Show::Signal("l4.queue_admitted")),
        ("pending", 0, Show::Signal("l4.queue_pending")),
        ("GPUs held", 0, Show::Signal("l4.queue_gpus_used")),
        ("GPUs waited for", 1, Show::Signal("l4.queue_gpus_wanted")),
        ("quota used", 1, Show::Signal("l4.queue_gpu_quota_used")),
    ];
    let empty = "no queue is seen: Kueue, Volcano, KAI or Slurm metrics would show it";
    table(world, "", (EntityKind::Queue, None), &columns, empty)
}

fn column(title: &str, numeric: bool, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric, rank }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

/// Jobs of Slurm, those that wait first.
pub(super) fn jobs(world: &World) -> Table {
    let mut jobs: Vec<&Entity> = world
        .of_kind(EntityKind::Workload)
        .filter(|job| fact_of(job, "scheduler") == "slurm")
        .collect();
    jobs.sort_by_key(|job| (fact_of(job, "state") != "PENDING", &job.id));
    let row = |job: &&Entity| {
        let queues = world.targets(&job.id, Relation::InQueue).map(|edge| name(world, &edge.to));
        let signal = |label, id| Cell::Number(Box::new(number(world, label, id, Some(&job.id))));
        Row {
            cells: vec![
                text(job.name.clone()),
                text(queues.collect::<Vec<_>>().join(", ")),
                text(fact_of(job, "user")),
                text(fact_of(job, "account")),
                text(fact_of(job, "state")),
                text(fact_of(job, "reason")),
                signal("GPUs", "l4.job_gpus"),
                signal("waited", "l4.job_wait"),
                text(idle_of(world, &job.id)),
            ],
            link: None,
        }
    };
    Table {
        title: String::new(),
        columns: vec![
            column("job", false, 0),
            column("partition", false, 1),
            column("user", false, 1),
            column("account", false, 2),
            column("state", false, 0),
            column("reason", false, 0),
            column("GPUs", true, 0),
            column("waited", true, 1),
            column("held, idle", false, 0),
        ],
        rows: jobs.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (jobs.len() > ROWS_MAX).then_some(jobs.len()),
        empty: "no job of Slurm is seen: the agent on a node with Slurm's client tools would list \
                them"
            .to_owned(),
    }
}

/// How a GPU was used in the last ten minutes.
fn is_idle(world: &World, gpu: &EntityId) -> Option<bool> {
    let peak = world.signal("l1.utilization_peak", Some(gpu))?.now.known()?;
    Some(peak < IDLE_BELOW)
}

/// How many of the GPUs that a job is known to hold do nothing.
fn idle_of(world: &World, job: &EntityId) -> String {
    let held = world.targets(job, Relation::Owns).filter(|edge| edge.to.kind == EntityKind::Gpu);
    let uses: Vec<Option<bool>> = held.map(|edge| is_idle(world, &edge.to)).collect();
    let told: Vec<bool> = uses.iter().copied().flatten().collect();
    if told.is_empty() {
        return "unknown".to_owned();
    }
    let idle = told.iter().filter(|is_idle| **is_idle).count();
    let unseen = uses.len() - told.len();
    let unseen = if unseen > 0 { format!(", {unseen} not seen") } else { String::new() };
    format!("{idle} of {}{unseen}", told.len())
}

/// GPUs whose allocation and use differ, in the words of `strata who`.
pub(super) fn differing(world: &World) -> Table {
    let is_owner = |kind| matches!(kind, EntityKind::Pod | EntityKind::Workload);
    let holder = |gpu: &EntityId| -> Vec<String> {
        let owners = world.origins(gpu, Relation::Owns).filter(|edge| is_owner(edge.from.kind));
        owners.map(|edge| name(world, &edge.from)).collect()
    };
    let any_owner =
        world.edges.iter().any(|edge| edge.relation == Relation::Owns && is_owner(edge.from.kind));
    let mut rows = Vec::new();
    for gpu in world.of_kind(EntityKind::Gpu) {
        let holders = holder(&gpu.id);
        let (status, state, why) = match (is_idle(world, &gpu.id), holders.is_empty()) {
            (Some(true), false) => {
                (Status::Watch, "allocated, idle", "did nothing in the last 10 minutes")
            }
            // Where nobody tells of owners at all, every GPU would stand here.
            (Some(false), true) if any_owner => (
                Status::Watch,
                "used, owner unknown",
                "nobody is known to hold it: its page lists the processes that do",
            ),
            _ => continue,
        };
        let peak = number(world, "peak", "l1.utilization_peak", Some(&gpu.id));
        rows.push(Row {
            cells: vec![
                text(gpu.name.clone()),
                Cell::Status { status, text: state.to_owned() },
                text(if holders.is_empty() { "nobody".to_owned() } else { holders.join(", ") }),
                Cell::Number(Box::new(peak)),
                text(why),
            ],
            link: Some(link_to(PageId::Gpus, &gpu.id)),
        });
    }
    let total = rows.len();
    rows.truncate(ROWS_MAX);
    Table {
        title: String::new(),
        columns: vec![
            column("GPU", false, 0),
            column("state", false, 0),
            column("given to", false, 0),
            column("peak, 10 min", true, 1),
            column("why", false, 1),
        ],
        rows,
        total_rows: (total > ROWS_MAX).then_some(total),
        empty: if any_owner {
            "allocation and use agree wherever both are known".to_owned()
        } else {
            "nobody tells who was given a GPU: the agent on the nodes, pod labels on the \
             exporter's series, or Slurm would"
                .to_owned()
        },
    }
}

#[cfg(test)]
mod tests {
    use strata_world::capacity::Targets;
    use strata_world::{
        Answers, Ask, Edge, Method, Reading, Scope, Signal, Window, assemble, plan, signal_def,
    };

    use super::*;

    fn gpu(key: &str) -> EntityId {
        EntityId::new(EntityKind::Gpu, key)
    }

    /// GPUs with their peaks; `owned` lists (owner, GPU).
    fn world(peaks: &[(&str, f64)], owned: &[(EntityId, &str)]) -> World {
        let window = Window {
            start_ms: 0,
            end_ms: 60_000,
            step_ms: 60_000,
            moment_ms: 60_000,
            now_ms: 60_000,
        };
        let ask = Ask {
            window,
            scope: Scope::Fleet,
            wants: Vec::new(),
            entities: false,
            coverage: false,
            targets: Targets::default(),
        };
        let mut world = assemble(&plan(&ask), &Answers::default());
        let thing = |id: EntityId| Entity { name: id.key.to_string(), facts: Vec::new(), id };
        world.entities = peaks.iter().map(|(key, _)| thing(gpu(key))).collect();
        let signal = |(key, peak): &(&str, f64)| Signal {
            def: signal_def("l1.utilization_peak").unwrap(),
            entity: Some(gpu(key)),
            now: Reading::Known(*peak),
            track: Vec::new(),
            query: String::new(),
            inputs: Vec::new(),
            newest_ms: None,
            at_most: false,
            outlier: false,
        };
        world.signals = peaks.iter().map(signal).collect();
        let edge = |(owner, key): &(EntityId, &str)| Edge {
            from: owner.clone(),
            to: gpu(key),
            relation: Relation::Owns,
            method: Method::PodResources,
            confidence: 1.0,
            held_ms: (0, 60_000),
        };
        world.edges = owned.iter().map(edge).collect();
        world
    }

    fn states(world: &World) -> Vec<String> {
        let state = |row: &Row| match row.cells.get(1) {
            Some(Cell::Status { text, .. }) => text.clone(),
            _ => String::new(),
        };
        differing(world).rows.iter().map(state).collect()
    }

    #[test]
    fn only_where_allocation_and_use_differ_there_is_a_row() {
        let pod = EntityId::new(EntityKind::Pod, "a/p");
        let peaks = [("g0", 0.9), ("g1", 0.0), ("g2", 0.5), ("g3", 0.0)];
        let owned = [(pod.clone(), "g0"), (pod, "g1")];
        assert_eq!(states(&world(&peaks, &owned)), ["allocated, idle", "used, owner unknown"]);
        assert!(states(&world(&peaks, &[])).is_empty());
        assert!(differing(&world(&peaks, &[])).empty.starts_with("nobody tells"));
    }

    #[test]
    fn a_job_that_holds_idle_gpus_is_told_with_how_many() {
        let job = EntityId::new(EntityKind::Workload, "slurm/7");
        let owned = [(job.clone(), "g0"), (job.clone(), "g1"), (job.clone(), "g9")];
        let world = world(&[("g0", 0.9), ("g1", 0.0)], &owned);
        assert_eq!(idle_of(&world, &job), "1 of 2, 1 not seen");
        assert_eq!(idle_of(&world, &EntityId::new(EntityKind::Workload, "slurm/8")), "unknown");
    }
}
