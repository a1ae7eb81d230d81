//! What is kept is what would be answered, whatever was asked before and written since.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use strata_model::clock::FixedClock;
use strata_model::{Clock, Labels, Matcher, SelectError, Selection, Series, SeriesSource};

use super::{KeptEngine, UNTOLD_MS};
use crate::engine::{
    Answer, EmbeddedEngine, MetricsEngine, QuerySettings, QueryValue, RangeQuery, Value,
};
use crate::promqltest::MemorySource;

const START: i64 = 1_700_000_000_000;
const STEP: i64 = 60_000;

/// Series in memory that grow, and the ranges that were selected.
#[derive(Default)]
struct Growing {
    data: RwLock<MemorySource>,
    /// Times in the order they were written.
    written: Mutex<Vec<i64>>,
    /// Whether what is written is told.
    tells: AtomicBool,
    asked: Mutex<Vec<(i64, i64)>>,
}

impl Growing {
    fn push(&self, name: &str, at_ms: i64, value: f64) {
        self.push_of("b", name, at_ms, value);
    }

    fn push_of(&self, a: &str, name: &str, at_ms: i64, value: f64) {
        let labels = Labels::from_pairs([("__name__", name), ("a", a)]);
        self.data.write().unwrap().push_float(&labels, at_ms, value);
        self.written.lock().unwrap().push(at_ms);
    }
}

impl SeriesSource for Growing {
    fn version(&self) -> Option<u64> {
        self.tells.load(Ordering::Relaxed).then(|| self.written.lock().unwrap().len() as u64)
    }

    fn changed_since(&self, version: u64) -> i64 {
        let written = self.written.lock().unwrap();
        written.iter().skip(version as usize).min().copied().unwrap_or(i64::MAX)
    }

    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError> {
        self.asked.lock().unwrap().push((selection.start_ms, selection.end_ms));
        self.data.read().unwrap().select(selection)
    }

    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError> {
        self.data.read().unwrap().series(sets, start_ms, end_ms, limit)
    }

    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        self.data.read().unwrap().label_names(sets, start_ms, end_ms)
    }

    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError> {
        self.data.read().unwrap().label_values(name, sets, start_ms, end_ms)
    }

    fn metadata(&self) -> Result<Vec<strata_model::Metadata>, SelectError> {
        Ok(Vec::new())
    }
}

struct House {
    source: Arc<Growing>,
    clock: Arc<FixedClock>,
    plain: Arc<EmbeddedEngine>,
    kept: KeptEngine,
}

impl House {
    fn new() -> Self {
        let source = Arc::new(Growing::default());
        source.tells.store(true, Ordering::Relaxed);
        let clock = Arc::new(FixedClock::at(START));
        let shared: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        let settings = QuerySettings::default();
        let plain = Arc::new(EmbeddedEngine::new(
            Arc::<Growing>::clone(&source),
            Arc::clone(&shared),
            settings,
        ));
        let kept = KeptEngine::new(Arc::<EmbeddedEngine>::clone(&plain), shared);
        Self { source, clock, plain, kept }
    }

    /// Ask both over the range and at a moment after it; what the kept engine read.
    async fn both_to_moment(&self, text: &str, range: (i64, i64), at_ms: i64) -> Vec<(i64, i64)> {
        let query = RangeQuery {
            text: text.to_owned(),
            start_ms: range.0,
            end_ms: range.1,
            step_ms: STEP,
            timeout: Duration::from_secs(5),
            lookback_ms: None,
        };
        let plain = self.plain.range_and_moment(query.clone(), at_ms).await.unwrap();
        self.source.asked.lock().unwrap().clear();
        let kept = self.kept.range_and_moment(query, at_ms).await.unwrap();
        assert_eq!(sorted(&kept), sorted(&plain), "{text} {range:?} {at_ms}");
        std::mem::take(&mut *self.source.asked.lock().unwrap())
    }

    /// Ask both over the range; the kept engine's answer, and the earliest time it read.
    async fn both(&self, text: &str, start_ms: i64, end_ms: i64) -> (Answer, Option<i64>) {
        let query = RangeQuery {
            text: text.to_owned(),
            start_ms,
            end_ms,
            step_ms: STEP,
            timeout: Duration::from_secs(5),
            lookback_ms: None,
        };
        let plain = self.plain.range(query.clone()).await.unwrap();
        self.source.asked.lock().unwrap().clear();
        let kept = self.kept.range(query).await.unwrap();
        assert_eq!(sorted(&kept), sorted(&plain), "{text} {start_ms}..{end_ms}");
        let read = self.source.asked.lock().unwrap().iter().map(|(start, _)| *start).min();
        (kept, read)
    }
}

fn sorted(answer: &Answer) -> Vec<(String, Vec<(i64, Value)>)> {
    let QueryValue::Matrix(series) = &answer.value else { panic!("a matrix") };
    let mut rows: Vec<_> =
        series.iter().map(|one| (one.labels.to_string(), one.points.clone())).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[tokio::test]
async fn only_what_is_new_is_read() {
    let house = House::new();
    let mut now = START + 3_600_000;
    house.clock.set(now);
    for at in (START..=now).step_by(15_000) {
        house.source.push("x", at, (at - START) as f64);
    }
    let text = "sum(rate(x[2m])) or sum(x)";
    let (_, read) = house.both(text, START, now).await;
    assert!(read.unwrap() <= START);
    for _ in 0..5 {
        now += STEP;
        house.clock.set(now);
        for at in (now - STEP + 15_000..=now).step_by(15_000) {
            house.source.push("x", at, (at - START) as f64);
        }
        let (_, read) = house.both(text, now - 3_600_000, now).await;
        let back = now - read.unwrap();
        assert!(back <= STEP + 5 * 60_000, "{back} ms were read again");
    }
    // What lies in the past is not read at all.
    let (_, read) = house.both(text, now - 1_800_000, now - 600_000).await;
    assert_eq!(read, None);
}

#[tokio::test]
async fn late_samples_are_seen() {
    let house = House::new();
    let now = START + 3_600_000;
    house.clock.set(now);
    for at in (START..=now).step_by(60_000) {
        house.source.push("x", at, 1.0);
    }
    let (before, _) = house.both("count(x)", START, now).await;
    // An hour that an agent could not deliver.
    for at in (START..now).step_by(60_000) {
        house.source.push_of("late", "x", at, 1.0);
    }
    let (after, _) = house.both("count(x)", START, now).await;
    assert_ne!(before.value, after.value);
}

#[tokio::test]
async fn where_nobody_tells_of_late_samples_nothing_is_kept_for_long() {
    let house = House::new();
    house.source.tells.store(false, Ordering::Relaxed);
    let mut now = START + 3_600_000;
    house.clock.set(now);
    for at in (START..=now + UNTOLD_MS + STEP).step_by(60_000) {
        house.source.push("x", at, 1.0);
    }
    house.both("count(x)", START, now).await;
    let (_, read) = house.both("count(x)", START, now).await;
    assert!(read.is_some_and(|read| read > START), "it is gone on from");
    // What a sender could not deliver before is seen once the answer is too old.
    house.source.push_of("late", "x", START + 600_000, 1.0);
    now += UNTOLD_MS + STEP;
    house.clock.set(now);
    let (_, read) = house.both("count(x)", START, now).await;
    assert!(read.is_some_and(|read| read <= START));
}

#[tokio::test]
async fn the_queries_of_a_moment_keep_what_was_known_then() {
    let house = House::new();
    let now = START + 3_600_000;
    house.clock.set(now);
    for at in (START..=now).step_by(60_000) {
        house.source.push("x", at, 1.0);
    }
    let ask = |text: &str| RangeQuery {
        text: text.to_owned(),
        start_ms: START,
        end_ms: now,
        step_ms: STEP,
        timeout: Duration::from_secs(5),
        lookback_ms: None,
    };
    let moment = house.kept.for_one_moment().unwrap();
    moment.range(ask("max(count by (job) (x))")).await.unwrap();
    // A late sample between two queries of one page: the second shares what the first evaluated.
    house.source.push_of("late", "x", START + 600_000, 1.0);
    moment.range(ask("min(count by (job) (x))")).await.unwrap();
    house.both("min(count by (job) (x))", START, now).await;
}

#[tokio::test]
async fn what_looks_elsewhere_in_time_is_always_asked_whole() {
    let house = House::new();
    let now = START + 3_600_000;
    house.clock.set(now);
    for at in (START..=now).step_by(60_000) {
        house.source.push("x", at, 1.0);
    }
    let texts = [
        "x @ end()",
        "x offset -1m",
        "x OFFSET -1m",
        "sum_over_time(x[1m] @ start())",
        "rate(x[2m] smoothed)",
        "x + end()",
        "x * range ()",
    ];
    for text in texts {
        house.both(text, START, now).await;
        let (_, read) = house.both(text, START, now).await;
        assert!(read.is_some(), "{text}");
    }
}

#[tokio::test]
async fn a_last_step_and_the_moment_after_it_are_read_together() {
    let house = House::new();
    let mut now = START + 3_600_000;
    for at in (START..=now + 600_000).step_by(15_000) {
        house.source.push("x", at, (at - START) as f64);
    }
    let text = "sum(rate(x[2m]))";
    for (steps, reads) in [(0, 2), (1, 1), (0, 1), (2, 2), (1, 1)] {
        now += steps * STEP;
        house.clock.set(now + 47_000);
        // As a page asks: up to the step before the last, which is read at the moment.
        let read = house.both_to_moment(text, (START, now - STEP), now + 47_000).await;
        assert_eq!(read.len(), reads, "{steps} steps on: {read:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    /// Any windows over data that grows, ends, begins anew and arrives late.
    #[test]
    fn kept_is_what_would_be_answered(
        moves in proptest::collection::vec((0..40_i64, 1..60_i64, 0..4_u8, 0..3_u8), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let house = House::new();
            let mut now = START;
            for (minutes, length, series, shape) in moves {
                let name = if series == 0 { "y" } else { "x" };
                for minute in 1..=minutes {
                    let at = now + minute * STEP;
                    house.source.push(name, at, (minute % 7) as f64);
                }
                now += minutes * STEP;
                house.clock.set(now);
                if series == 3 {
                    house.source.push("x", now - 20 * STEP + 1, 5.0);
                }
                let text = match shape {
                    0 => "x or y",
                    1 => "last_over_time({__name__=~\"x|y\"}[10m])",
                    _ => "sum(increase(x[5m])) / count(x)",
                };
                let start = now - length * STEP;
                let moment = now + i64::from(series) * 7_000;
                house.both_to_moment(text, (start, now - STEP), moment).await;
                if shape != series {
                    house.both(text, start, now).await;
                }
            }
        });
    }
}
