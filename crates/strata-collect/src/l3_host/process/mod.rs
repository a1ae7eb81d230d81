//! Processes that matter: engines, training, GPU users and the largest, one by one.

mod scan;
mod stat;
mod threads;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::FaultCode;

use super::fields::{fraction, text, words};
use super::names;
use super::options::ProcessSettings;
use super::owner::Owner;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;
use scan::{Chosen, Reason, Scanner};
use stat::{Stat, parse_io, parse_resident_bytes, parse_stat};
use threads::Threads;

const SHAPES: [Shape; 15] = [
    shape(names::PROCESS_CPU_TIME, &[("mode", "user")]),
    shape(names::PROCESS_CPU_TIME, &[("mode", "system")]),
    plain(names::PROCESS_MEMORY),
    plain(names::PROCESS_VIRTUAL),
    plain(names::PROCESS_THREADS),
    shape(names::PROCESS_FAULTS, &[("type", "minor")]),
    shape(names::PROCESS_FAULTS, &[("type", "major")]),
    plain(names::PROCESS_UPTIME),
    plain(names::PROCESS_DESCRIPTORS),
    shape(names::PROCESS_DISK_IO, &[("direction", "read")]),
    shape(names::PROCESS_DISK_IO, &[("direction", "write")]),
    plain(names::PROCESS_RUN_DELAY),
    shape(names::PROCESS_SWITCHES, &[("type", "voluntary")]),
    shape(names::PROCESS_SWITCHES, &[("type", "involuntary")]),
    plain(names::PROCESS_THREADS_BLOCKED),
];
const RESIDENT: usize = 2;
const DESCRIPTORS: usize = 8;
const DISK_IO: usize = 9;
const RUN_DELAY: usize = 11;

/// Reads the chosen processes every round and looks for new ones now and then.
pub(super) struct Processes {
    proc: PathBuf,
    node: Arc<str>,
    max: usize,
    scan_interval: Duration,
    scanned_ms: Option<i64>,
    units: Units,
    scanner: Scanner,
    reader: FileReader,
    followed: Vec<Followed>,
}

/// What the kernel counts in.
#[derive(Debug, Clone, Copy)]
struct Units {
    ticks_per_second: f64,
    page_bytes: u64,
}

/// The round as every process sees it.
struct Now {
    uptime_seconds: Option<f64>,
    /// Whether this round also reads what is read seldom.
    slowly: bool,
    units: Units,
}

struct Followed {
    chosen: Chosen,
    folder: PathBuf,
    stat: PathBuf,
    status: PathBuf,
    io: PathBuf,
    descriptors: PathBuf,
    name: Box<[u8]>,
    series: SeriesSet,
    threads: Threads,
    descriptor_count: Option<u64>,
}

impl Processes {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>, settings: ProcessSettings) -> Self {
        let proc = root.path("proc");
        Self {
            node: Arc::clone(node),
            max: settings.max,
            scan_interval: settings.scan_interval,
            scanned_ms: None,
            units: Units {
                ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
                page_bytes: rustix::param::page_size() as u64,
            },
            scanner: Scanner::new(proc.clone(), root.path("dev"), settings),
            proc,
            reader: FileReader::default(),
            followed: Vec::new(),
        }
    }

    fn choose(&mut self, round: &mut Round) {
        let (chosen, beyond) = self.scanner.scan();
        round.over_limit("processes that matter", self.max, beyond as u64);
        let mut before = std::mem::take(&mut self.followed);
        for chosen in chosen {
            let same = |known: &Followed| {
                (known.chosen.pid, known.chosen.start_ticks) == (chosen.pid, chosen.start_ticks)
            };
            let known = before.iter().position(same).map(|index| before.swap_remove(index));
            let followed = known.or_else(|| self.follow(chosen));
            self.followed.extend(followed.map(|known| Followed { chosen, ..known }));
        }
    }

    fn follow(&mut self, chosen: Chosen) -> Option<Followed> {
        let folder = self.proc.join(chosen.pid.to_string());
        let stat = folder.join("stat");
        let name = parse_stat(self.reader.read_small(&stat).ok()?)?.name.into();
        let mut followed = Followed {
            chosen,
            status: folder.join("status"),
            io: folder.join("io"),
            descriptors: folder.join("fd"),
            stat,
            folder,
            name,
            series: SeriesSet::default(),
            threads: Threads::default(),
            descriptor_count: None,
        };
        followed.name_series(&self.node, &mut self.reader);
        Some(followed)
    }
}

impl Followed {
    /// Encode the labels: on the first sight, and again when the process renamed itself.
    fn name_series(&mut self, node: &str, reader: &mut FileReader) {
        let file = reader.read_small(&self.folder.join("cgroup"));
        let owner = file.map(Owner::of_process).unwrap_or_default();
        let pid = self.chosen.pid.to_string();
        let name = text(&self.name);
        let [cgroup, pod_uid, container_id] = owner.labels();
        let identity = [("pid", &*pid), ("process", &*name), cgroup, pod_uid, container_id];
        self.series = SeriesSet::new(&SHAPES, node, &identity);
    }

    /// Tell everything about the process; true when its I/O may not be read.
    fn tell(&mut self, now: &Now, node: &str, reader: &mut FileReader, round: &mut Round) -> bool {
        let Some(stat) = reader.read_small(&self.stat).ok().and_then(parse_stat) else {
            return false;
        };
        // The PID was given to another process; the next scan decides about that one.
        if stat.start_ticks != self.chosen.start_ticks {
            return false;
        }
        let (mut values, threads) = (values(&stat, now), stat.threads);
        if *stat.name != *self.name {
            self.name = stat.name.into();
            self.name_series(node, reader);
        }
        // The kernel gives `stat` a number it has not summed over the processors (proc_pid_stat(5)
        // calls it inaccurate); on a large host it is off by megabytes.
        let status = reader.read_small(&self.status).ok();
        if let Some(resident) = status.and_then(parse_resident_bytes) {
            values[RESIDENT] = Some(resident as f64);
        }
        if now.slowly {
            self.read_slowly(threads, reader);
        }
        let (io, denied) = match reader.read_small(&self.io) {
            Ok(file) => (parse_io(file), false),
            Err(error) => (None, error.is_denied()),
        };
        emit(self, values, io, round);
        denied
    }

    /// What is worth reading only as often as processes are looked for.
    fn read_slowly(&mut self, threads: u64, reader: &mut FileReader) {
        if self.chosen.reason != Reason::Large {
            self.threads.read(&self.folder, threads, reader);
        }
        self.descriptor_count = descriptor_count(&self.descriptors);
    }
}

/// Open descriptors. Since Linux 6.2 the size of the folder says it; before, they are counted.
fn descriptor_count(folder: &Path) -> Option<u64> {
    /// `nr_open` of most hosts; a list of a million names is not read to the end.
    const COUNTED_MAX: usize = 65_536;
    let size = std::fs::metadata(folder).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let listed = std::fs::read_dir(folder).ok()?.take(COUNTED_MAX).count();
    (listed < COUNTED_MAX).then_some(listed as u64)
}

impl Part for Processes {
    fn id(&self) -> &'static str {
        "host/process"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let file = self
            .reader
            .read_small(&self.proc.join("uptime"))
            .map_err(|error| error.fatal("mount the host's /proc and name it with --host-root"))?;
        let uptime_seconds = words(file).next().and_then(fraction);
        let interval_ms = self.scan_interval.as_millis() as i64 * self.scanner.slowdown();
        let slowly = self.scanned_ms.is_none_or(|at| (round.at_ms - at).abs() >= interval_ms);
        if slowly {
            self.scanned_ms = Some(round.at_ms);
            self.choose(round);
        }
        let now = Now { uptime_seconds, slowly, units: self.units };
        let mut denied = 0;
        for followed in &mut self.followed {
            denied += u64::from(followed.tell(&now, &self.node, &mut self.reader, round));
        }
        if denied > 0 {
            let message = "the I/O of other users' processes may not be read";
            round.fault(FaultCode::Denied, message);
        }
        Ok(())
    }

    /// Reading a command line waits for the process's memory map.
    fn may_hang(&self) -> bool {
        true
    }
}

/// In the order of [`SHAPES`].
fn values(stat: &Stat<'_>, now: &Now) -> [Option<f64>; DESCRIPTORS] {
    let seconds = |ticks: u64| ticks as f64 / now.units.ticks_per_second;
    [
        Some(seconds(stat.user_ticks)),
        Some(seconds(stat.system_ticks)),
        Some(stat.resident_pages.saturating_mul(now.units.page_bytes) as f64),
        Some(stat.virtual_bytes as f64),
        Some(stat.threads as f64),
        Some(stat.minor_faults as f64),
        Some(stat.major_faults as f64),
        now.uptime_seconds.map(|uptime| (uptime - seconds(stat.start_ticks)).max(0.0)),
    ]
}

fn emit(
    followed: &Followed,
    values: [Option<f64>; DESCRIPTORS],
    io: Option<(u64, u64)>,
    round: &mut Round,
) {
    let series = &followed.series;
    for (index, value) in values.into_iter().enumerate() {
        round.emit_known(series.get(index), value);
    }
    round.emit_known(series.get(DESCRIPTORS), followed.descriptor_count.map(|count| count as f64));
    if let Some((read, written)) = io {
        round.emit(series.get(DISK_IO), read as f64);
        round.emit(series.get(DISK_IO + 1), written as f64);
    }
    if let Some(sums) = followed.threads.sums() {
        round.emit(series.get(RUN_DELAY), sums.run_delay_seconds);
        round.emit(series.get(RUN_DELAY + 1), sums.voluntary as f64);
        round.emit(series.get(RUN_DELAY + 2), sums.involuntary as f64);
        round.emit(series.get(RUN_DELAY + 3), f64::from(sums.blocked));
    }
}

/// Read the bytes as each of the files of a process; a door for the fuzzers.
pub(crate) fn read_as_each_file(bytes: &[u8]) {
    if let Some(stat) = parse_stat(bytes) {
        assert!(stat.name.len() <= bytes.len(), "a name is part of its line");
    }
    let read = (
        parse_io(bytes),
        parse_resident_bytes(bytes),
        stat::parse_switches(bytes),
        stat::parse_run_delay(bytes),
        Owner::of_process(bytes),
    );
    drop(read);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_counted_as_listed() {
        let folder = Path::new("/proc/self/fd");
        let open: Vec<_> = (0..400).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let with = descriptor_count(folder).unwrap();
        drop(open);
        let without = descriptor_count(folder).unwrap();
        // Tests beside this one open and close files at the same time.
        assert!((300..500).contains(&with.abs_diff(without)), "{with} {without}");
        assert_eq!(descriptor_count(Path::new("/proc/self/no-such-folder")), None);
    }
}
