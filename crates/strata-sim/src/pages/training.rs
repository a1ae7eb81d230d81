//! What trainers push over OpenTelemetry, as the Collector's Prometheus exporter writes it:
//! Megatron-LM's own instruments, and for what it has none those of a training hook under the
//! catalog's canonical names.

use super::text::{Style, Writer};
use crate::knob::RunKnob;
use crate::sim::Sim;
use crate::training::{MEMORY_MIB, Run};

/// What a family says of a run.
type Value = fn(&Run) -> f64;

pub(super) fn page(sim: &Sim) -> String {
    let mut writer = Writer::new(Style::Go);
    megatron(&mut writer, sim);
    hook(&mut writer, sim);
    waits(&mut writer, sim);
    per_rank(&mut writer, sim);
    writer.finish()
}

/// Instruments of `megatron.training.*`: one process, the last rank, reports for the run.
fn megatron(writer: &mut Writer, sim: &Sim) {
    let name = "megatron_training_step_duration_ms_milliseconds";
    writer.family(name, "histogram", "Duration of a training step.");
    for run in &sim.runs {
        writer.histogram(name, &[("nemo_run_id", &run.name)], &run.steps);
    }
    let gauges: [(&str, &str, Value); 6] = [
        ("loss", "Training loss.", |run| run.learning.loss),
        ("grad_norm", "Gradient norm.", |run| run.learning.gradient_norm),
        ("learning_rate", "Learning rate.", |run| run.learning.rate),
        ("throughput_tflops", "Throughput per GPU.", |run| run.flops_per_second() / 1e12),
        ("tokens_per_sec", "Tokens per second.", |run| {
            let tokens = run.knobs.get(RunKnob::TokensPerRank) * run.ranks.len() as f64;
            if run.step_seconds > 0.0 { tokens / run.step_seconds } else { 0.0 }
        }),
        ("memory_allocated_gb", "Allocated memory.", |_| MEMORY_MIB * 0.93 * 1_048_576.0 / 1e9),
    ];
    for (field, about, value) in gauges {
        let name = format!("megatron_training_{field}");
        writer.family(&name, "gauge", about);
        // Before its first step a run has nothing to report.
        for run in sim.runs.iter().filter(|run| run.step_seconds > 0.0) {
            writer.sample(&name, &[("nemo_run_id", &run.name)], value(run));
        }
    }
    let name = "megatron_training_skipped_iters_total";
    writer.family(name, "counter", "Skipped iterations.");
    for run in &sim.runs {
        writer.sample(name, &[("nemo_run_id", &run.name)], 0.0);
    }
}

fn hook(writer: &mut Writer, sim: &Sim) {
    let name = "training_run_info";
    writer.family(name, "gauge", "A training run and its shape.");
    for run in &sim.runs {
        let ranks = run.ranks.len().to_string();
        let labels = [
            ("dp", ranks.as_str()),
            ("framework", "megatron"),
            ("model", "vl-7b"),
            ("precision", "bf16"),
            ("run", &run.name),
            ("world_size", &ranks),
        ];
        writer.sample(name, &labels, 1.0);
    }
    let of_run = |run: &'_ Run| -> [(&'static str, String); 3] {
        [
            ("framework", "megatron".to_owned()),
            ("run", run.name.clone()),
            ("source", "otlp".to_owned()),
        ]
    };
    let fields: [(&str, &str, &str, Value); 6] = [
        ("training_step", "gauge", "Number of the last step.", |run| run.step as f64),
        (
            "training_checkpoint_last_step",
            "gauge",
            "Step of the last complete checkpoint.",
            |run| run.last_checkpoint as f64,
        ),
        ("training_checkpoint_size_bytes", "gauge", "Size of a checkpoint.", |run| {
            run.knobs.get(RunKnob::CheckpointBytes)
        }),
        ("training_goodput_ratio", "gauge", "Share of time that became progress.", Run::goodput),
        ("training_nan_count_total", "counter", "Steps with NaN in loss or gradient.", |_| 0.0),
        ("training_tokens_total", "counter", "Tokens trained on.", |run| run.learning.tokens),
    ];
    for (name, kind, about, value) in fields {
        writer.family(name, kind, about);
        for run in &sim.runs {
            let owned = of_run(run);
            let labels = owned.each_ref().map(|(name, value)| (*name, value.as_str()));
            writer.sample(name, &labels, value(run));
        }
    }
    let name = "training_mfu_ratio";
    writer.family(name, "gauge", "Model FLOPs utilization.");
    for run in sim.runs.iter().filter(|run| run.step_seconds > 0.0) {
        let labels = [
            ("convention", "palm"),
            ("framework", "megatron"),
            ("run", &run.name),
            ("source", "otlp"),
        ];
        writer.sample(name, &labels, run.mfu());
    }
}

/// Where time went that did not become progress.
fn waits(writer: &mut Writer, sim: &Sim) {
    let name = "training_badput_time_seconds_total";
    writer.family(name, "counter", "Unproductive time by type.");
    for run in &sim.runs {
        let lost = [
            ("checkpoint_save", run.lost_to_checkpoints),
            ("data_loading", run.lost_to_data),
            ("straggler_wait", run.lost_to_stragglers),
        ];
        for (kind, seconds) in lost {
            let labels = [("framework", "megatron"), ("run", &run.name), ("type", kind)];
            writer.sample(name, &labels, seconds);
        }
    }
    let name = "training_checkpoint_save_duration_seconds";
    writer.family(name, "histogram", "Time to save a checkpoint.");
    for run in &sim.runs {
        let labels = [
            ("framework", "megatron"),
            ("phase", "blocking"),
            ("run", &run.name),
            ("source", "otlp"),
        ];
        writer.histogram(name, &labels, &run.saves);
    }
}

fn per_rank(writer: &mut Writer, sim: &Sim) {
    let fields: [(&str, &str, &str); 3] = [
        ("training_step_duration_seconds", "gauge", "Duration of the last training step."),
        ("training_data_wait_seconds", "gauge", "Time the last step waited for data."),
        ("training_data_wait_time_seconds_total", "counter", "Time spent waiting for data in all."),
    ];
    for (name, kind, about) in fields {
        writer.family(name, kind, about);
        for (run, place) in sim.runs.iter().zip(&sim.layout.runs) {
            if run.step_seconds <= 0.0 {
                continue;
            }
            for (number, (rank, gpu)) in run.ranks.iter().zip(&place.gpus).enumerate() {
                let value = match kind {
                    "counter" => rank.data_wait_seconds,
                    _ if name.starts_with("training_data") => rank.data_wait,
                    _ => run.step_seconds,
                };
                let number = number.to_string();
                let labels = [
                    ("framework", "megatron"),
                    ("node", sim.layout.nodes[sim.layout.node_of(*gpu)].as_str()),
                    ("rank", &number),
                    ("run", &run.name),
                    ("source", "otlp"),
                ];
                writer.sample(name, &labels, value);
            }
        }
    }
}
