//! From answers to devices: who holds each, who uses it, and whether those agree. Pure.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::questions::{Answers, Row};

/// Below this peak of ten minutes a device did nothing: less than one short kernel a second.
const IDLE_BELOW: f64 = 0.01;

/// How the use of a device and its allocation go together. In order of what to look at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// A process of a pod that is gone uses it.
    Orphan,
    /// A pod or job that was not given it uses it.
    UsedByOtherPod,
    /// A process in no pod and no job uses it.
    UsedOutsidePods,
    /// It was given away and nobody uses it.
    AllocatedIdle,
    /// Whoever was given it uses it.
    UsedByOwner,
    /// Nobody was given it and nobody uses it.
    Free,
    /// Nothing tells whether it is used.
    Unknown,
}

impl State {
    /// As people read it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Orphan => "orphan",
            Self::UsedByOtherPod => "used by other pod",
            Self::UsedOutsidePods => "used outside pods",
            Self::AllocatedIdle => "allocated, idle",
            Self::UsedByOwner => "used by owner",
            Self::Free => "free",
            Self::Unknown => "unknown",
        }
    }
}

/// Somebody who holds a device or uses it. What is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Holder {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) pod_uid: String,
    pub(super) container: String,
    pub(super) slurm_job_id: String,
    pub(super) workload_kind: String,
    pub(super) workload: String,
    pub(super) team: String,
    pub(super) model: String,
    pub(super) queue: String,
    pub(super) method: String,
    pub(super) confidence: String,
    /// Device memory of its processes in bytes, where processes are known.
    pub(super) memory_bytes: Option<u64>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the words that labels and pages have for them")]
pub(super) struct Gpu {
    pub(super) gpu_uuid: String,
    pub(super) gpu: String,
    pub(super) node: String,
    pub(super) gpu_model: String,
    pub(super) state: State,
    /// What the state was read from: `processes`, `utilization` or `none`.
    pub(super) evidence: &'static str,
    pub(super) memory_bytes: Option<u64>,
    /// Highest utilization of the last ten minutes, 0 to 1.
    pub(super) peak_utilization: Option<f64>,
    pub(super) holders: Vec<Holder>,
    /// Users that hold nothing of it.
    pub(super) strangers: Vec<Holder>,
}

/// A device's identity: its UUID, else node and number.
type Id = (String, String, String);

fn id(row: &Row) -> Id {
    match row.get("gpu_uuid") {
        "" => (String::new(), row.get("node").to_owned(), row.get("gpu").to_owned()),
        uuid => (uuid.to_owned(), String::new(), String::new()),
    }
}

/// Every device anything is known of, by node and number.
pub(super) fn read(answers: &Answers) -> Vec<Gpu> {
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
    for row in &answers.slurm_devices {
        let (node, number) = (row.get("node"), row.get("gpu"));
        if !number.is_empty() && !gpus.values().any(|gpu| gpu.node == node && gpu.gpu == number) {
            let mut gpu = new(row);
            node.clone_into(&mut gpu.node);
            number.clone_into(&mut gpu.gpu);
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
    let mut gpus: Vec<Gpu> = gpus.into_values().collect();
    let number = |gpu: &Gpu| gpu.gpu.parse::<u32>().unwrap_or(u32::MAX);
    gpus.sort_by_key(|gpu| (gpu.node.clone(), number(gpu), gpu.gpu_uuid.clone()));
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
    }
}

/// Enter who was given each device: by those who gave it, else as exporters write it.
fn give(gpus: &mut BTreeMap<Id, Gpu>, answers: &Answers, who: &People<'_>) {
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
        let number = |gpu: &&Gpu| gpu.node == row.get("node") && gpu.gpu == row.get("gpu");
        let uuid = gpus.values().find(number).map(|gpu| gpu.gpu_uuid.clone());
        let mut row = row.clone();
        row.labels.insert("gpu_uuid".to_owned(), uuid.unwrap_or_default());
        if let Some(gpu) = gpus.get_mut(&id(&row)) {
            let mut holder = who.holder(&row);
            "slurm".clone_into(&mut holder.method);
            "medium".clone_into(&mut holder.confidence);
            gpu.holders.push(holder);
        }
    }
}

/// Whether two are the same pod or job.
fn is_same(one: &Holder, other: &Holder) -> bool {
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
            by_utilization(gpu);
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
        let nobody = if gpu.holders.is_empty() { State::Free } else { State::AllocatedIdle };
        gpu.state = states.into_iter().min().unwrap_or(nobody);
        // A process that only keeps its context: there, and idle all the same.
        let idle = gpu.peak_utilization.is_some_and(|peak| peak < IDLE_BELOW);
        if gpu.state == State::UsedByOwner && idle {
            gpu.state = State::AllocatedIdle;
        }
    }
}

/// Without processes only the device's own load tells.
fn by_utilization(gpu: &mut Gpu) {
    let Some(peak) = gpu.peak_utilization else { return };
    gpu.evidence = "utilization";
    gpu.state = match (gpu.holders.is_empty(), peak < IDLE_BELOW) {
        (true, true) => State::Free,
        (true, false) => State::Unknown,
        (false, true) => State::AllocatedIdle,
        (false, false) => State::UsedByOwner,
    };
    // The memory of a device that only one holds is its holder's.
    if let ([holder], Some(bytes)) = (&mut *gpu.holders, gpu.memory_bytes) {
        holder.memory_bytes = Some(bytes);
    }
}

/// What is known of pods and jobs.
struct People<'a> {
    /// By namespace and name.
    workloads: BTreeMap<(&'a str, &'a str), &'a Row>,
    pods: BTreeMap<(&'a str, &'a str), &'a Row>,
    names: BTreeMap<&'a str, (&'a str, &'a str)>,
    /// Nodes whose pods are known.
    nodes: BTreeSet<&'a str>,
    models: BTreeMap<(&'a str, &'a str), &'a str>,
    /// By job id.
    owners: BTreeMap<&'a str, &'a Row>,
    jobs: BTreeMap<&'a str, &'a Row>,
    /// Job by node and process.
    processes: BTreeMap<(&'a str, &'a str), &'a str>,
}

impl<'a> People<'a> {
    fn new(answers: &'a Answers) -> Self {
        let pod = |row: &'a Row| (row.get("namespace"), row.get("pod"));
        let by_pod = |rows: &'a [Row]| rows.iter().map(|row| (pod(row), row)).collect();
        let uid = |row: &'a Row| (row.get("pod_uid"), pod(row));
        let named = answers.workloads.iter().chain(&answers.pods).chain(&answers.allocations);
        let named = named.map(uid).filter(|(uid, (_, pod))| !uid.is_empty() && !pod.is_empty());
        let nodes = answers.workloads.iter().chain(&answers.pods).map(|row| row.get("node"));
        let by_job = |rows: &'a [Row], label: &str| {
            let rows = rows.iter().map(|row| (row.get(label), row));
            rows.filter(|(job, _)| !job.is_empty()).collect()
        };
        let models = answers.models.iter().map(|row| (pod(row), row.get("model")));
        let processes = answers.slurm_processes.iter();
        let processes =
            processes.map(|row| ((row.get("node"), row.get("pid")), row.get("slurm_job_id")));
        Self {
            workloads: by_pod(&answers.workloads),
            pods: by_pod(&answers.pods),
            names: named.collect(),
            nodes: nodes.filter(|node| !node.is_empty()).collect(),
            models: models.collect(),
            owners: by_job(&answers.owners, "job"),
            jobs: by_job(&answers.jobs, "slurm_job_id"),
            processes: processes.collect(),
        }
    }

    /// The pod or job that a row names, with what is known of it.
    fn holder(&self, row: &Row) -> Holder {
        let text = |label: &str| row.get(label).to_owned();
        let mut holder = Holder {
            namespace: text("namespace"),
            pod: text("pod"),
            pod_uid: text("pod_uid"),
            container: text("container"),
            slurm_job_id: text("slurm_job_id"),
            ..Holder::default()
        };
        if holder.pod.is_empty()
            && let Some((namespace, pod)) = self.names.get(&*holder.pod_uid)
        {
            (*namespace).clone_into(&mut holder.namespace);
            (*pod).clone_into(&mut holder.pod);
        }
        self.describe(&mut holder);
        holder
    }

    /// The pod or job of a process.
    fn user(&self, row: &Row) -> Holder {
        let mut user = self.holder(row);
        let job = self.processes.get(&(row.get("node"), row.get("pid")));
        if let Some(job) = job
            && user.slurm_job_id.is_empty()
        {
            (*job).clone_into(&mut user.slurm_job_id);
            self.describe(&mut user);
        }
        user
    }

    /// Fill in what others tell of it; the first word stands.
    fn describe(&self, holder: &mut Holder) {
        let (namespace, pod) = (holder.namespace.clone(), holder.pod.clone());
        let job = holder.slurm_job_id.clone();
        let key = (&*namespace, &*pod);
        if let Some(row) = self.workloads.get(&key) {
            fill(holder, row, ["workload_kind", "workload", "team", "model", "queue"]);
        }
        if let Some(row) = self.pods.get(&key) {
            fill(holder, row, ["created_by_kind", "created_by_name", "", "", ""]);
        }
        if let Some(row) = self.owners.get(&*job) {
            fill(holder, row, ["workload_kind", "workload", "team", "model", "queue"]);
        }
        if let Some(row) = self.jobs.get(&*job) {
            fill(holder, row, ["", "job_name", "account", "", "partition"]);
        }
        if !job.is_empty() && holder.workload_kind.is_empty() {
            "SlurmJob".clone_into(&mut holder.workload_kind);
        }
        if let Some(model) = self.models.get(&key)
            && holder.model.is_empty()
        {
            (*model).clone_into(&mut holder.model);
        }
    }

    /// The pod of a process is none of those there are. Nothing is said of a node whose pods are not
    /// known.
    fn is_gone(&self, node: &str, user: &Holder) -> bool {
        !user.pod_uid.is_empty()
            && self.nodes.contains(node)
            && !self.names.contains_key(&*user.pod_uid)
    }
}

/// Fill kind, workload, team, model and queue from the labels of a row.
fn fill(holder: &mut Holder, row: &Row, from: [&str; 5]) {
    let fields = [
        &mut holder.workload_kind,
        &mut holder.workload,
        &mut holder.team,
        &mut holder.model,
        &mut holder.queue,
    ];
    for (field, label) in fields.into_iter().zip(from) {
        if field.is_empty() {
            row.get(label).clone_into(field);
        }
    }
}
