//! Facts from the kernel log: `/dev/kmsg`, followed from now on.

mod fact;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, SeekFrom};
use strata_model::FaultCode;

use super::fields::{fraction, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot, ReadError};
use super::series::{SeriesSet, plain};
use crate::collector::CollectError;
use fact::{oom_cgroup, parse_fact};
use record::parse_record;
pub use record::{AerSeverity, KernelFact};

/// Whether the bytes are a record of the kernel that states a known fact; a door for the fuzzers.
pub(crate) fn states_a_fact(bytes: &[u8]) -> bool {
    let record = parse_record(bytes).filter(|record| record.by_kernel);
    record.is_some_and(|record| {
        oom_cgroup(record.message).is_some() || parse_fact(record.message).is_some()
    })
}

/// Records read per round. The kernel's buffer holds some thousand; what is left waits for the next.
const RECORDS_PER_ROUND_MAX: usize = 4_096;

/// A record is at most 8 KiB (`CONSOLE_EXT_LOG_MAX`); a shorter buffer would be refused.
const RECORD_BYTES_MAX: usize = 8 << 10;

/// Events kept until somebody drains them. A storm of AER messages fills it in a second, and the
/// oldest of a storm say as much as the newest.
const EVENTS_MAX: usize = 1_024;

/// Series of single codes and devices.
const SERIES_MAX: usize = 512;

/// Events told from the start as zero: we have been watching, and there was none.
const EVENTS: [&str; 11] = [
    "oom_kill",
    "xid",
    "sxid",
    "gpu_lost",
    "hung_task",
    "nfs_not_responding",
    "nfs_ok",
    "pcie_aer",
    "mce",
    "filesystem_error",
    "io_error",
];

/// A fact with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelEvent {
    /// Milliseconds since the Unix epoch, computed from the record's time since boot.
    pub at_ms: i64,
    /// Number of the record, unique until the next boot.
    pub sequence: u64,
    pub fact: KernelFact,
}

/// Events that wait for somebody to take them. Cheap to clone; every clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct KernelEvents(Arc<Mutex<VecDeque<KernelEvent>>>);

impl KernelEvents {
    /// Take all events, oldest first.
    pub fn drain(&self) -> Vec<KernelEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Take the events whose fact is wanted, oldest first, and leave the others.
    pub(crate) fn take(&self, wanted: impl Fn(&KernelFact) -> bool) -> Vec<KernelEvent> {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !events.iter().any(|event| wanted(&event.fact)) {
            return Vec::new();
        }
        let all = std::mem::take(&mut *events);
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|event| wanted(&event.fact));
        *events = left;
        taken.into()
    }

    pub(crate) fn push(&self, event: KernelEvent) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= EVENTS_MAX {
            events.pop_front();
        }
        events.push_back(event);
    }
}

/// Follows the kernel log.
pub(super) struct KernelLog {
    path: PathBuf,
    uptime: PathBuf,
    node: Arc<str>,
    events: KernelEvents,
    log: Option<File>,
    reader: FileReader,
    buffer: Vec<u8>,
    next_sequence: Option<u64>,
    /// Victim's PID and control group of the last announced OOM kill.
    announced: Option<(u32, String)>,
    lost: u64,
    counts: BTreeMap<(&'static str, String, String), Count>,
    lost_series: SeriesSet,
    last_round_ms: Option<i64>,
}

struct Count {
    series: SeriesSet,
    value: u64,
    told: bool,
}

impl KernelLog {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>, events: KernelEvents) -> Self {
        Self {
            path: root.path("dev/kmsg"),
            uptime: root.path("proc/uptime"),
            node: Arc::clone(node),
            events,
            log: None,
            reader: FileReader::default(),
            buffer: vec![0; RECORD_BYTES_MAX],
            next_sequence: None,
            announced: None,
            lost: 0,
            counts: BTreeMap::new(),
            lost_series: SeriesSet::new(&[plain(names::KERNEL_LOST)], node, &[]),
            last_round_ms: None,
        }
    }

    /// Read what has been written since the last round.
    fn follow(&mut self, log: &mut File, round: &mut Round) {
        let mut uptime_seconds = None;
        for _ in 0..RECORDS_PER_ROUND_MAX {
            let length = match log.read(&mut self.buffer) {
                Ok(0) => return,
                Ok(length) => length,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    // A broken pipe says that records were overwritten: the next read gives the
                    // oldest that is left, and the gap in the numbers says how many.
                    io::ErrorKind::Interrupted | io::ErrorKind::BrokenPipe => continue,
                    _ => {
                        round.fault(FaultCode::Io, format!("cannot read the kernel log: {error}"));
                        return;
                    }
                },
            };
            let buffer = std::mem::take(&mut self.buffer);
            if let Some((sequence, at_us, fact)) =
                self.take(buffer.get(..length).unwrap_or(&buffer))
            {
                let now =
                    *uptime_seconds.get_or_insert_with(|| uptime(&self.uptime, &mut self.reader));
                let at_ms = wall_ms(round.at_ms, now, at_us);
                self.count(&fact, round);
                self.events.push(KernelEvent { at_ms, sequence, fact });
            }
            self.buffer = buffer;
        }
    }

    /// The fact of one record, with the record's number and microseconds since boot.
    fn take(&mut self, bytes: &[u8]) -> Option<(u64, u64, KernelFact)> {
        let record = parse_record(bytes)?;
        if let Some(expected) = self.next_sequence {
            self.lost += record.sequence.saturating_sub(expected);
        }
        self.next_sequence = record.sequence.checked_add(1);
        if !record.by_kernel {
            return None;
        }
        if let Some(announced) = oom_cgroup(record.message) {
            self.announced = Some(announced);
            return None;
        }
        let mut fact = parse_fact(record.message)?;
        if let KernelFact::OomKill { pid, cgroup, .. } = &mut fact {
            *cgroup = self.announced.take_if(|(of, _)| of == pid).map(|(_, path)| path);
        }
        Some((record.sequence, record.at_us, fact))
    }

    fn count(&mut self, fact: &KernelFact, round: &mut Round) {
        let (code, pci_address) = fact.labels();
        let key = (fact.event(), code, pci_address.to_owned());
        if self.counts.len() >= SERIES_MAX && !self.counts.contains_key(&key) {
            round.over_limit("kernel log series", SERIES_MAX, 1);
            return;
        }
        self.counter(key).value += 1;
    }

    fn counter(&mut self, key: (&'static str, String, String)) -> &mut Count {
        let node = &self.node;
        let make = |(event, code, address): &(&'static str, String, String)| {
            let identity = [("event", *event), ("code", code), ("pci_address", address)];
            let series = SeriesSet::new(&[plain(names::KERNEL_EVENTS)], node, &identity);
            Count { series, value: 0, told: false }
        };
        let new = make(&key);
        self.counts.entry(key).or_insert(new)
    }

    fn tell(&mut self, round: &mut Round) {
        for count in self.counts.values_mut() {
            // A series that begins with its first event would hide that event from `increase`: say
            // that it was zero at the round before, which is true.
            if let Some(before) = self.last_round_ms.filter(|_| !count.told && count.value > 0) {
                round.emit_at(count.series.get(0), before, 0.0);
            }
            count.told = true;
            round.emit(count.series.get(0), count.value as f64);
        }
        round.emit(self.lost_series.get(0), self.lost as f64);
        self.last_round_ms = Some(round.at_ms);
    }

    /// Open the log behind its last record: what was written before our start is not ours to count.
    fn open(&mut self) -> Result<File, CollectError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&self.path, flags, Mode::empty()).and_then(|log| {
            rustix::fs::seek(log.as_fd(), SeekFrom::End(0)).map(|_| File::from(log))
        });
        for event in EVENTS {
            // With a code or an address the series are told apart; these say that none was seen.
            self.counter((event, String::new(), String::new()));
        }
        opened.map_err(|source| {
            let error = ReadError::Read { path: self.path.clone(), source: source.into() };
            let mut error = error.fatal("give the container the host's /dev/kmsg");
            error.hint = format!("{}; the kernel log needs CAP_SYSLOG", error.hint);
            error
        })
    }
}

impl Part for KernelLog {
    fn id(&self) -> &'static str {
        "host/kernel_log"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut log = match self.log.take() {
            Some(log) => log,
            None => self.open()?,
        };
        self.follow(&mut log, round);
        self.log = Some(log);
        self.tell(round);
        Ok(())
    }
}

/// Seconds since boot; NaN when it cannot be read.
fn uptime(path: &std::path::Path, reader: &mut FileReader) -> f64 {
    let seconds = reader.read_small(path).ok().and_then(|file| fraction(words(file).next()?));
    seconds.unwrap_or(f64::NAN)
}

/// Wall time of a record. Both times are since boot; without the uptime it is the round's.
fn wall_ms(now_ms: i64, uptime_seconds: f64, at_us: u64) -> i64 {
    if uptime_seconds.is_nan() {
        return now_ms;
    }
    let age_ms = (uptime_seconds * 1e3 - at_us as f64 / 1e3).max(0.0);
    now_ms.saturating_sub(age_ms as i64)
}
