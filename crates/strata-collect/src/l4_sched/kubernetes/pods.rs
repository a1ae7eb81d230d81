//! What is kept of a pod: where it runs, what it asked for, how it does, who it belongs to.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value as Json;

use super::hami::{self, Share};
use super::kai::Fraction;
use super::pending::{self, Waiting};
use super::quantity;
use super::rules::{Marks, RuleSet};
use crate::l4_sched::device::is_accelerator;

/// Containers of one pod that are looked at.
const CONTAINERS_MAX: usize = 64;
/// Labels that name the queue of a pod: Kueue, Volcano, KAI.
const QUEUE_LABELS: [&str; 4] =
    ["kueue.x-k8s.io/queue-name", "volcano.sh/queue-name", "kai.scheduler/queue", "runai/queue"];
const QUEUE_ANNOTATION: &str = "scheduling.volcano.sh/queue-name";

/// A reference to the owner of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnerRef {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: bool,
}

/// A pod. What is not known is empty or `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pod {
    pub(super) uid: String,
    pub(super) node: String,
    pub(super) phase: String,
    pub(super) priority_class: String,
    pub(super) queue: String,
    /// Seconds since the Unix epoch.
    pub(super) created: Option<f64>,
    pub(super) started: Option<f64>,
    /// Status of the condition `PodScheduled`: `true`, `false`, `unknown`.
    pub(super) scheduled: String,
    pub(super) waiting: Option<Waiting>,
    pub(super) owners: Vec<OwnerRef>,
    pub(super) marks: Marks,
    pub(super) containers: Vec<Container>,
    /// Parts of devices that HAMi or Volcano gave to its containers; of KAI once the devices are known.
    pub(super) shares: Vec<Share>,
    /// A fraction that KAI gives, or a device that is held for such.
    pub(super) fraction: Option<Box<Fraction>>,
    /// It asks for a device, claims one or was given a share of one.
    pub(super) has_gpu: bool,
}

/// A container of a pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) runtime_id: String,
    /// Resource as Kubernetes spells it, and amount in the resource's own unit.
    pub(super) requests: Vec<(String, f64)>,
    pub(super) limits: Vec<(String, f64)>,
    pub(super) restarts: Option<f64>,
    pub(super) ready: Option<bool>,
    pub(super) waiting_reason: String,
    pub(super) terminated_reason: String,
}

impl Pod {
    /// Succeeded or failed: nothing of it runs or will run again.
    pub(super) fn is_ended(&self) -> bool {
        matches!(&*self.phase, "Succeeded" | "Failed")
    }

    /// It only holds a device for pods with fractions of it.
    pub(super) fn is_reservation(&self) -> bool {
        self.fraction.as_ref().is_some_and(|one| one.is_reservation())
    }

    /// Enter the devices of its fraction, by the groups of the pods that hold them.
    pub(super) fn give_fraction(&mut self, devices: &BTreeMap<String, String>) {
        let Some(fraction) = &self.fraction else { return };
        let container = self.containers.iter().position(|one| one.name == fraction.container);
        self.shares.extend(fraction.shares(container.unwrap_or(0), devices));
    }

    /// The owner that controls the pod, else the first.
    pub(super) fn owner(&self) -> Option<&OwnerRef> {
        controller(&self.owners)
    }

    /// Read an object as the API server sends it.
    pub(super) fn read(object: &DynamicObject, rules: &RuleSet) -> Self {
        let meta = &object.metadata;
        let (spec, status) = (&object.data["spec"], &object.data["status"]);
        let (labels, annotations) = (meta.labels.as_ref(), meta.annotations.as_ref());
        let annotated = |key: &str| annotations.and_then(|all| all.get(key));
        let queue = QUEUE_LABELS.iter().find_map(|key| labels.and_then(|all| all.get(*key)));
        let containers = containers(spec, status);
        let asks = |one: &Container| {
            one.requests.iter().chain(&one.limits).any(|(resource, _)| is_accelerator(resource))
        };
        let claims = spec["resourceClaims"].as_array().is_some_and(|claims| !claims.is_empty());
        let shares = hami::of_pod(annotated);
        let fraction = Fraction::read(labels, annotations);
        let shared = !shares.is_empty() || fraction.is_some();
        let has_gpu = claims || shared || containers.iter().any(asks);
        let gates = spec["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
        let phase = text(&status["phase"]);
        let node = text(&spec["nodeName"]);
        let scheduled = condition(status, "PodScheduled");
        let waiting = (node.is_empty() && phase == "Pending").then(|| {
            let said = |key: &str| scheduled.map(|one| text(&one[key])).unwrap_or_default();
            pending::read(gates, &said("reason"), &said("message"))
        });
        let scheduled = scheduled.map(|one| text(&one["status"]).to_ascii_lowercase());
        let pod = Self {
            uid: meta.uid.clone().unwrap_or_default(),
            node,
            phase,
            priority_class: text(&spec["priorityClassName"]),
            queue: queue.or_else(|| annotated(QUEUE_ANNOTATION)).cloned().unwrap_or_default(),
            created: meta.creation_timestamp.as_ref().map(|time| time.0.as_second() as f64),
            started: seconds(&status["startTime"]),
            scheduled: scheduled.unwrap_or_default(),
            waiting,
            owners: owners(object),
            marks: rules.marks(labels, annotations, &arguments(spec)),
            shares,
            fraction: fraction.map(Box::new),
            containers,
            has_gpu,
        };
        if has_gpu { pod } else { pod.in_brief() }
    }

    /// Without what is told of pods with GPUs only: a cluster has many others.
    fn in_brief(mut self) -> Self {
        self.owners = self.owner().cloned().into_iter().collect();
        self.scheduled = String::new();
        self.started = None;
        for container in &mut self.containers {
            container.image = String::new();
            container.runtime_id = String::new();
            container.requests = Vec::new();
            container.limits = Vec::new();
        }
        self
    }
}

/// The owner that controls, else the first.
pub(super) fn controller(owners: &[OwnerRef]) -> Option<&OwnerRef> {
    owners.iter().find(|owner| owner.controller).or_else(|| owners.first())
}

/// Who an object belongs to.
pub(super) fn owners(object: &DynamicObject) -> Vec<OwnerRef> {
    owner_refs(object.metadata.owner_references.as_deref().unwrap_or_default())
}

/// References as the API's types have them.
pub(super) fn owner_refs(
    references: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference],
) -> Vec<OwnerRef> {
    let read = |one: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| OwnerRef {
        api_version: one.api_version.clone(),
        kind: one.kind.clone(),
        name: one.name.clone(),
        uid: one.uid.clone(),
        controller: one.controller.unwrap_or(false),
    };
    references.iter().map(read).collect()
}

/// The condition of a type in a status.
pub(super) fn condition<'a>(status: &'a Json, kind: &str) -> Option<&'a Json> {
    status["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}

pub(super) fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn seconds(value: &Json) -> Option<f64> {
    let time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time =
        serde_json::from_value(value.clone()).ok()?;
    Some(time.0.as_second() as f64)
}

fn arguments(spec: &Json) -> Vec<&str> {
    let containers = spec["containers"].as_array().into_iter().flatten().take(CONTAINERS_MAX);
    let lists = containers.flat_map(|one| [&one["command"], &one["args"]]);
    lists.filter_map(Json::as_array).flatten().filter_map(Json::as_str).collect()
}

fn containers(spec: &Json, status: &Json) -> Vec<Container> {
    let listed = |from: &Json, key: &str| from[key].as_array().cloned().unwrap_or_default();
    let mut said = listed(status, "containerStatuses");
    said.extend(listed(status, "initContainerStatuses"));
    let mut found = Vec::new();
    // A sidecar is an init container that goes on; the others hold nothing once the pod runs.
    let sidecars = listed(spec, "initContainers");
    let sidecars = sidecars.iter().filter(|one| one["restartPolicy"] == "Always");
    let all = listed(spec, "containers");
    for container in all.iter().chain(sidecars).take(CONTAINERS_MAX) {
        let name = text(&container["name"]);
        let state = said.iter().find(|one| one["name"] == container["name"]);
        let state = state.unwrap_or(&Json::Null);
        let ended = |of: &str| text(&state[of]["terminated"]["reason"]);
        let last = ended("lastState");
        found.push(Container {
            image: text(&container["image"]),
            runtime_id: text(&state["containerID"])
                .rsplit("//")
                .next()
                .unwrap_or_default()
                .to_owned(),
            requests: amounts(&container["resources"]["requests"]),
            limits: amounts(&container["resources"]["limits"]),
            restarts: state["restartCount"].as_f64(),
            ready: state["ready"].as_bool(),
            waiting_reason: text(&state["state"]["waiting"]["reason"]),
            terminated_reason: if last.is_empty() { ended("state") } else { last },
            name,
        });
    }
    // One of most pods: the room for four would be half of what is kept.
    found.shrink_to_fit();
    found
}

/// Resources and amounts of a map such as `requests` or `capacity`.
pub(super) fn amounts(map: &Json) -> Vec<(String, f64)> {
    let entries = map.as_object().into_iter().flatten();
    let amount = |value: &Json| match value {
        Json::String(text) => quantity::parse(text),
        number => number.as_f64(),
    };
    let mut found: Vec<_> =
        entries.filter_map(|(name, value)| Some((name.clone(), amount(value)?))).collect();
    found.shrink_to_fit();
    found
}
