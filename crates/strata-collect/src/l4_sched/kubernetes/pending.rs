//! Why a pod waits for a node, from what the scheduler wrote into its condition.

use crate::l4_sched::device::is_accelerator;

/// A reason in one of our words, and the resource that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) reason: &'static str,
    pub(super) resource: String,
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
}
