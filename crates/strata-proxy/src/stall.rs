//! A connection that ends when its client stops taking its answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Tells a body when all that it gave before has been written to the client. An error makes the
/// server drop what it has not written yet, so it must not come earlier.
#[derive(Debug, Default)]
pub(crate) struct Flushed(Mutex<Wish>);

#[derive(Debug, Default)]
enum Wish {
    #[default]
    None,
    Made(Waker),
    Granted,
}

impl Flushed {
    /// Ready after the first flush that ends after this was first asked.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut wish = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*wish, Wish::Granted) {
            *wish = Wish::None;
            return Poll::Ready(());
        }
        *wish = Wish::Made(context.waker().clone());
        Poll::Pending
    }

    fn grant(&self) {
        let mut wish = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Wish::Made(waker) = &*wish {
            waker.wake_by_ref();
            *wish = Wish::Granted;
        }
    }
}

/// Bounds every write of `inner`.
pub(crate) struct Stall<S> {
    inner: S,
    patience: Duration,
    flushed: Arc<Flushed>,
    /// Set while a write is waiting for the client.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(crate) fn new(inner: S, patience: Duration, flushed: Arc<Flushed>) -> Self {
        Self { inner, patience, flushed, waiting: None }
    }

    /// Pass on the result of a write; when it waits, wait no longer than patience lasts.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = None;
            return result;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        waiting.as_mut().poll(context).map(|()| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer"))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.bounded(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.bounded(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(context);
        if let Poll::Ready(Ok(())) = result {
            self.flushed.grant();
        }
        self.bounded(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(context);
        self.bounded(context, result)
    }
}
