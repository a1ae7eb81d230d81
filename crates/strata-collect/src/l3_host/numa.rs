//! Memory and allocations per NUMA node: `/sys/devices/system/node/node*`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use strata_model::SourceState;

use super::fields::values_of;
use super::names;
use super::part::{Part, Round, absent};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, shape};
use crate::collector::CollectError;

/// `MAX_NUMNODES` of x86 kernels.
const NODES_MAX: usize = 1024;

const STAT_KEYS: [&str; 6] =
    ["numa_hit", "numa_miss", "numa_foreign", "interleave_hit", "local_node", "other_node"];

const SHAPES: [Shape; 8] = [
    shape(names::NUMA_MEMORY, &[("state", "used")]),
    shape(names::NUMA_MEMORY, &[("state", "free")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "numa_hit")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "numa_miss")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "numa_foreign")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "interleave_hit")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "local_node")]),
    shape(names::NUMA_ALLOCATIONS, &[("kind", "other_node")]),
];

/// Reads every NUMA node. Nodes do not come and go while a host runs, so they are listed once.
pub(super) struct Numa {
    folder: PathBuf,
    node: Arc<str>,
    reader: FileReader,
    nodes: Vec<NumaNode>,
}

struct NumaNode {
    meminfo: PathBuf,
    numastat: PathBuf,
    series: SeriesSet,
}

impl Numa {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        let folder = root.path("sys/devices/system/node");
        Self { folder, node: Arc::clone(node), reader: FileReader::default(), nodes: Vec::new() }
    }

    fn list(&self) -> Vec<NumaNode> {
        let mut indices: Vec<u32> = super::listing::names(&self.folder, NODES_MAX)
            .filter_map(|name| name.strip_prefix("node")?.parse().ok())
            .collect();
        indices.sort_unstable();
        let node = |index: u32| {
            let folder = self.folder.join(format!("node{index}"));
            let identity = [("numa_node", &*index.to_string())];
            NumaNode {
                meminfo: folder.join("meminfo"),
                numastat: folder.join("numastat"),
                series: SeriesSet::new(&SHAPES, &self.node, &identity),
            }
        };
        indices.into_iter().map(node).collect()
    }
}

impl Part for Numa {
    fn id(&self) -> &'static str {
        "host/numa"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        if self.nodes.is_empty() {
            self.nodes = self.list();
        }
        if self.nodes.is_empty() {
            let message = "the kernel lists no NUMA nodes";
            return Err(absent(SourceState::Unsupported, message, ""));
        }
        for node in &self.nodes {
            match self.reader.read(&node.meminfo) {
                Ok(file) => {
                    let values = values_of(file, 2, &["MemUsed", "MemFree"]);
                    for (index, value) in values.into_iter().enumerate() {
                        let bytes = value.map(|kib| kib as f64 * 1024.0);
                        round.emit_known(node.series.get(index), bytes);
                    }
                }
                Err(error) => round.unreadable(&error),
            }
            match self.reader.read_small(&node.numastat) {
                Ok(file) => {
                    for (index, value) in values_of(file, 0, &STAT_KEYS).into_iter().enumerate() {
                        round.emit_known(node.series.get(2 + index), value.map(|v| v as f64));
                    }
                }
                Err(error) => round.unreadable(&error),
            }
        }
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        Duration::from_secs(15)
    }
}
