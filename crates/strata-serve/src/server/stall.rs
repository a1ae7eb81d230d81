//! A connection that ends when its client stalls: says nothing at first, or stops taking its answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The first bytes that must arrive in time: the length of the HTTP/2 preface. What comes after is
/// under the protocol's own timeouts.
const FIRST_BYTES: usize = 24;

/// Bounds the first read and every write of `inner`.
pub(super) struct Stall<S> {
    inner: S,
    /// Bytes still awaited before `deadline`; 0 once they are there.
    awaited: usize,
    deadline: Pin<Box<Sleep>>,
    patience: Duration,
    /// Set while a write is waiting for the client.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Stall<S> {
    pub(super) fn new(inner: S, first_bytes_within: Duration, write_stall: Duration) -> Self {
        Self {
            inner,
            awaited: FIRST_BYTES,
            deadline: Box::pin(sleep(first_bytes_within)),
            patience: write_stall,
            waiting: None,
        }
    }

    /// Pass on the result of a write; when it waits, wait at most the stall time.
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
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(timed_out("the client does not take its answer"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(context, buffer);
        let got = buffer.filled().len() - before;
        self.awaited = self.awaited.saturating_sub(got);
        if result.is_pending()
            && self.awaited > 0
            && self.deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(timed_out("the client says nothing")));
        }
        result
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
        self.bounded(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(context);
        self.bounded(context, result)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const BOUND: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_too_little_is_cut_off() {
        let (mut client, server) = duplex(64);
        let mut server = Stall::new(server, BOUND, BOUND);
        client.write_all(b"PRI * HT").await.unwrap();
        let mut buffer = [0; FIRST_BYTES];
        let error = server.read_exact(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_began_may_pause() {
        let (mut client, server) = duplex(64);
        let mut server = Stall::new(server, BOUND, BOUND);
        client.write_all(&[0; FIRST_BYTES]).await.unwrap();
        let mut buffer = [0; FIRST_BYTES + 1];
        let later = async {
            sleep(BOUND * 10).await;
            client.write_all(b"x").await
        };
        let (read, written) = tokio::join!(server.read_exact(&mut buffer), later);
        written.unwrap();
        assert_eq!(read.unwrap(), FIRST_BYTES + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (client, server) = duplex(64);
        let mut server = Stall::new(server, BOUND, BOUND);
        let error = server.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
