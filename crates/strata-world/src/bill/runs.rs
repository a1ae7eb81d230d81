//! Training runs of a period: how far they came, what their steps are worth, where their time went,
//! and who holds their GPUs.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{at_end, name, range, rises};
use super::read::{Reader, last, text};
use super::{BillGpu, HolderKind};
use crate::ask::Planned;

/// One training run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BillRun {
    pub run: String,
    pub model: Option<String>,
    /// Ranks, as the trainer tells or as they report; one GPU each.
    pub ranks: Option<f64>,
    /// Who holds its GPUs; empty where nothing tells.
    pub holders: Vec<RunHolder>,
    /// How that is known: `label` of the trainer's own series, or `workload` of the run's name.
    pub method: Option<&'static str>,
    /// Number of the step at the end, the greatest and the least within: it goes back to the last
    /// checkpoint after a restart.
    pub step: Vec<Option<f64>>,
    /// The same where the period begins: what was computed before it is not of it.
    pub step_before: Option<f64>,
    pub step_max: Vec<Option<f64>>,
    pub step_min: Vec<Option<f64>>,
    /// Running totals of tokens and of the model's floating-point operations, at the end.
    pub tokens: Vec<Option<f64>>,
    pub flop: Vec<Option<f64>>,
    /// Tokens of one step of the run and the model's floating-point operations of one GPU in it, where
    /// there are rates instead of totals.
    pub step_tokens: Vec<Option<f64>>,
    pub step_gpu_flop: Vec<Option<f64>>,
    /// Seconds of each kind of lost time, by the trainer's account of unproductive time.
    pub badput_s: BTreeMap<String, Vec<Option<f64>>>,
    /// The same in pieces: waiting for data, blocking saves, restores; seconds.
    pub data_wait_s: Vec<Option<f64>>,
    pub save_s: Vec<Option<f64>>,
    pub restore_s: Vec<Option<f64>>,
    /// Slowest rank's step time over the median, less one.
    pub straggler: Vec<Option<f64>>,
}

/// Who holds GPUs of a run: kind, namespace and name, as in a [`super::Hold`].
pub type RunHolder = (HolderKind, String, String);

impl BillRun {
    /// Leave out the first steps of the period.
    pub(super) fn begin_at(&mut self, first: usize) {
        let told = self.step.iter().take(first).rev().find_map(|step| *step);
        self.step_before = told.or(self.step_before);
        for column in self.columns() {
            super::cut(column, first);
        }
    }

    /// Everything with a value for each step.
    fn columns(&mut self) -> impl Iterator<Item = &mut Vec<Option<f64>>> {
        let own = [
            &mut self.step,
            &mut self.step_max,
            &mut self.step_min,
            &mut self.tokens,
            &mut self.flop,
            &mut self.step_tokens,
            &mut self.step_gpu_flop,
            &mut self.data_wait_s,
            &mut self.save_s,
            &mut self.restore_s,
            &mut self.straggler,
        ];
        own.into_iter().chain(self.badput_s.values_mut())
    }
}

/// Questions about training runs. Ranks and sources tell of the same run, so the greatest of them is the
/// run's: of its steps, and of its totals of tokens and operations.
pub(super) fn run_queries(step_ms: i64, step: &str, whole: &str) -> Vec<Planned> {
    let of = |function: &str, metric: &str, suffix: &str| {
        format!("max by (run) ({function}({}{{run!=\"\"}}[{step}]))", name(metric, suffix))
    };
    let now = |metric: &str| format!("max by (run) ({}{{run!=\"\"}})", name(metric, ""));
    // What is of one GPU is not the same on all of them: the run's is their mean times their number.
    let of_ranks = |metric: &str| format!("avg by (run) ({}{{run!=\"\"}})", name(metric, ""));
    let before = |metric: &str| {
        let metric = name(metric, "");
        format!("max by (run) (last_over_time({metric}{{run!=\"\"}}[{step}] offset {whole}))")
    };
    let save = name("training.checkpoint.save.duration", "_sum");
    let restore = name("training.checkpoint.restore.duration", "_sum");
    let rose = |by: &str, metric: &str, more: &str| {
        rises(step_ms, "max", by, &format!("{metric}{{run!=\"\"{more}}}"))
    };
    // A step's length without what comes between steps, else the mean of the distribution.
    let mean = |suffix: &str| of("rate", "training.step.time", suffix);
    let length =
        format!("({} or {} / {})", now("training.step.duration"), mean("_sum"), mean("_count"));
    let mut queries = standing(whole);
    queries.extend([
        range("run_step", of("last_over_time", "training.step", "")),
        at_end("run_step_before", before("training.step")),
        range("run_step_max", of("max_over_time", "training.step", "")),
        range("run_step_min", of("min_over_time", "training.step", "")),
        range("run_tokens", of("last_over_time", "training.tokens", "")),
        range("run_flop", of("last_over_time", "training.flops", "")),
        range("run_step_tokens", format!("{} * {length}", now("training.tokens.rate"))),
        range(
            "run_step_gpu_flop",
            format!(
                "({} or {} * {}) * {length}",
                of_ranks("training.flops.rate"),
                of_ranks("training.mfu"),
                of_ranks("training.mfu.peak"),
            ),
        ),
        range("run_badput", rose("run, type", &name("training.badput.time", ""), "")),
        range("run_data_wait", rose("run", &name("training.data.wait.time", ""), "")),
        range("run_save", rose("run", &save, ",phase!=\"background\"")),
        range("run_restore", rose("run", &restore, "")),
        range("run_straggler", of("avg_over_time", "training.straggler.ratio", "")),
    ]);
    queries
}

/// Questions for what does not change: shape and place.
fn standing(whole: &str) -> Vec<Planned> {
    let last = |metric: &str| format!("last_over_time({}{{run!=\"\"}}[{whole}])", name(metric, ""));
    let ranked = |metric: &str| {
        format!("last_over_time({}{{run!=\"\",rank!=\"\"}}[{whole}])", name(metric, ""))
    };
    let (info, step) = (last("training.run"), last("training.step"));
    let length = last("training.step.duration");
    // The top of the owners where somebody walked up to it, else the one that made the pod.
    let (workload, owner) = (name("k8s.pod.workload", ""), name("k8s.pod.owner", ""));
    let place = "run, namespace, pod, slurm_job_id";
    vec![
        at_end(
            "runs",
            format!("count by (run, model, world_size) ({info}) or count by (run) ({step})"),
        ),
        at_end(
            "run_ranks",
            format!("count by (run) (count by (run, rank) ({}))", ranked("training.step.duration")),
        ),
        at_end(
            "run_places",
            format!(
                "count by ({place}) ({length}) or count by ({place}) ({step}) \
                 or count by ({place}) ({info})"
            ),
        ),
        // A job is named as its run by most who start one.
        at_end(
            "run_workloads",
            format!(
                "(count by (namespace, pod, workload) (last_over_time({workload}[{whole}])) \
                 or label_replace(count by (namespace, pod, owner_name) \
                 (last_over_time({owner}[{whole}])), \"workload\", \"$1\", \"owner_name\", \"(.+)\")) \
                 and on (workload) label_replace(count by (run) ({info}) or count by (run) ({step}), \
                 \"workload\", \"$1\", \"run\", \"(.+)\")"
            ),
        ),
    ]
}

/// A field of a run.
type ColumnOf = fn(&mut BillRun) -> &mut Vec<Option<f64>>;

impl Reader<'_> {
    /// In order of name.
    pub(super) fn runs(&self, gpus: &[BillGpu]) -> Vec<BillRun> {
        let mut runs: BTreeMap<String, BillRun> = BTreeMap::new();
        for row in self.rows("runs") {
            let Some(run) = text(&row, "run") else { continue };
            let entry =
                runs.entry(run.clone()).or_insert_with(|| BillRun { run, ..BillRun::default() });
            entry.model = text(&row, "model").or(entry.model.take());
            let told = text(&row, "world_size").and_then(|ranks| ranks.parse().ok());
            // Where it changed, the greatest: a run of fewer ranks is then told as not seen whole.
            let told = told.filter(|ranks: &f64| *ranks >= 1.0);
            entry.ranks = told.into_iter().chain(entry.ranks).reduce(f64::max);
        }
        if runs.is_empty() {
            return Vec::new();
        }
        for row in self.rows("run_ranks") {
            let run = text(&row, "run").and_then(|run| runs.get_mut(&run));
            if let Some(run) = run.filter(|run| run.ranks.is_none()) {
                run.ranks = last(&row);
            }
        }
        for row in self.rows("run_step_before") {
            if let Some(run) = text(&row, "run").and_then(|run| runs.get_mut(&run)) {
                run.step_before = last(&row);
            }
        }
        self.follow(&mut runs);
        self.place(&mut runs, gpus);
        runs.into_values().collect()
    }

    /// What changes from step to step.
    fn follow(&self, runs: &mut BTreeMap<String, BillRun>) {
        let tracks: [(&str, ColumnOf); 11] = [
            ("run_step", |run| &mut run.step),
            ("run_step_max", |run| &mut run.step_max),
            ("run_step_min", |run| &mut run.step_min),
            ("run_tokens", |run| &mut run.tokens),
            ("run_flop", |run| &mut run.flop),
            ("run_step_tokens", |run| &mut run.step_tokens),
            ("run_step_gpu_flop", |run| &mut run.step_gpu_flop),
            ("run_data_wait", |run| &mut run.data_wait_s),
            ("run_save", |run| &mut run.save_s),
            ("run_restore", |run| &mut run.restore_s),
            ("run_straggler", |run| &mut run.straggler),
        ];
        for (key, column) in tracks {
            for row in self.rows(key) {
                if let Some(run) = text(&row, "run").and_then(|run| runs.get_mut(&run)) {
                    *column(run) = self.track(&row);
                }
            }
        }
        for row in self.rows("run_badput") {
            let run = text(&row, "run").and_then(|run| runs.get_mut(&run));
            if let Some((run, kind)) = run.zip(text(&row, "type")) {
                run.badput_s.insert(kind, self.track(&row));
            }
        }
    }

    /// Who holds the GPUs: whom the trainer's series name, else the pods of a workload of the run's
    /// name. Whom nothing shows on a GPU holds none: a collector's own pod is on its series too.
    fn place(&self, runs: &mut BTreeMap<String, BillRun>, gpus: &[BillGpu]) {
        let holds = gpus.iter().flat_map(|gpu| &gpu.holds);
        let known: BTreeSet<RunHolder> =
            holds.map(|hold| (hold.kind, hold.namespace.clone(), hold.pod.clone())).collect();
        let mut enter = |run: Option<String>, holder: Option<RunHolder>, method: &'static str| {
            let holder = holder.filter(|holder| known.contains(holder));
            let run = run.and_then(|run| runs.get_mut(&run));
            let Some((run, holder)) = run.zip(holder) else { return };
            if *run.method.get_or_insert(method) == method && !run.holders.contains(&holder) {
                run.holders.push(holder);
            }
        };
        for row in self.rows("run_places") {
            let job = text(&row, "slurm_job_id");
            let job = job.map(|job| (HolderKind::SlurmJob, super::holds::SLURM.to_owned(), job));
            let pod = text(&row, "namespace").zip(text(&row, "pod"));
            let pod = pod.map(|(namespace, pod)| (HolderKind::Pod, namespace, pod));
            enter(text(&row, "run"), job.or(pod), "label");
        }
        for row in self.rows("run_workloads") {
            let pod = text(&row, "namespace").zip(text(&row, "pod"));
            let pod = pod.map(|(namespace, pod)| (HolderKind::Pod, namespace, pod));
            enter(text(&row, "workload"), pod, "workload");
        }
        for run in runs.values_mut() {
            // Two workloads of one name: nothing tells which of them is the run.
            let namespaces: BTreeSet<_> = run.holders.iter().map(|(_, name, _)| name).collect();
            if run.method == Some("workload") && namespaces.len() > 1 {
                (run.method, run.holders) = (None, Vec::new());
            }
        }
    }
}
