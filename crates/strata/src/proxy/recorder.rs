//! Calls that have ended on their way into the store: handed over without waiting, written together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strata_model::meter::Meter;
use strata_model::record::{Onward, RecordBatch, RecordSink, RequestRecord};
use strata_proxy::{Api, CallSink, GenAiCall};
use tokio::sync::mpsc;

use super::record::record_of;
use super::threads::Threads;

/// Records written together.
const TOGETHER: usize = 512;

/// Hands ended calls over without waiting.
pub(super) struct Recorder {
    pub(super) sender: mpsc::Sender<Ended>,
    /// Calls that were not recorded.
    pub(super) lost: Arc<AtomicU64>,
}

/// A call that has ended, with what ties it to others.
pub(super) struct Ended {
    record: RequestRecord,
    /// Of an API whose calls go on from one another.
    is_response: bool,
    previous: Option<String>,
}

impl Ended {
    fn of(call: &GenAiCall) -> Self {
        Self {
            record: record_of(call),
            is_response: call.api == Api::OpenAiResponses,
            previous: call.previous_response_id.clone(),
        }
    }
}

impl CallSink for Recorder {
    fn take(&self, call: &GenAiCall) {
        if self.sender.try_send(Ended::of(call)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Write what comes, as much together as there is.
pub(super) async fn record(
    mut receiver: mpsc::Receiver<Ended>,
    (records, onward): (Arc<dyn RecordSink>, Option<Arc<dyn Onward>>),
    lost: Arc<AtomicU64>,
    meter: Meter,
) {
    let (mut ended, mut threads) = (Vec::with_capacity(TOGETHER), Threads::default());
    while receiver.recv_many(&mut ended, TOGETHER).await > 0 {
        let (mut requests, mut begun) = (Vec::with_capacity(ended.len()), Vec::new());
        for Ended { mut record, is_response, previous } in ended.drain(..) {
            if is_response {
                begun.extend(threads.follow(&mut record, previous.as_deref()));
            }
            requests.push(record);
        }
        let count = requests.len() as u64;
        if let Some(onward) = &onward {
            onward.requests(&requests);
        }
        // Sightings of calls that were told before.
        requests.extend(begun);
        let batch = RecordBatch { requests, ..RecordBatch::default() };
        match records.append(batch).await {
            Ok(receipt) => {
                meter
                    .counter("strata.proxy.recorded", &[])
                    .add(count.saturating_sub(receipt.refused()));
            }
            Err(error) => {
                lost.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(%error, count, "calls of the proxy could not be recorded");
            }
        }
    }
}
