//! InfiniBand, RoCE and EFA ports: `/sys/class/infiniband`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::SourceState;

use super::fields::{fraction, words};
use super::listing;
use super::names;
use super::part::{Part, Round, absent};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// A host has some 10 ports, with virtual functions perhaps 300.
const PORTS_MAX: usize = 512;

/// Ports are listed anew this often; a hot-plugged one is seen then.
const LIST_INTERVAL_MS: i64 = 60_000;

/// `port_xmit_data` and `port_rcv_data` count words of four bytes (InfiniBand Architecture
/// Specification, `PortCounters`).
const WORD_BYTES: f64 = 4.0;

/// A counter's file below the port's folder, its series, and what one count is worth.
struct Counter {
    file: &'static str,
    shape: Shape,
    scale: f64,
}

const fn counter(file: &'static str, shape: Shape) -> Counter {
    Counter { file, shape, scale: 1.0 }
}

/// A counter whose file's name is its kind.
macro_rules! kinds {
    ($name:expr, $folder:literal: $($kind:literal)*) => {
        [$(counter(concat!($folder, "/", $kind), shape($name, &[("kind", $kind)]))),*]
    };
}

const TRAFFIC: [Counter; 4] = [
    Counter {
        file: "counters/port_rcv_data",
        shape: shape(names::INFINIBAND_IO, &[("direction", "receive")]),
        scale: WORD_BYTES,
    },
    Counter {
        file: "counters/port_xmit_data",
        shape: shape(names::INFINIBAND_IO, &[("direction", "transmit")]),
        scale: WORD_BYTES,
    },
    counter(
        "counters/port_rcv_packets",
        shape(names::INFINIBAND_PACKETS, &[("direction", "receive")]),
    ),
    counter(
        "counters/port_xmit_packets",
        shape(names::INFINIBAND_PACKETS, &[("direction", "transmit")]),
    ),
];

/// EFA has no `counters` folder and counts bytes.
const EFA_TRAFFIC: [Counter; 4] = [
    counter("hw_counters/rx_bytes", shape(names::INFINIBAND_IO, &[("direction", "receive")])),
    counter("hw_counters/tx_bytes", shape(names::INFINIBAND_IO, &[("direction", "transmit")])),
    counter("hw_counters/rx_pkts", shape(names::INFINIBAND_PACKETS, &[("direction", "receive")])),
    counter("hw_counters/tx_pkts", shape(names::INFINIBAND_PACKETS, &[("direction", "transmit")])),
];

const WAIT: [Counter; 1] = [counter("counters/port_xmit_wait", plain(names::INFINIBAND_WAIT))];

const LINK_EVENTS: [Counter; 2] =
    kinds!(names::INFINIBAND_LINK_EVENTS, "counters": "link_downed" "link_error_recovery");

const PORT_ERRORS: [Counter; 8] = kinds!(names::INFINIBAND_ERRORS, "counters":
    "symbol_error" "port_rcv_errors" "port_rcv_remote_physical_errors" "port_rcv_switch_relay_errors"
    "port_xmit_discards" "port_xmit_constraint_errors" "excessive_buffer_overrun_errors"
    "local_link_integrity_errors");

const HARDWARE_ERRORS: [Counter; 15] = kinds!(names::INFINIBAND_ERRORS, "hw_counters":
    "packet_seq_err" "local_ack_timeout_err" "rnr_nak_retry_err" "out_of_sequence" "out_of_buffer"
    "implied_nak_seq_err" "req_cqe_error" "resp_cqe_error" "duplicate_request" "rx_icrc_encapsulated"
    "rx_drops" "retrans_pkts" "retrans_timeout_events" "impaired_remote_conn_events"
    "unresponsive_remote_events");

const CONGESTION: [Counter; 8] = kinds!(names::INFINIBAND_CONGESTION, "hw_counters":
    "np_cnp_sent" "np_ecn_marked_roce_packets" "rp_cnp_handled" "rp_cnp_ignored" "roce_adp_retrans"
    "roce_adp_retrans_to" "roce_slow_restart" "roce_slow_restart_cnps");

/// `4: ACTIVE` (`enum ib_port_state`).
const ACTIVE: u64 = 4;
const GIGABIT_BYTES: f64 = 125_000_000.0;

/// Reads every port.
pub(super) struct Infiniband {
    class: PathBuf,
    node: Arc<str>,
    reader: FileReader,
    listed_ms: Option<i64>,
    ports: Vec<Port>,
}

struct Port {
    state: PathBuf,
    rate: PathBuf,
    up: SeriesSet,
    bandwidth: SeriesSet,
    counters: Vec<(PathBuf, f64)>,
    series: SeriesSet,
}

impl Infiniband {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            class: root.path("sys/class/infiniband"),
            node: Arc::clone(node),
            reader: FileReader::default(),
            listed_ms: None,
            ports: Vec::new(),
        }
    }

    fn list(&mut self, round: &mut Round) {
        self.ports.clear();
        let mut refused = 0;
        for device in listing::sorted(&self.class, PORTS_MAX) {
            let ports = self.class.join(&device).join("ports");
            for port in listing::sorted(&ports, PORTS_MAX) {
                if self.ports.len() < PORTS_MAX {
                    let folder = ports.join(&port);
                    self.ports.push(self.port(&folder, &device, &port));
                } else {
                    refused += 1;
                }
            }
        }
        round.over_limit("RDMA ports", PORTS_MAX, refused);
    }

    fn port(&self, folder: &Path, device: &str, port: &str) -> Port {
        let link_layer = FileReader::default().word(&folder.join("link_layer")).unwrap_or_default();
        let identity = [("device", device), ("port", port)];
        let with_link = [("device", device), ("port", port), ("link_layer", &*link_layer)];
        let native = folder.join(TRAFFIC[0].file).exists();
        let traffic = if native { &TRAFFIC } else { &EFA_TRAFFIC };
        let rest = WAIT
            .iter()
            .chain(&LINK_EVENTS)
            .chain(&PORT_ERRORS)
            .chain(&HARDWARE_ERRORS)
            .chain(&CONGESTION);
        // Each driver has its own choice of files; the others are not tried again and again.
        let there: Vec<&Counter> = traffic
            .iter()
            .chain(rest)
            .filter(|counter| folder.join(counter.file).exists())
            .collect();
        Port {
            state: folder.join("state"),
            rate: folder.join("rate"),
            up: SeriesSet::new(&[plain(names::INFINIBAND_UP)], &self.node, &with_link),
            bandwidth: SeriesSet::new(&[plain(names::INFINIBAND_BANDWIDTH)], &self.node, &identity),
            series: SeriesSet::new(
                there.iter().map(|counter| &counter.shape),
                &self.node,
                &identity,
            ),
            counters: there
                .iter()
                .map(|counter| (folder.join(counter.file), counter.scale))
                .collect(),
        }
    }
}

impl Part for Infiniband {
    fn id(&self) -> &'static str {
        "host/infiniband"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        if self.listed_ms.is_none_or(|at| (round.at_ms - at).abs() >= LIST_INTERVAL_MS) {
            self.listed_ms = Some(round.at_ms);
            self.list(round);
        }
        if self.ports.is_empty() {
            return Err(absent(SourceState::Absent, "no InfiniBand, RoCE or EFA device", ""));
        }
        for port in &self.ports {
            let state = self.reader.read_small(&port.state).ok().and_then(state);
            let up = state.map(|state| f64::from(u8::from(state == ACTIVE)));
            round.emit_known(port.up.get(0), up);
            let rate = self.reader.read_small(&port.rate).ok().and_then(rate);
            round.emit_known(port.bandwidth.get(0), rate);
            for (index, (path, scale)) in port.counters.iter().enumerate() {
                match self.reader.read_small(path) {
                    Ok(file) => {
                        let value = super::fields::number(file.trim_ascii());
                        // Drivers write "N/A (no PMA)" where hardware does not count.
                        round.emit_known(port.series.get(index), value.map(|v| v as f64 * scale));
                    }
                    // EINVAL: the firmware does not keep this counter.
                    Err(error) if is_invalid(&error) => {}
                    Err(error) => round.unreadable(&error),
                }
            }
        }
        Ok(())
    }

    /// Some drivers ask firmware for every counter.
    fn interval_min(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Firmware that does not answer holds the reader for a minute.
    fn may_hang(&self) -> bool {
        true
    }
}

fn is_invalid(error: &super::root::ReadError) -> bool {
    matches!(error, super::root::ReadError::Read { source, .. }
        if source.kind() == std::io::ErrorKind::InvalidInput)
}

/// `4: ACTIVE`
fn state(file: &[u8]) -> Option<u64> {
    super::fields::number(words(file).next()?.strip_suffix(b":")?)
}

/// `400 Gb/sec (4X NDR)` in bytes per second.
fn rate(file: &[u8]) -> Option<f64> {
    let mut columns = words(file);
    let gigabits = columns.next().and_then(fraction)?;
    (columns.next()? == b"Gb/sec").then_some(gigabits * GIGABIT_BYTES)
}
