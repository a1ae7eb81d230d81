//! Runs discovery in the background and lets the scheduler follow it.

use std::sync::Arc;

use strata_model::LabelsBuilder;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Discovered, Discovery, Unheard};
use crate::schedule::Scheduler;
use crate::scrape::{Environment, Job, ScrapeOptions, SourceRules, Target};

/// What discovery knows at the moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    pub sources: Vec<Discovered>,
    pub unheard: Vec<Unheard>,
    /// Rounds completed; 0 means that nobody has looked yet.
    pub rounds: u64,
}

/// Discovery in the background, until it is dropped.
pub struct DiscoveryRunner {
    task: JoinHandle<()>,
    found: watch::Receiver<Found>,
}

/// Gives the rules of a source of the catalog.
pub type RulesOf = Arc<dyn Fn(&str) -> SourceRules + Send + Sync>;

impl DiscoveryRunner {
    /// Begin to look. What is found runs on `scheduler` with the labels `job` (the source's name),
    /// `instance`, and `node`.
    pub fn start(
        discovery: Discovery,
        scheduler: Scheduler,
        node: &str,
        rules_of: RulesOf,
    ) -> Self {
        let (publish, found) = watch::channel(Found::default());
        let follower = Follower { discovery, scheduler, node: node.to_owned(), rules_of };
        let task = tokio::spawn(follower.run(publish));
        Self { task, found }
    }

    /// What is known now.
    pub fn now(&self) -> Found {
        self.found.borrow().clone()
    }

    /// What is known once the first round is over.
    pub async fn first_round(&self) -> Found {
        let mut found = self.found.clone();
        match found.wait_for(|found| found.rounds > 0).await {
            Ok(found) => found.clone(),
            Err(_ended) => Found::default(),
        }
    }
}

impl Drop for DiscoveryRunner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    discovery: Discovery,
    scheduler: Scheduler,
    node: String,
    rules_of: RulesOf,
}

impl Follower {
    async fn run(mut self, publish: watch::Sender<Found>) {
        loop {
            let round = self.discovery.round().await;
            for lost in &round.lost {
                self.scheduler.remove(&lost.id);
            }
            for found in &round.found {
                self.add(found);
            }
            publish.send_modify(|found| {
                found.sources = self.discovery.found();
                found.unheard = self.discovery.unheard();
                found.rounds += 1;
            });
            tokio::time::sleep(self.discovery.settings.interval).await;
        }
    }

    fn add(&self, found: &Discovered) {
        let (Some(host), Some(port)) = (found.url.host_str(), found.url.port_or_known_default())
        else {
            return;
        };
        let instance = format!("{host}:{port}");
        let mut labels = LabelsBuilder::default();
        labels.set("job", &found.source).set("instance", &instance).set("node", &self.node);
        let settings = &self.discovery.settings;
        let target = Target {
            id: found.id.clone(),
            url: found.url.clone(),
            labels: labels.build(),
            interval: settings.scrape_interval,
            timeout: settings.scrape_timeout,
        };
        let options = ScrapeOptions {
            job: found.source.clone(),
            targets: vec![instance],
            ..ScrapeOptions::default()
        };
        // Neither files nor secrets are involved, so there is nothing to look up or to fail on.
        let nothing: Environment = Arc::new(|_name| None);
        let Ok(checked) = options.validate() else { return };
        let Ok(job) = Job::new(checked, nothing, (self.rules_of)(&found.source)) else { return };
        self.scheduler.add(Box::new(job.collector(target, found.layer)));
    }
}
