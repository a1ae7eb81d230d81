//! A request's body on its way to an upstream, read along.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::BodyError;
use crate::observe::request::RequestSeen;
use crate::progress::Told;

/// What is to be sent: parts at hand, then the rest as it comes.
#[derive(Default)]
pub(crate) struct Parcel {
    pub(crate) at_hand: VecDeque<Bytes>,
    pub(crate) rest: Option<Incoming>,
    /// Reads the rest along; what is at hand has been read already.
    pub(crate) reading: Option<Box<Reading>>,
    /// Room that is taken until it is sent.
    pub(crate) room: Option<Room>,
}

/// Reads a request's body while it passes, and counts the request as in flight when it is whole.
pub(crate) struct Reading {
    pub(crate) seen: Arc<Mutex<RequestSeen>>,
    pub(crate) told: Told,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) route: Arc<str>,
}

impl Reading {
    /// The body has come whole; told once.
    pub(crate) fn received(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.received.is_some() || seen.ended {
            return;
        }
        seen.received = Some(self.told.clock.monotonic());
        let (model, tenant) = (seen.model.as_deref(), self.tenant.as_deref());
        seen.in_flight = Some(self.told.registry.enter(model, tenant, &self.route));
    }
}

/// Bytes held of all requests at one time.
#[derive(Debug, Default)]
pub(crate) struct Held(AtomicUsize);

impl Held {
    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A share of [`Held`], given back when dropped.
pub(crate) struct Room {
    held: Arc<Held>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(held: &Arc<Held>) -> Self {
        Self { held: Arc::clone(held), bytes: 0 }
    }

    /// Take more; the bytes that are then held of all requests.
    pub(crate) fn grow(&mut self, bytes: usize) -> usize {
        self.bytes += bytes;
        self.held.0.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Give all of it back.
    pub(crate) fn empty(&mut self) {
        self.held.0.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The body of one attempt. The parcel is taken when the body is first asked for, which is after the
/// connection stands: an attempt that fails before leaves it for the next.
pub(crate) struct Outgoing {
    shared: Arc<Mutex<Option<Parcel>>>,
    taken: Option<Parcel>,
    hint: SizeHint,
    empty: bool,
}

impl Parcel {
    /// A part of the rest has come.
    fn read(&self, frame: &Frame<Bytes>) {
        if let (Some(reading), Some(data)) = (&self.reading, frame.data_ref()) {
            reading.seen.lock().unwrap_or_else(PoisonError::into_inner).feed(data);
        }
    }

    /// The body has come whole.
    fn received(&self) {
        if let Some(reading) = &self.reading {
            reading.received();
        }
    }

    fn is_end(&self) -> bool {
        self.at_hand.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn hint(&self) -> SizeHint {
        let at_hand: u64 = self.at_hand.iter().map(|part| part.len() as u64).sum();
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(at_hand));
        }
        hint.set_lower(rest.lower().saturating_add(at_hand));
        hint
    }
}

impl Outgoing {
    /// The body of one attempt to send what `shared` holds.
    pub(crate) fn new(shared: &Arc<Mutex<Option<Parcel>>>) -> Self {
        let parcel = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (hint, empty) = match &*parcel {
            Some(parcel) => (parcel.hint(), parcel.is_end()),
            None => (SizeHint::with_exact(0), true),
        };
        if empty && let Some(parcel) = &*parcel {
            parcel.received();
        }
        drop(parcel);
        Self { shared: Arc::clone(shared), taken: None, hint, empty }
    }

    /// A body that is there already.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        let at_hand = if bytes.is_empty() { VecDeque::new() } else { VecDeque::from([bytes]) };
        Self::new(&Arc::new(Mutex::new(Some(Parcel { at_hand, ..Parcel::default() }))))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.taken.is_none() {
            let parcel = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.taken = Some(parcel.unwrap_or_default());
        }
        let Some(parcel) = &mut self.taken else { return Poll::Ready(None) };
        if let Some(part) = parcel.at_hand.pop_front() {
            if parcel.at_hand.is_empty() {
                parcel.room = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        let Some(rest) = &mut parcel.rest else { return Poll::Ready(None) };
        match Pin::new(rest).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                parcel.read(&frame);
                if parcel.is_end() {
                    parcel.received();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                parcel.received();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken.as_ref().map_or(self.empty, Parcel::is_end)
    }

    fn size_hint(&self) -> SizeHint {
        self.taken.as_ref().map_or_else(|| self.hint, Parcel::hint)
    }
}
