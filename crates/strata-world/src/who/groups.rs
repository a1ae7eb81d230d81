//! Devices and memory by team, namespace, model or workload.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Gpu, Holder, State};

/// What devices are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Team, by the operator's rules; of a Slurm job its account.
    Team,
    /// Namespace of Kubernetes.
    Namespace,
    /// Model that is served or trained.
    Model,
    /// Deployment, job or custom resource at the top of the owners.
    Workload,
}

/// One team, namespace, model or workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Group {
    /// Empty for what no rule or label names.
    pub name: String,
    /// Devices; of one that several hold each has its part.
    pub gpus: f64,
    /// Those of them that nobody uses.
    pub idle_gpus: f64,
    /// Device memory in bytes; `None` where it is not known of any device.
    pub memory_bytes: Option<u64>,
    /// Devices whose memory is not known.
    pub memory_unknown_gpus: u64,
    pub holders: usize,
}

fn name(by: By, holder: &Holder) -> String {
    match by {
        By::Team => holder.team.clone(),
        By::Namespace => holder.namespace.clone(),
        By::Model => holder.model.clone(),
        By::Workload if holder.workload.is_empty() => String::new(),
        By::Workload => match &*holder.namespace {
            "" => format!("{} {}", holder.workload_kind, holder.workload),
            namespace => format!("{} {namespace}/{}", holder.workload_kind, holder.workload),
        },
    }
}

/// Group what is held: models by memory, the others by devices, the most first.
pub fn group(gpus: &[Gpu], by: By) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for gpu in gpus {
        let part = 1.0 / gpu.holders.len().max(1) as f64;
        for holder in &gpu.holders {
            let name = name(by, holder);
            let group = groups.entry(name.clone()).or_default();
            group.name = name;
            group.gpus += part;
            group.holders += 1;
            if gpu.state == State::AllocatedIdle {
                group.idle_gpus += part;
            }
            match holder.memory_bytes {
                Some(bytes) => group.memory_bytes = Some(group.memory_bytes.unwrap_or(0) + bytes),
                None => group.memory_unknown_gpus += 1,
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|one, other| {
        let devices = other.gpus.total_cmp(&one.gpus);
        let memory = other.memory_bytes.cmp(&one.memory_bytes);
        if by == By::Model { memory.then(devices) } else { devices.then(memory) }
    });
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(state: State, holders: &[(&str, &str, Option<u64>)]) -> Gpu {
        let holder = |(team, model, bytes): &(&str, &str, Option<u64>)| Holder {
            team: (*team).to_owned(),
            model: (*model).to_owned(),
            memory_bytes: *bytes,
            ..Holder::default()
        };
        Gpu {
            gpu_uuid: String::new(),
            gpu: String::new(),
            node: String::new(),
            gpu_model: String::new(),
            state,
            evidence: "none",
            memory_bytes: None,
            peak_utilization: None,
            holders: holders.iter().map(holder).collect(),
            strangers: Vec::new(),
            shares: super::super::Shares::default(),
        }
    }

    #[test]
    fn shares_of_a_device_add_up_to_it() {
        let gpus = [
            gpu(State::UsedByOwner, &[("a", "m", Some(10)), ("b", "big", Some(90))]),
            gpu(State::AllocatedIdle, &[("a", "m", None)]),
            gpu(State::Free, &[]),
        ];
        let teams = group(&gpus, By::Team);
        let short = |one: &Group| (one.name.clone(), one.gpus, one.idle_gpus, one.memory_bytes);
        let expected = [("a".to_owned(), 1.5, 1.0, Some(10)), ("b".to_owned(), 0.5, 0.0, Some(90))];
        assert_eq!(teams.iter().map(short).collect::<Vec<_>>(), expected);
        assert_eq!(teams[0].memory_unknown_gpus, 1);
        assert!((teams.iter().map(|one| one.gpus).sum::<f64>() - 2.0).abs() < 1e-9);
        assert_eq!(group(&gpus, By::Model)[0].name, "big", "models by memory");
    }
}
