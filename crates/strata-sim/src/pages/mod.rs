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
mod scheduler;
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
    Scheduler,
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
        if self.batch.is_some() {
            let instance = "kube-scheduler:10259".to_owned();
            add("kube-scheduler", instance, Vec::new(), Page::Scheduler);
        }
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
            Page::Scheduler => scheduler::page(self),
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

/// A pod that holds GPUs or waits for some.
struct Pod {
    namespace: &'static str,
    name: String,
    container: &'static str,
    /// Kind and name of what made it, and the team it is for.
    owner: (&'static str, String),
    team: &'static str,
    /// `None` while it waits for one.
    node: Option<usize>,
    /// GPUs it holds; while it waits it asks for one.
    gpus: Vec<usize>,
    /// When it was made and when its node started it, in seconds since the Unix epoch.
    created: f64,
    started: Option<f64>,
}

pub(crate) const TRAINING_NAMESPACE: &str = "research";
pub(crate) const TRAINING_TEAM: &str = "pretraining";
const BATCH_NAMESPACE: &str = "evals";
const BATCH_TEAM: &str = "evaluation";

/// Pods of all nodes with those that wait, or those of one node.
fn pods(sim: &Sim, only: Option<usize>) -> Vec<Pod> {
    let wanted = |pod: &Pod| only.is_none() || pod.node == only;
    let all = engines(sim).chain(trainers(sim)).chain(evaluations(sim));
    all.filter(wanted).collect()
}

/// Seconds from making a pod until its node starts it, of those that found room at once.
const PULL_SECONDS: f64 = 40.0;

fn engines(sim: &Sim) -> impl Iterator<Item = Pod> {
    let started = sim.started();
    sim.layout.replicas.iter().map(move |place| {
        let served = &SERVED[place.served];
        Pod {
            namespace: served.namespace,
            name: place.name.clone(),
            container: "vllm",
            owner: ("StatefulSet", served.workload.to_owned()),
            team: served.team,
            node: Some(place.node),
            gpus: place.gpus.clone(),
            created: started - PULL_SECONDS,
            started: Some(started),
        }
    })
}

fn trainers(sim: &Sim) -> impl Iterator<Item = Pod> {
    let started = sim.started();
    sim.layout.runs.iter().flat_map(move |run| {
        let mut nodes: Vec<usize> = run.gpus.iter().map(|gpu| sim.layout.node_of(*gpu)).collect();
        nodes.dedup();
        nodes.into_iter().enumerate().map(move |(number, node)| {
            let gpus = run.gpus.iter().copied().filter(|gpu| sim.layout.node_of(*gpu) == node);
            Pod {
                namespace: TRAINING_NAMESPACE,
                name: format!("{}-worker-{number}", run.name),
                container: "trainer",
                owner: ("Job", run.name.clone()),
                team: TRAINING_TEAM,
                node: Some(node),
                gpus: gpus.collect(),
                created: started - PULL_SECONDS,
                started: Some(started),
            }
        })
    })
}

/// Pods of short jobs that were admitted; a job that is suspended has none.
fn evaluations(sim: &Sim) -> impl Iterator<Item = Pod> {
    let epoch = sim.start_ms as f64 / 1000.0;
    sim.batch.iter().flat_map(|batch| &batch.jobs).map(move |job| {
        let name = eval_name(job.number);
        // A Job gives its pod five letters more, which here its name decides.
        let letters = format!("{:05x}", crate::rng::hash(&name) & 0xf_ffff);
        Pod {
            namespace: BATCH_NAMESPACE,
            name: format!("{name}-{letters}"),
            container: "eval",
            owner: ("Job", name),
            team: BATCH_TEAM,
            node: job.gpu.map(|gpu| sim.layout.node_of(gpu)),
            gpus: job.gpu.into_iter().collect(),
            created: epoch + job.admitted.unwrap_or(job.came),
            started: job.began.map(|began| epoch + began),
        }
    })
}

fn eval_name(number: u64) -> String {
    format!("eval-{number}")
}
