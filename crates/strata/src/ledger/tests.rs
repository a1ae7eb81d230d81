//! The service over samples in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strata_collect::Collector as _;
use strata_model::catalog::Catalog;
use strata_model::clock::FixedClock;
use strata_model::series::{SelectError, Selection, Series, SeriesSource};
use strata_model::{Labels, Matcher, Metadata};
use strata_query::canonical::CanonicalSource;
use strata_query::promqltest::MemorySource;
use strata_query::{EmbeddedEngine, QuerySettings};

use super::recorded::tests::{request, stored};
use super::{LedgerCollector, LedgerService};
use crate::config::CostOptions;

/// 2026-11-26 00:00 UTC.
pub(super) const DAY: i64 = 1_795_651_200_000;
pub(super) const HOUR: i64 = 3_600_000;

pub(super) fn service(source: MemorySource, options: &CostOptions, now_ms: i64) -> LedgerService {
    service_over(Arc::new(source), options, now_ms)
}

pub(super) fn service_over(
    source: Arc<dyn SeriesSource>,
    options: &CostOptions,
    now_ms: i64,
) -> LedgerService {
    let clock = Arc::new(FixedClock::at(now_ms));
    let source = CanonicalSource::new(source, Catalog::builtin());
    let engine =
        EmbeddedEngine::new(Arc::new(source), Arc::clone(&clock) as _, QuerySettings::default());
    LedgerService::new(Arc::new(engine), options.validate().unwrap(), clock).unwrap()
}

/// A sample each minute from the beginning of the day on.
pub(super) fn push(
    source: &mut MemorySource,
    labels: &[(&str, &str)],
    hours: i64,
    value: impl Fn(i64) -> f64,
) {
    let labels = Labels::from_pairs(labels.iter().copied());
    for at in (0..=hours * HOUR).step_by(60_000) {
        source.push_float(&labels, DAY + at, value(at));
    }
}

/// A source that cannot read one metric at times.
pub(super) struct Failing {
    source: MemorySource,
    metric: &'static str,
    fails: AtomicBool,
}

impl Failing {
    pub(super) fn of(source: MemorySource, metric: &'static str) -> Self {
        Self { source, metric, fails: AtomicBool::new(false) }
    }

    pub(super) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }
}

type Found<T> = Result<T, SelectError>;

impl SeriesSource for Failing {
    fn select(&self, selection: &Selection) -> Found<Vec<Series>> {
        let is_asked = selection.matchers.iter().any(|one| one.value.contains(self.metric));
        if is_asked && self.fails.load(Ordering::SeqCst) {
            return Err(SelectError::Storage("the disk is slow".to_owned()));
        }
        self.source.select(selection)
    }

    fn series(&self, sets: &[Vec<Matcher>], from: i64, to: i64, most: usize) -> Found<Vec<Labels>> {
        self.source.series(sets, from, to, most)
    }

    fn label_names(&self, sets: &[Vec<Matcher>], from: i64, to: i64) -> Found<Vec<String>> {
        self.source.label_names(sets, from, to)
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        from: i64,
        to: i64,
    ) -> Found<Vec<String>> {
        self.source.label_values(name, sets, from, to)
    }

    fn metadata(&self) -> Found<Vec<Metadata>> {
        self.source.metadata()
    }
}

#[tokio::test]
async fn a_minute_of_which_a_question_failed_is_counted_later() {
    let mut source = MemorySource::new();
    let gpu = |name| {
        let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
        [("__name__", name), ("gpu_uuid", "GPU-1"), ("node", "n"), model]
    };
    push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 4, |_| 1e9);
    let source = Arc::new(Failing::of(source, "hw_power"));
    let shared = Arc::clone(&source) as Arc<dyn SeriesSource>;
    let service = service_over(shared, &CostOptions::default(), DAY + HOUR);
    let mut collector = LedgerCollector::new(Arc::new(service));
    let mut counted = Vec::new();
    for (minute, fails) in [(0, false), (1, true), (2, true), (3, false)] {
        source.fail(fails);
        let at_ms = DAY + HOUR + minute * 60_000 + 30_000;
        let harvest = collector.collect(at_ms).await.unwrap();
        let batch = &harvest.batch;
        let seconds = batch.samples.iter().filter(|sample| {
            let labels = batch.labels(sample.series);
            labels.get("__name__") == Some("cost_gpu_time_seconds_total") && sample.at_ms == at_ms
        });
        counted.push(seconds.map(|sample| sample.value).sum::<f64>());
    }
    assert_eq!(counted, [60.0, 60.0, 60.0, 240.0]);
}

#[tokio::test]
async fn records_tell_tenants_where_no_counter_does_and_never_beside_one() {
    let engine = |name| {
        let place = [("namespace", "n"), ("pod", "e"), ("node", "n"), ("instance", "e:8000")];
        [&[("__name__", name), ("model", "m"), ("inference_engine", "vllm")], &place[..]].concat()
    };
    let account = async |has_gateway: bool| {
        let mut source = MemorySource::new();
        let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
        let gpu = |name| [("__name__", name), ("gpu_uuid", "GPU-1"), ("node", "n"), model];
        push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 5, |_| 1e9);
        let held = [("namespace", "n"), ("pod", "e"), ("method", "podresources")];
        push(&mut source, &[&gpu("gpu_allocation_info")[..], &held].concat(), 5, |_| 1.0);
        push(&mut source, &engine("inference_requests_running"), 5, |_| 1.0);
        for (name, each) in
            [("inference_prompt_tokens_total", 400.0), ("inference_generation_tokens_total", 100.0)]
        {
            push(&mut source, &engine(name), 5, |at| each * at as f64 / 60_000.0);
        }
        if has_gateway {
            let counter = [("__name__", "gateway_input_tokens_total"), ("tenant", "counted")];
            let labels = [&counter[..], &[("model", "m")]].concat();
            push(&mut source, &labels, 5, |at| at as f64 / 600.0);
        }
        let records = (0..300).map(|minute| request(minute, "recorded")).collect();
        let (_dir, records) = stored(records).await;
        let service = service(source, &CostOptions::default(), DAY + 5 * HOUR);
        let service = service.with_records(Some(Arc::new(records)));
        let period = LedgerService::period(DAY + HOUR, DAY + 5 * HOUR);
        let (told, series) = (service.with_tenants(period).await, service.account(period).await);
        let tenants = |ledger: &strata_cost::ledger::Ledger| -> Vec<String> {
            ledger.uses.iter().map(|one| one.tenant.clone()).collect()
        };
        let notes = told.notes.join("; ");
        let prompt = told.ledger.uses.first().and_then(|one| one.prompt);
        (tenants(&told.ledger), tenants(&series.ledger), notes, prompt)
    };
    let (told, series, notes, prompt) = account(false).await;
    assert_eq!((told, series), (vec!["recorded".to_owned()], Vec::new()), "{notes}");
    assert_eq!(prompt, Some(24_000.0), "of four hours, a hundred a minute");
    assert!(notes.contains("100.0 % of 240 requests name a tenant"), "{notes}");
    let (told, series, notes, _) = account(true).await;
    assert_eq!((told, series), (vec!["counted".to_owned()], vec!["counted".to_owned()]));
    assert!(!notes.contains("request records"), "{notes}");
}

#[tokio::test]
async fn a_price_file_of_a_cloud_prices_the_nodes_that_it_names() {
    let mut source = MemorySource::new();
    for (gpu, node) in [("GPU-1", "a"), ("GPU-2", "a"), ("GPU-3", "b")] {
        let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
        let labels =
            [("__name__", "hw_gpu_memory_usage_bytes"), ("gpu_uuid", gpu), ("node", node), model];
        push(&mut source, &labels, 2, |_| 1e9);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nodes.csv");
    let header = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,\
        MarketPriceHourly,Version\n";
    let write = |rows: &str| std::fs::write(&path, format!("{header}{rows}")).unwrap();
    let options = || CostOptions { price_files: vec![path.clone()], ..CostOptions::default() };
    write("2026-11-01T00:00:00Z,a,,node,metadata.name,,9,\n");
    let service = service(source, &options(), DAY + 2 * HOUR);
    let account = service.account(LedgerService::period(DAY + HOUR, DAY + 2 * HOUR)).await;
    // Two GPUs have a node of 9 an hour, the third the published figure.
    let amount = account.ledger.total().amount().unwrap();
    assert!((amount - (9.0 + 2.95)).abs() < 1e-9, "{amount} {:?}", account.notes);
    write("2026-11-01T00:00:00Z,a,,node,metadata.name,,-9,\n");
    let clock = Arc::new(FixedClock::at(DAY));
    let empty = CanonicalSource::new(Arc::new(MemorySource::new()), Catalog::builtin());
    let engine =
        EmbeddedEngine::new(Arc::new(empty), Arc::clone(&clock) as _, QuerySettings::default());
    let made = LedgerService::new(Arc::new(engine), options().validate().unwrap(), clock);
    let told = made.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("line 2") && told.contains("`-9` is not a price"), "{told}");
}
