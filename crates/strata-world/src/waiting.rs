//! What waits in the cluster, and why.

/// Pods, workloads or jobs that wait for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Who says it: `kubernetes` of pods without a node, `kubernetes events` of what asks for GPUs and
    /// cannot start, else the scheduler.
    pub said_by: String,
    /// Namespace of the pods, queue or partition of the others.
    pub of: String,
    /// In the scheduler's word; of pods one of ours, see the metric `k8s.pod.pending`, or of the event. Empty where
    /// nobody says why.
    pub reason: String,
    /// The resource that is missing, where it is told.
    pub resource: String,
    pub count: f64,
    /// Pods among them that have waited longest, as far as they are among the fifty of the fleet.
    pub names: Vec<String>,
    /// Longest time one of them has waited, in seconds.
    pub longest: Option<f64>,
}

/// Seconds that each pod waits for a node, by why. Where the API server is not asked,
/// kube-state-metrics tells that a pod waits, not why. Its phase would not: a pod whose image is being
/// pulled is Pending too.
macro_rules! waiting_pods {
    () => {
        "max by (namespace, pod, reason, resource) (<k8s.pod.pending>) or on (namespace, pod) \
         ((time() - max by (namespace, pod) (<k8s.pod.created>)) and on (namespace, pod) \
         (max by (namespace, pod) (<k8s.pod.scheduled|condition=\"false\">) > 0))"
    };
}
pub(crate) use waiting_pods;

/// Events of each object that asks for GPUs and cannot start: pods that are pending and do not wait for
/// a node, and what is not even made.
macro_rules! waiting_events {
    () => {
        "max by (namespace, object, reason, why, resource) (<k8s.events|pod!=\"\"> \
         and on (namespace, pod, pod_uid) <gpu.requested> \
         and on (namespace, pod) (<k8s.pod.phase|phase=\"Pending\"> > 0) \
         unless on (namespace, pod) <k8s.pod.pending>) \
         or max by (namespace, object, reason, why, resource) \
         (<k8s.events|reason=~\"FailedCreate|UnexpectedAdmissionError\",\
         why=~\"quota|insufficient_gpu\",resource=~\".*gpu.*|.*mig.*\">)"
    };
}
pub(crate) use waiting_events;
