//! Binding, serving and ending: three listeners, one state, one shutdown.

mod connection;
mod stall;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::ServeError;
use crate::guard::{Guard, Secret};
use crate::options::{ListenAt, ServeSettings, exposure_message};
use crate::routes;
use crate::state::{App, Parts};
use connection::{Flavor, Limits, accept};

/// The server with its ports taken, before it answers.
#[derive(Debug)]
pub struct Bound {
    settings: ServeSettings,
    token: Option<Arc<Secret>>,
    main: TcpListener,
    otlp_grpc: Option<TcpListener>,
    otlp_http: Option<TcpListener>,
    addresses: Addresses,
    skipped: Vec<ServeError>,
}

/// Where the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The Prometheus API and everything else over HTTP.
    pub main: SocketAddr,
    /// OTLP over gRPC; `None` when it is off or its default port is taken.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP; `None` when it is off or its default port is taken.
    pub otlp_http: Option<SocketAddr>,
}

impl Bound {
    /// Take the ports.
    ///
    /// # Errors
    /// A required port is taken or not permitted, or other machines could reach the server without
    /// a token and nobody decided that they may.
    pub async fn bind(settings: ServeSettings, token: Option<Secret>) -> Result<Self, ServeError> {
        let token = token.filter(|token| !token.is_empty());
        if token.is_none()
            && !settings.allow_unauthenticated
            && let Some(address) = settings.exposed().next()
        {
            return Err(ServeError::Exposed { message: exposure_message(address) });
        }
        let main = listen(settings.listen, "the HTTP API").await?;
        let mut skipped = Vec::new();
        let otlp_grpc = listen_if(settings.otlp_grpc, "OTLP over gRPC", &mut skipped).await?;
        let otlp_http = listen_if(settings.otlp_http, "OTLP over HTTP", &mut skipped).await?;
        let addresses = Addresses {
            main: local(&main).unwrap_or(settings.listen),
            otlp_grpc: otlp_grpc.as_ref().and_then(local),
            otlp_http: otlp_http.as_ref().and_then(local),
        };
        let token = token.map(Arc::new);
        Ok(Self { settings, token, main, otlp_grpc, otlp_http, addresses, skipped })
    }

    /// Ports the server goes without, each with the reason: only defaults nobody asked for.
    pub fn skipped(&self) -> &[ServeError] {
        &self.skipped
    }

    /// The addresses taken, with real port numbers where 0 was asked for.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Answer until `shutdown` is ready, then let running requests end within the grace time.
    pub async fn serve(self, parts: Parts, shutdown: impl Future<Output = ()> + Send) {
        let grace = self.settings.shutdown_grace;
        let limits = Limits::of(&self.settings);
        let rules = [Some(self.addresses.main), self.addresses.otlp_grpc, self.addresses.otlp_http]
            .map(|address| self.rules(address.unwrap_or(self.addresses.main)));
        let [main_rules, grpc_rules, http_rules] = rules;
        let packed = !self.addresses.main.ip().is_loopback();
        let (stop, stopped) = watch::channel(false);
        let app = Arc::new(App::new(parts, self.settings, stopped.clone()));
        let mut listeners = JoinSet::new();
        let main: Router = routes::main_router(&app, main_rules, packed);
        listeners.spawn(accept(self.main, main, Flavor::Http1, limits, stopped.clone()));
        if let Some(listener) = self.otlp_grpc {
            let router = routes::otlp_grpc_router(&app, grpc_rules);
            listeners.spawn(accept(listener, router, Flavor::Http2, limits, stopped.clone()));
        }
        if let Some(listener) = self.otlp_http {
            let router = routes::otlp_http_router(&app, http_rules);
            listeners.spawn(accept(listener, router, Flavor::Http1, limits, stopped.clone()));
        }
        drop(stopped);
        shutdown.await;
        tracing::info!("shutting down");
        stop.send_replace(true);
        let ended =
            tokio::time::timeout(grace, async { while listeners.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!("requests were cut off at the end of the grace time");
        }
    }

    /// Names are checked where only this machine can ask, or where names are configured: there a
    /// browser on this machine could be made to ask for somebody else.
    fn rules(&self, address: SocketAddr) -> Guard {
        let check_hosts = address.ip().is_loopback() || !self.settings.allowed_hosts.is_empty();
        Guard {
            token: self.token.clone(),
            hosts: check_hosts.then(|| self.settings.allowed_hosts.as_slice().into()),
        }
    }
}

async fn listen(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, purpose, source })
}

/// Take a port that may be off, or that may be done without.
async fn listen_if(
    at: Option<ListenAt>,
    purpose: &'static str,
    skipped: &mut Vec<ServeError>,
) -> Result<Option<TcpListener>, ServeError> {
    let Some(ListenAt { address, required }) = at else { return Ok(None) };
    match listen(address, purpose).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if required => Err(error),
        Err(error) => {
            tracing::info!(%address, purpose, "port is taken, going without");
            skipped.push(error);
            Ok(None)
        }
    }
}

fn local(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}
