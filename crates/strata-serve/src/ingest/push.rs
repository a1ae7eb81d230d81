//! What is counted of one push: the meter and the book of sources.

use std::time::Duration;

use strata_collect::book::Outcome;
use strata_model::meter::Counter;
use strata_model::{Fault, FaultCode, Receipt, SourceKind, SourceState};

use super::store::ArrivalError;
use crate::body::BodyError;
use crate::state::App;

/// One push from its first byte to its answer: what is counted of it, and where.
pub(crate) struct Push<'a> {
    app: &'a App,
    /// `remote_write`, `otlp_http`, `otlp_grpc`.
    protocol: &'static str,
    /// Its row in the book of sources.
    source: &'static str,
    started: Duration,
}

impl<'a> Push<'a> {
    /// A push begins.
    pub(crate) fn begin(app: &'a App, protocol: &'static str, source: &'static str) -> Self {
        Self { app, protocol, source, started: app.parts.clock.monotonic() }
    }

    /// The body is there.
    pub(crate) fn received(&self, bytes: usize) {
        self.counter("strata.receive.bytes").add(bytes as u64);
    }

    /// It was decoded and the sink answered: `dropped` are samples the decoder could not keep.
    pub(crate) fn stored(&self, receipt: &Receipt, dropped: u64, faults: Vec<Fault>) {
        let samples = receipt.appended + receipt.duplicate;
        self.counter("strata.receive.samples").add(samples);
        let reasons = [
            ("undecodable", dropped),
            ("conflicting", receipt.conflicting),
            ("too_old", receipt.too_old),
            ("too_new", receipt.too_new),
            ("over_series_limit", receipt.over_series_limit),
            ("invalid", receipt.invalid),
        ];
        for (reason, count) in reasons.into_iter().filter(|(_, count)| *count > 0) {
            let labels = [("protocol", self.protocol), ("reason", reason)];
            self.app.parts.meter.counter("strata.receive.dropped", &labels).add(count);
        }
        self.record(Some(samples), faults);
    }

    /// Records of it are stored.
    pub(crate) fn kept(&self, records: u64, content_dropped: u64, faults: Vec<Fault>) {
        self.counter("strata.receive.records").add(records);
        self.counter("strata.receive.content_dropped").add(content_dropped);
        self.record(Some(records), faults);
    }

    /// The body was not taken in. A web page that was refused is no source, and one that is told
    /// to come back has not failed yet.
    pub(crate) fn turned_away(&self, error: &ArrivalError) {
        if let ArrivalError::Body(error) = error {
            let code = match error {
                BodyError::TooLarge { .. } => FaultCode::TooLarge,
                BodyError::TooSlow { .. } => FaultCode::Timeout,
                BodyError::Encoding(_) => FaultCode::Unsupported,
                BodyError::Broken(_) | BodyError::Unpackable { .. } => FaultCode::Malformed,
            };
            self.failed(Fault::new(code, error.to_string()));
        }
    }

    /// Nothing of it was kept.
    pub(crate) fn failed(&self, fault: Fault) {
        self.record(None, vec![fault]);
    }

    /// It is answered with this code: an HTTP status, or a gRPC code.
    pub(crate) fn answered(&self, code: &str) {
        let meter = &self.app.parts.meter;
        let labels = [("protocol", self.protocol), ("code", code)];
        meter.counter("strata.receive.requests", &labels).add(1);
        let took = self.app.parts.clock.monotonic().saturating_sub(self.started);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        meter.seconds("strata.receive.time", &[("protocol", self.protocol)]).add(nanos);
    }

    fn counter(&self, metric: &'static str) -> Counter {
        self.app.parts.meter.counter(metric, &[("protocol", self.protocol)])
    }

    fn record(&self, samples: Option<u64>, faults: Vec<Fault>) {
        let (state, hint) = match (samples, faults.is_empty()) {
            (None, _) => (SourceState::Failing, "see the recent faults and the sender's log"),
            (Some(_), false) => (SourceState::Partial, "see the recent faults"),
            (Some(_), true) => (SourceState::Ok, ""),
        };
        let clock = &self.app.parts.clock;
        let book = &self.app.parts.sources;
        book.register(self.source, SourceKind::Receive, None);
        let outcome = Outcome {
            state,
            at_ms: clock.now_ms(),
            duration_seconds: clock.monotonic().saturating_sub(self.started).as_secs_f64(),
            samples,
            faults,
            hint: hint.to_owned(),
        };
        book.record(self.source, outcome);
    }
}
