//! From the labels of a series to the thing it is about. What carries no identity is about nothing.

use strata_model::Labels;

use crate::entity::{EntityId, EntityKind};

/// The thing of a kind that a series is about.
pub(crate) fn identity(kind: EntityKind, labels: &Labels) -> Option<EntityId> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let pair = |first: &str, second: &str| Some(format!("{}/{}", label(first)?, label(second)?));
    match kind {
        EntityKind::Node => node(labels),
        EntityKind::Gpu => gpu(labels),
        EntityKind::Slice => {
            let gpu = gpu(labels)?;
            Some(EntityId::new(kind, format!("{}/{}", gpu.key, label("mig_instance")?)))
        }
        EntityKind::Process => {
            let node = node(labels)?;
            Some(EntityId::new(kind, format!("{}/{}", node.key, label("pid")?)))
        }
        EntityKind::Container => Some(EntityId::new(
            kind,
            format!("{}/{}", pair("namespace", "pod")?, label("container")?),
        )),
        EntityKind::Pod => Some(EntityId::new(kind, pair("namespace", "pod")?)),
        EntityKind::Workload => pair("namespace", "workload")
            .map(|key| EntityId::new(kind, key))
            .or_else(|| slurm_job(labels)),
        EntityKind::Namespace => Some(EntityId::new(kind, label("namespace")?)),
        EntityKind::Team => Some(EntityId::new(kind, label("team")?)),
        EntityKind::Queue => Some(EntityId::new(kind, label("queue")?)),
        EntityKind::Replica => Some(EntityId::new(kind, label("instance")?)),
        EntityKind::Model => {
            Some(EntityId::new(kind, label("model").or_else(|| label("gen_ai_request_model"))?))
        }
        EntityKind::Run => Some(EntityId::new(kind, label("run")?)),
        EntityKind::Rank => Some(EntityId::new(kind, pair("run", "rank")?)),
        EntityKind::Communicator => Some(EntityId::new(kind, label("comm")?)),
        EntityKind::Tenant => Some(EntityId::new(kind, label("tenant")?)),
    }
}

/// A job of Slurm, which has no namespace.
pub(crate) fn slurm_job(labels: &Labels) -> Option<EntityId> {
    let number = labels.get("slurm_job_id").filter(|value| !value.is_empty())?;
    Some(EntityId::new(EntityKind::Workload, format!("slurm/{number}")))
}

/// The node by its own label; without one the host of the address it is scraped at.
fn node(labels: &Labels) -> Option<EntityId> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let key = label("node").or_else(|| host_of(label("instance")?))?;
    Some(EntityId::new(EntityKind::Node, key))
}

/// The device by its UUID; without one by node and index.
fn gpu(labels: &Labels) -> Option<EntityId> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let key = match label("gpu_uuid") {
        Some(uuid) => uuid.to_owned(),
        None => format!("{}/{}", label("node")?, label("gpu")?),
    };
    Some(EntityId::new(EntityKind::Gpu, key))
}

/// The host of `host:port`; the whole text when it ends in no port.
pub(crate) fn host_of(instance: &str) -> Option<&str> {
    let host = match instance.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => instance,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use EntityKind::{Gpu, Model, Node, Pod, Process, Replica};

    use super::*;

    #[test]
    fn labels_become_identities() {
        let check = |kind: EntityKind, labels: &[(&str, &str)], expected: Option<&str>| {
            let labels = Labels::from_pairs(labels.iter().copied());
            let found = identity(kind, &labels).map(|id| id.to_string());
            assert_eq!(found.as_deref(), expected, "{labels:?}");
        };
        check(Gpu, &[("gpu_uuid", "GPU-1"), ("node", "a")], Some("gpu:GPU-1"));
        check(Gpu, &[("node", "a"), ("gpu", "3")], Some("gpu:a/3"));
        check(Gpu, &[("gpu", "3")], None);
        check(Node, &[("node", "a"), ("instance", "b:1")], Some("node:a"));
        check(Node, &[("instance", "10.0.0.1:9100")], Some("node:10.0.0.1"));
        check(Node, &[("instance", "[::1]:9100")], Some("node:[::1]"));
        check(Node, &[("job", "x")], None);
        check(Pod, &[("namespace", "n"), ("pod", "p")], Some("pod:n/p"));
        check(Pod, &[("pod", "p")], None);
        check(EntityKind::Workload, &[("slurm_job_id", "7")], Some("workload:slurm/7"));
        check(Process, &[("node", "a"), ("pid", "7")], Some("process:a/7"));
        check(Replica, &[("instance", "h:8000")], Some("replica:h:8000"));
        check(Model, &[("gen_ai_request_model", "m")], Some("model:m"));
    }
}
