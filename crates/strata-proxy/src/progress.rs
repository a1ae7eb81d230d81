//! A GenAI call while it runs: what is known so far, told when it ends, however it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata_model::Clock;

use crate::api::Api;
use crate::call::{CallSink, GenAiCall, Outcome};
use crate::capture::{Captured, ContentSink};
use crate::metrics::Registry;
use crate::observe::Observer;
use crate::observe::request::RequestSeen;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last byte came.
    Whole,
    /// The upstream broke off.
    Broken,
    /// The client left.
    Left,
}

/// Where what is known goes, and the time.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) calls: Arc<dyn CallSink>,
    pub(crate) content: Arc<dyn ContentSink>,
}

/// A call that runs. Told when it is dropped, if not before: a client that leaves drops it.
pub(crate) struct Progress {
    /// `None` once it has been told.
    call: Option<Box<GenAiCall>>,
    told: Told,
    /// Monotonic time of the request's head.
    started: Duration,
    seen: Arc<Mutex<RequestSeen>>,
    observer: Option<Box<Observer>>,
    /// Whether the answer is copied.
    captured: bool,
}

impl Progress {
    pub(crate) fn new(
        call: GenAiCall,
        told: Told,
        started: Duration,
        seen: Arc<Mutex<RequestSeen>>,
    ) -> Self {
        let captured = seen.lock().unwrap_or_else(PoisonError::into_inner).copies.is_some();
        let call = Some(Box::new(call));
        Self { call, told, started, seen, observer: None, captured }
    }

    fn now(&self) -> Duration {
        self.told.clock.monotonic().saturating_sub(self.started)
    }

    /// Whose call it is, where that is known.
    pub(crate) fn tenant(&self) -> Option<Arc<str>> {
        self.call.as_ref()?.tenant.clone()
    }

    /// Change what is known.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut GenAiCall)) {
        if let Some(call) = &mut self.call {
            change(call);
        }
    }

    /// The proxy worked on the request's head until now; from here on it waits.
    pub(crate) fn sent(&mut self) {
        let now = self.now();
        self.update(|call| call.timings.overhead += now);
    }

    /// The head of the answer is there.
    pub(crate) fn head(&mut self, status: u16, observer: Observer) {
        let now = self.now();
        self.update(|call| {
            call.status = Some(status);
            call.timings.head = Some(now);
        });
        self.observer = Some(Box::new(observer));
    }

    /// A part of the answer. The time is taken before it is read.
    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        let at = self.now();
        if let Some(observer) = &mut self.observer {
            observer.frame(bytes, at);
        }
        if self.captured {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(copies) = &mut seen.copies {
                copies.answer(bytes);
            }
        }
        let spent = self.now().saturating_sub(at);
        self.update(|call| {
            call.response_bytes += bytes.len() as u64;
            call.timings.overhead += spent;
        });
    }

    /// The answer has ended, or will never begin.
    pub(crate) fn end(mut self, end: End) {
        self.tell(end);
    }

    fn tell(&mut self, end: End) {
        let Some(mut call) = self.call.take() else { return };
        call.timings.end = self.now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        call.timings.received = seen.received.map(|at| at.saturating_sub(self.started));
        call.model_asked.clone_from(&seen.model);
        if call.api == Api::OpenAiResponses {
            call.previous_response_id = seen.previous_response_id.take();
            call.conversation = seen.conversation.take();
        }
        call.inputs = seen.inputs;
        call.request_bytes = seen.bytes;
        call.streamed = seen.stream.unwrap_or_else(|| call.api.streams_by_default());
        seen.ended = true;
        let in_flight = seen.in_flight.take();
        let copies = seen.copies.take();
        drop(seen);
        // Takes the registry's lock, so not while this one is held.
        drop(in_flight);
        let ended = self.observer.as_ref().is_some_and(|observer| observer.has_ended());
        let mut outcome = match end {
            // Clients close at the last event, before the end of the body.
            End::Left if !ended => Outcome::ClientCancelled,
            End::Broken if !ended => Outcome::UpstreamTruncated,
            _ => Outcome::Success,
        };
        if let Some(observer) = self.observer.take() {
            let summary = observer.finish();
            if outcome == Outcome::Success && summary.unfinished {
                outcome = Outcome::UpstreamTruncated;
            }
            if summary.error {
                outcome = Outcome::ErrorInSuccess;
            }
            call.streamed = summary.streamed;
            call.model_served = summary.model;
            call.response_id = summary.response_id;
            call.finish_reason = summary.finish_reason;
            call.error_type = summary.error_type.or(call.error_type);
            call.timings.first_token = summary.first_token;
            call.timings.first_output = summary.first_output;
            call.timings.last_token = summary.last_token;
            call.token_events = summary.token_events;
            call.gaps = summary.gaps;
            call.tokens = summary.tokens;
            call.engine = summary.engine;
            call.unread = summary.unread;
        }
        if call.status.is_some_and(|status| status >= 400) {
            outcome = Outcome::Error;
        }
        call.outcome = outcome;
        self.told.registry.count(&call);
        self.told.calls.take(&call);
        if let Some(copies) = copies {
            self.told.content.take(Captured::new(*call, *copies));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.tell(End::Left);
    }
}
