//! Slurm: the queue by its own commands, and the jobs on this node by their control groups.

mod command;
mod gres;
mod job;
mod local;
mod options;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::sink::BoxFuture;
use strata_model::{Fault, FaultCode, Layer, SourceKind, SourceState};

pub use command::find;
pub use local::job_of_cgroup;
pub use options::{SlurmOptions, SlurmQueue, SlurmSettings};

use super::gather::{Gather, failed};
use crate::collector::{CollectError, Collector, Harvest};
use crate::scrape::read_bounded;
use job::Job;

/// Processes that are looked at to see which daemons run here.
const PROCESSES_MAX: usize = 100_000;
const COMM_BYTES_MAX: u64 = 64;

/// Whether the queue is asked from here: everywhere but on compute nodes without the controller.
pub fn may_ask_queue(host_root: &Path) -> bool {
    let mut computes = false;
    let entries = std::fs::read_dir(host_root.join("proc")).into_iter().flatten().flatten();
    for entry in entries.take(PROCESSES_MAX) {
        let name = entry.file_name();
        if !name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let path = entry.path().join("comm").display().to_string();
        match read_bounded(&path, COMM_BYTES_MAX).unwrap_or_default().trim_ascii() {
            b"slurmctld" => return true,
            b"slurmd" => computes = true,
            _ => {}
        }
    }
    !computes
}

/// Read the environment of a process; how many of its variables are kept.
pub(crate) fn kept_of_environment(bytes: &[u8]) -> usize {
    local::kept_of_environment(bytes)
}

/// Read what `squeue --json` wrote; the jobs in it, if it is that.
pub(crate) fn jobs_in_json(bytes: &[u8]) -> Option<usize> {
    job::of_json(bytes).ok().map(|jobs| jobs.len())
}

/// Read what `scontrol` wrote, of jobs and of nodes; the jobs in it.
pub(crate) fn jobs_in_text(text: &str) -> usize {
    let mut jobs = job::of_text(text);
    write::count_parts(&mut jobs, text);
    let mut gather = Gather::new(&Arc::from("fuzz"), 0);
    write::queues(&jobs, &mut gather);
    write::nodes(text, &mut gather);
    jobs.len()
}

/// The queue of a cluster, by `squeue` and `scontrol`.
pub struct SlurmQueueCollector {
    source: Arc<str>,
    settings: SlurmSettings,
    squeue: PathBuf,
    scontrol: Option<PathBuf>,
    /// This build of Slurm writes no JSON.
    text_only: bool,
}

impl SlurmQueueCollector {
    /// `squeue` is the path of the program; `scontrol`, where it is found, tells of nodes and stands in
    /// for a `squeue` without JSON.
    pub fn new(settings: &SlurmSettings, squeue: PathBuf, scontrol: Option<PathBuf>) -> Self {
        let source = Arc::from("slurm/queue");
        Self { source, settings: settings.clone(), squeue, scontrol, text_only: false }
    }

    async fn jobs(&mut self) -> Result<Vec<Job>, CollectError> {
        if !self.text_only {
            let output = command::run(&self.squeue, &["--json"], self.settings.timeout).await;
            match output.map(|output| job::of_json(&output)) {
                Ok(Ok(jobs)) => return Ok(jobs),
                // Built without a JSON plugin, or older than 21.08: text from now on.
                Ok(Err(_no_json)) => {}
                Err(error) if error.fault.code == FaultCode::Timeout => return Err(error),
                Err(error) if self.scontrol.is_none() => return Err(error),
                Err(_refused) => {}
            }
        }
        let Some(scontrol) = &self.scontrol else {
            return Err(failed(
                SourceState::Unsupported,
                FaultCode::Unsupported,
                "this squeue writes no JSON, and there is no scontrol beside it",
                "install Slurm's client commands, or its JSON serializer plugin",
            ));
        };
        let arguments = ["show", "job", "--oneliner", "--details"];
        let output = command::run(scontrol, &arguments, self.settings.timeout).await?;
        self.text_only = true;
        Ok(job::of_text(&String::from_utf8_lossy(&output)))
    }

    async fn round(&mut self, at_ms: i64) -> Result<Harvest, CollectError> {
        let mut gather = Gather::new(&self.source, at_ms);
        let mut jobs = self.jobs().await?;
        jobs.retain(|job| job.is_pending() || job.holds());
        let nodes = self.nodes(&mut gather).await;
        write::count_parts(&mut jobs, &nodes);
        write::queues(&jobs, &mut gather);
        let devices = |job: &Job| job.gpus.unwrap_or(0.0) > 0.0;
        jobs.sort_by_key(|job| (!devices(job), !job.holds()));
        let left_out = jobs.len().saturating_sub(self.settings.jobs_max) as u64;
        if left_out > 0 {
            let message = "more jobs than are written one by one, those without GPUs are left out";
            gather.fold(Fault {
                code: FaultCode::OverLimit,
                message: message.to_owned(),
                count: left_out,
            });
        }
        for job in jobs.iter().take(self.settings.jobs_max) {
            write::job(job, &mut gather);
        }
        write::nodes(&nodes, &mut gather);
        Ok(gather.into_harvest())
    }

    /// What `scontrol` tells of the nodes; empty where it tells nothing.
    async fn nodes(&self, gather: &mut Gather) -> String {
        let Some(scontrol) = &self.scontrol else { return String::new() };
        let arguments = ["show", "node", "--oneliner"];
        match command::run(scontrol, &arguments, self.settings.timeout).await {
            Ok(output) => String::from_utf8_lossy(&output).into_owned(),
            Err(error) => {
                gather.fold(error.fault);
                String::new()
            }
        }
    }
}

impl Collector for SlurmQueueCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L4Sched)
    }

    fn interval(&self) -> Duration {
        self.settings.interval
    }

    fn timeout(&self) -> Duration {
        self.settings.interval * 9 / 10
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        Box::pin(self.round(at_ms))
    }
}

/// The jobs on this node, by their control groups.
pub struct SlurmJobsCollector {
    source: Arc<str>,
    interval: Duration,
    host_root: PathBuf,
    node: Arc<str>,
}

impl SlurmJobsCollector {
    /// `host_root` is `/`, or where a container has the host's root mounted; `node` becomes the label
    /// `node`.
    pub fn new(settings: &SlurmSettings, host_root: &Path, node: &str) -> Self {
        let source = Arc::from("slurm/jobs");
        let (host_root, node) = (host_root.to_owned(), Arc::from(node));
        Self { source, interval: settings.interval, host_root, node }
    }

    fn round(&self, at_ms: i64) -> Result<Harvest, CollectError> {
        let Some(jobs) = local::jobs(&self.host_root) else {
            return Err(failed(
                SourceState::Absent,
                FaultCode::Unsupported,
                "no job of Slurm has a control group here",
                "Slurm needs the plugin proctrack/cgroup or task/cgroup for it",
            ));
        };
        let mut gather = Gather::new(&self.source, at_ms);
        let minors = super::device::minors(&self.host_root);
        for job in &jobs {
            if job.id.is_empty() {
                let message = "the job of a control group is not known: run strata as root";
                gather.fault(FaultCode::Denied, message);
                continue;
            }
            write::local_job(job, &self.node, &minors, &mut gather);
        }
        Ok(gather.into_harvest())
    }
}

impl Collector for SlurmJobsCollector {
    fn id(&self) -> &str {
        &self.source
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        Some(Layer::L4Sched)
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    fn timeout(&self) -> Duration {
        self.interval / 2
    }

    fn collect(&mut self, at_ms: i64) -> BoxFuture<'_, Result<Harvest, CollectError>> {
        // A few hundred small files of memory file systems.
        let harvest = self.round(at_ms);
        Box::pin(std::future::ready(harvest))
    }
}
