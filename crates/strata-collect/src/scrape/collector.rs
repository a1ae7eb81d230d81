//! One target as a source: fetch, read, and say how it went.

use std::sync::Arc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Labels, Layer, SourceKind};

use super::client::{ClientError, Environment, Fetched, Fetcher, malformed, over_limit};
use super::model::Learner;
use super::options::ScrapeSettings;
use super::page::PageMemory;
use super::rules::{Rules, SourceRules};
use super::target::Target;
use crate::collector::{CollectError, Collector, Harvest, PageCounts};
use crate::exposition::{Arrival, Format};

/// A checked job with its connections: makes a collector of each of its targets.
#[derive(Clone)]
pub struct Job {
    settings: Arc<ScrapeSettings>,
    fetcher: Fetcher,
    source: SourceRules,
}

impl Job {
    /// Read the job's certificates and set up its connections.
    pub fn new(
        settings: ScrapeSettings,
        environment: Environment,
        source: SourceRules,
    ) -> Result<Self, ClientError> {
        let fetcher = Fetcher::new(&settings, environment)?;
        Ok(Self { settings: Arc::new(settings), fetcher, source })
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
        ScrapeCollector {
            reader: PageReader::new(&self.settings, &target, self.source.clone()),
            fetcher: self.fetcher.clone(),
            learner: Learner::new(self.source.model.clone()),
            target,
            layer,
        }
    }
}

/// Reads the pages of one target into batches, with the memory that makes steady pages cheap.
pub struct PageReader {
    source: Arc<str>,
    rules: Rules,
    native_histograms: bool,
    memory: PageMemory,
    counts: PageCounts,
}

impl PageReader {
    /// A reader that has not seen a page of `target` yet.
    pub fn new(settings: &ScrapeSettings, target: &Target, source: SourceRules) -> Self {
        let rules = Rules {
            labels: target.labels.clone(),
            honor_labels: settings.honor_labels,
            honor_timestamps: settings.honor_timestamps,
            drop: settings.drop.clone(),
            limits: settings.limits,
            source,
        };
        Self {
            source: Arc::from(target.id.as_str()),
            native_histograms: settings.native_histograms,
            memory: PageMemory::default(),
            counts: PageCounts::default(),
            rules,
        }
    }

    /// Read one page, stamping samples with `at_ms` (milliseconds since the Unix epoch) unless the
    /// page gives them times of their own.
    ///
    /// # Errors
    /// When nothing on the page is a sample, or it has more samples than the target may have.
    pub fn read(
        &mut self,
        format: Format,
        body: &[u8],
        arrival: Arrival,
        at_ms: i64,
    ) -> Result<Harvest, CollectError> {
        self.counts = PageCounts::default();
        let source = Arc::clone(&self.source);
        let page = (format, body, arrival);
        let page = self.memory.read(&self.rules, source, at_ms, page, self.native_histograms);
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

/// Fetches the page of one target.
pub struct ScrapeCollector {
    target: Target,
    layer: Option<Layer>,
    fetcher: Fetcher,
    reader: PageReader,
    learner: Learner,
}

impl ScrapeCollector {
    /// The page, and beside it what only the program itself can tell.
    async fn round(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        let mut harvest = match self.scrape(at_ms).await {
            Ok(harvest) => harvest,
            Err(error) => {
                self.learner.doubt();
                return Err(error);
            }
        };
        self.learner.meet(self.reader.memory.families());
        self.learner.ask(&self.fetcher, &self.target.url, self.target.timeout, at_ms).await;
        self.learner.write(&self.target.labels, at_ms, &mut harvest.batch);
        Ok(harvest)
    }

    async fn scrape(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        self.reader.counts = PageCounts::default();
        let seconds = self.target.timeout.as_secs_f64();
        let Fetched { content_type, body, arrival } =
            self.fetcher.fetch(&self.target.url, seconds).await?;
        if content_type.starts_with("text/html") {
            return Err(malformed("the server answered with a web page, not with metrics".into()));
        }
        // Some exporters promise nothing or anything; nearly all of them write Prometheus text.
        let format = Format::of_content_type(&content_type).unwrap_or(Format::Text);
        self.reader.read(format, &body, arrival, at_ms)
    }
}

impl Collector for ScrapeCollector {
    fn id(&self) -> &str {
        &self.target.id
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
        Box::pin(self.round(at_ms))
    }

    fn target_labels(&self) -> Option<Labels> {
        Some(self.target.labels.clone())
    }

    fn page_counts(&self) -> PageCounts {
        self.reader.counts
    }
}
