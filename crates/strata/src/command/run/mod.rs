//! `strata run`: collect, store and serve until interrupted.

mod recorded;
mod served;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use strata_collect::discover::{Discovery, DiscoveryRunner, Found};
use strata_collect::scrape::{Environment, Job, JobRunner};
use strata_collect::{Scheduler, SourceBook, l1_gpu, l3_host};
use strata_forward::Forwarder;
use strata_model::meter::Meter;
use strata_model::record::RecordSink;
use strata_model::{Clock, Sink, SourceState, SourceStatus};
use strata_proxy::ProxySettings;
use strata_serve::{Addresses, Bound, Secret};
use strata_store::{MetricStore, RecordStore};

pub(crate) use self::served::own_name;
use crate::cli::RunArgs;
use crate::clock::SystemClock;
use crate::config::{Settings, TokenSource};
use crate::content::Content;
use crate::forward::{ForwardCollector, ToldOnward};
use crate::out::Out;
use crate::own::OwnMetrics;
use crate::page_rules::{any_source, identify, rules_of};
use crate::proxy::RunningProxy;
use crate::scheduling::{Place, Scheduling, node_of_environment};
use crate::{forward, greeting, refusals, signals};

/// How often the program's own numbers are stored.
const OWN_INTERVAL: Duration = Duration::from_secs(15);
/// The greeting waits this long for the first look around.
const FIRST_LOOK: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The default page of a demo shows an hour.
const DEMO_PAST_MINUTES: i64 = 60;
/// Longest time that what waits to be told onward is waited for at the end.
const LAST_FORWARD: Duration = Duration::from_secs(5);
/// A token file is one line.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// Everything that runs.
pub(super) struct House {
    pub(super) store: MetricStore,
    /// `None` when they are switched off.
    records: Option<RecordStore>,
    /// `None` when nothing is told onward.
    forwarder: Option<Arc<Forwarder>>,
    /// What routes of the proxy keep of what passes.
    content: Arc<Content>,
    meter: Meter,
    book: SourceBook,
    /// The store, and whoever is told onward.
    sink: Arc<dyn Sink>,
    scheduler: Scheduler,
    clock: Arc<dyn Clock>,
    node: String,
    /// What is simulated, when it is; every page says so.
    simulated: Option<String>,
}

/// Run until interrupted.
pub(crate) async fn run(
    mut settings: Settings,
    config: Option<PathBuf>,
    arguments: RunArgs,
    out: Out,
) -> Result<()> {
    apply_flags(&mut settings, arguments)?;
    let token = token(&settings.token)?;
    let bound = Bound::bind(settings.server.clone(), token).await?;
    for skipped in bound.skipped() {
        tracing::warn!(reason = %skipped, "a default port is left to its owner");
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let house = House::open(&settings, clock, None)?;
    live(house, bound, &settings, config.as_deref(), out).await
}

/// Collect and serve until interrupted.
pub(super) async fn live(
    house: House,
    bound: Bound,
    settings: &Settings,
    config: Option<&Path>,
    out: Out,
) -> Result<()> {
    let addresses = bound.addresses();
    let jobs = house.start_collectors(settings)?;
    let discovery = house.start_discovery(settings, addresses)?;
    let parts = house.parts(settings)?;
    let proxy = if let Some(proxy) = settings.proxy.clone() {
        Some(house.start_proxy(proxy).await?)
    } else {
        // What was captured before is still to be deleted in time.
        house.content.start();
        None
    };
    if proxy.is_none() && house.simulated.is_none() {
        crate::proxy::absent(&house.book, house.clock.now_ms());
    }
    let stop = signals::stop()?;
    let (ready, greeted) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(parts, async move {
        stop.await;
        drop(ready);
    }));
    if house.simulated.is_none() {
        // Late answers are no reason to keep a person waiting: `strata sources` has them.
        drop(tokio::time::timeout(FIRST_LOOK, house.first_look(discovery.as_ref())).await);
    }
    let found = discovery.as_ref().map_or_else(Found::default, DiscoveryRunner::now);
    let greeting = greeting::Greeting {
        addresses,
        proxy: proxy.as_ref().map(RunningProxy::address),
        captured: &house.content.words(),
        data_dir: &settings.store.dir,
        config,
        found: &found,
        looked: discovery.is_some(),
        sources: &house.book.snapshot(),
        simulated: house.simulated.as_deref(),
    };
    // A full disk behind standard output is no reason not to collect.
    if let Err(error) = greeting.print(out) {
        tracing::warn!(%error, "cannot print what is running");
    }
    // The sender is dropped when a signal came, so this ends with the server's grace time.
    drop(greeted.await);
    drop((jobs, discovery));
    // Whatever became of the proxy, the stores are closed.
    if let Some(proxy) = proxy
        && let Err(error) = proxy.stop().await
    {
        tracing::error!(%error, "the proxy ended badly");
    }
    serving.await.context("the server ended badly")?;
    house.scheduler.stop().await;
    if let Some(forwarder) = &house.forwarder
        && tokio::time::timeout(LAST_FORWARD, forwarder.stop()).await.is_err()
    {
        tracing::warn!("what was still to be told onward could not be in time");
    }
    let (store, records) = (house.store.clone(), house.records.clone());
    tokio::task::spawn_blocking(move || {
        records.inspect(RecordStore::close);
        store.close()
    })
    .await??;
    Ok(())
}

fn apply_flags(settings: &mut Settings, arguments: RunArgs) -> Result<()> {
    if let Some(dir) = arguments.data_dir {
        settings.store.dir = dir;
    }
    if let Some(listen) = arguments.listen {
        settings.server.listen = listen;
    }
    if let Some(root) = arguments.host_root {
        settings.host_root = root;
    }
    if !settings.host_root.is_dir() {
        bail!("the host's root {} is not a directory", settings.host_root.display());
    }
    Ok(())
}

/// Read the bearer token clients must present.
pub(crate) fn token(source: &TokenSource) -> Result<Option<Secret>> {
    let text = match source {
        TokenSource::None => return Ok(None),
        TokenSource::File(path) => {
            let size = std::fs::metadata(path).map(|file| file.len());
            let text = match size {
                Ok(size) if size > TOKEN_BYTES_MAX => bail!("{} is no token", path.display()),
                _ => std::fs::read_to_string(path),
            };
            text.with_context(|| format!("cannot read the token file {}", path.display()))?
        }
        TokenSource::Env(name) => {
            environment(name).with_context(|| format!("the variable {name} is not set"))?
        }
    };
    let secret = Secret::new(text.trim());
    if secret.is_empty() {
        bail!("the bearer token is empty");
    }
    Ok(Some(secret))
}

/// The environment is only read here, for secrets that the configuration names.
#[expect(clippy::disallowed_methods, reason = "only the binary reads the environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The environment as collectors may ask for it.
pub(crate) fn environment_lookup() -> Environment {
    Arc::new(environment)
}

/// What this node is called: as configured, as the cluster has it, else as its kernel says it.
pub(crate) fn node_name(settings: &Settings) -> String {
    let node = settings.node.clone().or_else(|| node_of_environment(&settings.kubernetes));
    node.unwrap_or_else(|| host_name(&settings.host_root))
}

/// The host's name, as the kernel of the host says it.
fn host_name(root: &Path) -> String {
    let name = std::fs::read_to_string(root.join("proc/sys/kernel/hostname")).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

impl House {
    pub(super) fn open(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        simulated: Option<String>,
    ) -> Result<Self> {
        let meter = Meter::default();
        let store = MetricStore::open(settings.store.clone(), Arc::clone(&clock), &meter)
            .with_context(|| {
                format!("cannot open the store in {}", settings.store.dir.display())
            })?;
        let records = recorded::records(settings, &clock, &meter)?;
        let forwarder = settings.forward.clone();
        let forwarder =
            forwarder.map(|forward| forward::start(forward, Arc::clone(&clock), &meter));
        let forwarder = forwarder.transpose()?;
        let book = SourceBook::default();
        let content = Content::of(settings, &clock, &meter)?;
        content.complete(&book, refusals::addendum(&store, &settings.store.dir, &clock));
        let mut sink: Arc<dyn Sink> = Arc::new(store.clone());
        if let Some(forwarder) = forwarder.clone() {
            sink = Arc::new(ToldOnward { sink, forwarder });
        }
        let scheduler =
            Scheduler::new(Arc::clone(&sink), book.clone(), meter.clone(), Arc::clone(&clock));
        let node = node_name(settings);
        Ok(Self {
            store,
            records,
            forwarder,
            content,
            meter,
            book,
            sink,
            scheduler,
            clock,
            node,
            simulated,
        })
    }

    /// Start the native collectors and the configured jobs.
    fn start_collectors(&self, settings: &Settings) -> Result<Vec<JobRunner>> {
        let events = l3_host::KernelEvents::default();
        let host = l3_host::collectors(&settings.host, &settings.host_root, &self.node, &events);
        let gpu = l1_gpu::collectors(&settings.gpu, &settings.host_root, &self.node, &events);
        for collector in host.into_iter().chain(gpu) {
            self.scheduler.add(collector);
        }
        let own = OwnMetrics::new(self.meter.clone(), &self.node, OWN_INTERVAL);
        self.scheduler.add(Box::new(own));
        if let Some(forwarder) = self.forwarder.clone() {
            let looked = ForwardCollector::new(forwarder, self.meter.clone());
            self.scheduler.add(Box::new(looked));
        }
        let scheduling = Scheduling {
            scheduler: &self.scheduler,
            book: &self.book,
            clock: &self.clock,
            place: Place { host_root: &settings.host_root, node: &self.node },
        };
        scheduling.start(&settings.kubernetes, &settings.slurm);
        let mut jobs = Vec::new();
        for scrape in &settings.scrape {
            let name = scrape.job.clone();
            let job = Job::new(scrape.clone(), environment_lookup(), any_source())
                .with_context(|| format!("cannot set up the scrape job {name:?}"))?;
            let scheduler = self.scheduler.clone();
            let clock = Arc::clone(&self.clock);
            jobs.push(JobRunner::start(job, scheduler, self.book.clone(), clock));
        }
        Ok(jobs)
    }

    async fn start_proxy(&self, proxy: ProxySettings) -> Result<RunningProxy> {
        let records = self.records.clone();
        let records = records.map(|store| -> Arc<dyn RecordSink> { Arc::new(store) });
        let clock = Arc::clone(&self.clock);
        let (running, collector) = RunningProxy::start(
            proxy,
            (records, self.onward()),
            &self.content,
            clock,
            (&self.node, &self.meter),
        )
        .await?;
        self.scheduler.add(Box::new(collector));
        Ok(running)
    }

    fn start_discovery(
        &self,
        settings: &Settings,
        own: Addresses,
    ) -> Result<Option<DiscoveryRunner>> {
        if !settings.discover.enabled {
            return Ok(None);
        }
        let own = [Some(own.main), own.otlp_grpc, own.otlp_http];
        let own = own.into_iter().flatten().map(|address| address.port());
        let own = own.chain(settings.proxy.as_ref().map(|proxy| proxy.listen.port()));
        // What is named in the file is collected as the file says, and not a second time.
        let named = settings.scrape.iter().flat_map(|scrape| &scrape.targets);
        let named = named.filter_map(|target| self.port_on_this_host(target));
        let discovery = Discovery::new(
            settings.discover.clone(),
            &settings.host_root,
            own.chain(named).collect(),
            Arc::new(identify),
            Arc::clone(&self.clock),
        )
        .context("cannot set up discovery")?;
        let scheduler = self.scheduler.clone();
        Ok(Some(DiscoveryRunner::start(discovery, scheduler, &self.node, Arc::new(rules_of))))
    }

    /// The port of a target `host:port` that is on this host.
    fn port_on_this_host(&self, target: &str) -> Option<u16> {
        let (host, port) = target.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || address.is_unspecified(),
            Err(_name) => host == "localhost" || host == self.node,
        };
        if is_here { port.parse().ok() } else { None }
    }

    /// Until discovery has looked around once and every source has been tried once.
    async fn first_look(&self, discovery: Option<&DiscoveryRunner>) {
        if let Some(discovery) = discovery {
            discovery.first_round().await;
        }
        let pending = |source: &SourceStatus| source.state == SourceState::Pending;
        while self.book.snapshot().iter().any(pending) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
