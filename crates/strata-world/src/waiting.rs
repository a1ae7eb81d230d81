//! What waits in the cluster, and why.

/// Pods, workloads or jobs that wait for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Who says it: `kubernetes` of pods without a node, else the scheduler.
    pub said_by: String,
    /// Namespace of the pods, queue or partition of the others.
    pub of: String,
    /// In the scheduler's word; of pods one of ours, see the metric `k8s.pod.pending`. Empty where
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
