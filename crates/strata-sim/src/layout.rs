//! The cluster: which machines there are, what runs on them, for whom. Sound parts throughout;
//! a scenario changes them.

use crate::hardware::{H100, LARGE, ModelShape, SMALL};
use crate::rng;

/// Nodes and GPUs of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub nodes: usize,
    pub gpus_per_node: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { nodes: 2, gpus_per_node: 8 }
    }
}

/// Most GPUs of one simulated cluster: what the largest published training runs had.
pub const GPUS_MAX: usize = 32_768;
/// GPUs of one machine; more are not built.
pub const GPUS_PER_NODE_MAX: usize = 16;
/// Nodes of one training run; more nodes are more runs.
const RUN_NODES_MAX: usize = 16;

impl Size {
    /// Nodes of `gpus_per_node` that have `gpus` together.
    pub fn of_gpus(gpus: usize, gpus_per_node: usize) -> Self {
        Self { nodes: gpus.div_ceil(gpus_per_node.max(1)), gpus_per_node }
    }

    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn check(self) -> Result<Self, String> {
        if self.nodes == 0 || self.gpus_per_node == 0 {
            return Err("a cluster has at least one node and one GPU in it".to_owned());
        }
        if self.gpus_per_node > GPUS_PER_NODE_MAX {
            return Err(format!("a node has at most {GPUS_PER_NODE_MAX} GPUs"));
        }
        if self.nodes * self.gpus_per_node > GPUS_MAX {
            return Err(format!("more than {GPUS_MAX} GPUs are not simulated"));
        }
        Ok(self)
    }
}

/// A served model.
pub(crate) struct Served {
    pub(crate) shape: ModelShape,
    pub(crate) tp: usize,
    pub(crate) team: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) workload: &'static str,
    /// Share of the GPU memory the engine may use.
    pub(crate) memory_share: f64,
    /// What the engines run with: sequences and tokens of a step.
    pub(crate) limits: (f64, f64),
}

pub(crate) const SERVED: [Served; 2] = [
    Served {
        shape: SMALL,
        tp: 1,
        team: "assistants",
        namespace: "assistants",
        workload: "chat-8b",
        memory_share: 0.55,
        limits: (128.0, 4096.0),
    },
    Served {
        shape: LARGE,
        tp: 2,
        team: "agents",
        namespace: "agents",
        workload: "reason-32b",
        memory_share: 0.80,
        limits: (128.0, 4096.0),
    },
];

/// Where a replica runs.
#[derive(Debug, Clone)]
pub(crate) struct ReplicaPlace {
    pub(crate) name: String,
    pub(crate) served: usize,
    pub(crate) node: usize,
    /// Indices of GPUs in the whole cluster.
    pub(crate) gpus: Vec<usize>,
}

/// Where a training run runs: the GPU of each rank.
#[derive(Debug, Clone)]
pub(crate) struct RunPlace {
    pub(crate) name: String,
    pub(crate) gpus: Vec<usize>,
}

/// Everything there is and where.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) size: Size,
    pub(crate) nodes: Vec<String>,
    pub(crate) replicas: Vec<ReplicaPlace>,
    pub(crate) runs: Vec<RunPlace>,
    /// GPUs that short jobs share one after the other.
    pub(crate) batch: Vec<usize>,
}

/// The queue of short jobs.
pub(crate) const BATCH: &str = "evals";

impl Layout {
    /// Half of the GPUs of each node train, of every eight the last is for short jobs; of the others
    /// every fourth pair serves the large model and the rest the small one. A replica never straddles
    /// nodes.
    pub(crate) fn of(size: Size) -> Self {
        let per_node = size.gpus_per_node;
        let train = if per_node >= 4 { per_node / 2 } else { 0 };
        let large = (per_node - train) / 4;
        let shared = per_node / 8;
        let nodes: Vec<String> = (1..=size.nodes).map(|n| format!("gpu-node-{n}")).collect();
        let mut replicas = Vec::new();
        let mut counts = [0usize; 2];
        for node in 0..size.nodes {
            let mut next = node * per_node + train;
            let end = (node + 1) * per_node - shared;
            for place in 0.. {
                let served = usize::from(place < large);
                let width = SERVED[served].tp;
                if next + width > end {
                    break;
                }
                let name = format!("{}-{}", SERVED[served].workload, counts[served]);
                counts[served] += 1;
                let gpus = (next..next + width).collect();
                replicas.push(ReplicaPlace { name, served, node, gpus });
                next += width;
            }
        }
        let all: Vec<usize> = (0..size.nodes).collect();
        let chunks = all.chunks(RUN_NODES_MAX).enumerate().filter(|_| train > 0);
        let runs = chunks.map(|(number, nodes)| {
            let gpus = nodes.iter().flat_map(|node| node * per_node..node * per_node + train);
            let name = match number {
                0 => "pretrain-vl-7b".to_owned(),
                number => format!("pretrain-vl-7b-{}", number + 1),
            };
            RunPlace { name, gpus: gpus.collect() }
        });
        let runs = runs.collect();
        let batch = (0..size.nodes).flat_map(|node| {
            let end = (node + 1) * per_node;
            end - shared..end
        });
        let batch = batch.collect();
        Self { size, nodes, replicas, runs, batch }
    }

    pub(crate) fn gpu_count(&self) -> usize {
        self.size.nodes * self.size.gpus_per_node
    }

    pub(crate) fn node_of(&self, gpu: usize) -> usize {
        gpu / self.size.gpus_per_node
    }

    pub(crate) fn index_on_node(&self, gpu: usize) -> usize {
        gpu % self.size.gpus_per_node
    }
}

pub(crate) fn replica_defaults(served: &Served) -> Vec<f64> {
    let tokens = served.shape.kv_capacity(&H100, served.tp as f64, served.memory_share);
    let blocks = (tokens / crate::engine::BLOCK as f64).floor();
    vec![blocks, served.limits.0, served.limits.1, 8.0, 1.0]
}

/// 25 degrees in, 0.06 K/W: an air-cooled SXM module at 700 W settles at 67 degrees. Corrected
/// memory errors happen about once in a thousand hours.
pub(crate) fn gpu_defaults() -> Vec<f64> {
    vec![1.0, 1.0, H100.power_limit, 25.0, 0.06, 0.001, 0.0, H100.nvlink]
}

/// 64 processors, a local `NVMe` disk of 6 GB/s and 0.15 ms, 100 Gb/s to clients at 4 ms.
pub(crate) const NODE_PROCESSORS: usize = 64;
/// Bytes of memory of a node.
pub(crate) const NODE_MEMORY: f64 = 1_099_511_627_776.0;

pub(crate) fn node_defaults() -> Vec<f64> {
    vec![NODE_PROCESSORS as f64, 1.5, 6.0e9, 0.15e-3, 12.5e9, 2e-5, 4e-3, 24.0e9]
}

/// One 400 Gb/s port.
pub(crate) fn link_defaults() -> Vec<f64> {
    vec![50.0e9]
}

/// Four sequences of 4096 tokens a rank and step; 128 MB of images with them, by eight readers; a
/// checkpoint of 14 bytes a parameter every 400 steps.
pub(crate) fn run_defaults() -> Vec<f64> {
    vec![16_384.0, 128.0e6, 8.0, 400.0, 98.0e9, 0.8]
}

/// Twelve jobs of four minutes an hour on each GPU, which leaves some waiting; the quota is two
/// more than there is room for. A program slips once in twenty minutes of running.
pub(crate) fn batch_defaults(gpus: usize) -> Vec<f64> {
    vec![12.0 * gpus as f64, 240.0, 3.0, gpus as f64 + 2.0]
}

pub(crate) fn rank_defaults() -> Vec<f64> {
    vec![1.0]
}

/// A UUID that a name decides, in the form of NVML and Kubernetes.
pub(crate) fn uuid(name: &str) -> String {
    let high = rng::hash(name);
    let low = rng::hash(&format!("{name}/low"));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knob::Kind;

    #[test]
    fn every_gpu_has_at_most_one_owner_and_replicas_stay_on_their_node() {
        for (nodes, gpus_per_node) in [(1, 1), (1, 2), (2, 8), (3, 5), (40, 8), (1, 16)] {
            let layout = Layout::of(Size { nodes, gpus_per_node }.check().unwrap());
            let mut owners = vec![0; layout.gpu_count()];
            for replica in &layout.replicas {
                assert_eq!(replica.gpus.len(), SERVED[replica.served].tp);
                for gpu in &replica.gpus {
                    owners[*gpu] += 1;
                    assert_eq!(layout.node_of(*gpu), replica.node);
                }
            }
            for gpu in layout.runs.iter().flat_map(|run| &run.gpus).chain(&layout.batch) {
                owners[*gpu] += 1;
            }
            assert!(owners.iter().all(|count| *count <= 1), "{nodes} x {gpus_per_node}");
            assert!(owners.contains(&1));
        }
    }

    #[test]
    fn defaults_are_complete_and_within_bounds() {
        let check = |kind: Kind, values: Vec<f64>| {
            assert_eq!(values.len(), kind.knobs().len(), "{}", kind.name());
            for (knob, value) in kind.knobs().iter().zip(values) {
                assert!((knob.bounds.0..=knob.bounds.1).contains(&value), "{}", knob.name);
            }
        };
        for tenant in &crate::workload::TENANTS {
            check(Kind::Tenant, crate::workload::tenant_defaults(tenant, 4));
        }
        for served in &SERVED {
            check(Kind::Replica, replica_defaults(served));
        }
        check(Kind::Gpu, gpu_defaults());
        check(Kind::Node, node_defaults());
        check(Kind::Link, link_defaults());
        check(Kind::Run, run_defaults());
        check(Kind::Rank, rank_defaults());
        check(Kind::Batch, batch_defaults(2));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert_eq!(Size::of_gpus(1000, 8), Size { nodes: 125, gpus_per_node: 8 });
        assert!(Size { nodes: 0, gpus_per_node: 8 }.check().is_err());
        assert!(Size { nodes: 1, gpus_per_node: 99 }.check().is_err());
        assert!(Size { nodes: 100_000, gpus_per_node: 8 }.check().is_err());
    }
}
