//! An answer on its way to the client, read along.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::BodyError;
use crate::progress::{End, Progress};
use crate::rewrite::Strip;
use crate::stall::Flushed;
use crate::upstream::Lease;

/// The body of an answer: an upstream's, or the proxy's own word.
pub(crate) enum Returning {
    Own(Option<Bytes>),
    Passing(Box<Passing>),
}

/// An upstream's answer.
pub(crate) struct Passing {
    pub(crate) inner: Incoming,
    /// `None` where the call is no GenAI call, and when it has been told.
    pub(crate) progress: Option<Progress>,
    pub(crate) strip: Option<Strip>,
    pub(crate) lease: Option<Lease>,
    pub(crate) idle_timeout: Duration,
    /// Runs while nothing comes.
    pub(crate) idle: Option<Pin<Box<Sleep>>>,
    /// Why it broke off, until what came before is written.
    pub(crate) broken: Option<BodyError>,
    pub(crate) flushed: Arc<Flushed>,
}

impl Passing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.broken.is_some() {
            ready!(self.flushed.poll(context));
            return Poll::Ready(self.broken.take().map(Err));
        }
        loop {
            let polled = match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(polled) => polled,
                Poll::Pending => {
                    ready!(self.poll_idle(context));
                    return self.break_off(BodyError::Idle, context);
                }
            };
            self.idle = None;
            match polled {
                Some(Ok(frame)) => {
                    let Some(frame) = self.frame(frame) else { continue };
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    return self.break_off(error.into(), context);
                }
                None => {
                    self.end(End::Whole);
                    let held = self.strip.take().map(|mut strip| strip.finish());
                    let held = held.filter(|held| !held.is_empty());
                    return Poll::Ready(held.map(|held| Ok(Frame::data(held))));
                }
            }
        }
    }

    /// The answer ends here, and not well. What was held back and all that came before it are written
    /// first; a client that does not take them is cut off by [`crate::stall::Stall`].
    fn break_off(
        &mut self,
        error: BodyError,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.end(End::Broken);
        let held = self.strip.take().map(|mut strip| strip.finish());
        self.broken = Some(error);
        if let Some(held) = held.filter(|held| !held.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(held))));
        }
        // Nobody has asked before, so this only makes the wish.
        ready!(self.flushed.poll(context));
        Poll::Ready(self.broken.take().map(Err))
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timeout = self.idle_timeout;
        self.idle.get_or_insert_with(|| Box::pin(sleep(timeout))).as_mut().poll(context)
    }

    /// Read a frame along; what of it goes on.
    fn frame(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        if let (Some(progress), Some(data)) = (&mut self.progress, frame.data_ref()) {
            progress.frame(data);
        }
        if self.inner.is_end_stream() {
            self.end(End::Whole);
        }
        let Some(strip) = &mut self.strip else { return Some(frame) };
        match frame.into_data() {
            Ok(data) => {
                let out = strip.feed(data);
                if out.is_empty() { None } else { Some(Frame::data(out)) }
            }
            Err(other) => Some(other),
        }
    }

    fn end(&mut self, end: End) {
        self.lease = None;
        if let Some(progress) = self.progress.take() {
            progress.end(end);
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // An answer without a body is never asked for one.
        let end = if self.inner.is_end_stream() { End::Whole } else { End::Left };
        self.end(end);
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Passing(passing) => passing.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            // What is held back is still to come, however the upstream ended.
            Self::Passing(passing) => passing.strip.is_none() && passing.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Passing(passing) if passing.strip.is_some() => SizeHint::new(),
            Self::Passing(passing) => passing.inner.size_hint(),
        }
    }
}
