//! One target as a source: fetch, read, and say how it went.

use std::sync::Arc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Labels, Layer, SourceKind};

use super::client::{ClientError, Environment, Fetched, Fetcher, malformed, over_limit};
use super::options::ScrapeSettings;
use super::page::PageMemory;
use super::rules::{Rules, Sentinel};
use super::target::Target;
use crate::collector::{CollectError, Collector, Harvest, PageCounts};
use crate::exposition::Format;

/// A checked job with its connections: makes a collector of each of its targets.
#[derive(Clone)]
pub struct Job {
    settings: Arc<ScrapeSettings>,
    fetcher: Fetcher,
    sentinel: Option<Sentinel>,
}

impl Job {
    /// Read the job's certificates and set up its connections.
    pub fn new(
        settings: ScrapeSettings,
        environment: Environment,
        sentinel: Option<Sentinel>,
    ) -> Result<Self, ClientError> {
        let fetcher = Fetcher::new(&settings, environment)?;
        Ok(Self { settings: Arc::new(settings), fetcher, sentinel })
    }

    /// The checked options.
    pub fn settings(&self) -> &ScrapeSettings {
        &self.settings
    }

    pub(crate) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The collector of one target.
    pub fn collector(&self, target: Target, layer: Option<Layer>) -> ScrapeCollector {
        let settings = &self.settings;
        let rules = Rules {
            labels: target.labels.clone(),
            honor_labels: settings.honor_labels,
            honor_timestamps: settings.honor_timestamps,
            drop: settings.drop.clone(),
            limits: settings.limits,
            sentinel: self.sentinel.clone(),
        };
        ScrapeCollector {
            id: Arc::from(target.id.as_str()),
            fetcher: self.fetcher.clone(),
            native_histograms: settings.native_histograms,
            memory: PageMemory::default(),
            counts: PageCounts::default(),
            target,
            layer,
            rules,
        }
    }
}

/// Fetches the page of one target.
pub struct ScrapeCollector {
    id: Arc<str>,
    target: Target,
    layer: Option<Layer>,
    fetcher: Fetcher,
    rules: Rules,
    native_histograms: bool,
    memory: PageMemory,
    counts: PageCounts,
}

impl ScrapeCollector {
    async fn scrape(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        self.counts = PageCounts::default();
        let seconds = self.target.timeout.as_secs_f64();
        let fetched = self.fetcher.fetch(&self.target.url, seconds).await?;
        self.read(&fetched, at_ms)
    }

    fn read(&mut self, fetched: &Fetched, at_ms: i64) -> Result<Harvest, CollectError> {
        if fetched.content_type.starts_with("text/html") {
            return Err(malformed("the server answered with a web page, not with metrics".into()));
        }
        // Some exporters promise nothing or anything; nearly all of them write Prometheus text.
        let format = Format::of_content_type(&fetched.content_type).unwrap_or(Format::Text);
        let page = self.memory.read(
            &self.rules,
            Arc::clone(&self.id),
            at_ms,
            (format, &fetched.body, fetched.arrival),
            self.native_histograms,
        );
        if page.over_sample_limit {
            let (kept, limit) = (page.counts.kept, self.rules.limits.samples);
            return Err(over_limit(
                format!("the page has {kept} samples, the limit is {limit}"),
                "raise sample_limit, or leave metrics out with drop",
            ));
        }
        let faults = page.faults.into_faults();
        if page.end.samples == 0
            && let Some(first) = faults.first()
        {
            return Err(malformed(format!("the page has no sample: {}", first.message)));
        }
        self.counts = page.counts;
        Ok(Harvest { batch: page.batch, faults })
    }
}

impl Collector for ScrapeCollector {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Scrape
    }

    fn layer(&self) -> Option<Layer> {
        self.layer
    }

    fn interval(&self) -> Duration {
        self.target.interval
    }

    fn timeout(&self) -> Duration {
        self.target.timeout
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.scrape(at_ms))
    }

    fn target_labels(&self) -> Option<Labels> {
        Some(self.target.labels.clone())
    }

    fn page_counts(&self) -> PageCounts {
        self.counts
    }
}
