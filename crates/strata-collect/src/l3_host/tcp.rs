//! TCP retransmission and sockets: `/proc/net/snmp`, `/proc/net/netstat`, `/proc/net/sockstat`.

use std::path::PathBuf;
use std::sync::Arc;

use strata_model::FaultCode;

use super::fields::{lines, number, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

const SNMP: [&str; 4] = ["InSegs", "OutSegs", "RetransSegs", "CurrEstab"];
const NETSTAT: [&str; 3] = ["TCPLostRetransmit", "TCPTimeouts", "ListenDrops"];
/// Pairs of protocol and counter in sockstat.
const SOCKSTAT: [(&str, &str); 4] =
    [("TCP:", "orphan"), ("TCP:", "tw"), ("TCP:", "alloc"), ("UDP:", "inuse")];

const SHAPES: [Shape; 11] = [
    shape(names::TCP_SEGMENTS, &[("direction", "receive")]),
    shape(names::TCP_SEGMENTS, &[("direction", "transmit")]),
    plain(names::TCP_RETRANSMITS),
    shape(names::NETWORK_CONNECTIONS, &[("protocol", "tcp"), ("state", "established")]),
    plain(names::TCP_LOST_RETRANSMITS),
    plain(names::TCP_TIMEOUTS),
    plain(names::TCP_LISTEN_DROPS),
    shape(names::NETWORK_CONNECTIONS, &[("protocol", "tcp"), ("state", "orphan")]),
    shape(names::NETWORK_CONNECTIONS, &[("protocol", "tcp"), ("state", "time_wait")]),
    shape(names::NETWORK_CONNECTIONS, &[("protocol", "tcp"), ("state", "allocated")]),
    shape(names::NETWORK_CONNECTIONS, &[("protocol", "udp"), ("state", "in_use")]),
];
const FIRST_OF_NETSTAT: usize = 4;
const FIRST_OF_SOCKSTAT: usize = 7;

/// Reads the TCP counters of the host's network namespace.
pub(super) struct Tcp {
    snmp: PathBuf,
    netstat: PathBuf,
    sockstat: PathBuf,
    reader: FileReader,
    series: SeriesSet,
}

impl Tcp {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            snmp: root.namespaced("net/snmp"),
            netstat: root.namespaced("net/netstat"),
            sockstat: root.namespaced("net/sockstat"),
            reader: FileReader::default(),
            series: SeriesSet::new(&SHAPES, node, &[]),
        }
    }
}

impl Part for Tcp {
    fn id(&self) -> &'static str {
        "host/tcp"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let file = self.reader.read(&self.snmp).map_err(|error| error.fatal(""))?;
        let Some(values) = paired(file, b"Tcp:", &SNMP) else {
            round.fault(FaultCode::Malformed, "/proc/net/snmp: headings and values do not pair");
            return Ok(());
        };
        emit(&self.series, 0, values, round);
        match self.reader.read(&self.netstat) {
            Ok(file) => match paired(file, b"TcpExt:", &NETSTAT) {
                Some(values) => emit(&self.series, FIRST_OF_NETSTAT, values, round),
                None => round.fault(FaultCode::Malformed, "/proc/net/netstat: no TcpExt pair"),
            },
            Err(error) => round.unreadable(&error),
        }
        match self.reader.read(&self.sockstat) {
            Ok(file) => emit(&self.series, FIRST_OF_SOCKSTAT, sockets(file), round),
            Err(error) => round.unreadable(&error),
        }
        Ok(())
    }
}

fn emit<const N: usize>(
    series: &SeriesSet,
    first: usize,
    values: [Option<u64>; N],
    round: &mut Round,
) {
    for (index, value) in values.into_iter().enumerate() {
        round.emit_known(series.get(first + index), value.map(|value| value as f64));
    }
}

/// Values from the two lines `Tcp: Name ...` and `Tcp: 1 ...`. `None` when there are no such lines
/// or they differ in length: then no column can be trusted.
fn paired<const N: usize>(
    file: &[u8],
    prefix: &[u8],
    wanted: &[&str; N],
) -> Option<[Option<u64>; N]> {
    let mut both = lines(file).filter(|line| words(line).next() == Some(prefix));
    let (headings, values) = (both.next()?, both.next()?);
    if words(headings).count() != words(values).count() {
        return None;
    }
    let mut found = [None; N];
    for (heading, value) in words(headings).zip(words(values)) {
        if let Some(index) = wanted.iter().position(|wanted| wanted.as_bytes() == heading) {
            found[index] = number(value);
        }
    }
    Some(found)
}

fn sockets(file: &[u8]) -> [Option<u64>; SOCKSTAT.len()] {
    let mut found = [None; SOCKSTAT.len()];
    for line in lines(file) {
        let mut columns = words(line);
        let Some(protocol) = columns.next() else { continue };
        while let (Some(key), Some(value)) = (columns.next(), columns.next()) {
            let same = |(p, k): &(&str, &str)| p.as_bytes() == protocol && k.as_bytes() == key;
            if let Some(index) = SOCKSTAT.iter().position(same) {
                found[index] = number(value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_under_their_headings() {
        let check = |file: &str, expected: Option<[Option<u64>; 2]>| {
            assert_eq!(paired(file.as_bytes(), b"Tcp:", &["OutSegs", "RetransSegs"]), expected);
        };
        check(
            "Ip: A\nIp: 1\nTcp: RetransSegs MaxConn OutSegs\nTcp: 7 -1 9\n",
            Some([Some(9), Some(7)]),
        );
        check("Tcp: OutSegs RetransSegs\nTcp: 7\n", None);
        check("Tcp: OutSegs\nTcp: -1\n", Some([None, None]));
        check("Udp: 1\n", None);
        check("", None);
    }
}
