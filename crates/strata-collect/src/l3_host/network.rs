//! Traffic, errors, speed and state of network interfaces: `/proc/net/dev` and `/sys/class/net`.

use std::path::PathBuf;
use std::sync::Arc;

use regex::bytes::Regex;

use super::fields::{lines, number, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// Interfaces that are kept, the excluded ones included: a node of 250 pods has about 300.
const INTERFACES_MAX: usize = 4096;

/// Speed and link changes ask the driver, which may ask firmware: not more often than this.
const DRIVER_INTERVAL_MS: i64 = 60_000;

/// Bytes per second of one Mbit/s.
const MEGABIT_BYTES: f64 = 125_000.0;

const SHAPES: [Shape; 11] = [
    shape(names::NETWORK_IO, &[("direction", "receive")]),
    shape(names::NETWORK_PACKETS, &[("direction", "receive")]),
    shape(names::NETWORK_ERRORS, &[("direction", "receive")]),
    shape(names::NETWORK_DROPPED, &[("direction", "receive")]),
    shape(names::NETWORK_IO, &[("direction", "transmit")]),
    shape(names::NETWORK_PACKETS, &[("direction", "transmit")]),
    shape(names::NETWORK_ERRORS, &[("direction", "transmit")]),
    shape(names::NETWORK_DROPPED, &[("direction", "transmit")]),
    plain(names::NETWORK_UP),
    plain(names::NETWORK_CARRIER_CHANGES),
    plain(names::NETWORK_BANDWIDTH),
];
const UP: usize = 8;
const CARRIER_CHANGES: usize = 9;
const BANDWIDTH: usize = 10;

/// Columns of `/proc/net/dev` per direction; only the first four of each are counters of ours.
const COLUMNS_PER_DIRECTION: usize = 8;

/// Reads the interfaces of the host's network namespace.
pub(super) struct Network {
    dev: PathBuf,
    class: PathBuf,
    node: Arc<str>,
    exclude: Regex,
    reader: FileReader,
    attribute: FileReader,
    interfaces: Seen<Option<Interface>>,
}

struct Interface {
    series: SeriesSet,
    operstate: PathBuf,
    speed: PathBuf,
    carrier_changes: PathBuf,
    asked_driver_ms: Option<i64>,
    bandwidth: Option<f64>,
    changes: Option<f64>,
}

impl Network {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>, exclude: Regex) -> Self {
        Self {
            dev: root.namespaced("net/dev"),
            class: root.path("sys/class/net"),
            node: Arc::clone(node),
            exclude,
            reader: FileReader::default(),
            attribute: FileReader::default(),
            interfaces: Seen::new(INTERFACES_MAX),
        }
    }

    fn interface(&self, name: &[u8]) -> Option<Interface> {
        if self.exclude.is_match(name) {
            return None;
        }
        let name = super::fields::text(name);
        let folder = self.class.join(&*name);
        Some(Interface {
            series: SeriesSet::new(&SHAPES, &self.node, &[("device", &name)]),
            operstate: folder.join("operstate"),
            speed: folder.join("speed"),
            carrier_changes: folder.join("carrier_changes"),
            asked_driver_ms: None,
            bandwidth: None,
            changes: None,
        })
    }

    fn line(&mut self, line: &[u8], interfaces: &mut Seen<Option<Interface>>, round: &mut Round) {
        let colon = line.iter().position(|byte| *byte == b':');
        let Some((name, columns)) = colon.map(|at| line.split_at(at)) else {
            // The two lines of headings have bars and no colon.
            if !line.contains(&b'|') {
                round.malformed("/proc/net/dev", line);
            }
            return;
        };
        let name = name.trim_ascii();
        let Some(Some(interface)) = interfaces.entry(name, || self.interface(name)) else { return };
        let Some(counters) = counters(columns) else {
            round.malformed("/proc/net/dev", line);
            return;
        };
        for (index, value) in counters.into_iter().enumerate() {
            round.emit(interface.series.get(index), value as f64);
        }
        interface.state(&mut self.attribute, round);
    }
}

/// Bytes, packets, errors, drops received, then the same transmitted.
fn counters(columns: &[u8]) -> Option<[u64; 8]> {
    let mut counters = [0; 8];
    let mut known = 0;
    for (index, word) in words(columns.strip_prefix(b":")?).enumerate() {
        let (direction, column) = (index / COLUMNS_PER_DIRECTION, index % COLUMNS_PER_DIRECTION);
        if direction < 2 && column < 4 {
            counters[direction * 4 + column] = number(word)?;
            known += 1;
        }
    }
    (known == counters.len()).then_some(counters)
}

impl Interface {
    fn state(&mut self, attribute: &mut FileReader, round: &mut Round) {
        let up = attribute.read_small(&self.operstate).ok().and_then(|state| {
            match state.trim_ascii() {
                b"up" => Some(1.0),
                // Loopback and tunnels have no carrier to know about.
                b"unknown" | b"" => None,
                _ => Some(0.0),
            }
        });
        round.emit_known(self.series.get(UP), up);
        if self.asked_driver_ms.is_none_or(|at| round.at_ms - at >= DRIVER_INTERVAL_MS) {
            self.asked_driver_ms = Some(round.at_ms);
            // -1 (no number) and EINVAL mean that the driver does not know.
            let megabits = attribute.number(&self.speed).filter(|speed| *speed > 0);
            self.bandwidth = megabits.map(|speed| speed as f64 * MEGABIT_BYTES);
            self.changes = attribute.number(&self.carrier_changes).map(|count| count as f64);
        }
        round.emit_known(self.series.get(CARRIER_CHANGES), self.changes);
        round.emit_known(self.series.get(BANDWIDTH), self.bandwidth);
    }
}

impl Part for Network {
    fn id(&self) -> &'static str {
        "host/network"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut reader = std::mem::take(&mut self.reader);
        let mut interfaces = std::mem::replace(&mut self.interfaces, Seen::new(INTERFACES_MAX));
        let read = reader.read(&self.dev).map(|file| {
            for line in lines(file) {
                self.line(line, &mut interfaces, round);
            }
        });
        round.over_limit("network interfaces", INTERFACES_MAX, interfaces.end_round());
        self.interfaces = interfaces;
        self.reader = reader;
        read.map_err(|error| error.fatal("mount the host's /proc and name it with --host-root"))
    }
}
