//! From answers to devices. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::people::People;
use super::questions::{Answers, Row};
use super::shares::shares;
use super::{Gpu, Holder, Shares, State};
use crate::idle::is_idle;

/// A device's identity: its UUID, else node and number.
pub(super) type Id = (String, String, String);

pub(super) fn id(row: &Row) -> Id {
    match row.get("gpu_uuid") {
        "" => (String::new(), row.get("node").to_owned(), row.get("gpu").to_owned()),
        uuid => (uuid.to_owned(), String::new(), String::new()),
    }
}

/// Every device anything is known of, by node and number.
pub fn read(answers: &Answers) -> Vec<Gpu> {
    let who = People::new(answers);
    let mut gpus: BTreeMap<Id, Gpu> = BTreeMap::new();
    for row in answers.memory.iter().chain(&answers.peak).chain(&answers.allocations) {
        if row.get("gpu_uuid").is_empty() && row.get("gpu").is_empty() {
            continue;
        }
        let gpu = gpus.entry(id(row)).or_insert_with(|| new(row));
        // A page without the number must not hide it.
        for (known, label) in
            [(&mut gpu.node, "node"), (&mut gpu.gpu, "gpu"), (&mut gpu.gpu_model, "gpu_model")]
        {
            if known.is_empty() {
                row.get(label).clone_into(known);
            }
        }
    }
    // A node without an agent is known by Slurm alone, and so is a device that is only shared there.
    let numbered = by_number(&gpus);
    for row in &answers.slurm_devices {
        let place = (row.get("node").to_owned(), row.get("gpu").to_owned());
        if !place.1.is_empty() && !numbered.contains_key(&place) {
            let mut gpu = new(row);
            (gpu.node, gpu.gpu) = place;
            gpus.insert(id(row), gpu);
        }
    }
    for row in &answers.memory {
        if let Some(gpu) = gpus.get_mut(&id(row)) {
            gpu.memory_bytes = gpu.memory_bytes.max(Some(row.value as u64));
        }
    }
    for row in &answers.peak {
        if let Some(gpu) = gpus.get_mut(&id(row)) {
            let peak = gpu.peak_utilization.unwrap_or(0.0);
            gpu.peak_utilization = Some(peak.max(row.value));
        }
    }
    give(&mut gpus, answers, &who);
    use_of(&mut gpus, answers, &who);
    shares(&mut gpus, answers, &who);
    let mut gpus: Vec<Gpu> = gpus.into_values().collect();
    let number = |gpu: &Gpu| gpu.gpu.parse::<u32>().unwrap_or(u32::MAX);
    gpus.sort_by_key(|gpu| (gpu.node.clone(), number(gpu), gpu.gpu_uuid.clone()));
    gpus
}

/// UUIDs by node and number.
fn by_number(gpus: &BTreeMap<Id, Gpu>) -> BTreeMap<(String, String), String> {
    let all = gpus.values();
    all.map(|gpu| ((gpu.node.clone(), gpu.gpu.clone()), gpu.gpu_uuid.clone())).collect()
}

fn new(row: &Row) -> Gpu {
    Gpu {
        gpu_uuid: row.get("gpu_uuid").to_owned(),
        gpu: String::new(),
        node: String::new(),
        gpu_model: String::new(),
        state: State::Unknown,
        evidence: "none",
        memory_bytes: None,
        peak_utilization: None,
        holders: Vec::new(),
        strangers: Vec::new(),
        shares: Shares::default(),
    }
}

/// Enter who was given each device: by those who gave it, else as exporters write it.
fn give(gpus: &mut BTreeMap<Id, Gpu>, answers: &Answers, who: &People<'_>) {
    let numbered = by_number(gpus);
    let mut push = |row: &Row, method: &str, confidence: &str| {
        let Some(gpu) = gpus.get_mut(&id(row)) else { return };
        let mut holder = who.holder(row);
        method.clone_into(&mut holder.method);
        confidence.clone_into(&mut holder.confidence);
        let same = |known: &&mut Holder| {
            is_same(known, &holder)
                && (known.container == holder.container
                    || known.container.is_empty()
                    || holder.container.is_empty())
        };
        match gpu.holders.iter_mut().find(same) {
            Some(known) if known.container.is_empty() => known.container = holder.container,
            Some(_) => {}
            None => gpu.holders.push(holder),
        }
    };
    for row in &answers.allocations {
        push(row, row.get("method"), row.get("confidence"));
    }
    // Only nodes that nobody told of: an exporter's word is a copy of the kubelet's.
    let told: BTreeSet<&str> = answers.allocations.iter().map(|row| row.get("node")).collect();
    let untold = |row: &&Row| !told.contains(row.get("node"));
    for row in answers.exported.iter().filter(untold) {
        push(row, "exporter", "medium");
    }
    // Of a shared device the agent is not told which it is; Slurm is.
    let shared = |row: &&Row| matches!(row.get("sharing"), "shard" | "mps");
    for row in answers.slurm_devices.iter().filter(|row| untold(row) || shared(row)) {
        // Devices with a UUID are known by it; Slurm has only the number.
        let place = (row.get("node").to_owned(), row.get("gpu").to_owned());
        let mut labels = row.labels.to_builder();
        labels.set("gpu_uuid", numbered.get(&place).map_or("", String::as_str));
        let row = Row { labels: labels.build(), value: row.value };
        if let Some(gpu) = gpus.get_mut(&id(&row)) {
            let mut holder = who.holder(&row);
            "slurm".clone_into(&mut holder.method);
            "medium".clone_into(&mut holder.confidence);
            gpu.holders.push(holder);
        }
    }
}

/// Whether two are the same pod or job.
pub(super) fn is_same(one: &Holder, other: &Holder) -> bool {
    if !one.pod_uid.is_empty() && !other.pod_uid.is_empty() {
        return one.pod_uid == other.pod_uid;
    }
    if !one.slurm_job_id.is_empty() || !other.slurm_job_id.is_empty() {
        return one.slurm_job_id == other.slurm_job_id;
    }
    !one.pod.is_empty() && (&one.namespace, &one.pod) == (&other.namespace, &other.pod)
}

/// Enter who uses each device, and judge.
fn use_of(gpus: &mut BTreeMap<Id, Gpu>, answers: &Answers, who: &People<'_>) {
    let mut used: BTreeMap<Id, Vec<(Holder, u64)>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for row in &answers.processes {
        told.insert(row.get("node"));
        used.entry(id(row)).or_default().push((who.user(row), row.value as u64));
    }
    let allocated: BTreeSet<String> =
        gpus.values().filter(|gpu| !gpu.holders.is_empty()).map(|gpu| gpu.node.clone()).collect();
    for (id, gpu) in gpus.iter_mut() {
        let users = used.remove(id).unwrap_or_default();
        if users.is_empty() && !told.contains(&*gpu.node) {
            by_utilization(gpu, !allocated.is_empty());
            continue;
        }
        gpu.evidence = "processes";
        let mut states = Vec::new();
        for (user, bytes) in users {
            let holder = gpu.holders.iter_mut().find(|holder| is_same(holder, &user));
            let in_pod = !user.pod_uid.is_empty() || !user.pod.is_empty();
            let state = match holder {
                Some(holder) => {
                    holder.memory_bytes = Some(holder.memory_bytes.unwrap_or(0) + bytes);
                    states.push(State::UsedByOwner);
                    continue;
                }
                None if who.is_gone(&gpu.node, &user) => State::Orphan,
                None if !in_pod && user.slurm_job_id.is_empty() => State::UsedOutsidePods,
                // Nobody tells of allocations on this node: whoever uses it is taken for the owner.
                None if !allocated.contains(&gpu.node) => {
                    let method = "cgroup".to_owned();
                    let confidence = "medium".to_owned();
                    let memory_bytes = Some(bytes);
                    gpu.holders.push(Holder { method, confidence, memory_bytes, ..user });
                    states.push(State::UsedByOwner);
                    continue;
                }
                None => State::UsedByOtherPod,
            };
            states.push(state);
            match gpu.strangers.iter_mut().find(|known| is_same(known, &user)) {
                Some(known) => {
                    known.memory_bytes = Some(known.memory_bytes.unwrap_or(0) + bytes);
                }
                None => gpu.strangers.push(Holder { memory_bytes: Some(bytes), ..user }),
            }
        }
        for holder in &mut gpu.holders {
            // The processes are known, and none is theirs.
            holder.memory_bytes.get_or_insert(0);
        }
        let holds = !gpu.holders.is_empty();
        // A process may only keep its context, and be idle all the same; and one that ended a moment
        // ago has not left its GPU idle for ten minutes.
        gpu.state = match (states.iter().min(), is_idle(gpu.peak_utilization, Some(true))) {
            (None, _) if !holds => State::Free,
            (None, _) if is_idle(gpu.peak_utilization, Some(false)) == Some(true) => {
                State::AllocatedIdle
            }
            (Some(State::UsedByOwner), Some(true)) => State::AllocatedIdle,
            (None, _) => State::UsedByOwner,
            (Some(state), _) => *state,
        };
    }
}

/// Without processes only the device's own load tells. Where nobody tells of holders at all, every
/// busy device would be one of an unknown owner.
fn by_utilization(gpu: &mut Gpu, any_holder: bool) {
    let Some(idle) = is_idle(gpu.peak_utilization, None) else { return };
    gpu.evidence = "utilization";
    gpu.state = match (gpu.holders.is_empty(), idle) {
        (true, true) => State::Free,
        (true, false) if any_holder => State::UsedOwnerUnknown,
        (true, false) => State::Unknown,
        (false, true) => State::AllocatedIdle,
        (false, false) => State::UsedByOwner,
    };
    // The memory of a device that only one holds is its holder's.
    if let ([holder], Some(bytes)) = (&mut *gpu.holders, gpu.memory_bytes) {
        holder.memory_bytes = Some(bytes);
    }
}
