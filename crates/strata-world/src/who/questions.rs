//! What has to be asked, in PromQL over canonical metrics, and the answers.

use strata_model::Labels;

use crate::ask::Planned;
use crate::entity::EntityKind;
use crate::plan::scope::Narrowing;
use crate::template::{self, Filling};
use crate::waiting::waiting_pods;
use crate::window::Window;

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub labels: Labels,
    pub value: f64,
}

impl Row {
    /// A label; empty where the series does not have it.
    pub fn get(&self, label: &str) -> &str {
        self.labels.get(label).unwrap_or_default()
    }
}

/// How devices are divided, besides who holds and uses them.
#[derive(Debug, Default)]
pub struct ShareAnswers {
    /// Mean utilization of the last minutes.
    pub busy: Vec<Row>,
    /// Device memory there is.
    pub limit: Vec<Row>,
    /// Share of the SMs' time of each process, over the whole of the last minutes.
    pub process_busy: Vec<Row>,
    /// Share of the time of a device that the virtual GPU of a container had.
    pub vgpu_busy: Vec<Row>,
    /// Activity of the SMs of each MIG instance.
    pub slice_busy: Vec<Row>,
    /// Mean power of the last minutes, and the least of the last ten, in watts.
    pub power: Vec<Row>,
    pub power_floor: Vec<Row>,
}

/// Who holds and uses devices.
#[derive(Debug, Default)]
pub struct Answers {
    /// Device memory in use, with the device's name.
    pub memory: Vec<Row>,
    /// Highest utilization of the last ten minutes: a pause for a checkpoint is not idle.
    pub peak: Vec<Row>,
    /// Who was given what, by those who gave it.
    pub allocations: Vec<Row>,
    /// Pods that exporters wrote on the series of devices.
    pub exported: Vec<Row>,
    /// Devices of Slurm's jobs on nodes without an agent.
    pub slurm_devices: Vec<Row>,
    /// Memory of processes.
    pub processes: Vec<Row>,
    /// Processes of Slurm's jobs.
    pub slurm_processes: Vec<Row>,
    /// Pods there are.
    pub pods: Vec<Row>,
    pub workloads: Vec<Row>,
    /// Owners of devices that are no pods.
    pub owners: Vec<Row>,
    /// Jobs of Slurm.
    pub jobs: Vec<Row>,
    /// Models that engines in pods serve.
    pub models: Vec<Row>,
}

/// The mean of a user's share over the whole interval. Its series is there only while it runs, of
/// NVIDIA's processes even only while they compute, so its samples are added up and divided by how often
/// the same page told of the device. Where it does not, by how often it told of the user on the node that
/// was there most.
macro_rules! over_the_interval {
    ($user:literal, $metric:literal) => {
        concat!(
            "max by (",
            $user,
            ") (total<",
            $metric,
            "> / on (job, instance, GPU) group_left () \
             max by (job, instance, GPU) (samples<hw.gpu.memory.usage>)) or max by (",
            $user,
            ") (total<",
            $metric,
            "> / on (job, instance, node) group_left () max by (job, instance, node) (samples<",
            $metric,
            ">))"
        )
    };
}

/// Key and template of each question; `GPU` and `POD` stand for the labels of those.
const QUESTIONS: [(&str, &str); 12] = [
    ("memory", "max by (GPU, gpu_model) (<hw.gpu.memory.usage>)"),
    // A pause for a checkpoint is not idle.
    ("peak", "max by (GPU) (peak<hw.gpu.utilization|task=~\"|general\">)"),
    (
        "allocations",
        "max by (GPU, mig_uuid, POD, container, slurm_job_id, method, confidence, sharing) \
         (<gpu.allocation>)",
    ),
    ("exported", "max by (GPU, namespace, pod, container) (<hw.gpu.memory.usage|pod!=\"\">)"),
    ("slurm_devices", "max by (node, gpu, slurm_job_id, sharing) (<slurm.job.device>)"),
    ("processes", "max by (GPU, pid, process, container_id, POD) (<gpu.process.memory.usage>)"),
    ("slurm_processes", "max by (node, pid, slurm_job_id) (<slurm.job.process>)"),
    ("pods", "max by (POD, node, created_by_kind, created_by_name) (<k8s.pod>)"),
    (
        "workloads",
        "max by (POD, node, workload_kind, workload, team, model, cost_center, queue) \
         (<k8s.pod.workload>)",
    ),
    (
        "owners",
        "max by (GPU, namespace, pod, job, workload_kind, workload, team, model, queue) \
         (<gpu.owner>)",
    ),
    ("jobs", "max by (slurm_job_id, job_name, account, partition, user) (<slurm.job>)"),
    (
        "models",
        "max by (namespace, pod, model) (<inference.requests.running|pod!=\"\",model!=\"\">)",
    ),
];

/// The same of [`ShareAnswers`].
const SHARE_QUESTIONS: [(&str, &str); 7] = [
    ("busy", "max by (GPU) (mean<hw.gpu.utilization|task=~\"|general\">)"),
    ("limit", "max by (GPU) (<hw.gpu.memory.limit>)"),
    (
        "process_busy",
        over_the_interval!("GPU, pid, process, container_id, POD", "gpu.process.utilization"),
    ),
    ("vgpu_busy", over_the_interval!("GPU, POD, container", "gpu.vgpu.utilization")),
    ("slice_busy", "max by (GPU, mig_uuid, mig_profile) (mean<gpu.mig.sm.active>)"),
    ("power", "max by (GPU) (mean<hw.power>)"),
    ("power_floor", "max by (GPU) (floor<hw.power>)"),
];

/// Prefix of the keys within a plan.
const PREFIX: &str = "who/";

/// Everything that has to be asked of who holds and uses devices, each at one moment. What a cluster
/// does not have is an empty answer.
pub fn questions() -> Vec<Planned> {
    planned(&QUESTIONS)
}

/// What has to be asked besides to divide devices between those who use them. No page does.
pub fn share_questions() -> Vec<Planned> {
    planned(&SHARE_QUESTIONS)
}

fn planned(questions: &[(&str, &str)]) -> Vec<Planned> {
    let narrowing = Narrowing::default();
    // None of the templates depends on a window.
    let window = Window { start_ms: 0, end_ms: 0, step_ms: 1, moment_ms: 0, now_ms: 0 };
    let filling =
        Filling { entity: EntityKind::Gpu, narrowing: &narrowing, window, per_step: false };
    let questions = questions.iter().map(|(key, template)| {
        // In the order of the recipes: what they ask too is asked once.
        let template = template.replace("GPU", "gpu_uuid, node, gpu");
        let template = template.replace("POD", "namespace, pod, pod_uid");
        let text = template::fill(&template, filling);
        Planned { key: format!("{PREFIX}{key}"), text, range: false }
    });
    questions.collect()
}

/// How many pods that ask for GPUs wait for a node, by why: labels `reason` and `resource`.
pub fn waiting() -> String {
    let narrowing = Narrowing::default();
    let window = Window { start_ms: 0, end_ms: 0, step_ms: 1, moment_ms: 0, now_ms: 0 };
    let filling =
        Filling { entity: EntityKind::Pod, narrowing: &narrowing, window, per_step: false };
    let template = concat!(
        "count by (reason, resource) ((",
        waiting_pods!(),
        ") and on (namespace, pod) <gpu.requested>)"
    );
    template::fill(template, filling)
}

impl Answers {
    /// Take the rows of each question by its key.
    pub fn gather(mut rows: impl FnMut(&str) -> Vec<Row>) -> Self {
        let mut answer = |key: &str| rows(&format!("{PREFIX}{key}"));
        Self {
            memory: answer("memory"),
            peak: answer("peak"),
            allocations: answer("allocations"),
            exported: answer("exported"),
            slurm_devices: answer("slurm_devices"),
            processes: answer("processes"),
            slurm_processes: answer("slurm_processes"),
            pods: answer("pods"),
            workloads: answer("workloads"),
            owners: answer("owners"),
            jobs: answer("jobs"),
            models: answer("models"),
        }
    }
}

impl ShareAnswers {
    /// Take the rows of each question by its key.
    pub fn gather(mut rows: impl FnMut(&str) -> Vec<Row>) -> Self {
        let mut answer = |key: &str| rows(&format!("{PREFIX}{key}"));
        Self {
            busy: answer("busy"),
            limit: answer("limit"),
            process_busy: answer("process_busy"),
            vgpu_busy: answer("vgpu_busy"),
            slice_busy: answer("slice_busy"),
            power: answer("power"),
            power_floor: answer("power_floor"),
        }
    }
}
