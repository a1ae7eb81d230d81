//! NFS latency per operation and mount: `/proc/<pid>/mountstats`.

use std::path::PathBuf;
use std::sync::Arc;

use strata_model::SourceState;

use super::fields::{lines, number, text, unescape, words};
use super::names;
use super::part::{Part, Round, absent};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// Mounts times operations that are kept: 64 mounts with every operation of `NFSv4.2`.
const OPERATIONS_MAX: usize = 64 * 70;
const MOUNTS_MAX: usize = 256;

/// Per-op numbers in the order of the file (statvers 1.1): operations, transmissions, timeouts,
/// bytes sent, bytes received, then milliseconds queued, to the reply, in all; errors since 5.3.
const OPERATION_SHAPES: [Shape; 9] = [
    plain(names::NFS_COUNT),
    plain(names::NFS_TRANSMISSIONS),
    plain(names::NFS_TIMEOUTS),
    shape(names::NFS_OPERATION_IO, &[("direction", "transmit")]),
    shape(names::NFS_OPERATION_IO, &[("direction", "receive")]),
    plain(names::NFS_QUEUE_TIME),
    plain(names::NFS_RTT),
    plain(names::NFS_EXECUTION_TIME),
    plain(names::NFS_ERRORS),
];
const FIRST_MILLISECONDS: usize = 5;
const ERRORS: usize = 8;

const MOUNT_SHAPES: [Shape; 2] = [
    shape(names::NFS_IO, &[("direction", "read")]),
    shape(names::NFS_IO, &[("direction", "write")]),
];
/// Where the bytes line has what went over the wire, past the page cache.
const SERVER_READ: usize = 4;

/// Operations that are always told; the others only once they have happened.
const ALWAYS: [&[u8]; 8] =
    [b"READ", b"WRITE", b"COMMIT", b"OPEN", b"GETATTR", b"LOOKUP", b"ACCESS", b"READDIR"];

/// Reads every NFS mount of the host's mount namespace.
pub(super) struct Nfs {
    mountstats: PathBuf,
    node: Arc<str>,
    reader: FileReader,
    mounts: Seen<SeriesSet>,
    operations: Seen<SeriesSet>,
    key: Vec<u8>,
}

/// The mount whose lines are being read.
struct Mount<'a> {
    line: &'a [u8],
    server: String,
    mountpoint: String,
}

impl Nfs {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            mountstats: root.namespaced("mountstats"),
            node: Arc::clone(node),
            reader: FileReader::default(),
            mounts: Seen::new(MOUNTS_MAX),
            operations: Seen::new(OPERATIONS_MAX),
            key: Vec::new(),
        }
    }

    fn bytes(&mut self, mount: &Mount<'_>, line: &[u8], round: &mut Round) {
        let mut columns = words(line).skip(1 + SERVER_READ).map(number);
        let (Some(Some(read)), Some(Some(written))) = (columns.next(), columns.next()) else {
            round.malformed("mountstats", line);
            return;
        };
        let identity = [("server", &*mount.server), ("mountpoint", &*mount.mountpoint)];
        let make = || SeriesSet::new(&MOUNT_SHAPES, &self.node, &identity);
        if let Some(series) = self.mounts.entry(mount.line, make) {
            round.emit(series.get(0), read as f64);
            round.emit(series.get(1), written as f64);
        }
    }

    fn operation(&mut self, mount: &Mount<'_>, line: &[u8], round: &mut Round) {
        let mut columns = words(line);
        let Some(name) = columns.next().and_then(|name| name.strip_suffix(b":")) else { return };
        let mut values = [None; OPERATION_SHAPES.len()];
        for (value, column) in values.iter_mut().zip(columns) {
            *value = number(column);
        }
        if values[..ERRORS].iter().any(Option::is_none) {
            round.malformed("mountstats", line);
            return;
        }
        if values[0] == Some(0) && !ALWAYS.contains(&name) {
            return;
        }
        self.key.clear();
        self.key.extend_from_slice(mount.line);
        self.key.push(0);
        self.key.extend_from_slice(name);
        let make = || {
            let identity = [
                ("server", &*mount.server),
                ("mountpoint", &*mount.mountpoint),
                ("operation", &*text(name).to_lowercase()),
            ];
            SeriesSet::new(&OPERATION_SHAPES, &self.node, &identity)
        };
        let Some(series) = self.operations.entry(&self.key, make) else { return };
        for (index, value) in values.into_iter().enumerate() {
            let milliseconds = (FIRST_MILLISECONDS..ERRORS).contains(&index);
            let scale = if milliseconds { 1e-3 } else { 1.0 };
            round.emit_known(series.get(index), value.map(|value| value as f64 * scale));
        }
    }
}

/// `device <server>:<export> mounted on <folder> with fstype nfs4 statvers=1.1`
fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let columns: Vec<&[u8]> = words(line).collect();
    let [b"device", device, b"mounted", b"on", folder, b"with", b"fstype", kind, ..] = columns[..]
    else {
        return None;
    };
    if !matches!(kind, b"nfs" | b"nfs4") {
        return None;
    }
    // The address may be IPv6 in brackets, the export starts at the last ":/".
    let device = unescape(device);
    let server = device.rsplit_once(":/").map_or(&*device, |(server, _)| server).to_owned();
    Some(Mount { line, server, mountpoint: unescape(folder) })
}

impl Part for Nfs {
    fn id(&self) -> &'static str {
        "host/nfs"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut reader = std::mem::take(&mut self.reader);
        let read = reader.read(&self.mountstats).map(|file| {
            let (mut current, mut any, mut per_operation) = (None, false, false);
            for line in lines(file) {
                if line.starts_with(b"device ") {
                    current = mount(line);
                    per_operation = false;
                    any |= current.is_some();
                    continue;
                }
                let Some(mount) = &current else { continue };
                let trimmed = line.trim_ascii();
                if per_operation {
                    self.operation(mount, trimmed, round);
                } else if trimmed.starts_with(b"bytes:") {
                    self.bytes(mount, trimmed, round);
                } else if trimmed == b"per-op statistics" {
                    per_operation = true;
                }
            }
            any
        });
        self.reader = reader;
        let refused = self.operations.end_round() + self.mounts.end_round();
        round.over_limit("NFS operations", OPERATIONS_MAX, refused);
        match read {
            Ok(true) => Ok(()),
            Ok(false) => Err(absent(SourceState::Absent, "no NFS is mounted", "")),
            Err(error) => Err(error.fatal("")),
        }
    }
}
