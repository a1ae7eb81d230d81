//! What the exporters of the cluster say: one page each, in the words of the real programs.

mod cadvisor;
mod clients;
mod collectives;
mod dcgm;
mod engine;
mod engine_requests;
mod kube;
mod kueue;
mod node;
mod node_kernel;
mod text;
mod training;

use crate::layout::{SERVED, uuid};
use crate::sim::Sim;

/// Who writes a page, and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Gpus(usize),
    Host(usize),
    Containers(usize),
    Engine(usize),
    Collectives(usize),
    Training,
    Cluster,
    Queues,
    Clients,
}

/// One exporter: where a scraper would find it, and the labels that service discovery gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The scrape job it belongs to.
    pub job: &'static str,
    /// `host:port` in the cluster.
    pub instance: String,
    /// Labels of the target besides `job` and `instance`.
    pub labels: Vec<(&'static str, String)>,
    page: Page,
}

impl Sim {
    /// All exporters of the cluster.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut all = Vec::new();
        let mut add = |job, instance: String, labels, page| {
            all.push(Endpoint { job, instance, labels, page });
        };
        for (number, node) in self.layout.nodes.iter().enumerate() {
            let of_node = || vec![("node", node.clone())];
            add("dcgm-exporter", format!("{node}:9400"), Vec::new(), Page::Gpus(number));
            add("node-exporter", format!("{node}:9100"), of_node(), Page::Host(number));
            let page = Page::Containers(number);
            add("cadvisor", format!("{node}:10250"), of_node(), page);
            let trains = self.runs.first().is_some_and(|run| run.ranks.len() > 1);
            if trains {
                let page = Page::Collectives(number);
                add("nccl-inspector", format!("{node}:9401"), of_node(), page);
            }
        }
        for (number, place) in self.layout.replicas.iter().enumerate() {
            let labels = vec![
                ("node", self.layout.nodes[place.node].clone()),
                ("namespace", SERVED[place.served].namespace.to_owned()),
                ("pod", place.name.clone()),
            ];
            add("vllm", format!("{}:8000", place.name), labels, Page::Engine(number));
        }
        add("kube-state-metrics", "kube-state-metrics:8080".to_owned(), Vec::new(), Page::Cluster);
        add("kueue", "kueue:8080".to_owned(), Vec::new(), Page::Queues);
        add("genai-clients", "otel-collector:8889".to_owned(), Vec::new(), Page::Clients);
        if !self.runs.is_empty() {
            add("training", "otel-collector:8890".to_owned(), Vec::new(), Page::Training);
        }
        all
    }

    /// What an exporter says now, in Prometheus text format.
    pub fn page(&self, endpoint: &Endpoint) -> String {
        match endpoint.page {
            Page::Gpus(node) => dcgm::page(self, node),
            Page::Host(node) => node::page(self, node),
            Page::Containers(node) => cadvisor::page(self, node),
            Page::Engine(replica) => engine::page(self, replica),
            Page::Collectives(node) => collectives::page(self, node),
            Page::Training => training::page(self),
            Page::Cluster => kube::page(self),
            Page::Queues => kueue::page(self),
            Page::Clients => clients::page(self),
        }
    }

    /// Seconds since the Unix epoch at which the processes of the cluster began.
    fn started(&self) -> f64 {
        // They had been up for a while when the simulation began.
        self.start_ms as f64 / 1000.0 - 7200.0
    }
}

/// The device UUID of a GPU by its number in the cluster.
fn gpu_uuid(sim: &Sim, gpu: usize) -> String {
    let node = &sim.layout.nodes[sim.layout.node_of(gpu)];
    format!("GPU-{}", uuid(&format!("{node}/{}", sim.layout.index_on_node(gpu))))
}

/// A pod that holds GPUs.
struct Pod {
    namespace: &'static str,
    name: String,
    container: &'static str,
    /// Kind and name of what made it, and the team it is for.
    owner: (&'static str, String),
    team: &'static str,
    node: usize,
    gpus: Vec<usize>,
}

pub(crate) const TRAINING_NAMESPACE: &str = "research";
pub(crate) const TRAINING_TEAM: &str = "pretraining";

/// Pods of engines and trainers, of all nodes or of one.
fn pods(sim: &Sim, only: Option<usize>) -> Vec<Pod> {
    let wanted = |node: usize| only.is_none_or(|only| only == node);
    let engines = sim.layout.replicas.iter().filter(|place| wanted(place.node)).map(|place| {
        let served = &SERVED[place.served];
        Pod {
            namespace: served.namespace,
            name: place.name.clone(),
            container: "vllm",
            owner: ("StatefulSet", served.workload.to_owned()),
            team: served.team,
            node: place.node,
            gpus: place.gpus.clone(),
        }
    });
    let mut pods: Vec<Pod> = engines.collect();
    for run in &sim.layout.runs {
        let mut nodes: Vec<usize> = run.gpus.iter().map(|gpu| sim.layout.node_of(*gpu)).collect();
        nodes.dedup();
        for (number, node) in nodes.into_iter().enumerate().filter(|(_, node)| wanted(*node)) {
            let gpus = run.gpus.iter().copied().filter(|gpu| sim.layout.node_of(*gpu) == node);
            pods.push(Pod {
                namespace: TRAINING_NAMESPACE,
                name: format!("{}-worker-{number}", run.name),
                container: "trainer",
                owner: ("Job", run.name.clone()),
                team: TRAINING_TEAM,
                node,
                gpus: gpus.collect(),
            });
        }
    }
    pods
}
