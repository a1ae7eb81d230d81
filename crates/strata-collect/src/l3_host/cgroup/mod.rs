//! Pressure, processor time, memory and disk traffic of control groups (v2).

mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use strata_model::SourceState;

use super::fields::{lines, number, text, values_of, words};
use super::names;
use super::part::{Part, Round, absent};
use super::pressure;
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;
use walk::{Found, Rank, find, unified};

/// Groups come and go with their containers; they are looked for this often.
const WALK_INTERVAL_MS: i64 = 30_000;

/// Block devices of one group.
const DEVICES_MAX: usize = 64;

const HINT: &str = "mount the unified hierarchy (cgroup v2), systemd.unified_cgroup_hierarchy=1";

const OOM: [Shape; 1] = [plain(names::OOM_KILLS)];

const CONTAINER: [Shape; 6] = [
    plain(names::CONTAINER_CPU_TIME),
    plain(names::CONTAINER_THROTTLED),
    plain(names::CONTAINER_MEMORY),
    plain(names::CONTAINER_WORKING_SET),
    plain(names::CONTAINER_RSS),
    plain(names::CONTAINER_MEMORY_LIMIT),
];

const DISK: [Shape; 2] = [
    shape(names::CONTAINER_DISK_IO, &[("direction", "read")]),
    shape(names::CONTAINER_DISK_IO, &[("direction", "write")]),
];

/// Reads the chosen control groups.
pub(super) struct Cgroups {
    mounted: PathBuf,
    block: PathBuf,
    node: Arc<str>,
    limit: usize,
    reader: FileReader,
    walked_ms: Option<i64>,
    unified: Option<PathBuf>,
    groups: Vec<Group>,
}

struct Group {
    found: Found,
    pressure: [PathBuf; pressure::RESOURCES.len()],
    events: PathBuf,
    pressure_series: SeriesSet,
    oom: SeriesSet,
    container: Option<Container>,
}

/// What is read of containers only: pods and slices are the sums of what is below them.
struct Container {
    cpu_stat: PathBuf,
    memory_current: PathBuf,
    memory_stat: PathBuf,
    memory_max: PathBuf,
    io_stat: PathBuf,
    series: SeriesSet,
    disks: Seen<SeriesSet>,
}

impl Cgroups {
    /// Reads `limit` groups at most.
    pub(super) fn new(root: &HostRoot, node: &Arc<str>, limit: usize) -> Self {
        Self {
            mounted: root.path("sys/fs/cgroup"),
            block: root.path("sys/dev/block"),
            node: Arc::clone(node),
            limit,
            reader: FileReader::default(),
            walked_ms: None,
            unified: None,
            groups: Vec::new(),
        }
    }

    fn walk(&mut self, round: &mut Round) {
        self.unified = unified(&self.mounted);
        let Some(root) = &self.unified else { return };
        let (found, beyond) = find(root, self.limit);
        round.over_limit("control groups", self.limit, beyond);
        let mut before = std::mem::take(&mut self.groups);
        for found in found {
            let known = before.iter().position(|group| group.found == found);
            let group = match known {
                Some(index) => before.swap_remove(index),
                None => Group::new(found, &self.node),
            };
            self.groups.push(group);
        }
    }
}

impl Group {
    fn new(found: Found, node: &str) -> Self {
        let file = |name: &str| found.folder.join(name);
        let identity = found.owner.labels();
        let [_, pod_uid, container_id] = identity;
        let container = (found.rank == Rank::Container).then(|| Container {
            cpu_stat: file("cpu.stat"),
            memory_current: file("memory.current"),
            memory_stat: file("memory.stat"),
            memory_max: file("memory.max"),
            io_stat: file("io.stat"),
            series: SeriesSet::new(&CONTAINER, node, &[pod_uid, container_id]),
            disks: Seen::new(DEVICES_MAX),
        });
        Self {
            pressure: pressure::RESOURCES.map(|resource| file(&format!("{resource}.pressure"))),
            events: file("memory.events"),
            pressure_series: SeriesSet::new(&pressure::SHAPES, node, &identity),
            oom: SeriesSet::new(&OOM, node, &identity),
            container,
            found,
        }
    }

    fn read(&mut self, reader: &mut FileReader, round: &mut Round) {
        for (index, path) in self.pressure.iter().enumerate() {
            // A group that ended since the last walk, or a kernel without pressure.
            let Ok(file) = reader.read_small(path) else { continue };
            pressure::emit(file, &self.pressure_series, index * 2, round);
        }
        if let Ok(file) = reader.read_small(&self.events) {
            let [kills] = values_of(file, 0, &["oom_kill"]);
            round.emit_known(self.oom.get(0), kills.map(|kills| kills as f64));
        }
    }
}

impl Container {
    fn read(&mut self, reader: &mut FileReader, round: &mut Round) {
        let micros = |value: Option<u64>| value.map(|micros| micros as f64 / 1e6);
        if let Ok(file) = reader.read_small(&self.cpu_stat) {
            let [usage, throttled] = values_of(file, 0, &["usage_usec", "throttled_usec"]);
            round.emit_known(self.series.get(0), micros(usage));
            round.emit_known(self.series.get(1), micros(throttled));
        }
        let current = reader.number(&self.memory_current);
        round.emit_known(self.series.get(2), current.map(|bytes| bytes as f64));
        if let Ok(file) = reader.read_small(&self.memory_stat) {
            let [anonymous, inactive] = values_of(file, 0, &["anon", "inactive_file"]);
            let working = (|| Some(current?.saturating_sub(inactive?) as f64))();
            round.emit_known(self.series.get(3), working);
            round.emit_known(self.series.get(4), anonymous.map(|bytes| bytes as f64));
        }
        // The word "max" is no number: no limit, no sample. So is 0, which nothing could run under.
        let limit = reader.number(&self.memory_max).filter(|bytes| *bytes > 0);
        round.emit_known(self.series.get(5), limit.map(|bytes| bytes as f64));
    }

    fn read_disks(
        &mut self,
        reader: &mut FileReader,
        devices: &dyn Fn(&[u8]) -> SeriesSet,
        round: &mut Round,
    ) {
        let Ok(file) = reader.read(&self.io_stat) else { return };
        for line in lines(file) {
            let mut columns = words(line);
            let Some(device) = columns.next() else { continue };
            let Some(series) = self.disks.entry(device, || devices(device)) else { continue };
            for word in columns {
                let (index, value) =
                    match (word.strip_prefix(b"rbytes="), word.strip_prefix(b"wbytes=")) {
                        (Some(value), _) => (0, value),
                        (_, Some(value)) => (1, value),
                        _ => continue,
                    };
                round.emit_known(series.get(index), number(value).map(|bytes| bytes as f64));
            }
        }
        self.disks.end_round();
    }
}

impl Part for Cgroups {
    fn id(&self) -> &'static str {
        "host/cgroup"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        if self.walked_ms.is_none_or(|at| (round.at_ms - at).abs() >= WALK_INTERVAL_MS) {
            self.walked_ms = Some(round.at_ms);
            self.walk(round);
        }
        if self.unified.is_none() {
            return Err(absent(SourceState::Unsupported, "no control groups of version 2", HINT));
        }
        for group in &mut self.groups {
            group.read(&mut self.reader, round);
            let Some(container) = &mut group.container else { continue };
            container.read(&mut self.reader, round);
            let [_, pod_uid, container_id] = group.found.owner.labels();
            let devices = |number: &[u8]| {
                let name = device_name(&self.block, &text(number));
                SeriesSet::new(&DISK, &self.node, &[("device", &name), pod_uid, container_id])
            };
            container.read_disks(&mut self.reader, &devices, round);
        }
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// The name of the device `259:0`: what the link `/sys/dev/block/259:0` points to; else the numbers.
fn device_name(block: &std::path::Path, number: &str) -> String {
    let target = std::fs::read_link(block.join(number)).unwrap_or_default();
    target.file_name().map_or_else(|| number.to_owned(), |name| name.to_string_lossy().into_owned())
}
