//! From the labels of a series to the thing it is about. What carries no identity is about nothing.

use std::borrow::Cow;

use strata_model::Labels;

use crate::entity::{EntityId, EntityKind};

/// The thing of a kind that a series is about.
pub(crate) fn identity(kind: EntityKind, labels: &Labels) -> Option<EntityId> {
    Some(EntityId::new(kind, key(kind, labels)?))
}

/// The key of the thing of a kind that a series is about.
pub(crate) fn key(kind: EntityKind, labels: &Labels) -> Option<Cow<'_, str>> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let pair = |first: &str, second: &str| Some(format!("{}/{}", label(first)?, label(second)?));
    let key = match kind {
        EntityKind::Node => node(labels)?.into(),
        EntityKind::Gpu => gpu(labels)?,
        EntityKind::Slice => format!("{}/{}", gpu(labels)?, label("mig_instance")?).into(),
        EntityKind::Process => format!("{}/{}", node(labels)?, label("pid")?).into(),
        EntityKind::Container => {
            format!("{}/{}", pair("namespace", "pod")?, label("container")?).into()
        }
        EntityKind::Pod => pair("namespace", "pod")?.into(),
        EntityKind::Workload => pair("namespace", "workload").or_else(|| slurm_key(labels))?.into(),
        EntityKind::Namespace => label("namespace")?.into(),
        EntityKind::Team => label("team")?.into(),
        EntityKind::Queue => label("queue")?.into(),
        EntityKind::Replica => label("instance")?.into(),
        EntityKind::Model => label("model").or_else(|| label("gen_ai_request_model"))?.into(),
        EntityKind::Run => label("run")?.into(),
        EntityKind::Rank => pair("run", "rank")?.into(),
        EntityKind::Communicator => label("comm")?.into(),
        EntityKind::Tenant => label("tenant")?.into(),
    };
    Some(key)
}

/// A job of Slurm, which has no namespace.
pub(crate) fn slurm_job(labels: &Labels) -> Option<EntityId> {
    Some(EntityId::new(EntityKind::Workload, slurm_key(labels)?))
}

/// With a sign that no namespace may have: one called slurm is of Kubernetes.
fn slurm_key(labels: &Labels) -> Option<String> {
    let number = labels.get("slurm_job_id").filter(|value| !value.is_empty())?;
    Some(format!("slurm:{number}"))
}

/// The node by its own label; without one the host of the address it is scraped at.
fn node(labels: &Labels) -> Option<&str> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    label("node").or_else(|| host_of(label("instance")?))
}

/// The device by its UUID; without one by node and index.
fn gpu(labels: &Labels) -> Option<Cow<'_, str>> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    match label("gpu_uuid") {
        Some(uuid) => Some(uuid.into()),
        None => Some(format!("{}/{}", label("node")?, label("gpu")?).into()),
    }
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
        check(EntityKind::Workload, &[("slurm_job_id", "7")], Some("workload:slurm:7"));
        check(Process, &[("node", "a"), ("pid", "7")], Some("process:a/7"));
        check(Replica, &[("instance", "h:8000")], Some("replica:h:8000"));
        check(Model, &[("gen_ai_request_model", "m")], Some("model:m"));
    }
}
