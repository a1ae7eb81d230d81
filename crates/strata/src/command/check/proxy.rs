//! Trying what the proxy needs: its port, the files and certificates it names, and its upstreams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use strata_proxy::metrics::Registry;
use strata_proxy::{BoundProxy, NoCalls, ProxyParts, ProxySettings};
use strata_serve::ListenAt;
use tokio::net::TcpListener;

use super::server::take;
use super::{Failure, Report};
use crate::clock::SystemClock;

/// Try all of `[proxy]`; `held` are the ports that the rest of the program takes.
pub(super) async fn try_all(
    settings: &ProxySettings,
    held: &mut Vec<TcpListener>,
    report: &mut Report<'_>,
) {
    let port = ListenAt { address: settings.listen, required: true };
    report.add("proxy listen address", "proxy.listen", take(port, "proxy.listen", held).await);
    // Its own port is tried above and may be held by the proxy that runs.
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = ProxySettings { listen: anywhere, ..settings.clone() };
    let upstreams = settings.upstreams.clone();
    let parts = ProxyParts {
        clock: Arc::new(SystemClock::new()),
        registry: Arc::<Registry>::default(),
        calls: Arc::new(NoCalls),
    };
    let bound = match BoundProxy::bind(settings, parts).await {
        Ok(bound) => bound,
        Err(error) => {
            let error = anyhow::Error::from(error);
            let hint = "the proxy does not start without it";
            return report.add("proxy", "proxy", Err(Failure::new(format!("{error:#}"), hint)));
        }
    };
    for (index, (tried, settings)) in
        bound.try_upstreams().await.into_iter().zip(upstreams).enumerate()
    {
        let host = settings.url.authority().map_or("", |authority| authority.as_str());
        let told = tried.told.map_err(|why| {
            let hint = "is it up and reachable from here? calls to it fail as long as it is not";
            Failure::new(format!("{host}: {why}"), hint)
        });
        let path = format!("proxy.upstreams[{index}].url");
        report.add(format!("proxy upstream {}", tried.name), &path, told);
    }
}
