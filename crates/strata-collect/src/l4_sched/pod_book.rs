//! What the API server says of pods and claimed devices, for the collector that asks the kubelet.
//!
//! PodResources has neither the UID nor the phase of a pod nor its owners; a process that may ask the
//! API server too knows them. The book is empty where nobody may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shared by the collectors of one process. Cheap to clone; every clone is the same book.
#[derive(Debug, Clone, Default)]
pub struct PodBook(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    pods: BTreeMap<(String, String), PodFacts>,
    /// Namespace and name by UID.
    names: BTreeMap<String, (String, String)>,
    /// UUID by driver, pool and device.
    claimed: BTreeMap<(String, String, String), String>,
}

/// Who a pod belongs to; what is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PodFacts {
    pub(super) uid: String,
    pub(super) node: String,
    /// It asks for a device, claims one or was given a share of one.
    pub(super) has_gpu: bool,
    /// Succeeded or failed: it holds no device any more.
    pub(super) ended: bool,
    /// It holds a device for pods with fractions of it, which are told by the API server.
    pub(super) reserves: bool,
    pub(super) workload_kind: String,
    pub(super) workload: String,
    pub(super) queue: String,
    pub(super) team: String,
    pub(super) model: String,
    pub(super) cost_center: String,
}

impl PodBook {
    /// Replace all pods.
    pub(super) fn set_pods(&self, pods: BTreeMap<(String, String), PodFacts>) {
        let names = pods.iter().map(|(name, facts)| (facts.uid.clone(), name.clone())).collect();
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.pods = pods;
        pages.names = names;
    }

    /// Replace the UUIDs of devices that drivers publish for claims.
    pub(super) fn set_claimed(&self, claimed: BTreeMap<(String, String, String), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).claimed = claimed;
    }

    /// What is known of a pod.
    pub(super) fn facts(&self, namespace: &str, pod: &str) -> Option<PodFacts> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.pods.get(&(namespace.to_owned(), pod.to_owned())).cloned()
    }

    /// Namespace and name of the pods on a node that have to do with GPUs and have not ended.
    pub(super) fn with_gpus_on(&self, node: &str) -> Vec<(String, String)> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pods = pages.pods.iter().filter(|(_, facts)| {
            facts.has_gpu && !facts.ended && (facts.node == node || facts.node.is_empty())
        });
        pods.map(|(name, _)| name.clone()).collect()
    }

    /// Namespace and name of the pod with this UID.
    pub(super) fn name_of(&self, uid: &str) -> Option<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).names.get(uid).cloned()
    }

    /// UUID of a device that a driver published.
    pub(super) fn uuid_of(&self, driver: &str, pool: &str, device: &str) -> Option<String> {
        let key = (driver.to_owned(), pool.to_owned(), device.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).claimed.get(&key).cloned()
    }
}
