//! The listener: bound first, then served until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use strata_model::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::call::CallSink;
use crate::capture::{ContentSink, CopiedBytes};
use crate::files;
use crate::handler::{Shared, handle};
use crate::metrics::Registry;
use crate::progress::Told;
use crate::settings::ProxySettings;
use crate::stall::{Flushed, Stall};
use crate::tenant::{KeyMap, KeyMapError, Tenants};
use crate::tls::TlsError;
use crate::upstream::{self, Upstream};

/// A request head; also what is read ahead of a body.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest time for a request's head, and between requests of one connection.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// After a failed `accept`, usually for want of file descriptors, others get time to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The secret of a keyed hash: at least the 16 bytes that nobody guesses, at most a line.
const SECRET_BYTES: std::ops::RangeInclusive<u64> = 16..=4096;

/// Why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    #[error("cannot listen on {address} for the proxy")]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error("cannot read the hash secret {path}")]
    Secret { path: PathBuf, source: std::io::Error },
    #[error("the hash secret {path} has fewer than 16 or more than 4096 bytes")]
    SecretSize { path: PathBuf },
    #[error("this system gives no random bytes")]
    Random,
    #[error(transparent)]
    KeyMap(#[from] KeyMapError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What the proxy needs of the rest.
pub struct ProxyParts {
    pub clock: Arc<dyn Clock>,
    pub registry: Arc<Registry>,
    pub calls: Arc<dyn CallSink>,
    /// Where content of routes that are captured goes.
    pub content: Arc<dyn ContentSink>,
}

/// The proxy with its port taken, before it answers.
pub struct BoundProxy {
    listener: TcpListener,
    address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

impl BoundProxy {
    /// Take the port and read the files that the settings name.
    ///
    /// # Errors
    /// The port is taken, a file cannot be used, or TLS is not to be had.
    pub async fn bind(settings: ProxySettings, parts: ProxyParts) -> Result<Self, ProxyError> {
        let keys = match &settings.key_map_file {
            Some(path) => KeyMap::read(path)?,
            None => KeyMap::default(),
        };
        let secret = secret(&settings)?;
        let mut run = [0; 8];
        random(&mut run)?;
        let address = settings.listen;
        files::make_room(settings.connections_max);
        let bind = |source| ProxyError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().unwrap_or(address);
        let tenants = Tenants { header: settings.tenant_header.clone(), keys, secret };
        let ProxyParts { clock, registry, calls, content } = parts;
        let told = Told { clock, registry, calls, content };
        let shared = Shared {
            client: upstream::client(&settings)?,
            upstreams: settings
                .upstreams
                .iter()
                .cloned()
                .map(Upstream::new)
                .map(Arc::new)
                .collect(),
            tenants,
            told,
            turn: AtomicUsize::new(0),
            held: Arc::default(),
            copied: Arc::default(),
            run,
            settings,
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
    }

    /// The address taken, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much content is held in memory as it passes.
    pub fn copied(&self) -> CopiedBytes {
        CopiedBytes(Arc::clone(&self.shared.copied))
    }

    /// Answer until `shutdown` is ready, then let running requests end within the grace time.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send) {
        let (stop, stopped) = watch::channel(false);
        let grace = self.shared.settings.shutdown_grace;
        let every = self.shared.settings.health_interval;
        let mut watchers = JoinSet::new();
        for upstream in &self.shared.upstreams {
            let client = self.shared.client.clone();
            watchers.spawn(upstream::watch(Arc::clone(upstream), client, every));
        }
        let accepting = accept(self.listener, self.shared, stopped);
        tokio::pin!(accepting, shutdown);
        tokio::select! {
            () = &mut accepting => return,
            () = &mut shutdown => {}
        }
        stop.send_replace(true);
        if tokio::time::timeout(grace, accepting).await.is_err() {
            tracing::warn!("proxied requests were cut off at the end of the grace time");
        }
    }
}

/// The secret of the keyed hash: any bytes, made 32 by SHA-256.
fn secret(settings: &ProxySettings) -> Result<[u8; 32], ProxyError> {
    use sha2::Digest;
    let Some(path) = &settings.hash_secret_file else {
        let mut bytes = [0; 32];
        random(&mut bytes)?;
        return Ok(bytes);
    };
    let read = |source| ProxyError::Secret { path: path.clone(), source };
    if !SECRET_BYTES.contains(&std::fs::metadata(path).map_err(read)?.len()) {
        return Err(ProxyError::SecretSize { path: path.clone() });
    }
    Ok(sha2::Sha256::digest(std::fs::read(path).map_err(read)?).into())
}

fn random(bytes: &mut [u8]) -> Result<(), ProxyError> {
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(bytes).map_err(|_unspecified| ProxyError::Random)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(shared.settings.connections_max));
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
                let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
                connections.spawn(async move {
                    connection(stream, shared, stopped).await;
                    drop(place);
                });
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    // Frames are small and each is worth its own packet. Failing is fine.
    drop(stream.set_nodelay(true));
    let flushed = Arc::<Flushed>::default();
    let stream = Stall::new(stream, shared.settings.client_stall, Arc::clone(&flushed));
    let service = service_fn(move |request| {
        let (shared, flushed) = (Arc::clone(&shared), Arc::clone(&flushed));
        async move { Ok::<_, Infallible>(Box::pin(handle(shared, request, flushed)).await) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a proxied connection ended early");
    }
}

/// Wait for the word to stop; a server that is gone has said it too.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}
