//! Collectives of a node's ranks: NCCL Inspector's file as a page, and beside it what a profiler
//! plugin tells that Inspector does not (durations as histograms, skew, blame), under the catalog's
//! canonical names.

use super::gpu_uuid;
use super::text::{Style, Writer};
use crate::sim::Sim;
use crate::training::{COLLECTIVES, Rank, Run};

/// A rank of the node.
struct Member<'a> {
    run: &'a Run,
    rank: &'a Rank,
    number: usize,
    nodes: usize,
    gpu: usize,
}

pub(super) fn page(sim: &Sim, node: usize) -> String {
    let mut members = Vec::new();
    for (run, place) in sim.runs.iter().zip(&sim.layout.runs) {
        let mut nodes: Vec<usize> = place.gpus.iter().map(|gpu| sim.layout.node_of(*gpu)).collect();
        nodes.dedup();
        for (number, (rank, gpu)) in run.ranks.iter().zip(&place.gpus).enumerate() {
            // Before the first collective there is nothing to tell.
            if sim.layout.node_of(*gpu) == node && rank.mean_duration[0] > 0.0 {
                members.push(Member { run, rank, number, nodes: nodes.len(), gpu: *gpu });
            }
        }
    }
    let mut writer = Writer::new(Style::Go);
    inspector(&mut writer, sim, &members);
    plugin(&mut writer, sim, &members);
    skew(&mut writer, &members);
    writer.finish()
}

fn communicator(run: &Run) -> String {
    format!("{}/dp", run.name)
}

/// Bytes of one collective and what turns its algorithm bandwidth into bus bandwidth:
/// (n - 1) / n for both kinds (nccl-tests, doc/PERFORMANCE.md).
fn message(member: &Member<'_>) -> (f64, f64) {
    let ranks = member.run.ranks.len() as f64;
    (member.run.message_bytes / crate::training::BUCKETS as f64, (ranks - 1.0) / ranks)
}

fn inspector(writer: &mut Writer, sim: &Sim, members: &[Member<'_>]) {
    let families = [
        ("nccl_bus_bandwidth_gbs", "gauge", "NCCL bus bandwidth in GB/s"),
        (
            "nccl_collective_exec_time_microseconds",
            "gauge",
            "NCCL collective execution time in microseconds",
        ),
        ("nccl_collectives_total", "counter", "NCCL collectives recorded"),
    ];
    for (name, kind, about) in families {
        writer.family(name, kind, about);
        for member in members {
            let (bytes, factor) = message(member);
            let gigabytes = (bytes / 1e9).floor();
            let texts = [
                format!("GPU{}", sim.layout.index_on_node(member.gpu)),
                communicator(member.run),
                member.nodes.to_string(),
                member.run.ranks.len().to_string(),
                format!("{gigabytes}-{}GB", gigabytes + 1.0),
                member.number.to_string(),
            ];
            let [gpu, comm, nodes, ranks, size, number] = &texts;
            for (place, collective) in COLLECTIVES.iter().enumerate() {
                let mean = member.rank.mean_duration[place];
                let value = match name {
                    "nccl_bus_bandwidth_gbs" => bytes * factor / mean / 1e9,
                    "nccl_collectives_total" => member.rank.collectives[place] as f64,
                    _ => mean * 1e6,
                };
                let labels = [
                    ("version", "v4.3"),
                    ("node", sim.layout.nodes[sim.layout.node_of(member.gpu)].as_str()),
                    ("gpu", gpu),
                    ("rank", number),
                    ("comm_name", comm),
                    ("n_nodes", nodes),
                    ("nranks", ranks),
                    ("collective", collective),
                    ("message_size", size),
                    ("algo_proto", "RING_SIMPLE"),
                ];
                writer.sample(name, &labels, value);
            }
        }
    }
}

fn plugin(writer: &mut Writer, sim: &Sim, members: &[Member<'_>]) {
    let name = "nccl_communicator_info";
    writer.family(name, "gauge", "A communicator and the rank a process has in it.");
    for member in members {
        let labels = [
            ("comm", communicator(member.run)),
            ("comm_name", communicator(member.run)),
            ("gpu_uuid", gpu_uuid(sim, member.gpu)),
            ("nodes", member.nodes.to_string()),
            ("rank", member.number.to_string()),
            ("ranks", member.run.ranks.len().to_string()),
        ];
        writer.sample(name, &labels.each_ref().map(|(name, value)| (*name, value.as_str())), 1.0);
    }
    let name = "nccl_collective_duration_seconds";
    writer.family(name, "histogram", "Time one rank was inside a collective on its GPU.");
    for member in members {
        for (collective, durations) in COLLECTIVES.iter().zip(&member.rank.durations) {
            let texts =
                [communicator(member.run), gpu_uuid(sim, member.gpu), member.number.to_string()];
            let [comm, uuid, number] = &texts;
            let labels = [
                ("collective", *collective),
                ("comm", comm),
                ("gpu_uuid", uuid),
                ("rank", number),
                ("source", "gpu"),
            ];
            writer.histogram(name, &labels, durations);
        }
    }
    let name = "nccl_algorithm_bandwidth_bytes_per_second";
    writer.family(name, "gauge", "Message bytes over duration.");
    for member in members {
        let (bytes, _) = message(member);
        for (place, collective) in COLLECTIVES.iter().enumerate() {
            let number = member.number.to_string();
            let comm = communicator(member.run);
            let labels = [("collective", *collective), ("comm", &comm), ("rank", &number)];
            writer.sample(name, &labels, bytes / member.rank.mean_duration[place]);
        }
    }
    let name = "nccl_rank_blame_time_seconds_total";
    writer.family(name, "counter", "Waiting a rank inflicted on the others by arriving last.");
    for member in members {
        let texts =
            [communicator(member.run), gpu_uuid(sim, member.gpu), member.number.to_string()];
        let [comm, uuid, number] = &texts;
        for (cause, seconds) in [("gpu", member.rank.blame_gpu), ("host", member.rank.blame_host)] {
            let labels = [("cause", cause), ("comm", comm), ("gpu_uuid", uuid), ("rank", number)];
            writer.sample(name, &labels, seconds);
        }
    }
}

/// What is known of a communicator as a whole; the node of its first rank tells it.
fn skew(writer: &mut Writer, members: &[Member<'_>]) {
    let name = "nccl_collective_skew_seconds";
    writer.family(name, "histogram", "Spread of the ranks' arrival at a collective.");
    for member in members.iter().filter(|member| member.number == 0) {
        writer.histogram(name, &[("comm", &communicator(member.run))], &member.run.skew);
    }
}
