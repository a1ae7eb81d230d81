//! Who held a GPU when: runs of steps in which the same pod is named.

use std::collections::BTreeMap;

use super::part::{Device, Parts};
use super::{Hold, HolderKind};
use crate::assemble::rows::{Row, on_grid};
use crate::window::Window;

/// What is shown for the namespace of a job of Slurm. No namespace of Kubernetes has a space in its
/// name, so that nobody's pods are billed with the jobs.
pub(super) const SLURM: &str = "slurm jobs";

/// Kind of a holder, namespace and name of a pod, or [`SLURM`] and the id of a job.
type Holder = (HolderKind, String, String);

/// Pods or jobs that are named for one GPU.
#[derive(Debug, Default)]
pub(super) struct Named {
    holders: BTreeMap<Holder, Naming>,
}

/// Who a row names.
fn holder(row: &Row<'_>) -> Option<Holder> {
    let label = |name: &str| row.labels.get(name).filter(|value| !value.is_empty());
    if let Some(pod) = label("pod") {
        let namespace = label("namespace").unwrap_or_default();
        return Some((HolderKind::Pod, namespace.to_owned(), pod.to_owned()));
    }
    // `job` is the id of Slurm's job only where the row says that it is one's.
    let of_slurm = || label("job").filter(|_| label("workload_kind") == Some("SlurmJob"));
    let job = label("slurm_job_id").or_else(of_slurm)?;
    Some((HolderKind::SlurmJob, SLURM.to_owned(), job.to_owned()))
}

/// How a pod is named.
#[derive(Debug)]
struct Naming {
    method: String,
    team: Option<String>,
    parts: Parts,
    /// Whether in each step.
    steps: Vec<bool>,
}

impl Named {
    /// Take a row that names a pod; of two methods the first that was added counts.
    /// `told_by` is the question, `profile` the MIG profile where the row is about a slice.
    pub(super) fn add(
        &mut self,
        row: &Row<'_>,
        told_by: &'static str,
        method: &str,
        profile: Option<&str>,
        window: Window,
    ) {
        let Some(key) = holder(row) else { return };
        let steps = vec![false; window.len()];
        let naming =
            || Naming { method: method.to_owned(), team: None, parts: Parts::default(), steps };
        let entry = self.holders.entry(key).or_insert_with(naming);
        if let Some(team) = row.labels.get("team").filter(|team| !team.is_empty()) {
            entry.team = Some(team.to_owned());
        }
        let label = |name: &str| row.labels.get(name).filter(|value| !value.is_empty());
        if let Some(profile) = profile {
            let instance = label("mig_uuid").or_else(|| label("mig_instance"));
            entry.parts.slice(told_by, instance.unwrap_or(profile), profile);
        } else if matches!(label("sharing"), Some("replica" | "time_slicing" | "mps")) {
            entry.parts.replica(label("device").unwrap_or_default());
        }
        for (seen, value) in entry.steps.iter_mut().zip(on_grid(window, &row.points)) {
            *seen |= value.is_some();
        }
    }

    /// Take what a scheduler gave a pod: shares of cores, bytes of memory.
    pub(super) fn give(&mut self, pod: &(String, String), cores: Option<f64>, memory: Option<f64>) {
        let holder = (HolderKind::Pod, pod.0.clone(), pod.1.clone());
        if let Some(naming) = self.holders.get_mut(&holder) {
            naming.parts.given(cores, memory);
        }
    }

    /// Whether anybody is named at all.
    pub(super) fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// The runs, in order of time.
    pub(super) fn holds(&self, device: Device<'_>) -> Vec<Hold> {
        let mut holds = Vec::new();
        for ((kind, namespace, pod), Naming { method, team, parts, steps }) in &self.holders {
            let part = parts.of(device);
            let mut first = None;
            for (step, seen) in steps.iter().copied().chain([false]).enumerate() {
                match (first, seen) {
                    (None, true) => first = Some(step),
                    (Some(start), false) => {
                        holds.push(Hold {
                            first: start,
                            end: step,
                            kind: *kind,
                            namespace: namespace.clone(),
                            pod: pod.clone(),
                            team: team.clone(),
                            method: method.clone(),
                            part,
                        });
                        first = None;
                    }
                    _ => {}
                }
            }
        }
        holds.sort_by(|a, b| {
            let key = |hold: &Hold| (hold.first, hold.end);
            let name = |hold: &Hold| (hold.kind, hold.namespace.clone(), hold.pod.clone());
            key(a).cmp(&key(b)).then_with(|| name(a).cmp(&name(b)))
        });
        holds
    }
}
