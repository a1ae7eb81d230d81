//! Trying what the proxy needs: its port, the files and certificates it names, and its upstreams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use strata_proxy::metrics::Registry;
use strata_proxy::{BoundProxy, NoCalls, NoContent, ProxyParts, ProxySettings};
use strata_serve::ListenAt;
use tokio::net::TcpListener;

use super::server::take;
use super::{Failure, Report};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::content::{self, Hook};

/// Say which routes keep what passes, and where: nobody should find that out afterwards.
pub(super) fn tell_captures(settings: &Settings, report: &mut Report<'_>) {
    let Some(proxy) = &settings.proxy else { return };
    let dir = content::dir_of(settings);
    for (index, route) in proxy.routes.iter().enumerate() {
        if let Some(capture) = &route.capture {
            let path = format!("proxy.routes[{index}].capture");
            let words = content::words(&route.name, capture, &dir);
            report.add(format!("content of route {}", route.name), &path, Ok(words));
        }
    }
}

/// Ask the programs that clean texts once.
async fn try_redactors(settings: &ProxySettings, report: &mut Report<'_>) {
    for (index, route) in settings.routes.iter().enumerate() {
        let named = route.capture.as_ref().and_then(|capture| capture.redactor.as_ref());
        let Some(url) = named else { continue };
        let asked = match Hook::new(url) {
            Ok(hook) => hook.ask(vec!["is anybody there?".to_owned()]).await,
            Err(error) => Err(format!("{error:#}")),
        };
        let told = match asked {
            Ok(texts) if texts.len() == 1 => Ok(format!("{url} answers")),
            Ok(texts) => Err(format!("{url} answers {} texts for one", texts.len())),
            Err(why) => Err(why),
        };
        let hint = "no call of this route is kept as long as it does not answer";
        let told = told.map_err(|why| Failure::new(why, hint));
        let path = format!("proxy.routes[{index}].capture.redactor");
        report.add(format!("redactor of route {}", route.name), &path, told);
    }
}

/// Try all of `[proxy]`; `held` are the ports that the rest of the program takes.
pub(super) async fn try_all(
    settings: &ProxySettings,
    held: &mut Vec<TcpListener>,
    report: &mut Report<'_>,
) {
    try_redactors(settings, report).await;
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
        content: Arc::new(NoContent),
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
