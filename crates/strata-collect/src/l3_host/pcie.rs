//! PCI Express errors and link state of accelerators, network and `NVMe` devices.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::SourceState;

use super::fields::{fraction, lines, number, text, words};
use super::listing;
use super::names;
use super::part::{Part, Round, absent};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// A large host has some 300 PCI functions, some 60 of them of the classes we read.
const FUNCTIONS_MAX: usize = 4096;
const DEVICES_MAX: usize = 256;

/// Devices are listed anew this often.
const LIST_INTERVAL_MS: i64 = 300_000;

const LINK_SHAPES: [Shape; 4] = [
    shape(names::PCIE_SPEED, &[("state", "current")]),
    shape(names::PCIE_SPEED, &[("state", "max")]),
    shape(names::PCIE_WIDTH, &[("state", "current")]),
    shape(names::PCIE_WIDTH, &[("state", "max")]),
];
const LINK_FILES: [&str; 4] =
    ["current_link_speed", "max_link_speed", "current_link_width", "max_link_width"];

/// File, severity.
const ERROR_FILES: [(&str, &str); 3] = [
    ("aer_dev_correctable", "correctable"),
    ("aer_dev_nonfatal", "nonfatal"),
    ("aer_dev_fatal", "fatal"),
];

/// The widest link the specification knows; the kernel writes 63 or 255 for "not known".
const LANES_MAX: u64 = 32;

/// Kinds of errors of one file: the kernel knows 27 uncorrectable ones.
const KINDS_MAX: usize = 32;

/// Reads the devices that matter.
pub(super) struct Pcie {
    folder: PathBuf,
    node: Arc<str>,
    reader: FileReader,
    listed_ms: Option<i64>,
    devices: Vec<Device>,
}

struct Device {
    address: String,
    links: [PathBuf; 4],
    errors: [PathBuf; 3],
    info: SeriesSet,
    link: SeriesSet,
    kinds: [Seen<SeriesSet>; 3],
}

impl Pcie {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            folder: root.path("sys/bus/pci/devices"),
            node: Arc::clone(node),
            reader: FileReader::default(),
            listed_ms: None,
            devices: Vec::new(),
        }
    }

    fn list(&mut self, round: &mut Round) {
        self.devices.clear();
        let mut refused = 0;
        for address in listing::sorted(&self.folder, FUNCTIONS_MAX) {
            let folder = self.folder.join(&address);
            let Some(device) = self.device(&folder, address) else { continue };
            if self.devices.len() < DEVICES_MAX {
                self.devices.push(device);
            } else {
                refused += 1;
            }
        }
        round.over_limit("PCI devices", DEVICES_MAX, refused);
    }

    fn device(&mut self, folder: &Path, address: String) -> Option<Device> {
        let mut word = |file: &str| self.reader.word(&folder.join(file)).unwrap_or_default();
        let (vendor, device) = (word("vendor"), word("device"));
        let class = class_word(&word("class"), &vendor)?;
        // Virtual functions have neither a link nor error counters of their own.
        if folder.join("physfn").exists() {
            return None;
        }
        // -1 where the firmware does not say.
        let numa_node = word("numa_node");
        let numa_node = if numa_node.starts_with('-') { "" } else { &*numa_node };
        let driver = std::fs::read_link(folder.join("driver")).unwrap_or_default();
        let driver = driver.file_name().unwrap_or_default().to_string_lossy();
        let identity = [
            ("pci_address", &*address),
            ("class", class),
            ("vendor", &*vendor),
            ("device", &*device),
            ("numa_node", numa_node),
            ("driver", &*driver),
        ];
        Some(Device {
            links: LINK_FILES.map(|file| folder.join(file)),
            errors: ERROR_FILES.map(|(file, _)| folder.join(file)),
            info: SeriesSet::new(&[plain(names::PCIE_INFO)], &self.node, &identity),
            link: SeriesSet::new(&LINK_SHAPES, &self.node, &[("pci_address", &*address)]),
            kinds: [Seen::new(KINDS_MAX), Seen::new(KINDS_MAX), Seen::new(KINDS_MAX)],
            address,
        })
    }
}

/// The word for a PCI class (`0x030200`); `None` for what is not followed. `NVSwitch` is a bridge of
/// class 0680 made by NVIDIA.
fn class_word(class: &str, vendor: &str) -> Option<&'static str> {
    match class.strip_prefix("0x")?.get(..4)? {
        "0300" | "0302" | "0380" => Some("gpu"),
        "1200" => Some("accelerator"),
        "0200" | "0207" => Some("network"),
        "0108" => Some("nvme"),
        "0680" if vendor == "0x10de" => Some("nvswitch"),
        _ => None,
    }
}

impl Device {
    fn read(&mut self, node: &str, reader: &mut FileReader, round: &mut Round) {
        round.emit(self.info.get(0), 1.0);
        for (index, path) in self.links.iter().enumerate() {
            let Ok(file) = reader.read_small(path) else { continue };
            let value = if index < 2 { transfers_per_second(file) } else { lanes(file) };
            round.emit_known(self.link.get(index), value);
        }
        for (index, path) in self.errors.iter().enumerate() {
            // Absent without CONFIG_PCIEAER, and where the device does not report errors.
            let Ok(file) = reader.read_small(path) else { continue };
            for line in lines(file) {
                let mut columns = words(line);
                let (Some(kind), Some(value)) = (columns.next(), columns.next().and_then(number))
                else {
                    round.malformed("aer_dev", line);
                    continue;
                };
                // The last line is the sum of the others.
                if kind.starts_with(b"TOTAL_") {
                    continue;
                }
                let make = || {
                    let identity = [
                        ("pci_address", &*self.address),
                        ("severity", ERROR_FILES[index].1),
                        ("kind", &*text(kind)),
                    ];
                    SeriesSet::new(&[plain(names::PCIE_AER)], node, &identity)
                };
                if let Some(series) = self.kinds[index].entry(kind, make) {
                    round.emit(series.get(0), value as f64);
                }
            }
        }
    }
}

impl Part for Pcie {
    fn id(&self) -> &'static str {
        "host/pcie"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        if self.listed_ms.is_none_or(|at| (round.at_ms - at).abs() >= LIST_INTERVAL_MS) {
            self.listed_ms = Some(round.at_ms);
            self.list(round);
        }
        if self.devices.is_empty() {
            let message = "no PCI device of a followed class (accelerator, network, NVMe)";
            return Err(absent(SourceState::Absent, message, ""));
        }
        for device in &mut self.devices {
            device.read(&self.node, &mut self.reader, round);
        }
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        Duration::from_secs(15)
    }

    /// A device that fell off the bus answers its configuration space late or never.
    fn may_hang(&self) -> bool {
        true
    }
}

/// `16.0 GT/s PCIe`; `Unknown` is not known.
fn transfers_per_second(file: &[u8]) -> Option<f64> {
    let mut columns = words(file);
    let giga = columns.next().and_then(fraction)?;
    (columns.next()? == b"GT/s").then_some(giga * 1e9)
}

fn lanes(file: &[u8]) -> Option<f64> {
    let lanes = number(file.trim_ascii())?;
    (1..=LANES_MAX).contains(&lanes).then_some(lanes as f64)
}
