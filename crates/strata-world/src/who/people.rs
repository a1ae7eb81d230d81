//! What is known of the pods and jobs that hold devices.

use std::collections::{BTreeMap, BTreeSet};

use super::Holder;
use super::questions::{Answers, Row};

/// What is known of pods and jobs.
pub(super) struct People<'a> {
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
    pub(super) fn new(answers: &'a Answers) -> Self {
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
    pub(super) fn holder(&self, row: &Row) -> Holder {
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
    pub(super) fn user(&self, row: &Row) -> Holder {
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
    pub(super) fn is_gone(&self, node: &str, user: &Holder) -> bool {
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
