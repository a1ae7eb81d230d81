//! The whole of `strata.toml`: each component's options, composed and nothing more.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_collect::discover::{DiscoverOptions, DiscoverSettings};
use strata_collect::l1_gpu::{GpuOptions, GpuSettings};
use strata_collect::l3_host::{HostOptions, HostSettings};
use strata_collect::l4_sched::kubernetes::{KubernetesOptions, KubernetesSettings};
use strata_collect::l4_sched::slurm::{SlurmOptions, SlurmSettings};
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::otlp::{OtlpOptions, OtlpSettings};
use strata_collect::scrape::{ScrapeOptions, ScrapeSettings};
use strata_forward::{ForwardOptions, ForwardSettings};
use strata_model::Problem;
use strata_query::{QueryOptions, QuerySettings, RemoteOptions, RemoteSettings};
use strata_serve::{ServeOptions, ServeSettings};
use strata_store::{RecordOptions, RecordSettings, StoreOptions, StoreSettings};
use strata_world::capacity::Targets;

use strata_proxy::{ProxyOptions, ProxySettings};

use super::cost::{CostOptions, CostSettings};
use super::engines::EnginesOptions;

/// The configuration as written. Nothing is required.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Options {
    /// Name of this node, the label `node` of everything collected here; the host's name when left
    /// out.
    pub(crate) node: Option<String>,
    /// Where data is stored; `strata-data` in the working directory when left out.
    pub(crate) data_dir: Option<PathBuf>,
    /// Root of the host's file system, when strata runs in a container; `/` when left out.
    pub(crate) host_root: Option<PathBuf>,
    /// The HTTP and gRPC servers.
    pub(crate) server: ServeOptions,
    /// The embedded store.
    pub(crate) store: StoreOptions,
    /// Records of single requests, spans and feedback.
    pub(crate) records: RecordOptions,
    /// Limits of queries.
    pub(crate) query: QueryOptions,
    /// The engine that holds the metrics, for `strata serve`; `strata run` keeps its own.
    pub(crate) metrics: RemoteOptions,
    /// Native collection of this host.
    pub(crate) host: HostOptions,
    /// Native collection of the GPUs of this host.
    pub(crate) gpu: GpuOptions,
    /// Who holds the GPUs: the kubelet of this node and the Kubernetes API server.
    pub(crate) kubernetes: KubernetesOptions,
    /// Who holds the GPUs: Slurm.
    pub(crate) slurm: SlurmOptions,
    /// Finding engines and exporters that listen on this host.
    pub(crate) discover: DiscoverOptions,
    /// Reception of OpenTelemetry metrics.
    pub(crate) otlp: OtlpOptions,
    /// What GPUs cost and what counts as useful.
    pub(crate) cost: CostOptions,
    /// What engines promise and how far they may be filled.
    pub(crate) engines: EnginesOptions,
    /// The GenAI proxy.
    pub(crate) proxy: ProxyOptions,
    /// Telling others what is told here.
    pub(crate) forward: ForwardOptions,
    /// Pages to fetch, besides those found.
    pub(crate) scrape: Vec<ScrapeOptions>,
}

/// The configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) node: Option<String>,
    pub(crate) host_root: PathBuf,
    pub(crate) server: ServeSettings,
    /// Where the bearer token comes from, if clients must present one.
    pub(crate) token: TokenSource,
    pub(crate) store: StoreSettings,
    pub(crate) records: RecordSettings,
    pub(crate) query: QuerySettings,
    pub(crate) metrics: Option<RemoteSettings>,
    pub(crate) host: HostSettings,
    pub(crate) gpu: GpuSettings,
    pub(crate) kubernetes: KubernetesSettings,
    pub(crate) slurm: SlurmSettings,
    pub(crate) discover: DiscoverSettings,
    pub(crate) otlp: OtlpSettings,
    pub(crate) cost: CostSettings,
    /// What engines may be used to.
    pub(crate) targets: Targets,
    pub(crate) forward: Option<ForwardSettings>,
    pub(crate) proxy: Option<ProxySettings>,
    /// As written, for flags that change a part of it.
    pub(crate) proxy_options: ProxyOptions,
    pub(crate) scrape: Vec<ScrapeSettings>,
}

/// Where a secret is kept. The secret itself is read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenSource {
    None,
    File(PathBuf),
    Env(String),
}

/// The data directory when neither flag nor file names one.
pub(crate) const DATA_DIR: &str = "strata-data";

/// Where records are stored, below the data directory.
pub(crate) const RECORDS_DIR: &str = "records";

impl Options {
    /// Check every section and gather every problem.
    pub(crate) fn validate(&self) -> Result<Settings, Vec<Problem>> {
        let mut problems = Vec::new();
        let data_dir = self.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR));
        let limits = ReceiveLimits::default();
        let server = keep(&mut problems, "server", self.server.validate());
        let store = keep(&mut problems, "store", self.store.validate(&data_dir));
        let records = self.records.validate(&data_dir.join(RECORDS_DIR));
        let records = keep(&mut problems, "records", records);
        let query = keep(&mut problems, "query", self.query.validate());
        let metrics = keep(&mut problems, "metrics", self.metrics.validate()).flatten();
        let host = keep(&mut problems, "host", self.host.validate());
        let gpu = keep(&mut problems, "gpu", self.gpu.validate());
        let kubernetes = keep(&mut problems, "kubernetes", self.kubernetes.validate());
        let slurm = keep(&mut problems, "slurm", self.slurm.validate());
        let discover = keep(&mut problems, "discover", self.discover.validate());
        let otlp = keep(&mut problems, "otlp", self.otlp.validate(&limits));
        let cost = keep(&mut problems, "cost", self.cost.validate());
        let engines = keep(&mut problems, "engines", self.engines.validate());
        let proxy = keep(&mut problems, "proxy", self.proxy.validate()).flatten();
        self.validate_captures(&mut problems);
        let forward = keep(&mut problems, "forward", self.forward.validate()).flatten();
        let scrape = self.validate_scrape(&mut problems);
        let token = match (&self.server.token_file, &self.server.token_env) {
            // Both at once is a problem the server's options have told already.
            (Some(file), _) => TokenSource::File(PathBuf::from(file)),
            (None, Some(name)) => TokenSource::Env(name.clone()),
            (None, None) => TokenSource::None,
        };
        let sources = (host, gpu, kubernetes, slurm, discover, otlp);
        match (server, (store, records), query, sources, cost.zip(engines)) {
            (
                Some(server),
                (Some(store), Some(records)),
                Some(query),
                (Some(host), Some(gpu), Some(kubernetes), Some(slurm), Some(discover), Some(otlp)),
                Some((cost, mut targets)),
            ) if problems.is_empty() => {
                targets.ttft_s = cost.ttft_objective.as_secs_f64();
                // One knob each for both floors: the server's.
                let query = QuerySettings {
                    max_concurrent: server.query_concurrency,
                    timeout: server.query_timeout,
                    ..query
                };
                Ok(Settings {
                    node: self.node.clone(),
                    host_root: self.host_root.clone().unwrap_or_else(|| PathBuf::from("/")),
                    server,
                    token,
                    store,
                    records,
                    query,
                    metrics,
                    host,
                    gpu,
                    kubernetes,
                    slurm,
                    discover,
                    otlp,
                    cost,
                    targets,
                    forward,
                    proxy,
                    proxy_options: self.proxy.clone(),
                    scrape,
                })
            }
            _ => Err(problems),
        }
    }

    /// Content is kept to be trained on by what was thought of it, which only records know.
    fn validate_captures(&self, problems: &mut Vec<Problem>) {
        for (index, route) in self.proxy.routes.iter().enumerate() {
            if route.capture.is_some() && !self.records.enabled {
                let message = "needs the records of requests: enabled = true under [records]";
                problems.push(Problem::new(format!("proxy.routes[{index}].capture"), message));
            }
        }
    }

    fn validate_scrape(&self, problems: &mut Vec<Problem>) -> Vec<ScrapeSettings> {
        let mut jobs = Vec::new();
        for (index, options) in self.scrape.iter().enumerate() {
            jobs.extend(keep(problems, &format!("scrape[{index}]"), options.validate()));
            let same = |other: &ScrapeOptions| other.job == options.job;
            if self.scrape.iter().take(index).any(same) {
                let message = format!("another job is already named {:?}", options.job);
                problems.push(Problem::new(format!("scrape[{index}].job"), message));
            }
        }
        jobs
    }
}

/// The settings of a section, or its problems placed in the file.
fn keep<T>(
    problems: &mut Vec<Problem>,
    section: &str,
    result: Result<T, Vec<Problem>>,
) -> Option<T> {
    match result {
        Ok(settings) => Some(settings),
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| problem.within(section)));
            None
        }
    }
}
