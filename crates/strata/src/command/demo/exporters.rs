//! The exporters of the cluster: one listener on loopback each, and the scrape jobs that read them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use strata_collect::scrape::{ScrapeOptions, ScrapeSettings};
use strata_sim::{Endpoint, Sim};
use tokio::net::TcpListener;

use super::stage::Stage;

/// What Prometheus text is served as.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An exporter with its place on this host.
pub(super) struct Exporter {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    listener: std::sync::Mutex<Option<TcpListener>>,
}

/// All exporters.
pub(super) struct Exporters(pub(super) Vec<Exporter>);

/// Take a port for each exporter of the cluster.
pub(super) async fn bind(sim: &Sim) -> Result<Exporters> {
    let mut exporters = Vec::new();
    for endpoint in sim.endpoints() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener =
            listener.with_context(|| format!("cannot listen for {}", endpoint.instance))?;
        let address = listener.local_addr().context("a listener has no address")?;
        let listener = std::sync::Mutex::new(Some(listener));
        exporters.push(Exporter { endpoint, address, listener });
    }
    Ok(Exporters(exporters))
}

impl Exporter {
    /// Labels as service discovery would give them.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let instance = [("instance", self.endpoint.instance.clone())];
        let labels = self.endpoint.labels.iter().cloned().chain(instance);
        labels.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Exporters {
    /// One job for each kind of exporter; its targets stand in a file below `dir`, as service
    /// discovery writes them.
    pub(super) fn jobs(&self, dir: &Path, interval: &str) -> Result<Vec<ScrapeSettings>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut by_job: BTreeMap<&str, Vec<serde_json::Value>> = BTreeMap::new();
        for exporter in &self.0 {
            let group = json!({
                "targets": [exporter.address.to_string()],
                "labels": exporter.labels(),
            });
            by_job.entry(exporter.endpoint.job).or_default().push(group);
        }
        let jobs = by_job.into_iter().map(|(job, groups)| {
            let file = dir.join(format!("{job}.json"));
            std::fs::write(&file, serde_json::to_vec_pretty(&groups)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
            let options = ScrapeOptions {
                job: job.to_owned(),
                interval: interval.to_owned(),
                timeout: "4s".to_owned(),
                file_sd: vec![file],
                // Labels that exporters write about pods and nodes are theirs, as operators of
                // kube-state-metrics and dcgm-exporter set it up.
                honor_labels: true,
                ..ScrapeOptions::default()
            };
            options.validate().map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("the job {job}: {}", problems.join("; "))
            })
        });
        jobs.collect()
    }

    /// Answer from now on.
    pub(super) fn serve(&self, stage: &Arc<Stage>) {
        for exporter in &self.0 {
            let listener = exporter.listener.lock().ok().and_then(|mut listener| listener.take());
            let Some(listener) = listener else { continue };
            let (stage, endpoint) = (Arc::clone(stage), Arc::new(exporter.endpoint.clone()));
            let page = move || {
                let (stage, endpoint) = (Arc::clone(&stage), Arc::clone(&endpoint));
                async move {
                    // Living through the seconds since somebody asked last is work.
                    let page = tokio::task::spawn_blocking(move || stage.page(&endpoint)).await;
                    ([(CONTENT_TYPE, TEXT)], page.unwrap_or_default()).into_response()
                }
            };
            let router = Router::new().route("/metrics", get(page));
            let instance = exporter.endpoint.instance.clone();
            tokio::spawn(async move {
                if let Err(error) = axum::serve(listener, router).await {
                    tracing::error!(%error, instance, "a simulated exporter ended");
                }
            });
        }
    }
}
