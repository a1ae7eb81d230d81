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
use crate::options::{ServeSettings, exposure_message};
use crate::routes;
use crate::state::{App, Parts};
use connection::{Flavor, Limits, accept};

/// The server with its ports taken, before it answers.
#[derive(Debug)]
pub struct Bound {
    settings: ServeSettings,
    token: Option<Arc<Secret>>,
    main: TcpListener,
    addresses: Addresses,
}

/// Where the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The Prometheus API and everything else over HTTP.
    pub main: SocketAddr,
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
        let addresses = Addresses { main: local(&main, settings.listen) };
        Ok(Self { settings, token: token.map(Arc::new), main, addresses })
    }

    /// The addresses taken, with real port numbers where 0 was asked for.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Answer until `shutdown` is ready, then let running requests end within the grace time.
    pub async fn serve(self, parts: Parts, shutdown: impl Future<Output = ()> + Send) {
        let grace = self.settings.shutdown_grace;
        let limits = Limits::of(&self.settings);
        let main_rules = self.rules(self.addresses.main);
        let app = Arc::new(App::new(parts, self.settings));
        let (stop, stopped) = watch::channel(false);
        let mut listeners = JoinSet::new();
        let main: Router = routes::main_router(&app, main_rules);
        listeners.spawn(accept(self.main, main, Flavor::Http1, limits, stopped.clone()));
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

fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
