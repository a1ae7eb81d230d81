//! What `strata who` asks the server, in PromQL over canonical metrics, as every page does.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use strata_model::catalog::Catalog;

use crate::client::Client;

/// One series of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Row {
    /// A label; empty where the series does not have it.
    pub(super) fn get(&self, label: &str) -> &str {
        self.labels.get(label).map_or("", String::as_str)
    }
}

/// Every answer.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Device memory in use, with the device's name.
    pub(super) memory: Vec<Row>,
    /// Highest utilization of the last ten minutes: a pause for a checkpoint is not idle.
    pub(super) peak: Vec<Row>,
    /// Who was given what, by those who gave it.
    pub(super) allocations: Vec<Row>,
    /// Pods that exporters wrote on the series of devices.
    pub(super) exported: Vec<Row>,
    /// Devices of Slurm's jobs on nodes without an agent.
    pub(super) slurm_devices: Vec<Row>,
    /// Memory of processes.
    pub(super) processes: Vec<Row>,
    /// Processes of Slurm's jobs.
    pub(super) slurm_processes: Vec<Row>,
    /// Pods there are.
    pub(super) pods: Vec<Row>,
    pub(super) workloads: Vec<Row>,
    /// Owners of devices that are no pods.
    pub(super) owners: Vec<Row>,
    /// Jobs of Slurm.
    pub(super) jobs: Vec<Row>,
    /// Models that engines in pods serve.
    pub(super) models: Vec<Row>,
}

/// Prometheus's name of a metric of the catalog.
fn name(dotted: &str) -> Result<&'static str> {
    let metric = Catalog::builtin().metric(dotted);
    Ok(&metric.with_context(|| format!("the catalog has no {dotted}"))?.prometheus)
}

/// Ask everything. What a cluster does not have is an empty answer.
pub(super) async fn ask(client: &Client) -> Result<Answers> {
    const GPU: &str = "gpu_uuid, gpu, node";
    const POD: &str = "namespace, pod, pod_uid";
    let memory = name("hw.gpu.memory.usage")?;
    let utilization = name("hw.gpu.utilization")?;
    let query = async |by: String, series: String| {
        select(client, &format!("max by ({by}) ({series})")).await
    };
    let info = async |by: String, dotted: &str| query(by, name(dotted)?.to_owned()).await;
    Ok(Answers {
        memory: query(format!("{GPU}, gpu_model"), memory.to_owned()).await?,
        peak: query(
            GPU.to_owned(),
            format!("max_over_time({utilization}{{task=~\"|general\"}}[10m])"),
        )
        .await?,
        allocations: info(
            format!("{GPU}, {POD}, container, slurm_job_id, method, confidence, sharing"),
            "gpu.allocation",
        )
        .await?,
        exported: query(
            format!("{GPU}, namespace, pod, container"),
            format!("{memory}{{pod!=\"\"}}"),
        )
        .await?,
        slurm_devices: info("node, gpu, slurm_job_id, sharing".to_owned(), "slurm.job.device")
            .await?,
        processes: info(
            format!("{GPU}, pid, process, container_id, {POD}"),
            "gpu.process.memory.usage",
        )
        .await?,
        slurm_processes: info("node, pid, slurm_job_id".to_owned(), "slurm.job.process").await?,
        pods: info(format!("{POD}, node, created_by_kind, created_by_name"), "k8s.pod").await?,
        workloads: info(
            format!("{POD}, node, workload_kind, workload, team, model, cost_center, queue"),
            "k8s.pod.workload",
        )
        .await?,
        owners: info(
            format!("{GPU}, namespace, pod, job, workload_kind, workload, team, model, queue"),
            "gpu.owner",
        )
        .await?,
        jobs: info("slurm_job_id, job_name, account, partition, user".to_owned(), "slurm.job")
            .await?,
        models: query(
            "namespace, pod, model".to_owned(),
            format!("{}{{pod!=\"\",model!=\"\"}}", name("inference.requests.running")?),
        )
        .await?,
    })
}

async fn select(client: &Client, query: &str) -> Result<Vec<Row>> {
    let answer = client.get("/api/v1/query", &[("query", query.to_owned())]).await?;
    if answer["status"] != "success" {
        let why = answer["error"].as_str().unwrap_or("no reason given");
        bail!("the server refused {query}: {why}");
    }
    let rows = answer["data"]["result"].as_array().into_iter().flatten();
    Ok(rows.filter_map(row).collect())
}

fn row(series: &Json) -> Option<Row> {
    let labels = series["metric"].as_object()?.iter();
    let labels =
        labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let value = series["value"][1].as_str()?.parse().ok()?;
    Some(Row { labels: labels.collect(), value })
}
