//! Space and inodes of mounted file systems, without hanging on a dead file server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use strata_model::FaultCode;

use super::fields::{lines, text, unescape, words};
use super::names;
use super::part::{Part, Round};
use super::probe::{Answer, Prober};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// Lines of the mount table that are remembered. Container hosts have thousands, nearly all of them
/// excluded, which costs some hundred bytes each.
const LINES_MAX: usize = 16_384;

/// File systems told per round.
const MOUNTS_MAX: usize = 512;

/// File systems of the kernel itself, and the layers that only show another file system again.
const PSEUDO: [&str; 33] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "fuse.lxcfs",
    "fuse.gvfsd-fuse",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nfsd",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "squashfs",
    "sysfs",
    "sysv",
    "tracefs",
    "erofs",
];

/// File systems on local devices: asking them cannot hang on a server. Everything else is asked
/// from a thread of its own.
const LOCAL: [&str; 13] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "vfat", "exfat",
    "ntfs3", "jfs",
];

const SHAPES: [Shape; 7] = [
    shape(names::FILESYSTEM_USAGE, &[("state", "used")]),
    shape(names::FILESYSTEM_USAGE, &[("state", "free")]),
    shape(names::FILESYSTEM_USAGE, &[("state", "reserved")]),
    plain(names::FILESYSTEM_LIMIT),
    plain(names::FILESYSTEM_UTILIZATION),
    shape(names::FILESYSTEM_INODES, &[("state", "used")]),
    shape(names::FILESYSTEM_INODES, &[("state", "free")]),
];

/// Reads every mounted file system that holds data.
pub(super) struct Filesystem {
    root: HostRoot,
    mounts: PathBuf,
    node: Arc<str>,
    exclude: Regex,
    deadline: Duration,
    reader: FileReader,
    known: Seen<Option<Mount>>,
    prober: Prober,
}

struct Mount {
    path: PathBuf,
    device: String,
    local: bool,
    series: SeriesSet,
}

impl Filesystem {
    /// `deadline` is how long one remote file system may take to answer.
    pub(super) fn new(
        root: &HostRoot,
        node: &Arc<str>,
        exclude: Regex,
        deadline: Duration,
    ) -> Self {
        Self {
            root: root.clone(),
            mounts: root.namespaced("mounts"),
            node: Arc::clone(node),
            exclude,
            deadline,
            reader: FileReader::default(),
            known: Seen::new(LINES_MAX),
            prober: Prober::default(),
        }
    }
}

impl Part for Filesystem {
    fn id(&self) -> &'static str {
        "host/filesystem"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let file = self.reader.read(&self.mounts).map_err(|error| error.fatal(""))?;
        for line in lines(file) {
            let make = || mount(line, &self.root, &self.node, &self.exclude);
            // The whole line is the key: the same folder may be mounted again from elsewhere.
            self.known.entry(line, make);
        }
        let refused = self.known.end_round();
        round.over_limit("mounts", LINES_MAX, refused);
        let (mut devices, mut told) = (BTreeSet::new(), 0);
        for mount in self.known.iter_mut().filter_map(|(_, mount)| mount.as_ref()) {
            // Bind mounts show one device many times; its space is told once.
            if mount.device.starts_with('/') && !devices.insert(&mount.device) {
                continue;
            }
            told += 1;
            if told > MOUNTS_MAX {
                round.over_limit("file systems", MOUNTS_MAX, 1);
                continue;
            }
            let answer = if mount.local {
                rustix::fs::statvfs(&mount.path).map_or_else(Answer::Refused, Answer::Space)
            } else {
                self.prober.ask(&mount.path, self.deadline)
            };
            tell(mount, &answer, round);
        }
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn may_hang(&self) -> bool {
        true
    }
}

/// What is kept about one line of the mount table; `None` for what holds no data.
fn mount(line: &[u8], root: &HostRoot, node: &str, exclude: &Regex) -> Option<Mount> {
    let mut columns = words(line);
    let device = unescape(columns.next()?);
    let mountpoint = unescape(columns.next()?);
    let kind = text(columns.next()?).into_owned();
    if PSEUDO.contains(&&*kind) || exclude.is_match(mountpoint.as_bytes()) {
        return None;
    }
    let identity = [("device", &*device), ("mountpoint", &*mountpoint), ("type", &*kind)];
    Some(Mount {
        path: root.inside(&mountpoint),
        local: LOCAL.contains(&&*kind),
        series: SeriesSet::new(&SHAPES, node, &identity),
        device,
    })
}

fn tell(mount: &Mount, answer: &Answer, round: &mut Round) {
    let path: &Path = &mount.path;
    let space = match answer {
        Answer::Space(space) => space,
        // Of another user (a FUSE mount), or gone since the table was read.
        Answer::Refused(error) if *error == rustix::io::Errno::NOENT => return,
        Answer::Refused(error) => {
            let denied = *error == rustix::io::Errno::ACCESS || *error == rustix::io::Errno::PERM;
            let code = if denied { FaultCode::Denied } else { FaultCode::Io };
            round.fault(code, format!("cannot ask {} for its space: {error}", path.display()));
            return;
        }
        Answer::Hanging => {
            let message = format!("{} does not answer, its server may be down", path.display());
            round.fault(FaultCode::Timeout, message);
            return;
        }
        Answer::TooManyHanging => {
            let message = format!("{} was not asked, too many others hang", path.display());
            round.fault(FaultCode::OverLimit, message);
            return;
        }
    };
    // A file system without blocks (an empty network file system, autofs) has no space to tell of.
    if space.f_blocks == 0 {
        return;
    }
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize) as f64;
    let used = space.f_blocks.saturating_sub(space.f_bfree);
    let reserved = space.f_bfree.saturating_sub(space.f_bavail);
    round.emit(mount.series.get(0), bytes(used));
    round.emit(mount.series.get(1), bytes(space.f_bavail));
    round.emit(mount.series.get(2), bytes(reserved));
    round.emit(mount.series.get(3), bytes(space.f_blocks));
    let available = used.saturating_add(space.f_bavail);
    if available > 0 {
        round.emit(mount.series.get(4), used as f64 / available as f64);
    }
    // btrfs and others make inodes as needed and say 0.
    if space.f_files > 0 {
        let used = space.f_files.saturating_sub(space.f_ffree);
        round.emit(mount.series.get(5), used as f64);
        round.emit(mount.series.get(6), space.f_ffree as f64);
    }
}
