//! Accepting connections and serving each within its bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::stall::Stall;
use crate::options::ServeSettings;

/// What is spoken on a listener. One protocol each, so that nothing has to be guessed from the
/// first bytes, which no timeout would cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavor {
    Http1,
    /// HTTP/2 without TLS, as gRPC speaks it.
    Http2,
}

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    connections_max: usize,
    header_timeout: Duration,
    write_stall: Duration,
}

/// A request head: eight times what Grafana sends with long cookies and a long URL.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Requests one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 100;

/// A client that does not take a byte of its answer for this long is gone.
const WRITE_STALL: Duration = Duration::from_mins(1);

/// Pings find HTTP/2 clients that vanished without a word.
const PING_EVERY: Duration = Duration::from_mins(1);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// After a failed `accept`, usually for want of file descriptors, others get time to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Limits {
    pub(super) fn of(settings: &ServeSettings) -> Self {
        Self {
            connections_max: settings.connections_max,
            header_timeout: settings.header_timeout,
            write_stall: WRITE_STALL,
        }
    }
}

/// Serve `router` on every connection of `listener` until told to stop; returns when the last
/// connection has ended.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    flavor: Flavor,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            // Full: the kernel keeps the next clients waiting in its backlog.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            () = told(&mut stopped) => None,
        };
        match accepted {
            None => break,
            Some((_, Err(error))) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Some((place, Ok((stream, _)))) => {
                let router = router.clone();
                let stopped = stopped.clone();
                connections.spawn(async move {
                    serve_connection(stream, router, flavor, limits, stopped).await;
                    drop(place);
                });
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_connection(
    stream: TcpStream,
    router: Router,
    flavor: Flavor,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more to send would only add latency. Failing is fine.
    drop(stream.set_nodelay(true));
    let stream = Stall::new(stream, limits.header_timeout, limits.write_stall);
    let builder = builder(flavor, limits);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

/// Wait for the word to stop; a server that is gone has said it too.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

fn builder(flavor: Flavor, limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    match flavor {
        Flavor::Http1 => {
            builder = builder.http1_only();
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header_timeout)
                .max_buf_size(HEAD_BYTES_MAX);
        }
        Flavor::Http2 => {
            builder = builder.http2_only();
            builder
                .http2()
                .timer(TokioTimer::new())
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_TIMEOUT)
                .max_concurrent_streams(STREAMS_MAX)
                .max_header_list_size(HEAD_BYTES_MAX as u32);
        }
    }
    builder
}
