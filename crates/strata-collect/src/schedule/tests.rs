//! The scheduler against sources that misbehave, on a clock the tests own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{
    Batch, Fault, FaultCode, Labels, Layer, Receipt, SinkError, SourceKind, SourceState, is_stale,
};
use tokio::time::Instant;

use super::*;
use crate::collector::{CollectError, Harvest, PageCounts};

/// Wall time that follows tokio's paused time and can be set apart from it.
struct TestClock {
    start: Instant,
    shift_ms: AtomicI64,
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
            + self.shift_ms.load(Ordering::SeqCst)
            + self.start.elapsed().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<Batch>>);

impl Sink for Kept {
    fn offer(&self, batch: Batch) {
        self.0.lock().expect("no test panics inside").push(batch);
    }

    fn append(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, SinkError>> {
        self.offer(batch);
        Box::pin(async { Ok(Receipt::default()) })
    }
}

impl Kept {
    /// `name value` of all samples so far, one inner list per batch; `stale` for markers.
    fn lines(&self) -> Vec<Vec<String>> {
        let batches = self.0.lock().expect("no test panics inside");
        let line = |batch: &Batch, sample: &strata_model::Sample| {
            let labels = batch.labels(sample.series);
            let value =
                if is_stale(sample.value) { "stale".into() } else { sample.value.to_string() };
            format!("{} {value}", labels.metric_name())
        };
        let lines = |batch: &Batch| batch.samples.iter().map(|s| line(batch, s)).collect();
        batches.iter().map(lines).collect()
    }

    fn times(&self) -> Vec<i64> {
        let batches = self.0.lock().expect("no test panics inside");
        batches.iter().filter_map(|b| b.samples.first().map(|s| s.at_ms)).collect()
    }
}

/// What a scripted source does in one round.
#[derive(Clone, Copy)]
enum Act {
    Bring(&'static [&'static str]),
    Fail,
    /// There is nothing of the kind here.
    Missing(&'static str),
    Panic,
    Hang,
}

struct Scripted {
    acts: Vec<Act>,
    round: usize,
    target: bool,
    kind: SourceKind,
}

impl Scripted {
    fn of(acts: &[Act]) -> Box<dyn Collector> {
        Box::new(Self::new(acts))
    }

    fn new(acts: &[Act]) -> Self {
        Self { acts: acts.to_vec(), round: 0, target: false, kind: SourceKind::Scrape }
    }

    async fn act(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        let act = self.acts[self.round.min(self.acts.len() - 1)];
        self.round += 1;
        match act {
            Act::Bring(names) => {
                let mut batch = Batch::new(Arc::from("test"));
                for name in names {
                    batch.push(&Labels::from_pairs([("__name__", *name)]), at_ms, 1.0);
                }
                Ok(Harvest { batch, faults: Vec::new() })
            }
            Act::Fail => Err(CollectError {
                fault: Fault::new(FaultCode::Unreachable, "refused"),
                state: SourceState::Failing,
                hint: "start it".to_owned(),
            }),
            Act::Missing(hint) => Err(CollectError {
                fault: Fault::new(FaultCode::Unsupported, "no such device"),
                state: SourceState::Absent,
                hint: hint.to_owned(),
            }),
            Act::Panic => panic!("planted"),
            Act::Hang => std::future::pending().await,
        }
    }
}

impl Collector for Scripted {
    fn id(&self) -> &'static str {
        "test"
    }

    fn kind(&self) -> SourceKind {
        self.kind
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L3Host)
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.act(at_ms))
    }

    fn target_labels(&self) -> Option<Labels> {
        self.target.then(|| Labels::from_pairs([("job", "j")]))
    }

    fn page_counts(&self) -> PageCounts {
        PageCounts { scraped: 3, kept: 2, added: 1 }
    }
}

pub(crate) struct Stage {
    pub(crate) scheduler: Scheduler,
    sink: Arc<Kept>,
    clock: Arc<TestClock>,
}

/// A scheduler with its surroundings, for tests of collectors.
pub(crate) fn running() -> Stage {
    stage()
}

fn stage() -> Stage {
    let sink = Arc::new(Kept::default());
    let clock = Arc::new(TestClock { start: Instant::now(), shift_ms: AtomicI64::new(0) });
    let scheduler = Scheduler::new(
        Arc::clone(&sink) as Arc<dyn Sink>,
        SourceBook::default(),
        Meter::default(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    Stage { scheduler, sink, clock }
}

impl Stage {
    /// Start a job of targets on this stage.
    pub(crate) fn start(&self, job: crate::scrape::Job) -> crate::scrape::JobRunner {
        let surroundings = &self.scheduler.surroundings;
        let clock = Arc::clone(&surroundings.clock);
        crate::scrape::JobRunner::start(
            job,
            self.scheduler.clone(),
            surroundings.book.clone(),
            clock,
        )
    }

    /// The first fault any source has, waiting for it in real time.
    pub(crate) async fn first_fault(&self) -> Fault {
        for _ in 0..400 {
            let book = self.scheduler.surroundings.book.snapshot();
            if let Some(fault) = book.iter().find_map(|status| status.recent_faults.first()) {
                return fault.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no fault came");
    }

    /// Batches offered so far.
    pub(crate) fn batches(&self) -> usize {
        self.sink.lines().len()
    }

    /// The first sample offered.
    pub(crate) fn first_line(&self) -> String {
        self.sink.lines().into_iter().flatten().next().unwrap_or_default()
    }

    /// Staleness markers offered so far.
    pub(crate) fn stale_markers(&self) -> usize {
        self.sink.lines().iter().flatten().filter(|line| line.ends_with("stale")).count()
    }

    /// Whether a source whose id begins like this has had a fault.
    pub(crate) fn book_has_fault(&self, id_prefix: &str) -> bool {
        let book = self.scheduler.surroundings.book.snapshot();
        book.iter().any(|row| row.id.starts_with(id_prefix) && row.faults_total > 0)
    }

    /// Let `count` further rounds pass.
    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn status(&self) -> strata_model::SourceStatus {
        self.scheduler.surroundings.book.snapshot().remove(0)
    }

    fn metric(&self, name: &str) -> f64 {
        let readings = self.scheduler.surroundings.meter.snapshot();
        readings.iter().filter(|r| r.metric == name).map(|r| r.value).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn series_end_when_missing_and_when_the_round_fails() {
    let stage = stage();
    let script = [
        Act::Bring(&["a", "b"]),
        Act::Bring(&["a"]),
        Act::Fail,
        Act::Bring(&["a", "b"]),
        Act::Fail,
    ];
    assert!(stage.scheduler.add(Scripted::of(&script)));
    assert!(!stage.scheduler.add(Scripted::of(&script)), "the id is taken");
    stage.pass(60).await;
    let lines = stage.sink.lines();
    let expected: [&[&str]; 5] = [
        &["a 1", "b 1"],
        &["a 1", "b stale"],
        &["a stale"],
        &["a 1", "b 1"],
        &["a stale", "b stale"],
    ];
    assert_eq!(lines, expected);
    let status = stage.status();
    assert_eq!((status.state, status.hint.as_str()), (SourceState::Failing, "start it"));
    assert_eq!(status.samples_total, 5);
}

#[tokio::test(start_paused = true)]
async fn rounds_lie_on_the_grid_one_interval_apart() {
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Bring(&["a"])]));
    stage.pass(60).await;
    let times = stage.sink.times();
    assert!(times.len() >= 6, "{times:?}");
    // The first round comes early, the others are on the grid.
    assert!(times.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 10_000), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_round() {
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Bring(&["a"]), Act::Panic, Act::Bring(&["a"])]));
    stage.pass(18).await;
    let status = stage.status();
    assert_eq!(status.recent_faults[0].code, FaultCode::Panicked);
    assert_eq!(status.recent_faults[0].message, "the collector panicked: planted");
    stage.pass(10).await;
    assert_eq!(stage.status().state, SourceState::Ok);
    assert_eq!(stage.sink.lines(), [["a 1"], ["a stale"], ["a 1"]]);
    assert_eq!(stage.metric("strata.collect.failed"), 1.0);
    assert_eq!(stage.metric("strata.collect.faults"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_round_that_hangs_is_cut_at_its_deadline() {
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Hang, Act::Bring(&["a"])]));
    stage.pass(7).await;
    assert_eq!(stage.status().recent_faults[0].message, "no answer within 5s");
    stage.pass(10).await;
    assert_eq!(stage.status().state, SourceState::Ok);
}

/// Blocks its thread, as a read of a dead mount does, until told to go on.
struct Blocking {
    gate: std::sync::mpsc::Receiver<()>,
}

impl Collector for Blocking {
    fn id(&self) -> &'static str {
        "blocking"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        None
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn collect(&mut self, _at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        assert!(self.gate.recv().is_err(), "the test only ever closes the gate");
        Box::pin(async { Ok(Harvest::default()) })
    }
}

#[tokio::test]
async fn a_read_that_blocks_its_thread_stops_nobody_else() {
    let stage = stage();
    let (open, gate) = std::sync::mpsc::channel();
    stage.scheduler.add(Box::new(Blocking { gate }));
    let state = async || {
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            let status = stage.status();
            if let Some(fault) = status.recent_faults.last()
                && fault.message.contains("has not come back")
            {
                return true;
            }
        }
        false
    };
    assert!(state().await, "{:?}", stage.status());
    drop(open);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(stage.status().state, SourceState::Ok);
}

#[tokio::test(start_paused = true)]
async fn what_a_host_does_not_have_is_a_state_and_no_fault() {
    for (hint, told) in [("", "no such device"), ("plug one in", "no such device: plug one in")] {
        let stage = stage();
        let kind = SourceKind::Native;
        let collector = Scripted { kind, ..Scripted::new(&[Act::Missing(hint)]) };
        stage.scheduler.add(Box::new(collector));
        stage.pass(60).await;
        // A native round runs on a thread of its own, which the paused clock does not wait for.
        for _ in 0..1_000 {
            if stage.status().state != SourceState::Pending {
                break;
            }
            stage.pass(1).await;
        }
        let status = stage.status();
        assert_eq!((status.state, status.hint.as_str()), (SourceState::Absent, told));
        assert_eq!((status.faults_total, status.recent_faults.len()), (0, 0));
        assert!(stage.metric("strata.collect.rounds") >= 1.0);
        assert_eq!(stage.metric("strata.collect.failed"), 0.0);
        assert_eq!(stage.metric("strata.collect.faults"), 0.0);
    }
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Missing("")]));
    stage.pass(60).await;
    assert!(stage.status().faults_total > 0, "a page that was named is there");
}

#[tokio::test(start_paused = true)]
async fn a_target_reports_up_and_ends_when_removed() {
    let stage = stage();
    let collector = Scripted { target: true, ..Scripted::new(&[Act::Bring(&["a"]), Act::Fail]) };
    stage.scheduler.add(Box::new(collector));
    stage.pass(18).await;
    assert!(stage.scheduler.remove("test"));
    assert!(!stage.scheduler.remove("test"));
    stage.pass(1).await;
    let lines = stage.sink.lines();
    let duration = "scrape_duration_seconds 0";
    let names = ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling"];
    let ok = [&["a 1", "up 1", duration][..], &["scrape_samples_scraped 3"]].concat();
    assert_eq!(lines[0][..4], ok);
    assert_eq!(lines[0][4..], ["scrape_samples_post_metric_relabeling 2", "scrape_series_added 1"]);
    assert_eq!(lines[1][..4], ["a stale", "up 0", duration, &format!("{} 0", names[0])]);
    assert_eq!(lines[2].len(), 5);
    assert!(lines[2].iter().all(|line| line.ends_with("stale")), "{:?}", lines[2]);
    assert_eq!(stage.scheduler.surroundings.book.snapshot(), []);
}

#[tokio::test(start_paused = true)]
async fn stopping_the_program_leaves_series_open() {
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Bring(&["a"])]));
    stage.pass(5).await;
    stage.scheduler.stop().await;
    stage.pass(60).await;
    assert_eq!(stage.sink.lines(), [["a 1"]]);
    assert_eq!(stage.scheduler.ids(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_no_storm_and_no_disorder() {
    let stage = stage();
    stage.scheduler.add(Scripted::of(&[Act::Bring(&["a"])]));
    stage.pass(25).await;
    let before = stage.sink.times();
    // Back by a minute: rounds wait until the clock has caught up.
    stage.clock.shift_ms.store(-60_000, Ordering::SeqCst);
    stage.pass(40).await;
    assert_eq!(stage.sink.times(), before);
    assert_eq!(stage.status().state, SourceState::Stale);
    stage.pass(60).await;
    let times = stage.sink.times();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    // Forward by a day: one round per interval as ever.
    stage.clock.shift_ms.store(86_400_000, Ordering::SeqCst);
    stage.pass(100).await;
    let later = stage.sink.times().len() - times.len();
    assert!((9..=11).contains(&later), "{later}");
}
