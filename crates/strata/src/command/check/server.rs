//! Trying what the server, the store and the distant engine need.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use strata_forward::{ForwardSettings, try_receivers};
use strata_model::Clock;
use strata_model::meter::Meter;
use strata_model::record::OnwardSignal;
use strata_query::RemoteSettings;
use strata_serve::ListenAt;
use tokio::net::TcpListener;

use super::super::{run, serve};
use super::{Failure, Report, proxy};
use crate::clock::SystemClock;
use crate::config::{Settings, TokenSource};

/// Directory, ports with those of the proxy, token and engine.
pub(super) async fn try_all(settings: &Settings, report: &mut Report<'_>) {
    report.add("data directory", "data_dir", writable(&settings.store.dir));
    let main = ListenAt { address: settings.server.listen, required: true };
    let ports = [
        ("listen address", "listen", Some(main)),
        ("OTLP over gRPC", "otlp_grpc_listen", settings.server.otlp_grpc),
        ("OTLP over HTTP", "otlp_http_listen", settings.server.otlp_http),
    ];
    // Held until all are tried, so that one that is named twice is found.
    let mut held = Vec::new();
    for (what, option, port) in ports {
        let Some(port) = port else { continue };
        let tried = take(port, option, &mut held).await;
        report.add(what, &format!("server.{option}"), tried);
    }
    if let Some(settings) = &settings.proxy {
        proxy::try_all(settings, &mut held, report).await;
    }
    drop(held);
    token(&settings.token, report);
    if let Some(forward) = settings.forward.clone() {
        receivers(forward, report).await;
    }
    if let Some(remote) = settings.metrics.clone() {
        let what = format!("metrics engine {}", remote.url);
        let hint = "look at [metrics]: the address, the tenant, the credentials";
        let tried = try_engine(remote, settings).await;
        report.add(what, "metrics.url", tried.map_err(|error| Failure::new(error, hint)));
    }
}

/// Tell each receiver of `[forward]` nothing, and see whether it takes it.
async fn receivers(forward: ForwardSettings, report: &mut Report<'_>) {
    let hint = "look at [forward]: the address, the headers and tokens; is the receiver up?";
    match try_receivers(forward, run::environment_lookup()).await {
        Ok(told) => {
            for (lane, answer) in told {
                let taken = match lane.signal {
                    OnwardSignal::Traces | OnwardSignal::Logs => "takes OTLP",
                    OnwardSignal::Metrics => "takes remote write",
                };
                let answer = answer.map(|()| taken.to_owned());
                let answer = answer.map_err(|why| Failure::new(why, hint));
                report.add(format!("forward to {}", lane.url), "forward", answer);
            }
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            report.add("forward", "forward", Err(Failure::new(format!("{error:#}"), hint)));
        }
    }
}

/// Ask the distant engine which names it has.
async fn try_engine(remote: RemoteSettings, settings: &Settings) -> Result<String, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let engine = serve::engine(remote, settings, Arc::clone(&clock), Meter::default())
        .map_err(|error| format!("{error:#}"))?;
    let (names, canonical) = serve::first_look(&engine, clock.as_ref()).await?;
    Ok(format!("{names} metrics of the last hour, {canonical} of them under canonical names"))
}

/// Whether files can be made in the data directory, or it can be made.
fn writable(dir: &Path) -> Result<String, Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        let hint = "give data_dir a directory that this user may write to";
        Failure::new(format!("{}: {error}", path.display()), hint)
    };
    let mut existing = dir;
    while !existing.exists() {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let probe = existing.join(format!(".strata-check-{}", std::process::id()));
    std::fs::write(&probe, b"").map_err(|error| failed(existing, error))?;
    std::fs::remove_file(&probe).map_err(|error| failed(&probe, error))?;
    Ok(format!("{} can be written", dir.display()))
}

/// Take a port as the server would.
pub(super) async fn take(
    port: ListenAt,
    option: &str,
    held: &mut Vec<TcpListener>,
) -> Result<String, Failure> {
    let ListenAt { address, required } = port;
    match TcpListener::bind(address).await {
        Ok(listener) => {
            held.push(listener);
            Ok(format!("{address} is free"))
        }
        // Nobody asked for it by name: the server goes without.
        Err(error) if !required => Ok(format!("{address} is left to its owner: {error}")),
        Err(error) => {
            let named = |listener: &TcpListener| {
                listener.local_addr().is_ok_and(|taken: SocketAddr| taken == address)
            };
            let hint = if held.iter().any(named) {
                "this file names it twice".to_owned()
            } else {
                format!("is a strata running already? name another one with {option}")
            };
            Err(Failure::new(format!("{address}: {error}"), hint))
        }
    }
}

/// Read the token clients must present; it is never shown.
fn token(source: &TokenSource, report: &mut Report<'_>) {
    let (path, place) = match source {
        TokenSource::None => return,
        TokenSource::File(file) => ("server.token_file", file.display().to_string()),
        TokenSource::Env(name) => ("server.token_env", format!("the variable {name}")),
    };
    let hint = "put one line into it that only those who may ask know";
    let tried = match run::token(source) {
        Ok(_) => Ok(format!("{place} holds one")),
        Err(error) => Err(Failure::new(format!("{place}: {error:#}"), hint)),
    };
    report.add("bearer token", path, tried);
}
