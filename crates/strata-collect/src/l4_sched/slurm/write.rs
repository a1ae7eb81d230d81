//! Series of Slurm's jobs, queues and nodes.

use std::collections::BTreeMap;

use super::gres::{self, Parts};
use super::job::{Job, fields};
use super::local::LocalJob;
use crate::l4_sched::device::Device;
use crate::l4_sched::gather::Gather;
use crate::l4_sched::names;

const SCHEDULER: (&str, &str) = ("scheduler", "slurm");
/// Partitions, and reasons in each, that are counted.
const QUEUES_MAX: usize = 1024;

/// Counts by partition.
pub(super) fn queues(jobs: &[Job], gather: &mut Gather) {
    let mut pending: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut running: BTreeMap<&str, f64> = BTreeMap::new();
    let mut held: BTreeMap<&str, f64> = BTreeMap::new();
    let mut wanted: BTreeMap<&str, f64> = BTreeMap::new();
    for job in jobs {
        let gpus = job.gpus.unwrap_or(0.0);
        if job.is_pending() {
            *pending.entry((&job.partition, &job.reason)).or_default() += job.tasks;
            *wanted.entry(&job.partition).or_default() += gpus;
        } else {
            *running.entry(&job.partition).or_default() += job.tasks;
            *held.entry(&job.partition).or_default() += gpus;
        }
    }
    for ((queue, status), count) in pending.into_iter().take(QUEUES_MAX) {
        let labels = [SCHEDULER, ("queue", queue), ("status", status)];
        gather.sample(names::QUEUE_PENDING, &labels, count);
    }
    for (queue, count) in running.into_iter().take(QUEUES_MAX) {
        gather.sample(names::QUEUE_ADMITTED, &[SCHEDULER, ("queue", queue)], count);
    }
    for (amounts, metric) in [(held, names::QUEUE_USAGE), (wanted, names::QUEUE_WANTED)] {
        for (queue, amount) in amounts.into_iter().take(QUEUES_MAX) {
            let labels = [SCHEDULER, ("queue", queue), ("resource", "gpu")];
            gather.sample(metric, &labels, amount);
        }
    }
}

/// One job, and the devices it holds where Slurm names them.
pub(super) fn job(job: &Job, gather: &mut Gather) {
    let this = [
        ("slurm_job_id", &*job.id),
        ("user", &*job.user),
        ("account", &*job.account),
        ("partition", &*job.partition),
    ];
    let with = |more: &[(&'static str, &str)], metric: &str, value: f64, gather: &mut Gather| {
        let labels: Vec<_> = this.iter().chain(more).copied().collect();
        gather.sample(metric, &labels, value);
    };
    let identity = [
        ("job_name", &*job.name),
        ("qos", &job.qos),
        ("state", &job.state),
        ("reason", &job.reason),
        ("nodes", &job.nodes),
    ];
    with(&identity, names::SLURM_JOB, 1.0, gather);
    if let Some(gpus) = job.gpus {
        with(&[("state", &job.state)], names::SLURM_JOB_GPUS, gpus, gather);
    }
    if let Some(submitted) = job.submitted
        && job.is_pending()
    {
        let seconds = (gather.at_ms() as f64 / 1000.0 - submitted).max(0.0);
        with(&[("reason", &job.reason)], names::SLURM_JOB_WAIT, seconds, gather);
    }
    for devices in job.devices.iter().filter(|_| job.holds()) {
        for index in &devices.indices {
            // No allocation: the agent on that node writes it, with the UUID, which is not known here.
            let index = index.to_string();
            let labels = [
                ("slurm_job_id", &*job.id),
                ("node", &*devices.node),
                ("gpu", &*index),
                ("sharing", devices.sharing),
            ];
            gather.info(names::SLURM_DEVICE, &labels);
        }
    }
}

/// A job that runs here, its processes and its devices. `minors` are number and UUID of each GPU.
pub(super) fn local_job(
    local: &LocalJob,
    node: &str,
    minors: &[(String, String)],
    gather: &mut Gather,
) {
    let job = Job {
        id: local.id.clone(),
        name: local.name.clone(),
        user: local.user.clone(),
        account: local.account.clone(),
        partition: local.partition.clone(),
        ..Job::default()
    };
    for process in &local.processes {
        let process = process.to_string();
        let labels = [("node", node), ("slurm_job_id", &*local.id), ("pid", &*process)];
        gather.info(names::SLURM_PROCESS, &labels);
    }
    for uuid in &local.uuids {
        edge(&Edge { job: &job, node, index: "", uuid, sure: "high" }, gather);
    }
    if !local.uuids.is_empty() {
        return;
    }
    for index in &local.indices {
        // Slurm numbers devices as gres.conf lists them, which is by device file unless somebody
        // wrote it otherwise.
        let uuid = minors.iter().find(|(minor, _)| minor == index);
        let uuid = uuid.map(|(_, uuid)| &**uuid).unwrap_or_default();
        edge(&Edge { job: &job, node, index, uuid, sure: "medium" }, gather);
    }
}

/// A device that a job holds.
struct Edge<'a> {
    job: &'a Job,
    node: &'a str,
    index: &'a str,
    uuid: &'a str,
    sure: &'a str,
}

fn edge(edge: &Edge<'_>, gather: &mut Gather) {
    let device = Device::of_id(edge.uuid);
    let job = edge.job;
    let gpu = if edge.uuid.is_empty() { edge.index } else { "" };
    gather.info(
        names::ALLOCATION,
        &[
            ("gpu_uuid", &*device.gpu_uuid),
            ("mig_uuid", &device.mig_uuid),
            ("gpu", gpu),
            ("node", edge.node),
            ("job", &job.id),
            ("slurm_job_id", &job.id),
            ("device", edge.index),
            ("sharing", device.sharing),
            ("method", "slurm"),
            ("confidence", edge.sure),
        ],
    );
    gather.info(
        names::OWNER,
        &[
            ("gpu_uuid", &*device.gpu_uuid),
            ("gpu", gpu),
            ("node", edge.node),
            ("job", &job.id),
            ("workload_kind", "SlurmJob"),
            ("workload", &job.name),
            ("queue", &job.partition),
            // The account is what Slurm charges: its word for a team.
            ("team", &job.account),
        ],
    );
}

/// Count parts of GPUs as GPUs, by how the node that gives them is cut. Where a job waits for a node,
/// all nodes must be cut alike; else it stays unknown.
pub(super) fn count_parts(jobs: &mut [Job], nodes: &str) {
    let mut cut: BTreeMap<String, (f64, Parts)> = BTreeMap::new();
    for line in node_lines(nodes) {
        let fields = fields(line);
        let field = |key: &str| fields.iter().find(|(name, _)| *name == key);
        if let (Some((_, node)), Some((_, gres))) = (field("NodeName"), field("Gres"))
            && let Some(gpus) = gres::of_gres(gres)
        {
            cut.insert(node.trim().to_owned(), (gpus, Parts::read(gres)));
        }
    }
    for job in jobs.iter_mut().filter(|job| job.parts != Parts::default()) {
        let on = gres::expand(&job.nodes);
        let mut amounts = cut
            .iter()
            .filter(|(node, _)| on.is_empty() || on.contains(node))
            .filter_map(|(_, (gpus, whole))| job.parts.in_gpus(*gpus, *whole));
        let Some(first) = amounts.next().filter(|first| amounts.all(|other| other == *first))
        else {
            continue;
        };
        // TresPerNode is what it says.
        let parts = first * (on.len().max(1) as f64) * job.tasks;
        job.gpus = Some(job.gpus.unwrap_or(0.0) + parts);
    }
}

fn node_lines(output: &str) -> impl Iterator<Item = &str> {
    output.lines().filter(|line| line.starts_with("NodeName="))
}

/// Room of the nodes, from `scontrol show node --oneliner`.
pub(super) fn nodes(output: &str, gather: &mut Gather) {
    for line in node_lines(output) {
        let fields = fields(line);
        let field = |key: &str| {
            let found = fields.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| value.trim()).unwrap_or_default()
        };
        let (node, state) = (field("NodeName"), field("State"));
        let labels = [("node", node), ("state", state), ("partitions", field("Partitions"))];
        gather.info(names::SLURM_NODE, &labels);
        let Some(gpus) = gres::of_gres(field("Gres")) else { continue };
        let room = [("node", node), ("resource", "gpu")];
        gather.sample(names::NODE_GPU_CAPACITY, &room, gpus);
        let closed = ["DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "MAINT", "POWERED_DOWN"];
        let closed = closed.iter().any(|word| state.contains(word));
        gather.sample(names::NODE_GPU_ALLOCATABLE, &room, if closed { 0.0 } else { gpus });
    }
}
