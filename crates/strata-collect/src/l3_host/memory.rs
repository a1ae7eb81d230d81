//! Memory, swap, huge pages and paging: `/proc/meminfo` and `/proc/vmstat`.

use std::path::PathBuf;
use std::sync::Arc;

use strata_model::FaultCode;

use super::fields::values_of;
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

const MEMINFO_KEYS: [&str; 16] = [
    "MemTotal",
    "MemFree",
    "MemAvailable",
    "Buffers",
    "Cached",
    "SReclaimable",
    "SUnreclaim",
    "Shmem",
    "Dirty",
    "Writeback",
    "SwapTotal",
    "SwapFree",
    "HugePages_Total",
    "HugePages_Free",
    "Hugepagesize",
    "HugePages_Rsvd",
];

const VMSTAT_KEYS: [&str; 5] = ["pgfault", "pgmajfault", "pswpin", "pswpout", "oom_kill"];

const KIB: f64 = 1024.0;

const SHAPES: [Shape; 28] = [
    shape(names::MEMORY_USAGE, &[("state", "used")]),
    shape(names::MEMORY_USAGE, &[("state", "free")]),
    shape(names::MEMORY_USAGE, &[("state", "buffers")]),
    shape(names::MEMORY_USAGE, &[("state", "cached")]),
    shape(names::MEMORY_UTILIZATION, &[("state", "used")]),
    shape(names::MEMORY_UTILIZATION, &[("state", "free")]),
    shape(names::MEMORY_UTILIZATION, &[("state", "buffers")]),
    shape(names::MEMORY_UTILIZATION, &[("state", "cached")]),
    plain(names::MEMORY_LIMIT),
    plain(names::MEMORY_AVAILABLE),
    plain(names::MEMORY_SHARED),
    shape(names::MEMORY_SLAB, &[("state", "reclaimable")]),
    shape(names::MEMORY_SLAB, &[("state", "unreclaimable")]),
    plain(names::MEMORY_DIRTY),
    plain(names::MEMORY_WRITEBACK),
    shape(names::PAGING_USAGE, &[("state", "used")]),
    shape(names::PAGING_USAGE, &[("state", "free")]),
    shape(names::PAGING_UTILIZATION, &[("state", "used")]),
    shape(names::PAGING_UTILIZATION, &[("state", "free")]),
    plain(names::HUGEPAGES_LIMIT),
    shape(names::HUGEPAGES_USAGE, &[("state", "used")]),
    shape(names::HUGEPAGES_USAGE, &[("state", "free")]),
    plain(names::HUGEPAGES_SIZE),
    shape(names::PAGING_FAULTS, &[("type", "major")]),
    shape(names::PAGING_FAULTS, &[("type", "minor")]),
    shape(names::PAGING_OPERATIONS, &[("direction", "in")]),
    shape(names::PAGING_OPERATIONS, &[("direction", "out")]),
    plain(names::OOM_KILLS),
];
const FIRST_OF_VMSTAT: usize = 23;

/// Reads the memory of the whole host.
pub(super) struct Memory {
    meminfo: PathBuf,
    vmstat: PathBuf,
    reader: FileReader,
    series: SeriesSet,
}

impl Memory {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            meminfo: root.path("proc/meminfo"),
            vmstat: root.path("proc/vmstat"),
            reader: FileReader::default(),
            series: SeriesSet::new(&SHAPES, node, &[]),
        }
    }
}

impl Part for Memory {
    fn id(&self) -> &'static str {
        "host/memory"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let file = self
            .reader
            .read(&self.meminfo)
            .map_err(|error| error.fatal("mount the host's /proc and name it with --host-root"))?;
        let values = meminfo_values(file);
        if values[8].is_none() {
            round.fault(FaultCode::Malformed, "/proc/meminfo: no MemTotal");
        }
        for (index, value) in values.into_iter().enumerate() {
            round.emit_known(self.series.get(index), value);
        }
        match self.reader.read(&self.vmstat) {
            Ok(file) => {
                for (index, value) in vmstat_values(file).into_iter().enumerate() {
                    round.emit_known(self.series.get(FIRST_OF_VMSTAT + index), value);
                }
            }
            Err(error) => round.unreadable(&error),
        }
        Ok(())
    }
}

/// In the order of [`SHAPES`]; what a line is missing for is unknown.
fn meminfo_values(file: &[u8]) -> [Option<f64>; FIRST_OF_VMSTAT] {
    let raw = values_of(file, 0, &MEMINFO_KEYS).map(|value| value.map(|value| value as f64));
    let [total, free, available, buffers, cached, reclaimable, unreclaimable, shared, ..] = raw;
    let [.., dirty, writeback, swap_total, swap_free, huge_total, huge_free, huge_size, _] = raw;
    let bytes = |kib: Option<f64>| kib.map(|value| value * KIB);
    let less = |whole: Option<f64>, part: Option<f64>| Some((whole? - part?).max(0.0));
    let share = |part: Option<f64>, whole: Option<f64>| {
        let whole = whole.filter(|whole| *whole > 0.0)?;
        Some(part? / whole)
    };
    let page_cache = cached.map(|cached| cached + reclaimable.unwrap_or(0.0));
    let used = (|| Some((total? - free? - buffers? - page_cache?).max(0.0)))();
    let swap_used = less(swap_total, swap_free);
    [
        bytes(used),
        bytes(free),
        bytes(buffers),
        bytes(page_cache),
        share(used, total),
        share(free, total),
        share(buffers, total),
        share(page_cache, total),
        bytes(total),
        bytes(available),
        bytes(shared),
        bytes(reclaimable),
        bytes(unreclaimable),
        bytes(dirty),
        bytes(writeback),
        bytes(swap_used),
        bytes(swap_free),
        share(swap_used, swap_total),
        share(swap_free, swap_total),
        huge_total,
        less(huge_total, huge_free),
        huge_free,
        bytes(huge_size),
    ]
}

fn vmstat_values(file: &[u8]) -> [Option<f64>; 5] {
    let [faults, major, swapped_in, swapped_out, oom_kills] =
        values_of(file, 0, &VMSTAT_KEYS).map(|value| value.map(|value| value as f64));
    let minor = (|| Some((faults? - major?).max(0.0)))();
    [major, minor, swapped_in, swapped_out, oom_kills]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_add_up_to_the_total() {
        let file = b"MemTotal: 1000 kB\nMemFree: 400 kB\nMemAvailable: 700 kB\nBuffers: 50 kB\n\
                     Cached: 200 kB\nSReclaimable: 30 kB\n";
        let values = meminfo_values(file);
        assert_eq!(values[0], Some(320.0 * KIB));
        assert_eq!(values[..4].iter().flatten().sum::<f64>(), 1000.0 * KIB);
        assert_eq!(values[9], Some(700.0 * KIB));
    }

    #[test]
    fn no_swap_is_no_utilization() {
        let values = meminfo_values(b"MemTotal: 1 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
        assert_eq!(values[15], Some(0.0));
        assert_eq!(values[17], None);
        assert_eq!(values[0], None, "used needs the other lines");
    }
}
