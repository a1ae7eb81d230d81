//! Who: the four questions about GPUs as property, of the pages and of `strata who --all`.
//!
//! Which pod uses this GPU, which namespace uses most, which team costs most, which model holds most
//! memory. Judged once, in `strata_world::who`.

use std::collections::BTreeMap;

use strata_world::who::{By, Gpu, Group, Holder, State, group};
use strata_world::{EntityId, EntityKind, Want, World};

use super::each;
use super::pieces::{ROWS_MAX, link_to, number, section};
use crate::page::block::{Block, Section};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;
use crate::words;

/// Rows of a group at most: who holds most is at the top.
const GROUPS_MAX: usize = 20;

/// What a team costs.
const TEAM_COST: &str = "l8.team_cost_rate";

pub(super) fn wants() -> Vec<Want> {
    each(&[TEAM_COST])
}

/// How a use is drawn.
pub(super) fn status(state: State) -> Status {
    match state {
        State::Orphan => Status::Broken,
        State::UsedByOtherPod
        | State::UsedOutsidePods
        | State::UsedOwnerUnknown
        | State::AllocatedIdle => Status::Watch,
        State::UsedByOwner | State::Free => Status::Ok,
        State::Unknown => Status::Blind,
    }
}

/// What is known of who holds each GPU.
pub(super) fn by_gpu(world: &World) -> BTreeMap<EntityId, &Gpu> {
    world.holdings.iter().map(|gpu| (entity(gpu), gpu)).collect()
}

/// The GPU as a thing of the World.
fn entity(gpu: &Gpu) -> EntityId {
    match &*gpu.gpu_uuid {
        "" => EntityId::new(EntityKind::Gpu, format!("{}/{}", gpu.node, gpu.gpu)),
        uuid => EntityId::new(EntityKind::Gpu, uuid),
    }
}

pub(super) fn section_of(world: &World) -> Section {
    section(
        "who",
        "Who",
        "Which pod uses which GPU, and who holds most, by identity. Who uses one is told by processes; \
         whether it is idle by its greatest load of ten minutes, and by processes where nobody tells that.",
        vec![
            counts(world),
            Block::Table(gpus(world)),
            Block::Table(groups(world, By::Namespace, "Which namespace uses most")),
            Block::Table(teams(world)),
            Block::Table(groups(world, By::Model, "Which model holds most memory")),
        ],
    )
}

/// How many GPUs are in each state.
pub(super) fn counts(world: &World) -> Block {
    let count = |state: State| {
        let found = world.holdings.iter().filter(|gpu| gpu.state == state).count();
        // Of no GPU nothing is known, not even that none is idle.
        let value = (!world.holdings.is_empty()).then_some(found as f64);
        let mut number = plain(state.word(), value, "{gpu}");
        number.status = (found > 0).then(|| status(state)).filter(|status| *status != Status::Ok);
        number
    };
    Block::Numbers { numbers: State::ALL.iter().copied().map(count).collect() }
}

/// A number of the ledger of holders: GPUs in a state, or of somebody.
fn plain(label: &str, value: Option<f64>, unit: &str) -> Number {
    let definition = "Who was given each GPU (the kubelet, DRA, annotations, Slurm, exporters) put \
                      together with who uses it (processes) and whether it is idle (its greatest load of ten \
                      minutes, else processes).";
    let formula = "sum over GPUs; one that several hold counts in equal parts";
    let who = "the agent on the nodes, an exporter with pod labels, or Slurm would";
    told(label, (value, unit), (definition, formula, who))
}

/// A number with its definition, its formula and who would tell of it.
fn told(
    label: &str,
    (value, unit): (Option<f64>, &str),
    (definition, formula, who): (&str, &str, &str),
) -> Number {
    Number {
        label: label.to_owned(),
        text: words::text(value, unit),
        value,
        unit: unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: definition.to_owned(),
            formula: formula.to_owned(),
            unknown: value.is_none().then(|| format!("nobody tells of it: {who}")),
            ..Explanation::default()
        },
    }
}

fn column(title: &str, numeric: bool, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric, rank }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

/// Memory held on GPUs, in bytes, with how many of them tell nothing of it.
fn bytes(value: Option<u64>, unknown_gpus: u64) -> Cell {
    let words = (
        "Device memory of somebody's processes, else all that is used of a device that one alone holds.",
        "sum of gpu.process.memory.usage, else hw.gpu.memory.usage",
        "an exporter of GPUs, or the agent on the node, would",
    );
    let mut number = told("memory", (value.map(|bytes| bytes as f64), "By"), words);
    number.note = (value.is_some() && unknown_gpus > 0)
        .then(|| format!("and more: of {unknown_gpus} GPUs it is not known"));
    Cell::Number(Box::new(number))
}

/// The pod with its container, or the job.
fn name(person: &Holder) -> String {
    if !person.slurm_job_id.is_empty() {
        return format!("job {}", person.slurm_job_id);
    }
    match (&*person.pod, &*person.pod_uid) {
        ("", "") => "a process in no pod".to_owned(),
        ("", uid) => format!("pod {uid}"),
        (pod, _) => format!("{}/{pod}", person.namespace),
    }
}

/// One row for each GPU and each that holds or uses it: what needs a look first.
fn gpus(world: &World) -> Table {
    let mut found: Vec<&Gpu> = world.holdings.iter().collect();
    found.sort_by_key(|gpu| gpu.state);
    let mut rows = Vec::new();
    for gpu in &found {
        let holders = gpu.holders.iter().map(|one| (one, ""));
        let strangers = gpu.strangers.iter().map(|one| (one, "not given to: "));
        let nobody = Holder::default();
        let mut people: Vec<(&Holder, &str)> = holders.chain(strangers).collect();
        if people.is_empty() {
            people.push((&nobody, ""));
        }
        rows.extend(people.into_iter().map(|(person, prefix)| row(gpu, person, prefix)));
    }
    let total = rows.len();
    rows.truncate(ROWS_MAX);
    Table {
        title: "Which pod uses which GPU".to_owned(),
        columns: vec![
            column("GPU", false, 0),
            column("state", false, 0),
            column("who", false, 0),
            column("workload", false, 2),
            column("team", false, 1),
            column("model", false, 2),
            column("memory", true, 1),
            column("peak, 10 min", true, 1),
            column("known by", false, 1),
        ],
        rows,
        total_rows: (total > ROWS_MAX).then_some(total),
        empty: "no GPU is seen: the Doctor page lists who was asked".to_owned(),
    }
}

fn row(gpu: &Gpu, person: &Holder, prefix: &str) -> Row {
    let nobody = *person == Holder::default();
    let who = if nobody { "nobody known".to_owned() } else { format!("{prefix}{}", name(person)) };
    let known = match (&*person.method, &*person.confidence) {
        ("", _) => String::new(),
        (method, confidence) => format!("{} ({confidence})", method.replace('_', " ")),
    };
    let device = if gpu.gpu.is_empty() {
        gpu.gpu_uuid.clone()
    } else {
        format!("{} GPU {}", gpu.node, gpu.gpu)
    };
    let words = (
        "Greatest utilization of the last ten minutes.",
        "max over 10 min of hw.gpu.utilization",
        "an exporter of GPUs, or the agent on the node, would",
    );
    let peak = told("peak, 10 min", (gpu.peak_utilization, "1"), words);
    let held = if nobody { gpu.memory_bytes } else { person.memory_bytes };
    Row {
        cells: vec![
            text(device),
            Cell::Status { status: status(gpu.state), text: gpu.state.word().to_owned() },
            text(who),
            text(person.workload.clone()),
            text(person.team.clone()),
            text(person.model.clone()),
            bytes(held, 0),
            Cell::Number(Box::new(peak)),
            text(known),
        ],
        link: Some(link_to(PageId::Gpus, &entity(gpu))),
    }
}

/// A group by name, as people read it.
fn title(group: &Group) -> String {
    if group.name.is_empty() { "(not named)".to_owned() } else { group.name.clone() }
}

fn cells(group: &Group) -> Vec<Cell> {
    let gpus = |label, value| Cell::Number(Box::new(plain(label, Some(value), "{gpu}")));
    vec![
        text(title(group)),
        gpus("GPUs", group.gpus),
        gpus("idle", group.idle_gpus),
        bytes(group.memory_bytes, group.memory_unknown_gpus),
    ]
}

fn columns(by: &str) -> Vec<Column> {
    vec![
        column(by, false, 0),
        column("GPUs", true, 0),
        column("idle", true, 0),
        column("memory", true, 0),
    ]
}

fn groups(world: &World, by: By, title: &str) -> Table {
    let found = group(&world.holdings, by);
    let word = if by == By::Model { "model" } else { "namespace" };
    let row = |group: &Group| Row { cells: cells(group), link: None };
    Table {
        title: title.to_owned(),
        columns: columns(word),
        rows: found.iter().take(GROUPS_MAX).map(row).collect(),
        total_rows: (found.len() > GROUPS_MAX).then_some(found.len()),
        empty: "nobody is known to hold a GPU".to_owned(),
    }
}

/// Teams by what they cost, where that is priced, else by GPUs.
fn teams(world: &World) -> Table {
    let mut found: Vec<(Group, Number)> = group(&world.holdings, By::Team)
        .into_iter()
        .map(|group| {
            let team = EntityId::new(EntityKind::Team, &*group.name);
            let cost = number(world, "costs", TEAM_COST, Some(&team));
            (group, cost)
        })
        .collect();
    let cost = |one: &(Group, Number)| one.1.value.unwrap_or(f64::NEG_INFINITY);
    // Stable: teams without a price stay in order of their GPUs.
    found.sort_by(|one, other| cost(other).total_cmp(&cost(one)));
    let mut columns = columns("team");
    columns.push(column("costs", true, 0));
    let total = found.len();
    let rows = found.into_iter().take(GROUPS_MAX).map(|(group, cost)| {
        let mut cells = cells(&group);
        cells.push(Cell::Number(Box::new(cost)));
        Row { cells, link: None }
    });
    Table {
        title: "Which team costs most".to_owned(),
        columns,
        rows: rows.collect(),
        total_rows: (total > GROUPS_MAX).then_some(total),
        empty: "nobody is known to hold a GPU".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use strata_world::who::Shares;

    use super::*;

    #[test]
    fn a_gpu_that_is_used_by_a_stranger_names_both() {
        let person = |pod: &str| Holder {
            namespace: "ml".to_owned(),
            pod: pod.to_owned(),
            ..Holder::default()
        };
        let gpu = Gpu {
            gpu_uuid: "GPU-1".to_owned(),
            gpu: "3".to_owned(),
            node: "n".to_owned(),
            gpu_model: String::new(),
            state: State::UsedByOtherPod,
            evidence: "processes",
            memory_bytes: Some(9),
            peak_utilization: None,
            holders: vec![person("a")],
            strangers: vec![person("b")],
            shares: Shares::default(),
        };
        let words = |person: &Holder, prefix: &str| {
            let row = row(&gpu, person, prefix);
            row.cells
                .iter()
                .take(3)
                .map(|cell| match cell {
                    Cell::Text { text } | Cell::Status { text, .. } => text.clone(),
                    _ => String::new(),
                })
                .collect::<Vec<_>>()
        };
        let state = "used by other pod";
        assert_eq!(words(&gpu.holders[0], ""), ["n GPU 3", state, "ml/a"]);
        let stranger = words(&gpu.strangers[0], "not given to: ");
        assert_eq!(stranger, ["n GPU 3", state, "not given to: ml/b"]);
        assert_eq!(words(&Holder::default(), "")[2], "nobody known");
    }
}
