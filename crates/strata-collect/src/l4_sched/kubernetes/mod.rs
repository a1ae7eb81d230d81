//! The Kubernetes API server: pods with their owners, nodes, claims of devices.
//!
//! Each kind is watched by a task of its own and written once per interval from what is kept. Only
//! `get`, `list` and `watch` are asked for. A kind that may not be read is a state of its own
//! collector, and the others go on.

mod claims;
mod connect;
mod events;
mod hami;
mod kai;
mod lean;
mod nodes;
mod options;
mod owners;
mod pending;
mod pods;
mod quantity;
mod rules;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{ApiResource, GroupVersionKind};
use strata_model::sink::BoxFuture;
use strata_model::{Fault, FaultCode, Layer, SourceKind, SourceState};

pub use connect::Entrance;
pub use options::{KubernetesOptions, KubernetesScope, KubernetesSettings};
pub use rules::{RuleFrom, RuleOptions, RulesOptions};

use super::gather::Gather;
use super::pod_book::{PodBook, PodFacts};
use crate::collector::{CollectError, Collector, Harvest};
use connect::Access;
use lean::Lean;
use nodes::Node;
use owners::{Owners, Top};
use pending::Waiting;
use pods::Pod;
use rules::{Marks, RuleSet, Subject};
use watch::{Keep, Kept, Key, Wanted, Watched};
use write::Behind;

/// The collectors of the API server: pods, nodes, claims and, of a whole cluster, events.
///
/// `node` is this node's name in the cluster; with it only this node's pods and its own object are
/// asked for. What the pods say is put into `book`.
pub fn collectors(
    settings: &KubernetesSettings,
    entrance: Entrance,
    node: Option<&str>,
    book: &PodBook,
) -> Vec<Box<dyn Collector>> {
    let access = Access::new(entrance);
    let said = events::Said::default();
    let of_node = |field: &str| node.map(|node| format!("{field}={node}"));
    let rules = Arc::new(settings.rules.clone());
    let pods = Pods {
        watch: Watch::new(core("Pod", "pods"), of_node("spec.nodeName"), {
            let rules = Arc::clone(&rules);
            Arc::new(move |object| Some(Pod::read(object, &rules)))
        }),
        namespaces: rules.needs_namespaces().then(|| {
            let rules = Arc::clone(&rules);
            Watch::new(
                core("Namespace", "namespaces"),
                None,
                Arc::new(move |object| {
                    Some(rules.marks(object.metadata.labels.as_ref(), None, &[]))
                }),
            )
        }),
        owners: Owners::new(settings.rules.clone()),
        rules,
        most: settings.pods_max,
        book: book.clone(),
        said: said.clone(),
    };
    let nodes = Nodes {
        nodes: Watch::new(
            core("Node", "nodes"),
            of_node("metadata.name"),
            Arc::new(|object| Some(Node::read(object))),
        ),
    };
    let claims = Claims {
        slices: Watch::new(
            dra("ResourceSlice", "resourceslices", DRA_VERSIONS[0]),
            of_node("spec.nodeName"),
            Arc::new(claims::slice),
        ),
        given: Watch::new(
            dra("ResourceClaim", "resourceclaims", DRA_VERSIONS[0]),
            None,
            Arc::new(claims::claim),
        ),
        version: 0,
        whole_cluster: node.is_none(),
        book: book.clone(),
    };
    let mut parts: Vec<(&str, Box<dyn Part>)> = vec![
        ("kubernetes/pods", Box::new(pods)),
        ("kubernetes/nodes", Box::new(nodes)),
        ("kubernetes/claims", Box::new(claims)),
    ];
    if node.is_none() {
        // Events do not say on which node, so an agent on each would write all of them.
        let warnings = Some("type=Warning".to_owned());
        let watch = Watch::new(core("Event", "events"), warnings, Arc::new(events::read));
        parts.push(("kubernetes/events", Box::new(Events { watch, said })));
    }
    let collector = |(id, part): (&str, Box<dyn Part>)| -> Box<dyn Collector> {
        let (access, interval) = (access.clone(), settings.interval);
        Box::new(KubernetesCollector { source: Arc::from(id), access, interval, part })
    };
    parts.into_iter().map(collector).collect()
}

/// Read an object as the API server sends it, as each of the kinds that are watched; whether it is one.
pub(crate) fn read_as_each_kind(bytes: &[u8]) -> bool {
    let Ok(Lean(object)) = serde_json::from_slice(bytes) else { return false };
    let Ok(settings) = KubernetesOptions::default().validate() else { return false };
    let pod = Pod::read(&object, &settings.rules);
    debug_assert!(pod.containers.len() <= bytes.len(), "a container takes at least a byte");
    drop((Node::read(&object), claims::slice(&object), claims::claim(&object)));
    drop(events::read(&object));
    true
}

fn core(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", kind), plural)
}

/// Stable since Kubernetes 1.34; the beta versions before it are off by default.
const DRA_VERSIONS: [&str; 3] = ["v1", "v1beta2", "v1beta1"];

fn dra(kind: &str, plural: &str, version: &str) -> ApiResource {
    let gvk = GroupVersionKind::gvk("resource.k8s.io", version, kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

/// What one collector reads and writes.
trait Part: Send + 'static {
    fn round<'a>(
        &'a mut self,
        access: &'a Access,
        patience: Duration,
        gather: &'a mut Gather,
    ) -> BoxFuture<'a, Result<(), CollectError>>;
}

struct KubernetesCollector {
    source: Arc<str>,
    access: Access,
    interval: Duration,
    part: Box<dyn Part>,
}

impl Collector for KubernetesCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L4Sched)
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn timeout(&self) -> Duration {
        self.interval * 4 / 5
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        // The first list of a large cluster takes seconds; the rest of the round is for owners.
        let patience = self.interval * 2 / 5;
        let mut gather = Gather::new(&self.source, at_ms);
        Box::pin(async move {
            self.part.round(&self.access, patience, &mut gather).await?;
            Ok(gather.into_harvest())
        })
    }
}

/// A watch that is started when it is first wanted, and anew with new credentials.
struct Watch<T> {
    wanted: Wanted<T>,
    running: Option<Watched<T>>,
}

impl<T: Send + Sync + 'static> Watch<T> {
    fn new(resource: ApiResource, field_selector: Option<String>, keep: Keep<T>) -> Self {
        Self { wanted: Wanted { resource, field_selector, keep }, running: None }
    }

    /// Watch another resource from now on.
    fn want(&mut self, resource: ApiResource) {
        self.wanted.resource = resource;
        self.running = None;
    }

    /// The running watch, after its first list where there was time for it.
    async fn running(
        &mut self,
        access: &Access,
        patience: Duration,
    ) -> Result<&Watched<T>, CollectError> {
        if self.running.as_ref().is_some_and(Watched::is_unauthorized) {
            // The token may have been replaced on disk; a new client reads it.
            access.renew();
            self.running = None;
        }
        let running = match self.running.take() {
            Some(running) => running,
            None => Watched::start(access.client().await?, &self.wanted),
        };
        let running = self.running.insert(running);
        running.first_news(patience).await;
        Ok(running)
    }

    /// Look at what is kept, with the faults beside it.
    async fn look<R>(
        &mut self,
        access: &Access,
        patience: Duration,
        gather: &mut Gather,
        look: impl FnOnce(&Kept<T>) -> R,
    ) -> Result<R, CollectError> {
        let plural = self.wanted.resource.plural.clone();
        let running = self.running(access, patience).await?;
        let (found, fault) = running.look(look)?;
        if let Some(fault) = fault {
            gather.fold(fault);
        }
        let count = running.refused();
        if count > 0 {
            let message = format!("more {plural} than are kept, the others are left out");
            gather.fold(Fault { code: FaultCode::OverLimit, message, count });
        }
        Ok(found)
    }
}

struct Pods {
    watch: Watch<Pod>,
    namespaces: Option<Watch<Marks>>,
    owners: Owners,
    rules: Arc<RuleSet>,
    most: usize,
    book: PodBook,
    said: events::Said,
}

impl Pods {
    async fn sample(
        &mut self,
        access: &Access,
        patience: Duration,
        gather: &mut Gather,
    ) -> Result<(), CollectError> {
        let most = self.most;
        let pods = self.watch.look(access, patience, gather, |pods| chosen(pods, most)).await?;
        let (mut pods, left_out) = pods;
        let reserved = pods.iter().filter_map(|(_, pod)| pod.fraction.as_deref());
        let reserved: BTreeMap<String, String> = reserved
            .flat_map(kai::Fraction::reserved)
            .map(|(group, uuid)| (group.to_owned(), uuid.to_owned()))
            .collect();
        for (_, pod) in &mut pods {
            if pod.fraction.is_some() {
                Arc::make_mut(pod).give_fraction(&reserved);
            }
            // Schedulers other than Kubernetes' own may say why in an event only.
            if pod.waiting.as_ref().is_some_and(Waiting::is_untold)
                && let Some(why) = self.said.why(&pod.uid)
            {
                Arc::make_mut(pod).waiting = Some(why);
            }
        }
        if left_out > 0 {
            let message = format!("more than {most} pods, those without GPUs are left out first");
            gather.fold(Fault { code: FaultCode::OverLimit, message, count: left_out });
        }
        let spaces = match &mut self.namespaces {
            None => Kept::new(),
            Some(watch) => match watch.look(access, patience / 2, gather, Clone::clone).await {
                Ok(spaces) => spaces,
                Err(error) => {
                    gather.fold(error.fault);
                    Kept::new()
                }
            },
        };
        let client = access.client().await?;
        self.owners.begin();
        let mut facts = BTreeMap::new();
        for (key, pod) in &pods {
            let mut top = Top::default();
            match pod.owner() {
                Some(owner) => {
                    // The owners of pods that have ended are of no use to anybody.
                    if !pod.is_ended() {
                        self.owners.follow(&client, &key.0, owner, gather).await;
                    }
                    top = self.owners.top(owner);
                }
                None => key.1.clone_into(&mut top.name),
            }
            let mut marks = vec![&pod.marks];
            marks.extend(&top.marks);
            let belonging = self.rules.apply(&Subject {
                marks,
                namespace: &key.0,
                namespace_labels: spaces.get(&(String::new(), key.0.clone())).map(|marks| &**marks),
                workload: &top.name,
            });
            let behind = Behind { top, belonging };
            write::pod(key, pod, &behind, gather);
            facts.insert(key.clone(), facts_of(pod, behind));
        }
        self.book.set_pods(facts);
        Ok(())
    }
}

/// The pods to write, those with GPUs first, and how many are left out.
fn chosen(pods: &Kept<Pod>, most: usize) -> (Vec<(Key, Arc<Pod>)>, u64) {
    let with = pods.iter().filter(|(_, pod)| pod.has_gpu);
    let without = pods.iter().filter(|(_, pod)| !pod.has_gpu);
    let chosen = with.chain(without).take(most).map(|(key, pod)| (key.clone(), Arc::clone(pod)));
    (chosen.collect(), pods.len().saturating_sub(most) as u64)
}

fn facts_of(pod: &Pod, behind: Behind) -> PodFacts {
    let Behind { top, belonging } = behind;
    let workload_kind = if pod.owners.is_empty() { "Pod".to_owned() } else { top.kind };
    PodFacts {
        uid: pod.uid.clone(),
        node: pod.node.clone(),
        has_gpu: pod.has_gpu,
        ended: pod.is_ended(),
        reserves: pod.is_reservation(),
        workload_kind,
        workload: top.name,
        queue: pod.queue.clone(),
        team: belonging.team,
        model: belonging.model,
        cost_center: belonging.cost_center,
    }
}

impl Part for Pods {
    fn round<'a>(
        &'a mut self,
        access: &'a Access,
        patience: Duration,
        gather: &'a mut Gather,
    ) -> BoxFuture<'a, Result<(), CollectError>> {
        Box::pin(self.sample(access, patience, gather))
    }
}

struct Nodes {
    nodes: Watch<Node>,
}

impl Part for Nodes {
    fn round<'a>(
        &'a mut self,
        access: &'a Access,
        patience: Duration,
        gather: &'a mut Gather,
    ) -> BoxFuture<'a, Result<(), CollectError>> {
        Box::pin(async move {
            let nodes = self.nodes.look(access, patience, gather, Clone::clone).await?;
            for ((_, name), node) in &nodes {
                node.write(name, gather);
            }
            Ok(())
        })
    }
}

struct Events {
    watch: Watch<events::Warned>,
    said: events::Said,
}

impl Part for Events {
    fn round<'a>(
        &'a mut self,
        access: &'a Access,
        patience: Duration,
        gather: &'a mut Gather,
    ) -> BoxFuture<'a, Result<(), CollectError>> {
        Box::pin(async move {
            let events = self.watch.look(access, patience, gather, Clone::clone).await?;
            self.said.take(&events);
            let count = events::write(&events, gather);
            if count > 0 {
                let message = "more objects with warnings than are written".to_owned();
                gather.fold(Fault { code: FaultCode::OverLimit, message, count });
            }
            Ok(())
        })
    }
}

struct Claims {
    slices: Watch<Vec<(claims::DeviceKey, claims::Published)>>,
    given: Watch<claims::Claim>,
    /// Which of the versions is asked for.
    version: usize,
    /// Else the kubelet's collector tells of this node's claims, with containers.
    whole_cluster: bool,
    book: PodBook,
}

impl Claims {
    async fn sample(
        &mut self,
        access: &Access,
        patience: Duration,
        gather: &mut Gather,
    ) -> Result<(), CollectError> {
        let slices = self.slices.look(access, patience, gather, Clone::clone).await?;
        let given = if self.whole_cluster {
            self.given.look(access, patience / 2, gather, Clone::clone).await?
        } else {
            Kept::new()
        };
        self.book.set_claimed(claims::write(&slices, &given, gather));
        Ok(())
    }

    /// Ask for the next version, in the round to come.
    fn try_next_version(&mut self) {
        self.version = (self.version + 1) % DRA_VERSIONS.len();
        let version = DRA_VERSIONS[self.version];
        self.slices.want(dra("ResourceSlice", "resourceslices", version));
        self.given.want(dra("ResourceClaim", "resourceclaims", version));
    }
}

impl Part for Claims {
    fn round<'a>(
        &'a mut self,
        access: &'a Access,
        patience: Duration,
        gather: &'a mut Gather,
    ) -> BoxFuture<'a, Result<(), CollectError>> {
        Box::pin(async move {
            let outcome = self.sample(access, patience, gather).await;
            if outcome.as_ref().is_err_and(|error| error.state == SourceState::Unsupported) {
                self.try_next_version();
            }
            outcome
        })
    }
}
