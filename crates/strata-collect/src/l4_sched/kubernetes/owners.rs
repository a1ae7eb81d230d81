//! Who is at the top of a chain of owners: pod, `ReplicaSet`, `Deployment`; pod, `Job`, `CronJob`; and any
//! custom resource, without knowing its kind beforehand.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use strata_model::FaultCode;

use super::pods::{OwnerRef, controller, owner_refs};
use super::rules::{Marks, RuleSet};
use crate::l4_sched::gather::Gather;

/// Deployment, replica set and pod are three; an inference service on Knative has seven.
const DEPTH_MAX: usize = 10;
/// Owners remembered.
const OWNERS_MAX: usize = 20_000;
/// Questions of one round: a cluster that is seen for the first time takes several.
const QUESTIONS_MAX: usize = 64;
/// An owner is one small object.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// A kind that may not be read is tried again after so long: somebody may have allowed it.
const REFUSED_MS: i64 = 10 * 60 * 1000;

/// Kinds whose plural need not be asked for.
const KNOWN: [(&str, &str, &str); 7] = [
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("batch/v1", "Job", "jobs"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("v1", "Pod", "pods"),
];

/// What is known of an owner.
struct Known {
    marks: Marks,
    /// Its own owner, if it has one.
    parent: Option<OwnerRef>,
    /// The last round in which somebody asked for it.
    round: u64,
}

/// Where a chain ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) kind: String,
    pub(super) name: String,
    /// Whether the chain was followed to its end.
    pub(super) whole: bool,
    /// Labels and annotations of the owners, nearest first.
    pub(super) marks: Vec<Marks>,
}

/// Asks for owners and remembers them.
pub(super) struct Owners {
    rules: RuleSet,
    known: BTreeMap<String, Known>,
    kinds: BTreeMap<(String, String), ApiResource>,
    /// Kinds that could not be read: when, and why.
    refused: BTreeMap<(String, String), (i64, String)>,
    round: u64,
    asked: usize,
}

impl Owners {
    pub(super) fn new(rules: RuleSet) -> Self {
        Self {
            rules,
            known: BTreeMap::new(),
            kinds: BTreeMap::new(),
            refused: BTreeMap::new(),
            round: 0,
            asked: 0,
        }
    }

    /// Begin a round: forget what nobody asked for in the last ones.
    pub(super) fn begin(&mut self) {
        self.round += 1;
        self.asked = 0;
        let round = self.round;
        // A restart of the server or a short filter must not make us ask for everything anew.
        self.known.retain(|_, known| round - known.round < 20);
    }

    /// The chain above `owner`, as far as it is known.
    pub(super) fn top(&mut self, owner: &OwnerRef) -> Top {
        let mut top = Top::default();
        let mut at = owner.clone();
        for _ in 0..DEPTH_MAX {
            top.kind.clone_from(&at.kind);
            top.name.clone_from(&at.name);
            if is_top(&at) {
                top.whole = true;
                return top;
            }
            let Some(known) = self.known.get_mut(&at.uid) else { return top };
            known.round = self.round;
            top.marks.push(known.marks.clone());
            let Some(parent) = &known.parent else {
                top.whole = true;
                return top;
            };
            at = parent.clone();
        }
        top
    }

    /// Ask for what is missing in the chain above `owner`.
    pub(super) async fn follow(
        &mut self,
        client: &Client,
        namespace: &str,
        owner: &OwnerRef,
        gather: &mut Gather,
    ) {
        let mut at = owner.clone();
        for _ in 0..DEPTH_MAX {
            if is_top(&at) {
                return;
            }
            if !self.known.contains_key(&at.uid) {
                let kind = (at.api_version.clone(), at.kind.clone());
                if let Some((then, why)) = self.refused.get(&kind)
                    && gather.at_ms() - then < REFUSED_MS
                {
                    gather.fault(FaultCode::Denied, why.clone());
                    return;
                }
                if self.asked >= QUESTIONS_MAX || self.known.len() >= OWNERS_MAX {
                    return;
                }
                self.asked += 1;
                if let Err(message) = self.ask(client, namespace, &at).await {
                    self.refused.insert(kind, (gather.at_ms(), message.clone()));
                    gather.fault(FaultCode::Denied, message);
                    return;
                }
            }
            match self.known.get(&at.uid).and_then(|known| known.parent.clone()) {
                Some(parent) => at = parent,
                None => return,
            }
        }
    }

    async fn ask(
        &mut self,
        client: &Client,
        namespace: &str,
        owner: &OwnerRef,
    ) -> Result<(), String> {
        let said = |why: String| {
            let (kind, version) = (&owner.kind, &owner.api_version);
            format!(
                "cannot follow owners of kind {kind} ({version}): {why}; allow get of it, or pods \
                 stay with the owner below"
            )
        };
        let slow = |_| said("no answer in time".to_owned());
        let resource = tokio::time::timeout(ANSWER_TIMEOUT, self.resource(client, owner));
        let resource = resource.await.map_err(slow)?.map_err(said)?;
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, api.get_metadata_opt(&owner.name));
        let answer = answer.await.map_err(slow)?;
        let answer = answer.map_err(|error| said(super::connect::words(&error)))?;
        let mut known = Known { marks: Marks::default(), parent: None, round: self.round };
        // One that is gone, or another of the same name, is where the chain ends.
        if let Some(object) = answer
            && object.metadata.uid.as_deref() == Some(&owner.uid)
        {
            let meta = object.metadata;
            known.marks = self.rules.marks(meta.labels.as_ref(), meta.annotations.as_ref(), &[]);
            let owners = owner_refs(meta.owner_references.as_deref().unwrap_or_default());
            known.parent = controller(&owners).cloned();
        }
        self.known.insert(owner.uid.clone(), known);
        Ok(())
    }

    /// The resource of a kind: known, or as the API server's own list has it.
    async fn resource(&mut self, client: &Client, owner: &OwnerRef) -> Result<ApiResource, String> {
        let key = (owner.api_version.clone(), owner.kind.clone());
        if let Some(resource) = self.kinds.get(&key) {
            return Ok(resource.clone());
        }
        let (group, version) =
            owner.api_version.split_once('/').unwrap_or(("", &owner.api_version));
        let gvk = GroupVersionKind::gvk(group, version, &owner.kind);
        let plural = KNOWN
            .iter()
            .find(|(version, kind, _)| *version == owner.api_version && *kind == owner.kind);
        let resource = if let Some((_, _, plural)) = plural {
            ApiResource::from_gvk_with_plural(&gvk, plural)
        } else {
            let found = kube::discovery::pinned_kind(client, &gvk).await;
            found.map_err(|error| super::connect::words(&error))?.0
        };
        self.kinds.insert(key, resource.clone());
        Ok(resource)
    }
}

/// A static pod belongs to its node, which has no owner.
fn is_top(owner: &OwnerRef) -> bool {
    owner.kind == "Node" || owner.uid.is_empty()
}
