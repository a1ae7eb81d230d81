//! What joins two things, how that is known, and when it held.

use crate::entity::EntityId;

/// What joins `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// A GPU, pod, replica or process on a node; a replica on a GPU.
    RunsOn,
    /// A slice of a GPU, a rank of a run, a pod of a workload, a process or container of a pod.
    PartOf,
    /// A pod, workload, namespace or team that was given a GPU.
    Owns,
    /// A replica that serves a model.
    Serves,
    /// A workload that waits or runs in a queue.
    InQueue,
    /// A tenant that sends requests to a model.
    Asks,
}

/// How an edge is known. Identity first; a guess is never one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Kubelet's PodResources API.
    PodResources,
    /// A DRA resource claim.
    ResourceClaim,
    /// Process id to cgroup.
    Cgroup,
    /// A label that the source itself wrote on the series.
    SourceLabel,
    /// An info series joined on an identity.
    InfoSeries,
    /// Listening socket or address of a process on the same host.
    Address,
}

/// A directed edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    pub from: EntityId,
    pub to: EntityId,
    pub relation: Relation,
    pub method: Method,
    /// 0..1
    pub confidence: f64,
    /// First and last time it was seen within the window, in milliseconds.
    pub held_ms: (i64, i64),
}
