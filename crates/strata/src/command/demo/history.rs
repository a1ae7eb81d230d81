//! The time before: the same model, the same pages, the same reader, faster than real time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use strata_collect::exposition::{Arrival, Format};
use strata_collect::schedule::Tracker;
use strata_collect::scrape::{PageReader, ScrapeSettings, Target};
use strata_model::{Batch, Receipt, Sink, SinkError};
use strata_sim::Endpoint;
use strata_store::MetricStore;
use tokio::task::JoinSet;

use super::exporters::Exporters;
use super::stage::Stage;
use crate::page_rules::any_source;

/// Between pages of the last hour, and of the time before it.
const STEP: Duration = Duration::from_secs(15);
const COARSE_STEP: Duration = Duration::from_mins(1);
const FINE: Duration = Duration::from_hours(1);
/// No two pages are nearer to each other than this.
const LEAST_MS: i64 = 1000;

/// Bytes of batches handed to the store at once: a quarter of what its queue takes.
const PENDING_BYTES: usize = 16 << 20;

/// One exporter with the memory of what it said.
struct Reading {
    endpoint: Endpoint,
    reader: PageReader,
    tracker: Tracker,
}

/// Write what the cluster lived through until now.
pub(super) async fn write(
    stage: &Arc<Stage>,
    exporters: &Exporters,
    jobs: &[ScrapeSettings],
    store: &MetricStore,
) -> Result<()> {
    let mut readings = readings(exporters, jobs)?;
    let mut at_ms = stage.at(i64::MIN, strata_sim::Sim::now_ms);
    let mut receipt = Receipt::default();
    let mut writing: JoinSet<Result<Receipt, SinkError>> = JoinSet::new();
    loop {
        let left = stage.now_ms() - at_ms;
        let step = if left > FINE.as_millis() as i64 { COARSE_STEP } else { STEP };
        let step_ms = step.as_millis() as i64;
        // The last page is of the moment: what ends before the live readers begin has no end.
        let step_ms = step_ms.min(left);
        if step_ms < LEAST_MS {
            break;
        }
        at_ms += step_ms;
        let stage = Arc::clone(stage);
        let read = move || read_all(&stage, readings, at_ms);
        let read = tokio::task::spawn_blocking(read).await.context("the simulation ended badly")?;
        let batches;
        (readings, batches) = read?;
        // The samples of the step before are on disk by now, or nearly.
        settle(&mut writing, &mut receipt).await?;
        let mut bytes = 0;
        for batch in batches {
            bytes += batch.bytes();
            if bytes > PENDING_BYTES {
                settle(&mut writing, &mut receipt).await?;
                bytes = batch.bytes();
            }
            let store = store.clone();
            writing.spawn(async move { store.append(batch).await });
        }
    }
    settle(&mut writing, &mut receipt).await?;
    if receipt.refused() > 0 {
        bail!("the store refused {} samples of the history", receipt.refused());
    }
    Ok(())
}

fn readings(exporters: &Exporters, jobs: &[ScrapeSettings]) -> Result<Vec<Reading>> {
    let each = exporters.0.iter().map(|exporter| {
        let endpoint = exporter.endpoint.clone();
        let job = jobs.iter().find(|job| job.job == endpoint.job);
        let job = job.with_context(|| format!("there is no job {}", endpoint.job))?;
        let target = Target::of(job, &exporter.address.to_string(), &exporter.labels());
        let target = target.map_err(anyhow::Error::msg)?;
        let reader = PageReader::new(job, &target, any_source());
        Ok(Reading { endpoint, reader, tracker: Tracker::default() })
    });
    each.collect()
}

/// The pages of all exporters at a time, read as the collectors read them.
fn read_all(
    stage: &Stage,
    mut readings: Vec<Reading>,
    at_ms: i64,
) -> Result<(Vec<Reading>, Vec<Batch>)> {
    let mut batches = Vec::with_capacity(readings.len());
    for Reading { endpoint, reader, tracker } in &mut readings {
        let page = stage.at(at_ms, |sim| sim.page(endpoint));
        let harvest = reader.read(Format::Text, page.as_bytes(), Arrival::Whole, at_ms);
        let harvest = harvest.map_err(|error| {
            anyhow::anyhow!("the page of {}: {}", endpoint.instance, error.fault.message)
        })?;
        if let Some(fault) = harvest.faults.first() {
            bail!("the page of {}: {}", endpoint.instance, fault.message);
        }
        let mut batch = harvest.batch;
        tracker.settle(&mut batch, at_ms);
        batches.push(batch);
    }
    Ok((readings, batches))
}

async fn settle(
    writing: &mut JoinSet<Result<Receipt, SinkError>>,
    receipt: &mut Receipt,
) -> Result<()> {
    while let Some(written) = writing.join_next().await {
        let written = written.context("the store ended badly")?;
        receipt.merge(&written.context("cannot write the history")?);
    }
    Ok(())
}
