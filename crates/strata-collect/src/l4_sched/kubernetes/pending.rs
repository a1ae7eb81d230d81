//! Why a pod waits for a node, from what the scheduler wrote into its condition.

use crate::l4_sched::device::is_accelerator;

/// A reason in one of our words, and the resource that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) reason: &'static str,
    pub(super) resource: String,
}

impl Waiting {
    /// The condition gives no reason that is known.
    pub(super) fn is_untold(&self) -> bool {
        matches!(self.reason, "not_tried" | "other")
    }
}

/// Read the message of the condition `PodScheduled`. Of several reasons the one that a GPU cluster's
/// operator has to know first: no free GPU, then other resources, then what the pod itself demands.
pub(super) fn read(gates: bool, reason: &str, message: &str) -> Waiting {
    let waiting = |reason, resource: &str| Waiting { reason, resource: resource.to_owned() };
    if gates || reason == "SchedulingGated" {
        return waiting("gated", "");
    }
    // What preemption would not help with is said a second time after the first sentence.
    let message = message.split("preemption:").next().unwrap_or_default();
    let missing: Vec<&str> = message
        .match_indices("Insufficient ")
        .filter_map(|(at, word)| message.get(at + word.len()..))
        .filter_map(|rest| rest.split([',', ' ']).next())
        .map(|resource| resource.trim_end_matches('.'))
        .collect();
    if let Some(resource) = missing.iter().find(|resource| is_accelerator(resource)) {
        return waiting("insufficient_gpu", resource);
    }
    let lower = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&["resourceclaim", "cannot allocate all claims"]) {
        return waiting("claim", "");
    }
    if says(&["gang", "podgroup", "pod group", "minmember", "minavailable"]) {
        return waiting("gang", "");
    }
    if let Some(resource) = missing.first() {
        return waiting("insufficient_resource", resource);
    }
    if says(&["too many pods"]) {
        return waiting("insufficient_resource", "pods");
    }
    if says(&["quota"]) {
        return waiting("quota", "");
    }
    if says(&["persistentvolumeclaim", "volume"]) {
        return waiting("volume", "");
    }
    if says(&["affinity", "node selector", "topology spread"]) {
        return waiting("placement", "");
    }
    if says(&["taint"]) {
        return waiting("taint", "");
    }
    if says(&["unschedulable"]) {
        return waiting("cordoned", "");
    }
    waiting(if message.is_empty() { "not_tried" } else { "other" }, "")
}

/// Read a warning about something that should run and does not: of a scheduler about a pod, of a kubelet
/// that has no device for it, of a controller whose pod is not accepted. `None` where its message says
/// nothing that is known.
pub(super) fn of_event(kind: &str, reason: &str, message: &str) -> Option<Waiting> {
    if message.contains("exceeded quota") {
        return Some(Waiting { reason: "quota", resource: refused_by_quota(message) });
    }
    if kind != "Pod" {
        return None;
    }
    if let Some((_, resource)) = message.split_once("devices unavailable for ") {
        let resource = word(resource);
        return is_accelerator(resource)
            .then(|| Waiting { reason: "insufficient_gpu", resource: resource.to_owned() });
    }
    let read = read(false, reason, message);
    // What a kubelet says of volumes and images is not why there is no node.
    let by_scheduler = message.contains("nodes are available") || !is_by_kubelet(reason);
    (by_scheduler && !matches!(read.reason, "other" | "not_tried")).then_some(read)
}

/// Reasons that kubelets write, see `pkg/kubelet/events/event.go` of Kubernetes.
fn is_by_kubelet(reason: &str) -> bool {
    let volume = reason.contains("Mount") || reason.contains("Volume") || reason.contains("Attach");
    volume || matches!(reason, "Failed" | "BackOff" | "FailedCreatePodSandBox" | "Unhealthy")
}

fn word(text: &str) -> &str {
    text.split([',', ' ', ';']).next().unwrap_or_default().trim_end_matches('.')
}

/// The resource whose quota is used up, an accelerator before others:
/// `exceeded quota: q, requested: requests.nvidia.com/gpu=2, used: ..., limited: ...`.
fn refused_by_quota(message: &str) -> String {
    let requested = message.split_once("requested: ").map_or("", |(_, rest)| rest);
    let requested = requested.split(" used: ").next().unwrap_or_default();
    let mut names = requested.split(',').filter_map(|one| one.trim().split_once('='));
    let bare = |(name, _): (&str, &str)| {
        let name = name.trim_start_matches("requests.").trim_start_matches("limits.");
        name.to_owned()
    };
    let names: Vec<String> = names.by_ref().map(bare).collect();
    let device = names.iter().find(|name| is_accelerator(name));
    device.or(names.first()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_real_schedulers_are_read() {
        let check = |message: &str, reason: &str, resource: &str| {
            let waiting = read(false, "Unschedulable", message);
            assert_eq!((waiting.reason, &*waiting.resource), (reason, resource), "{message}");
        };
        check(
            "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
            "insufficient_gpu",
            "nvidia.com/gpu",
        );
        check(
            "0/9 nodes are available: 1 node(s) had untolerated taint {a: b}, 3 Insufficient cpu, \
             5 Insufficient nvidia.com/gpu. preemption: 0/9 nodes are available: 9 No preemption \
             victims found for incoming pod.",
            "insufficient_gpu",
            "nvidia.com/gpu",
        );
        check("0/3 nodes are available: 3 Insufficient memory.", "insufficient_resource", "memory");
        check(
            "0/3 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: }.",
            "taint",
            "",
        );
        check(
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
            "placement",
            "",
        );
        check("0/1 nodes are available: 1 cannot allocate all claims.", "claim", "");
        check(
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "volume",
            "",
        );
        check("2/4 tasks in gang unschedulable: pod group is not ready", "gang", "");
        check("0/1 nodes are available: 1 node(s) were unschedulable.", "cordoned", "");
        check("", "not_tried", "");
        check("something new", "other", "");
        assert_eq!(read(true, "", "").reason, "gated");
    }

    #[test]
    fn messages_of_events_say_why_something_does_not_run() {
        let check = |(kind, reason, message): (&str, &str, &str),
                     expected: Option<(&str, &str)>| {
            let found = of_event(kind, reason, message);
            let found = found.as_ref().map(|one| (one.reason, &*one.resource));
            assert_eq!(found, expected, "{message}");
        };
        check(
            ("Pod", "FailedScheduling", "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."),
            Some(("insufficient_gpu", "nvidia.com/gpu")),
        );
        check(
            (
                "ReplicaSet",
                "FailedCreate",
                "Error creating: pods \"chat-7\" is forbidden: exceeded quota: gpus, requested: \
                 requests.cpu=1,requests.nvidia.com/gpu=2, used: requests.cpu=3,\
                 requests.nvidia.com/gpu=4, limited: requests.cpu=3,requests.nvidia.com/gpu=4",
            ),
            Some(("quota", "nvidia.com/gpu")),
        );
        check(
            (
                "Pod",
                "UnexpectedAdmissionError",
                "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. \
                 Requested: 2, Available: 1, which is unexpected",
            ),
            Some(("insufficient_gpu", "nvidia.com/gpu")),
        );
        let mount = "MountVolume.SetUp failed for volume \"model\" : secret \"s\" not found";
        check(("Pod", "FailedMount", mount), None);
        check(("ReplicaSet", "FailedCreate", "Error creating: timeout"), None);
        check(("Pod", "BackOff", "Back-off restarting failed container"), None);
        check(("Pod", "FailedScheduling", ""), None);
    }
}
