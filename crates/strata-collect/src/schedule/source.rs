//! The life of one source: tick, round, record, and the end.

use std::sync::Arc;
use std::time::Duration;

use strata_model::meter::Counter;
use strata_model::text::format_duration;
use strata_model::{Batch, Fault, FaultCode, SourceKind, SourceState};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::xxh3_64;

use super::Surroundings;
use super::report::Report;
use super::round::{Ended, launch, still_hanging, timed_out};
use super::ticks::{Stamp, Ticks};
use super::tracker::Tracker;
use crate::book::Outcome;
use crate::collector::{CollectError, Collector, Harvest, PageCounts};

/// No source is asked more often than this.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// First rounds are spread over this, so that a start shows something soon.
const FIRST_ROUND_WITHIN: Duration = Duration::from_secs(1);
/// A round past its deadline may still come back within this before its source counts as hanging.
const GRACE: Duration = Duration::from_millis(250);

/// Why a source stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is gone: its series end.
    Remove,
    /// The program ends: its series stay open.
    Shutdown,
}

/// Counters of the kind of source this is.
struct Counters {
    rounds: Counter,
    failed: Counter,
    samples: Counter,
    nanoseconds: Counter,
}

/// Where the collector is.
enum Place {
    Here(Box<dyn Collector>),
    /// In a round that has not come back, for this many rounds.
    Away(JoinHandle<Ended>, u64),
}

pub(crate) struct Source {
    id: Arc<str>,
    kind: SourceKind,
    interval: Duration,
    limit: Duration,
    place: Option<Place>,
    ticks: Ticks,
    tracker: Tracker,
    report: Option<Report>,
    surroundings: Surroundings,
    counters: Counters,
    /// The wall clock went back and rounds are waiting for it.
    holding: bool,
}

impl Source {
    pub(crate) fn new(collector: Box<dyn Collector>, surroundings: Surroundings) -> Self {
        let id: Arc<str> = Arc::from(collector.id());
        let kind = collector.kind();
        let interval = collector.interval().max(INTERVAL_MIN);
        let labels = [("kind", kind_name(kind))];
        let meter = &surroundings.meter;
        let counters = Counters {
            rounds: meter.counter("strata.collect.rounds", &labels),
            failed: meter.counter("strata.collect.failed", &labels),
            samples: meter.counter("strata.collect.samples", &labels),
            nanoseconds: meter.seconds("strata.collect.time", &labels),
        };
        Self {
            ticks: Ticks::new(interval, xxh3_64(id.as_bytes())),
            tracker: Tracker::default(),
            report: collector.target_labels().as_ref().map(Report::of),
            limit: collector.timeout().min(interval.mul_f64(0.95)),
            place: Some(Place::Here(collector)),
            holding: false,
            id,
            kind,
            interval,
            surroundings,
            counters,
        }
    }

    /// Run until told to stop.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<Stop>) {
        let spread = self.interval.min(FIRST_ROUND_WITHIN).as_millis() as u64;
        let mut wait = Duration::from_millis(xxh3_64(self.id.as_bytes()) % spread.max(1));
        let stop = loop {
            tokio::select! {
                biased;
                stop = &mut stopped => break stop,
                () = tokio::time::sleep(wait) => {}
            }
            let began = self.surroundings.clock.monotonic();
            tokio::select! {
                biased;
                stop = &mut stopped => break stop,
                () = self.tick() => {}
            }
            let since = self.surroundings.clock.monotonic().saturating_sub(began);
            wait = self.ticks.wait(self.surroundings.clock.now_ms(), since);
        };
        if stop == Ok(Stop::Remove) {
            self.end();
        }
        if let Some(Place::Away(round, _)) = self.place {
            round.abort();
        }
    }

    async fn tick(&mut self) {
        let at_ms = match self.ticks.stamp(self.surroundings.clock.now_ms()) {
            Stamp::At(at_ms) => at_ms,
            Stamp::Hold { behind_ms } => {
                self.hold(behind_ms);
                return;
            }
        };
        self.holding = false;
        let began = self.surroundings.clock.monotonic();
        let (outcome, counts) = self.round(at_ms).await;
        let duration = self.surroundings.clock.monotonic().saturating_sub(began);
        self.settle(at_ms, duration, outcome, counts);
    }

    /// Ask the collector, unless its last round has still not come back.
    async fn round(&mut self, at_ms: i64) -> (Result<Harvest, CollectError>, PageCounts) {
        let collector = match self.place.take() {
            Some(Place::Here(collector)) => collector,
            // What a late round brought is too old to be stamped now; only the collector is kept.
            Some(Place::Away(round, _)) if round.is_finished() => match round.await {
                Ok(ended) => ended.collector,
                Err(error) => return (Err(lost(&error)), PageCounts::default()),
            },
            Some(Place::Away(round, rounds)) => {
                self.place = Some(Place::Away(round, rounds + 1));
                return (Err(still_hanging(rounds + 1)), PageCounts::default());
            }
            None => return (Err(gone()), PageCounts::default()),
        };
        // Kept in its place while it runs, so that a stop in the middle can abort it.
        self.place = Some(Place::Away(launch(collector, at_ms, self.limit), 0));
        let Some(Place::Away(round, _)) = &mut self.place else {
            return (Err(gone()), PageCounts::default());
        };
        match tokio::time::timeout(self.limit + GRACE, round).await {
            Ok(Ok(ended)) => {
                let counts = ended.collector.page_counts();
                self.place = Some(Place::Here(ended.collector));
                (ended.outcome, counts)
            }
            Ok(Err(error)) => {
                self.place = None;
                (Err(lost(&error)), PageCounts::default())
            }
            Err(_elapsed) => (Err(timed_out(self.limit)), PageCounts::default()),
        }
    }

    /// Write what a round brought, end what it did not bring, and record how it went.
    fn settle(
        &mut self,
        at_ms: i64,
        duration: Duration,
        outcome: Result<Harvest, CollectError>,
        counts: PageCounts,
    ) {
        let seconds = duration.as_secs_f64();
        let up = outcome.is_ok();
        let missing = outcome.as_ref().is_err_and(|error| self.is_missing(error));
        let counts = if up { counts } else { PageCounts::default() };
        let (mut batch, record) = match outcome {
            Ok(harvest) => self.harvested(at_ms, seconds, harvest),
            Err(error) => self.failed(at_ms, seconds, error),
        };
        if let Some(report) = &self.report {
            report.write(&mut batch, at_ms, up, seconds, counts);
        }
        self.counters.rounds.add(1);
        self.counters.failed.add(u64::from(!up && !missing));
        self.counters.samples.add(batch.sample_count() as u64);
        self.counters.nanoseconds.add(duration.as_nanos() as u64);
        self.count_faults(&record.faults);
        self.surroundings.book.record(&self.id, record);
        if !batch.is_empty() {
            self.surroundings.sink.offer(batch);
        }
    }

    fn harvested(&mut self, at_ms: i64, seconds: f64, harvest: Harvest) -> (Batch, Outcome) {
        let Harvest { mut batch, faults } = harvest;
        let samples = batch.sample_count() as u64;
        if batch.source.is_empty() {
            batch.source = Arc::clone(&self.id);
        }
        self.tracker.settle(&mut batch, at_ms);
        // Sentinels and missing features are the normal speech of a healthy source.
        let harmless =
            |fault: &Fault| matches!(fault.code, FaultCode::Sentinel | FaultCode::Unsupported);
        let state =
            if faults.iter().all(harmless) { SourceState::Ok } else { SourceState::Partial };
        let at_ms = self.surroundings.clock.now_ms();
        let samples = Some(samples);
        let hint = String::new();
        (batch, Outcome { state, at_ms, duration_seconds: seconds, samples, faults, hint })
    }

    fn failed(&mut self, at_ms: i64, seconds: f64, error: CollectError) -> (Batch, Outcome) {
        let mut batch = Batch::new(Arc::clone(&self.id));
        self.tracker.end_all(&mut batch, at_ms);
        let missing = self.is_missing(&error);
        let CollectError { fault, state, hint } = error;
        let (faults, hint) = match (missing, hint.as_str()) {
            (false, _) => (vec![fault], hint),
            (true, "") => (Vec::new(), fault.message),
            (true, _) => (Vec::new(), format!("{}: {hint}", fault.message)),
        };
        let outcome = Outcome {
            state,
            at_ms: self.surroundings.clock.now_ms(),
            duration_seconds: seconds,
            samples: None,
            faults,
            hint,
        };
        (batch, outcome)
    }

    /// Whether the host simply has nothing of the kind: a state, told every round, and no fault.
    /// A page that was named or found is there; what keeps it from being read is a fault.
    fn is_missing(&self, error: &CollectError) -> bool {
        self.kind == SourceKind::Native
            && matches!(error.state, SourceState::Absent | SourceState::Unsupported)
    }

    /// The wall clock went back: say so once, and wait for it.
    fn hold(&mut self, behind_ms: i64) {
        if std::mem::replace(&mut self.holding, true) {
            return;
        }
        let behind = format_duration(Duration::from_millis(behind_ms.max(0) as u64));
        let fault = Fault::new(FaultCode::Io, format!("the wall clock went back by {behind}"));
        self.count_faults(std::slice::from_ref(&fault));
        let outcome = Outcome {
            state: SourceState::Stale,
            at_ms: self.surroundings.clock.now_ms(),
            duration_seconds: 0.0,
            samples: None,
            faults: vec![fault],
            hint: format!("collection goes on by itself in {behind}; check the time service"),
        };
        self.surroundings.book.record(&self.id, outcome);
    }

    /// End all series of a source that is gone.
    fn end(&mut self) {
        let mut batch = Batch::new(Arc::clone(&self.id));
        let now_ms = self.surroundings.clock.now_ms();
        // Not at the time of the last samples: a marker there would contradict them.
        let at_ms = self.ticks.last_ms().map_or(now_ms, |last| now_ms.max(last + 1));
        self.tracker.end_all(&mut batch, at_ms);
        if let Some(report) = &self.report
            && self.ticks.last_ms().is_some()
        {
            report.end(&mut batch, at_ms);
        }
        if !batch.is_empty() {
            self.surroundings.sink.offer(batch);
        }
    }

    fn count_faults(&self, faults: &[Fault]) {
        for fault in faults {
            let labels = [("kind", kind_name(self.kind)), ("code", fault.code.name())];
            self.surroundings.meter.counter("strata.collect.faults", &labels).add(fault.count);
        }
    }
}

fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Native => "native",
        SourceKind::Scrape => "scrape",
        SourceKind::Receive => "receive",
    }
}

/// The round's task ended without giving the collector back.
fn lost(error: &tokio::task::JoinError) -> CollectError {
    CollectError {
        fault: Fault::new(FaultCode::Panicked, format!("the collector is lost: {error}")),
        state: SourceState::Failing,
        hint: "this is a bug of Stratascope: please report it, and restart to get the source back"
            .to_owned(),
    }
}

fn gone() -> CollectError {
    CollectError {
        fault: Fault::new(FaultCode::Panicked, "the collector was lost in an earlier round"),
        state: SourceState::Failing,
        hint: "restart to get the source back".to_owned(),
    }
}
