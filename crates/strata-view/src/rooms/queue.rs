//! L4: queues, what waits and why, and jobs that hold devices.

use strata_world::{Entity, EntityId, EntityKind, Relation, Waiting, World};

use super::pieces::{ROWS_MAX, Show, fact_of, name, number, table};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

/// Signals of each thing that the tables show.
pub(super) const SIGNALS: [&str; 12] = [
    "l4.queue_gpus_requested",
    "l4.queue_gpus_allocated",
    "l1.utilization_peak",
    "l4.queue_admitted",
    "l4.queue_pending",
    "l4.queue_gpus_used",
    "l4.queue_gpus_wanted",
    "l4.queue_gpu_quota_used",
    "l4.job_gpus",
    "l4.job_wait",
    "l4.queue_wait_p95",
    "l4.preemptions",
];

/// One row for each queue of any scheduler.
pub(super) fn queues(world: &World) -> Table {
    let columns = [
        ("scheduler", 0, Show::Fact("scheduler")),
        ("running", 0, Show::Signal("l4.queue_admitted")),
        ("pending", 0, Show::Signal("l4.queue_pending")),
        ("wait p95", 1, Show::Signal("l4.queue_wait_p95")),
        ("preempted", 2, Show::Signal("l4.preemptions")),
        ("GPUs requested", 0, Show::Signal("l4.queue_gpus_requested")),
        ("allocated", 0, Show::Signal("l4.queue_gpus_allocated")),
        ("used", 0, Show::Signal("l4.queue_gpus_used")),
        ("waited for", 0, Show::Signal("l4.queue_gpus_wanted")),
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

/// Whether a GPU is idle; of its processes nothing is asked here.
fn is_idle(world: &World, gpu: &EntityId) -> Option<bool> {
    let peak = world.signal("l1.utilization_peak", Some(gpu))?.now.known();
    strata_world::is_idle(peak, None)
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

/// Words for why something waits: of ours and of kube-scheduler's plugins. What is not here is shown
/// as its scheduler writes it.
const REASONS: [(&str, &str); 23] = [
    ("", "nobody says why"),
    ("insufficient_gpu", "no free GPU"),
    ("insufficient_resource", "not enough of a resource"),
    ("claim", "a device claim is not met"),
    ("gang", "not all of its group fit"),
    ("quota", "quota is used up"),
    ("volume", "a volume is missing"),
    ("placement", "affinity or selector fits no node"),
    ("taint", "a taint keeps it away"),
    ("cordoned", "nodes are cordoned"),
    ("gated", "held back by a gate"),
    ("not_tried", "not looked at yet"),
    ("other", "other"),
    ("NodeResourcesFit", "not enough free resources (NodeResourcesFit)"),
    ("TaintToleration", "a taint keeps it away (TaintToleration)"),
    ("NodeAffinity", "affinity fits no node (NodeAffinity)"),
    ("DynamicResources", "a device claim is not met (DynamicResources)"),
    ("NodeUnschedulable", "nodes are cordoned (NodeUnschedulable)"),
    ("FailedMount", "a volume is not mounted (FailedMount)"),
    ("FailedAttachVolume", "a volume is not attached (FailedAttachVolume)"),
    ("FailedCreatePodSandBox", "the runtime makes no sandbox (FailedCreatePodSandBox)"),
    ("Failed", "an image or container fails (Failed)"),
    ("BackOff", "tried again after failures (BackOff)"),
];

/// Why something waits, in words.
pub fn waiting_reason(word: &str) -> String {
    let known = REASONS.iter().find(|(known, _)| *known == word);
    known.map_or_else(|| word.to_owned(), |(_, text)| (*text).to_owned())
}

/// What waits, grouped by why, the most first.
pub(super) fn waiting(world: &World) -> Table {
    let row = |waiting: &Waiting| Row {
        cells: vec![
            text(waiting.said_by.clone()),
            text(waiting.of.clone()),
            Cell::Status { status: Status::Watch, text: waiting_reason(&waiting.reason) },
            text(waiting.resource.clone()),
            text(words::text(Some(waiting.count), "{workload}")),
            text(words::text(waiting.longest, "s")),
            text(waiting.names.join(", ")),
        ],
        link: None,
    };
    Table {
        title: String::new(),
        columns: vec![
            column("said by", false, 1),
            column("namespace or queue", false, 0),
            column("why", false, 0),
            column("missing", false, 1),
            column("waiting", true, 0),
            column("longest", true, 0),
            column("such as", false, 2),
        ],
        rows: world.waiting.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (world.waiting.len() > ROWS_MAX).then_some(world.waiting.len()),
        empty: "nothing waits, as far as anybody tells: the API server, kube-scheduler, Kueue or Slurm \
                would"
            .to_owned(),
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
            who: false,
            wires: false,
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
            query: "".into(),
            inputs: [].into(),
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

    #[test]
    fn a_job_that_holds_idle_gpus_is_told_with_how_many() {
        let job = EntityId::new(EntityKind::Workload, "slurm:7");
        let owned = [(job.clone(), "g0"), (job.clone(), "g1"), (job.clone(), "g9")];
        let world = world(&[("g0", 0.9), ("g1", 0.0)], &owned);
        assert_eq!(idle_of(&world, &job), "1 of 2, 1 not seen");
        assert_eq!(idle_of(&world, &EntityId::new(EntityKind::Workload, "slurm:8")), "unknown");
    }

    #[test]
    fn why_something_waits_is_told_in_words_and_unknown_words_as_they_are() {
        let mut world = world(&[], &[]);
        let waiting = |reason: &str, longest| Waiting {
            said_by: "kubernetes".to_owned(),
            of: "ml".to_owned(),
            reason: reason.to_owned(),
            resource: String::new(),
            count: 2.0,
            names: Vec::new(),
            longest,
        };
        world.waiting =
            vec![waiting("insufficient_gpu", Some(90.0)), waiting("", None), waiting("New", None)];
        let words = |row: &Row| {
            let word = |cell: &Cell| match cell {
                Cell::Text { text } | Cell::Status { text, .. } => text.clone(),
                _ => String::new(),
            };
            [word(&row.cells[2]), word(&row.cells[4]), word(&row.cells[5])]
        };
        let rows: Vec<_> = super::waiting(&world).rows.iter().map(words).collect();
        assert_eq!(
            rows,
            [
                ["no free GPU", "2", "90 s"],
                ["nobody says why", "2", "unknown"],
                ["New", "2", "unknown"],
            ]
        );
    }
}
