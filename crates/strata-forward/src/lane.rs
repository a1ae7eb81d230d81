//! What is told onward, by signal: each goes its own way, so that a log store that is away holds up
//! no trace.

use std::sync::{Arc, Mutex, PoisonError};

use strata_model::meter::Meter;
use strata_model::record::{Feedback, Onward, OnwardSignal, RequestRecord};
use strata_model::{Batch, Clock};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::{Environment, Sending};
use crate::connect::ForwardError;
use crate::encode;
use crate::options::ForwardSettings;
use crate::queue::{Parcel, Queue};
use crate::remote_write::{self, Written};
use crate::sender;

/// One signal on its way.
pub(crate) struct Lane {
    pub(crate) signal: OnwardSignal,
    pub(crate) url: String,
    pub(crate) queue: Queue,
    pub(crate) meter: Meter,
    trouble: Mutex<Option<String>>,
}

/// How a signal is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneState {
    pub signal: OnwardSignal,
    pub url: String,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Items that were delivered, and that were lost for whatever reason.
    pub sent: u64,
    pub dropped: u64,
    /// What was wrong with the last try; `None` where it went well.
    pub trouble: Option<String>,
}

/// Why items were lost.
pub(crate) const REASONS: [&str; 5] = ["queue_full", "gave_up", "refused", "rejected", "stopped"];

impl Lane {
    pub(crate) fn sent(&self, items: u64) {
        let signal = [("signal", self.signal.name())];
        self.meter.counter("strata.forward.items", &signal).add(items);
    }

    pub(crate) fn dropped(&self, reason: &'static str, items: u64) {
        debug_assert!(REASONS.contains(&reason), "every reason is listed");
        if items > 0 {
            let labels = [("signal", self.signal.name()), ("reason", reason)];
            self.meter.counter("strata.forward.dropped", &labels).add(items);
        }
    }

    /// One try ended so.
    pub(crate) fn tried(&self, outcome: &str, trouble: Option<String>) {
        let labels = [("signal", self.signal.name()), ("outcome", outcome)];
        self.meter.counter("strata.forward.requests", &labels).add(1);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn state(&self) -> LaneState {
        let signal = self.signal.name();
        let dropped = |reason| {
            let labels = [("signal", signal), ("reason", reason)];
            self.meter.counter("strata.forward.dropped", &labels).get()
        };
        LaneState {
            signal: self.signal,
            url: self.url.clone(),
            queued_bytes: self.queue.bytes(),
            sent: self.meter.counter("strata.forward.items", &[("signal", signal)]).get(),
            dropped: REASONS.map(dropped).iter().sum(),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Tells onward. Ends, with a last try to deliver what waits, by [`Forwarder::stop`].
pub struct Forwarder {
    lanes: Vec<Arc<Lane>>,
    content: bool,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
    sending: Mutex<Vec<JoinHandle<()>>>,
}

impl Forwarder {
    /// Begin to send what will come. Must be called within a runtime.
    ///
    /// # Errors
    /// When the authorities to trust cannot be read.
    pub fn start(
        settings: ForwardSettings,
        environment: Environment,
        clock: Arc<dyn Clock>,
        meter: &Meter,
    ) -> Result<Self, ForwardError> {
        let lanes: Vec<Arc<Lane>> = settings
            .lanes
            .iter()
            .map(|lane| {
                Arc::new(Lane {
                    signal: lane.signal,
                    url: lane.url.clone(),
                    queue: Queue::new(settings.queue_bytes),
                    meter: meter.clone(),
                    trouble: Mutex::default(),
                })
            })
            .collect();
        let (content, give_up_after) = (settings.content, settings.give_up_after);
        let client = Arc::new(Sending::new(settings, environment)?);
        let (stop, stopped) = watch::channel(false);
        let sending = lanes.iter().map(|lane| {
            let (lane, client) = (Arc::clone(lane), Arc::clone(&client));
            let (clock, stopped) = (Arc::clone(&clock), stopped.clone());
            tokio::spawn(async move {
                sender::run(&lane, &client, clock.as_ref(), give_up_after, stopped).await;
            })
        });
        let sending = Mutex::new(sending.collect());
        Ok(Self { lanes, content, clock, stop, sending })
    }

    /// How each signal is doing.
    pub fn states(&self) -> Vec<LaneState> {
        self.lanes.iter().map(|lane| lane.state()).collect()
    }

    /// Try once more to deliver what waits, and end. What is left then is counted as lost.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let sending =
            std::mem::take(&mut *self.sending.lock().unwrap_or_else(PoisonError::into_inner));
        for task in sending {
            if let Err(error) = task.await {
                tracing::error!(%error, "telling onward ended badly");
            }
        }
    }

    /// The samples of a batch as they are sent; nothing where they go nowhere. For who does not know yet
    /// whether they are to be told.
    pub fn write(&self, batch: &Batch) -> Vec<Written> {
        if self.wants(OnwardSignal::Metrics) { remote_write::write(batch) } else { Vec::new() }
    }

    /// Tell what was written.
    pub fn samples(&self, written: Vec<Written>) {
        for Written { body, samples } in written {
            self.offer(OnwardSignal::Metrics, body, samples);
        }
    }

    fn offer(&self, signal: OnwardSignal, body: Vec<u8>, items: u64) {
        let lane = self.lanes.iter().find(|lane| lane.signal == signal);
        if let Some(lane) = lane.filter(|_| items > 0) {
            let since = self.clock.monotonic();
            lane.dropped("queue_full", lane.queue.put(Parcel { body, items, since }));
        }
    }
}

impl Onward for Forwarder {
    fn wants(&self, signal: OnwardSignal) -> bool {
        self.lanes.iter().any(|lane| lane.signal == signal)
    }

    fn keeps_content(&self) -> bool {
        self.content
    }

    fn otlp(&self, signal: OnwardSignal, body: Vec<u8>, items: u64) {
        self.offer(signal, body, items);
    }

    fn requests(&self, requests: &[RequestRecord]) {
        if self.wants(OnwardSignal::Traces) {
            let body = encode::spans(requests);
            self.offer(OnwardSignal::Traces, body, requests.len() as u64);
        }
    }

    fn feedback(&self, feedback: &[Feedback]) {
        if self.wants(OnwardSignal::Logs) {
            let body = encode::events(feedback, self.content);
            self.offer(OnwardSignal::Logs, body, feedback.len() as u64);
        }
    }
}
