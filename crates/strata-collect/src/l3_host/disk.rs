//! Throughput, operations and latency of block devices: `/proc/diskstats`.

use std::path::PathBuf;
use std::sync::Arc;

use super::fields::{Unwrap32, lines, number, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// Storage nodes have a few hundred disks; multipath multiplies them.
const DEVICES_MAX: usize = 2048;

/// diskstats counts in sectors of 512 bytes, whatever the device's own sector size is
/// (kernel Documentation/admin-guide/iostats.rst).
const SECTOR_BYTES: u64 = 512;

/// The fields after the device's name that are read, in the order of iostats.rst:
/// reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms busy, weighted ms.
const FIELDS: usize = 11;

const SHAPES: [Shape; FIELDS] = [
    shape(names::DISK_OPERATIONS, &[("direction", "read")]),
    shape(names::DISK_MERGED, &[("direction", "read")]),
    shape(names::DISK_IO, &[("direction", "read")]),
    shape(names::DISK_OPERATION_TIME, &[("direction", "read")]),
    shape(names::DISK_OPERATIONS, &[("direction", "write")]),
    shape(names::DISK_MERGED, &[("direction", "write")]),
    shape(names::DISK_IO, &[("direction", "write")]),
    shape(names::DISK_OPERATION_TIME, &[("direction", "write")]),
    plain(names::DISK_PENDING),
    plain(names::DISK_IO_TIME),
    plain(names::DISK_WEIGHTED_IO_TIME),
];

/// What a field means.
enum Meaning {
    Count,
    Sectors,
    /// Kept by the kernel in 32 bits: wraps after 49.7 days of summed waiting.
    Milliseconds,
}

fn meaning(field: usize) -> Meaning {
    match field {
        2 | 6 => Meaning::Sectors,
        3 | 7 | 9 | 10 => Meaning::Milliseconds,
        _ => Meaning::Count,
    }
}

/// Reads whole block devices; partitions, loop and memory devices are left out.
pub(super) struct Disk {
    diskstats: PathBuf,
    block: PathBuf,
    node: Arc<str>,
    reader: FileReader,
    devices: Seen<Option<Device>>,
}

struct Device {
    series: SeriesSet,
    unwrap: [Unwrap32; FIELDS],
}

impl Disk {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            diskstats: root.path("proc/diskstats"),
            block: root.path("sys/block"),
            node: Arc::clone(node),
            reader: FileReader::default(),
            devices: Seen::new(DEVICES_MAX),
        }
    }
}

impl Part for Disk {
    fn id(&self) -> &'static str {
        "host/disk"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let file = self
            .reader
            .read(&self.diskstats)
            .map_err(|error| error.fatal("the kernel was built without block devices"))?;
        for line in lines(file) {
            let mut columns = words(line).skip(2);
            let Some(name) = columns.next() else {
                round.malformed("/proc/diskstats", line);
                continue;
            };
            let make = || Device::of(name, &self.block, &self.node);
            let Some(Some(device)) = self.devices.entry(name, make) else { continue };
            match statistics(columns) {
                Some(raw) => device.emit(raw, round),
                None => round.malformed("/proc/diskstats", line),
            }
        }
        let refused = self.devices.end_round();
        round.over_limit("block devices", DEVICES_MAX, refused);
        Ok(())
    }
}

/// All fields or none: kernels since 2.6.33 write all of these for whole devices.
fn statistics<'a>(mut columns: impl Iterator<Item = &'a [u8]>) -> Option<[u64; FIELDS]> {
    let mut raw = [0; FIELDS];
    for field in &mut raw {
        *field = number(columns.next()?)?;
    }
    Some(raw)
}

impl Device {
    /// `None` for what is not a disk: partitions (not in `/sys/block`), loop, RAM and compressed
    /// memory devices, CD drives and floppies.
    fn of(name: &[u8], block: &std::path::Path, node: &str) -> Option<Self> {
        const NOT_DISKS: [&[u8]; 6] = [b"loop", b"ram", b"zram", b"sr", b"fd", b"nbd"];
        let numbered = |prefix: &&[u8]| {
            name.strip_prefix(*prefix).is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
        };
        if NOT_DISKS.iter().any(numbered) {
            return None;
        }
        let name = super::fields::text(name);
        // In sysfs a slash in a device's name is written as an exclamation mark.
        let whole = block.join(name.replace('/', "!"));
        if block.exists() && !whole.exists() {
            return None;
        }
        let series = SeriesSet::new(&SHAPES, node, &[("device", &name)]);
        Some(Self { series, unwrap: [Unwrap32::default(); FIELDS] })
    }

    fn emit(&mut self, raw: [u64; FIELDS], round: &mut Round) {
        for (field, raw) in raw.into_iter().enumerate() {
            let value = match meaning(field) {
                Meaning::Count => raw as f64,
                Meaning::Sectors => raw.saturating_mul(SECTOR_BYTES) as f64,
                Meaning::Milliseconds => self.unwrap[field].next(raw) as f64 / 1e3,
            };
            round.emit(self.series.get(field), value);
        }
    }
}
