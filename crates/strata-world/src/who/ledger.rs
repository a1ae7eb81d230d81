//! From answers to devices. Pure.

use std::collections::{BTreeSet, HashMap};

use super::people::People;
use super::questions::{Answers, Row, ShareAnswers};
use super::shares::shares;
use super::{Gpu, Holder, Shares, State};
use crate::idle::is_idle;

/// A device's identity: its UUID, else node and number.
pub(super) type Id<'a> = (&'a str, &'a str, &'a str);

pub(super) fn id(row: &Row) -> Id<'_> {
    match row.get("gpu_uuid") {
        "" => ("", row.get("node"), row.get("gpu")),
        uuid => (uuid, "", ""),
    }
}

/// Devices, found by identity. A fleet has ten thousand of them and every answer names each.
#[derive(Default)]
struct Devices<'a> {
    list: Vec<Gpu>,
    places: HashMap<Id<'a>, usize>,
}

impl<'a> Devices<'a> {
    fn get_mut(&mut self, id: Id<'_>) -> Option<&mut Gpu> {
        self.list.get_mut(*self.places.get(&id)?)
    }

    /// The device of a row, entered if it was not known.
    fn enter(&mut self, row: &'a Row) -> Option<&mut Gpu> {
        let place = *self.places.entry(id(row)).or_insert_with(|| {
            self.list.push(new(row));
            self.list.len() - 1
        });
        self.list.get_mut(place)
    }

    /// Places in the list by node and number.
    fn by_number(&self) -> HashMap<(String, String), usize> {
        let all = self.list.iter().enumerate();
        all.map(|(place, gpu)| ((gpu.node.clone(), gpu.gpu.clone()), place)).collect()
    }
}

/// Every device anything is known of, by node and number.
pub fn read(answers: &Answers) -> Vec<Gpu> {
    let who = People::new(answers);
    let mut gpus = devices(answers, &who);
    sort(&mut gpus.list);
    gpus.list
}

/// [`read`], and how each device is divided between those who use it.
pub fn read_shares(answers: &Answers, of_shares: &ShareAnswers) -> Vec<Gpu> {
    let who = People::new(answers);
    let mut gpus = devices(answers, &who);
    let Devices { list, places } = &mut gpus;
    let found = places.iter().map(|(id, place)| (*id, *place));
    shares(list, found, answers, of_shares, &who);
    sort(&mut gpus.list);
    gpus.list
}

fn sort(gpus: &mut [Gpu]) {
    fn key(gpu: &Gpu) -> (&str, u32, &str, &str) {
        (&gpu.node, gpu.gpu.parse().unwrap_or(u32::MAX), &gpu.gpu, &gpu.gpu_uuid)
    }
    gpus.sort_by(|a, b| key(a).cmp(&key(b)));
}

fn devices<'a>(answers: &'a Answers, who: &People<'_>) -> Devices<'a> {
    let mut gpus = Devices::default();
    for row in answers.memory.iter().chain(&answers.peak).chain(&answers.allocations) {
        if row.get("gpu_uuid").is_empty() && row.get("gpu").is_empty() {
            continue;
        }
        let Some(gpu) = gpus.enter(row) else { continue };
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
    if !answers.slurm_devices.is_empty() {
        let numbered = gpus.by_number();
        for row in &answers.slurm_devices {
            let place = (row.get("node").to_owned(), row.get("gpu").to_owned());
            if !place.1.is_empty()
                && !numbered.contains_key(&place)
                && let Some(gpu) = gpus.enter(row)
            {
                (gpu.node, gpu.gpu) = place;
            }
        }
    }
    for row in &answers.memory {
        if let Some(gpu) = gpus.get_mut(id(row)) {
            gpu.memory_bytes = gpu.memory_bytes.max(Some(row.value as u64));
        }
    }
    for row in &answers.peak {
        if let Some(gpu) = gpus.get_mut(id(row)) {
            let peak = gpu.peak_utilization.unwrap_or(0.0);
            gpu.peak_utilization = Some(peak.max(row.value));
        }
    }
    give(&mut gpus, answers, who);
    use_of(&mut gpus, answers, who);
    gpus
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
fn give(gpus: &mut Devices<'_>, answers: &Answers, who: &People<'_>) {
    let mut push = |row: &Row, method: &str, confidence: &str| {
        let Some(gpu) = gpus.get_mut(id(row)) else { return };
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
    let mut of_slurm =
        answers.slurm_devices.iter().filter(|row| untold(row) || shared(row)).peekable();
    // Devices with a UUID are known by it; Slurm has only the number.
    let numbered = of_slurm.peek().map(|_| gpus.by_number()).unwrap_or_default();
    for row in of_slurm {
        let place = numbered.get(&(row.get("node").to_owned(), row.get("gpu").to_owned()));
        if let Some(gpu) = place.and_then(|place| gpus.list.get_mut(*place)) {
            let mut holder = who.holder(row);
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
fn use_of(gpus: &mut Devices<'_>, answers: &Answers, who: &People<'_>) {
    let mut used: HashMap<usize, Vec<(Holder, u64)>> = HashMap::new();
    let mut told = BTreeSet::new();
    for row in &answers.processes {
        told.insert(row.get("node"));
        if let Some(place) = gpus.places.get(&id(row)) {
            used.entry(*place).or_default().push((who.user(row), row.value as u64));
        }
    }
    let held = gpus.list.iter().filter(|gpu| !gpu.holders.is_empty());
    let allocated: BTreeSet<String> = held.map(|gpu| gpu.node.clone()).collect();
    for (place, gpu) in gpus.list.iter_mut().enumerate() {
        let users = used.remove(&place).unwrap_or_default();
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
