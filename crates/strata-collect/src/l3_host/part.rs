//! One part of the host as a [`Collector`], and the thread on which parts that may hang are read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Batch, Fault, FaultCode, Layer, Sample, SourceKind, SourceState};
use tokio::sync::oneshot;

use super::root::ReadError;
use crate::collector::{CollectError, Collector, Harvest};

/// Distinct faults kept per round: enough to see what is wrong, the rest is only counted.
const FAULTS_PER_ROUND_MAX: usize = 16;

/// One area of the host that is read and can fail by itself.
pub(crate) trait Part: Send + 'static {
    /// The source's id: `host/cpu`.
    fn id(&self) -> &'static str;

    /// Read everything once. An error means that nothing useful was brought home.
    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError>;

    /// The room it fills.
    fn layer(&self) -> Layer {
        Layer::L3Host
    }

    /// It is not worth reading more often than this.
    fn interval_min(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Whether a read can hang in the kernel: a dead file server, a process stuck while it holds its
    /// memory map, firmware that does not answer. Such a part gets its own thread.
    fn may_hang(&self) -> bool {
        false
    }

    /// What a person can do when it hangs.
    fn hang_hint(&self) -> &'static str {
        "something in the kernel hangs: look for processes in state D and dead file servers"
    }
}

/// What one round of a part brings home.
pub(crate) struct Round {
    pub(crate) at_ms: i64,
    harvest: Harvest,
}

impl Round {
    pub(crate) fn new(source: &Arc<str>, at_ms: i64) -> Self {
        let batch = Batch::new(Arc::clone(source));
        Self { at_ms, harvest: Harvest { batch, faults: Vec::new() } }
    }

    /// Add a sample of the series with these canonical label bytes.
    pub(crate) fn emit(&mut self, series: &[u8], value: f64) {
        self.emit_at(series, self.at_ms, value);
    }

    /// Add a sample of another moment.
    pub(crate) fn emit_at(&mut self, series: &[u8], at_ms: i64, value: f64) {
        let series = self.harvest.batch.series_of_encoded(series);
        self.harvest.batch.samples.push(Sample { series, at_ms, value });
    }

    /// Add a sample when there is a value; what is missing stays missing.
    pub(crate) fn emit_known(&mut self, series: &[u8], value: Option<f64>) {
        if let Some(value) = value {
            self.emit(series, value);
        }
    }

    /// Note that something went wrong.
    pub(crate) fn fault(&mut self, code: FaultCode, message: impl Into<String>) {
        self.fold(Fault::new(code, message));
    }

    /// Note a file that could not be read; one that is simply not there is no fault.
    pub(crate) fn unreadable(&mut self, error: &ReadError) {
        if !error.is_absent() {
            self.fold(error.fault());
        }
    }

    /// Note a line that does not say what its format promises.
    pub(crate) fn malformed(&mut self, file: &str, line: &[u8]) {
        const EXCERPT_BYTES: usize = 60;
        let excerpt = super::fields::text(&line[..line.len().min(EXCERPT_BYTES)]);
        self.fault(FaultCode::Malformed, format!("{file}: cannot make sense of {excerpt:?}"));
    }

    /// Note that things were left out because there are more than the limit.
    pub(crate) fn over_limit(&mut self, what: &str, limit: usize, refused: u64) {
        if refused > 0 {
            let message = format!("more than {limit} {what}, the others are left out");
            self.fold(Fault { code: FaultCode::OverLimit, message, count: refused });
        }
    }

    fn fold(&mut self, fault: Fault) {
        let faults = &mut self.harvest.faults;
        let alike = |known: &&mut Fault| known.code == fault.code && known.message == fault.message;
        if let Some(known) = faults.iter_mut().find(alike) {
            known.count += fault.count;
        } else if faults.len() < FAULTS_PER_ROUND_MAX {
            faults.push(fault);
        } else if let Some(last) = faults.last_mut() {
            last.count += fault.count;
        }
    }

    pub(crate) fn into_harvest(self) -> Harvest {
        self.harvest
    }
}

/// The kernel does not offer this here, or there is nothing of the kind.
pub(crate) fn absent(state: SourceState, message: &str, hint: &str) -> CollectError {
    let fault = Fault::new(FaultCode::Unsupported, message);
    CollectError { fault, state, hint: hint.to_owned() }
}

/// A part with the interval it is read at.
pub(crate) struct HostCollector {
    id: &'static str,
    layer: Layer,
    source: Arc<str>,
    interval: Duration,
    runner: Runner,
}

enum Runner {
    /// Reads are a few microseconds and cannot hang: done where the scheduler stands.
    Inline(Box<dyn Part>),
    Threaded(Worker),
}

impl HostCollector {
    pub(crate) fn new(part: Box<dyn Part>, interval: Duration) -> Self {
        let id = part.id();
        let layer = part.layer();
        let source = Arc::from(id);
        let interval = interval.max(part.interval_min());
        let runner = if part.may_hang() {
            let hint = part.hang_hint();
            Runner::Threaded(Worker { part: Some(part), link: None, waiting: None, hint })
        } else {
            Runner::Inline(part)
        };
        Self { id, layer, source, interval, runner }
    }
}

impl Collector for HostCollector {
    fn id(&self) -> &str {
        self.id
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(self.layer)
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    /// Four fifths of the interval, and never so long that a hang stays unnoticed.
    fn timeout(&self) -> Duration {
        (self.interval * 4 / 5).min(Duration::from_secs(10))
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        let round = Round::new(&self.source, at_ms);
        match &mut self.runner {
            Runner::Inline(part) => Box::pin(async move { run(part.as_mut(), round) }),
            Runner::Threaded(worker) => Box::pin(worker.collect(self.id, round)),
        }
    }
}

fn run(part: &mut dyn Part, mut round: Round) -> Result<Harvest, CollectError> {
    part.sample(&mut round)?;
    Ok(round.into_harvest())
}

type Reply = Result<Harvest, CollectError>;

/// A thread that owns a part, started at the first round.
struct Worker {
    /// The part before the thread has started.
    part: Option<Box<dyn Part>>,
    link: Option<mpsc::Sender<(Round, oneshot::Sender<Reply>)>>,
    /// The round whose answer nobody waited for long enough.
    waiting: Option<oneshot::Receiver<Reply>>,
    hint: &'static str,
}

impl Worker {
    async fn collect(&mut self, id: &'static str, round: Round) -> Reply {
        if let Some(earlier) = &mut self.waiting {
            // Its samples are too old to be worth sending; it only matters that it came back.
            if let Err(oneshot::error::TryRecvError::Empty) = earlier.try_recv() {
                return Err(still_hanging(id, self.hint));
            }
        }
        let (answer, waiting) = oneshot::channel();
        let link = self.link(id)?;
        if link.send((round, answer)).is_err() {
            return Err(lost(id, "its thread has ended"));
        }
        // Kept in `self`: when the scheduler's deadline drops this future, the next round sees it.
        let waiting = self.waiting.insert(waiting);
        let reply = waiting.await;
        self.waiting = None;
        reply.unwrap_or_else(|_| Err(lost(id, "its thread has ended")))
    }

    fn link(
        &mut self,
        id: &'static str,
    ) -> Result<&mpsc::Sender<(Round, oneshot::Sender<Reply>)>, CollectError> {
        if let Some(part) = self.part.take() {
            let (sender, receiver) = mpsc::channel();
            std::thread::Builder::new()
                .name(id.to_owned())
                .spawn(move || serve(part, &receiver))
                .map_err(|error| lost(id, &error.to_string()))?;
            self.link = Some(sender);
        }
        self.link.as_ref().ok_or_else(|| lost(id, "its thread could not be started"))
    }
}

/// Answers one round after the other until the collector is dropped.
fn serve(mut part: Box<dyn Part>, rounds: &mpsc::Receiver<(Round, oneshot::Sender<Reply>)>) {
    while let Ok((round, answer)) = rounds.recv() {
        let reply = catch_unwind(AssertUnwindSafe(|| run(part.as_mut(), round)));
        let reply = reply.unwrap_or_else(|_| Err(lost(part.id(), "it panicked")));
        // Nobody waits any more when the deadline has passed.
        drop(answer.send(reply));
    }
}

fn still_hanging(id: &str, hint: &str) -> CollectError {
    let message = format!("{id}: the read of an earlier round has not come back");
    CollectError {
        fault: Fault::new(FaultCode::Timeout, message),
        state: SourceState::Failing,
        hint: hint.to_owned(),
    }
}

fn lost(id: &str, why: &str) -> CollectError {
    let fault = Fault::new(FaultCode::Panicked, format!("cannot read {id}: {why}"));
    CollectError { fault, state: SourceState::Failing, hint: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slow(mpsc::Receiver<()>);

    impl Part for Slow {
        fn id(&self) -> &'static str {
            "host/slow"
        }

        fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
            self.0.recv().expect("the test keeps its end");
            round.emit(b"", 1.0);
            Ok(())
        }

        fn may_hang(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_hanging_read_is_told_and_recovers() {
        let (release, gate) = mpsc::channel();
        let mut collector = HostCollector::new(Box::new(Slow(gate)), Duration::from_secs(1));
        let deadline = Duration::from_millis(20);
        assert!(tokio::time::timeout(deadline, collector.collect(1)).await.is_err());
        let error = collector.collect(2).await.unwrap_err();
        assert_eq!(error.fault.code, FaultCode::Timeout);
        release.send(()).unwrap();
        release.send(()).unwrap();
        let mut tries = 0;
        let harvest = loop {
            match collector.collect(3).await {
                Ok(harvest) => break harvest,
                Err(_) if tries < 1_000 => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(harvest.batch.samples[0].at_ms, 3, "the late answer is not sent");
    }

    #[test]
    fn like_faults_are_folded_and_their_number_is_bounded() {
        let mut round = Round::new(&Arc::from("host/test"), 0);
        for index in 0..100 {
            round.fault(FaultCode::Malformed, "the same");
            round.fault(FaultCode::Malformed, format!("line {index}"));
        }
        let faults = round.into_harvest().faults;
        assert_eq!(faults.len(), FAULTS_PER_ROUND_MAX);
        assert_eq!(faults.iter().map(|fault| fault.count).sum::<u64>(), 200);
        assert_eq!(faults[0].count, 100);
    }
}
