//! One AMD GPU: its files, with their units as the kernel documents them
//! (Documentation/gpu/amdgpu, Documentation/hwmon).

use std::path::{Path, PathBuf};

use super::super::names;
use super::table::Table;
use crate::l3_host::fields::{fraction, lines, number, words};
use crate::l3_host::listing;
use crate::l3_host::part::Round;
use crate::l3_host::root::{FileReader, ReadError};
use crate::l3_host::series::{SeriesSet, Shape, plain, shape};

/// Sensors of one kind.
const SENSORS_MAX: u32 = 8;
/// Blocks of the chip that count memory errors.
const BLOCKS_MAX: usize = 32;

macro_rules! shapes {
    ($($variant:ident = $shape:expr;)*) => {
        #[derive(Clone, Copy)]
        enum Own { $($variant),* }
        const OWN: &[Shape] = &[$($shape),*];
    };
}

shapes! {
    Info = plain(names::DEVICE);
    General = shape(names::UTILIZATION, &[("task", "general")]);
    MemoryController = plain(names::MEMORY_CONTROLLER);
    Usage = plain(names::MEMORY_USAGE);
    Limit = plain(names::MEMORY_LIMIT);
    Utilization = plain(names::MEMORY_UTILIZATION);
    Free = plain(names::MEMORY_FREE);
    Average = shape(names::POWER, &[("sensor", "average")]);
    Instant = shape(names::POWER, &[("sensor", "instant")]);
    Cap = shape(names::POWER_LIMIT, &[("kind", "enforced")]);
    CapDefault = shape(names::POWER_LIMIT, &[("kind", "default")]);
    CapMin = shape(names::POWER_LIMIT, &[("kind", "min")]);
    CapMax = shape(names::POWER_LIMIT, &[("kind", "max")]);
    Fan = plain(names::FAN);
    Replays = plain(names::PCIE_REPLAYS);
    Generation = shape(names::PCIE_GENERATION, &[("state", "current")]);
    GenerationMax = shape(names::PCIE_GENERATION, &[("state", "max")]);
    Width = shape(names::PCIE_WIDTH, &[("state", "current")]);
    WidthMax = shape(names::PCIE_WIDTH, &[("state", "max")]);
}

/// A file of one number, its series, and the factor to its unit.
const NUMBERS: [(&str, Own, f64); 3] = [
    ("gpu_busy_percent", Own::General, 0.01),
    ("mem_busy_percent", Own::MemoryController, 0.01),
    ("pcie_replay_count", Own::Replays, 1.0),
];

const MICRO: f64 = 1e-6;
const MILLI: f64 = 1e-3;

/// The same among the sensors: microwatts.
const SENSOR_NUMBERS: [(&str, Own, f64); 6] = [
    ("power1_average", Own::Average, MICRO),
    ("power1_input", Own::Instant, MICRO),
    ("power1_cap", Own::Cap, MICRO),
    ("power1_cap_default", Own::CapDefault, MICRO),
    ("power1_cap_min", Own::CapMin, MICRO),
    ("power1_cap_max", Own::CapMax, MICRO),
];

/// One place's temperature, its limit, or a clock.
struct Sensor {
    path: PathBuf,
    series: SeriesSet,
    scale: f64,
}

/// One block's counters of memory errors.
struct Block {
    path: PathBuf,
    /// Corrected, uncorrected, deferred.
    series: SeriesSet,
}

/// One GPU.
pub(super) struct Card {
    folder: PathBuf,
    sensors: Option<PathBuf>,
    pub(super) uuid: String,
    pub(super) address: String,
    pub(super) index: String,
    own: SeriesSet,
    places: Vec<Sensor>,
    blocks: Vec<Block>,
    table: Table,
    /// Sums over the blocks, in the same order.
    totals: SeriesSet,
}

impl Card {
    pub(super) fn new(
        (address, folder): (String, PathBuf),
        index: usize,
        node: &str,
        reader: &mut FileReader,
    ) -> Self {
        let (uuid, model) = named((&address, &folder), reader);
        let mut word = |file: &str| reader.word(&folder.join(file)).unwrap_or_default();
        let serial = word("serial_number");
        // -1 where the firmware does not say.
        let numa_node = word("numa_node");
        let numa_node = if numa_node.starts_with('-') { "" } else { &*numa_node };
        let index = index.to_string();
        let labels = [("gpu_uuid", &*uuid), ("gpu", &*index), ("gpu_model", &*model)];
        let more = [
            ("vendor", "amd"),
            ("serial", &*serial),
            ("pci_address", &*address),
            ("numa_node", numa_node),
        ];
        let identity: Vec<_> = labels.iter().chain(&more).copied().collect();
        let sensors = listing::sorted(&folder.join("hwmon"), 4);
        let sensors = sensors.first().map(|name| folder.join("hwmon").join(name));
        let places = sensors.iter().flat_map(|path| places(path, node, &labels, reader)).collect();
        Self {
            own: own_series(node, &labels, &identity),
            places,
            blocks: blocks(&folder.join("ras"), node, &labels),
            table: Table::new(node, &labels),
            totals: errors_of("", node, &labels),
            sensors,
            folder,
            uuid,
            address,
            index,
        }
    }

    /// Whether this is the card at the address, under the same number.
    pub(super) fn is_at(&self, address: &str, index: usize) -> bool {
        self.address == address && self.index == index.to_string()
    }

    /// Read everything once.
    pub(super) fn read(&mut self, reader: &mut FileReader, round: &mut Round) {
        round.emit(self.own.get(Own::Info as usize), 1.0);
        for (file, series, scale) in NUMBERS {
            self.number(&self.folder.join(file), (series, scale), reader, round);
        }
        if let Some(sensors) = &self.sensors {
            for (file, series, scale) in SENSOR_NUMBERS {
                self.number(&sensors.join(file), (series, scale), reader, round);
            }
            self.read_fan(sensors, reader, round);
        }
        self.read_memory(reader, round);
        self.read_link(reader, round);
        for place in &self.places {
            let value = reader.read_small(&place.path).ok();
            let value = value.and_then(|file| fraction(file.trim_ascii()));
            // Below zero a sensor is broken or asleep.
            let value = value.filter(|value| *value >= 0.0);
            round.emit_known(place.series.get(0), value.map(|value| value * place.scale));
        }
        self.read_errors(reader, round);
        if let Ok(file) = reader.read_small(&self.folder.join("gpu_metrics")) {
            self.table.tell(file, round);
        }
    }

    fn number(
        &self,
        path: &Path,
        (series, scale): (Own, f64),
        reader: &mut FileReader,
        round: &mut Round,
    ) {
        match reader.read_small(path) {
            Ok(file) => {
                let value = number(file.trim_ascii()).map(|value| value as f64 * scale);
                round.emit_known(self.own.get(series as usize), value);
            }
            Err(error) => told(&error, round),
        }
    }

    fn read_memory(&self, reader: &mut FileReader, round: &mut Round) {
        let used = reader.number(&self.folder.join("mem_info_vram_used"));
        let total = reader.number(&self.folder.join("mem_info_vram_total"));
        let own = |series: Own| self.own.get(series as usize);
        round.emit_known(own(Own::Usage), used.map(|bytes| bytes as f64));
        round.emit_known(own(Own::Limit), total.map(|bytes| bytes as f64));
        if let (Some(used), Some(total)) = (used, total.filter(|total| *total > 0)) {
            round.emit(own(Own::Free), total.saturating_sub(used) as f64);
            round.emit(own(Own::Utilization), used as f64 / total as f64);
        }
    }

    fn read_link(&self, reader: &mut FileReader, round: &mut Round) {
        let files =
            [("current_link_speed", Own::Generation), ("max_link_speed", Own::GenerationMax)];
        for (file, series) in files {
            let generation = reader.read_small(&self.folder.join(file)).ok().and_then(generation);
            round.emit_known(self.own.get(series as usize), generation);
        }
        for (file, series) in
            [("current_link_width", Own::Width), ("max_link_width", Own::WidthMax)]
        {
            let lanes = reader.number(&self.folder.join(file));
            // The kernel writes 63 or 255 for "not known".
            let lanes = lanes.filter(|lanes| (1..=32).contains(lanes));
            round.emit_known(self.own.get(series as usize), lanes.map(|lanes| lanes as f64));
        }
    }

    /// The share of its highest speed, else of its pulse width.
    fn read_fan(&self, sensors: &Path, reader: &mut FileReader, round: &mut Round) {
        let mut of = |file: &str| reader.number(&sensors.join(file));
        let share = |(now, most): (Option<u64>, Option<u64>)| {
            let (now, most) = (now?, most.filter(|most| *most > 0)?);
            Some(now as f64 / most as f64)
        };
        let speed = share((of("fan1_input"), of("fan1_max")));
        let speed = speed.or_else(|| share((of("pwm1"), of("pwm1_max").or(Some(255)))));
        round.emit_known(self.own.get(Own::Fan as usize), speed);
    }

    fn read_errors(&self, reader: &mut FileReader, round: &mut Round) {
        let mut totals = [None; 3];
        for block in &self.blocks {
            let Ok(file) = reader.read_small(&block.path) else { continue };
            for (at, count) in error_counts(file).into_iter().enumerate() {
                let Some(count) = count else { continue };
                round.emit(block.series.get(at), count as f64);
                totals[at] = Some(totals[at].unwrap_or(0) + count);
            }
        }
        for (at, total) in totals.into_iter().enumerate() {
            round.emit_known(self.totals.get(at), total.map(|count: u64| count as f64));
        }
    }
}

/// The identity and the model of the card in a place.
pub(super) fn named((address, folder): (&str, &Path), reader: &mut FileReader) -> (String, String) {
    let mut word = |file: &str| reader.word(&folder.join(file)).unwrap_or_default();
    let unique = word("unique_id");
    // Older and consumer chips have no number of their own: then it is who sits in this place.
    let uuid = if unique.is_empty() { format!("PCI-{address}") } else { format!("GPU-{unique}") };
    let mut model = word("product_name");
    if model.is_empty() {
        model = format!("AMD {}", word("device"));
    }
    (uuid, model)
}

/// A file that is not there is no fault; one that is refused is.
fn told(error: &ReadError, round: &mut Round) {
    if error.is_denied() {
        round.unreadable(error);
    }
}

fn own_series(node: &str, labels: &[(&str, &str)], identity: &[(&str, &str)]) -> SeriesSet {
    let each = |shape: &Shape| SeriesSet::new(std::slice::from_ref(shape), node, labels);
    let first = SeriesSet::new(&OWN[..1], node, identity);
    SeriesSet::joined(std::iter::once(first).chain(OWN[1..].iter().map(each)))
}

/// What the kernel calls a place, and the word of the catalog.
fn place_word(label: &str) -> Option<&'static str> {
    match label {
        "edge" => Some("gpu"),
        "junction" => Some("hotspot"),
        "mem" => Some("memory"),
        _ => None,
    }
}

/// Temperatures with their limits, and clocks, by the labels beside them.
fn places(
    sensors: &Path,
    node: &str,
    labels: &[(&str, &str)],
    reader: &mut FileReader,
) -> Vec<Sensor> {
    let mut places = Vec::new();
    for at in 1..=SENSORS_MAX {
        let label = reader.word(&sensors.join(format!("temp{at}_label"))).unwrap_or_default();
        if let Some(place) = place_word(&label) {
            let identity = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
                labels.iter().copied().chain(more.iter().copied()).collect()
            };
            let one = |suffix: &str, metric: Shape, more: &[(&'static str, &'static str)]| Sensor {
                path: sensors.join(format!("temp{at}_{suffix}")),
                series: SeriesSet::new(&[metric], node, &identity(more)),
                scale: MILLI,
            };
            let location = ("sensor_location", place);
            places.push(one("input", plain(names::TEMPERATURE), &[location]));
            for (suffix, kind) in [("crit", "throttled"), ("emergency", "critical")] {
                let more = [location, ("limit_type", kind)];
                places.push(one(suffix, plain(names::TEMPERATURE_LIMIT), &more));
            }
        }
        let label = reader.word(&sensors.join(format!("freq{at}_label"))).unwrap_or_default();
        let domain = match &*label {
            "sclk" => "sm",
            "mclk" => "memory",
            _ => continue,
        };
        let identity: Vec<_> = labels.iter().copied().chain([("domain", domain)]).collect();
        places.push(Sensor {
            path: sensors.join(format!("freq{at}_input")),
            series: SeriesSet::new(&[plain(names::CLOCK)], node, &identity),
            scale: 1.0,
        });
    }
    places
}

const ERROR_KINDS: [(&str, &str); 3] =
    [("ce", "corrected"), ("ue", "uncorrected"), ("de", "deferred")];

fn errors_of(location: &str, node: &str, labels: &[(&str, &str)]) -> SeriesSet {
    let each = ERROR_KINDS
        .map(|(_, kind)| [("error_type", kind), ("scope", "volatile"), ("location", location)]);
    SeriesSet::with_labels(names::ERRORS, node, labels, &each)
}

/// `ras/umc_err_count` and its kin; there are none where error correction is off.
fn blocks(ras: &Path, node: &str, labels: &[(&str, &str)]) -> Vec<Block> {
    let names = listing::sorted(ras, 256).into_iter();
    let blocks = names.filter_map(|name| Some((name.strip_suffix("_err_count")?.to_owned(), name)));
    blocks
        .take(BLOCKS_MAX)
        .map(|(block, file)| Block {
            path: ras.join(file),
            series: errors_of(&block, node, labels),
        })
        .collect()
}

/// `ue: 0`, `ce: 3` and, on newer chips, `de: 0`, a line each.
fn error_counts(file: &[u8]) -> [Option<u64>; 3] {
    let mut counts = [None; 3];
    for line in lines(file) {
        let mut columns = words(line);
        let (Some(key), value) = (columns.next(), columns.next().and_then(number)) else {
            continue;
        };
        let key = key.strip_suffix(b":").unwrap_or(key);
        if let Some(at) = ERROR_KINDS.iter().position(|(word, _)| word.as_bytes() == key) {
            counts[at] = value;
        }
    }
    counts
}

/// `16.0 GT/s PCIe` is the fourth generation; a speed that is none is not known.
fn generation(file: &[u8]) -> Option<f64> {
    let giga = words(file).next().and_then(fraction)?;
    let speeds = [2.5, 5.0, 8.0, 16.0, 32.0, 64.0];
    let at = speeds.iter().position(|speed| *speed == giga)?;
    Some((at + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn speeds_are_generations() {
        let check = |file: &str, expected: Option<f64>| {
            assert_eq!(generation(file.as_bytes()), expected, "{file}");
        };
        check("2.5 GT/s PCIe\n", Some(1.0));
        check("16.0 GT/s PCIe\n", Some(4.0));
        check("32.0 GT/s PCIe\n", Some(5.0));
        check("Unknown\n", None);
        check("", None);
    }

    #[test]
    fn error_counts_are_told_apart() {
        let check = |file: &str, expected: [Option<u64>; 3]| {
            assert_eq!(error_counts(file.as_bytes()), expected, "{file}");
        };
        check("ue: 1\nce: 20\n", [Some(20), Some(1), None]);
        check("ue: 1\nce: 20\nde: 3\n", [Some(20), Some(1), Some(3)]);
        check("query error\n", [None; 3]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file: Vec<u8>) {
            let _ = (error_counts(&file), generation(&file));
        }
    }
}
