//! Processor time, load, run queue, context switches: `/proc/stat` and `/proc/loadavg`.

use std::path::PathBuf;
use std::sync::Arc;

use strata_model::FaultCode;

use super::fields::{fraction, lines, number, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{Seen, SeriesSet, Shape, plain, shape};
use crate::collector::CollectError;

/// The kernel's own limit (`NR_CPUS` of distribution kernels).
const PROCESSORS_MAX: usize = 8192;

const MODES: usize = 8;

/// In the order of the columns of `/proc/stat` (`proc_stat(5)`).
const TIMES: [Shape; MODES] = [
    shape(names::CPU_TIME, &[("mode", "user")]),
    shape(names::CPU_TIME, &[("mode", "nice")]),
    shape(names::CPU_TIME, &[("mode", "system")]),
    shape(names::CPU_TIME, &[("mode", "idle")]),
    shape(names::CPU_TIME, &[("mode", "iowait")]),
    shape(names::CPU_TIME, &[("mode", "irq")]),
    shape(names::CPU_TIME, &[("mode", "softirq")]),
    shape(names::CPU_TIME, &[("mode", "steal")]),
];

const TOTALS: [Shape; 9] = [
    plain(names::CPU_LOGICAL),
    plain(names::CONTEXT_SWITCHES),
    plain(names::INTERRUPTS),
    plain(names::PROCESS_CREATED),
    shape(names::PROCESS_COUNT, &[("state", "running")]),
    shape(names::PROCESS_COUNT, &[("state", "blocked")]),
    plain(names::LOAD_1M),
    plain(names::LOAD_5M),
    plain(names::LOAD_15M),
];
const LOGICAL: usize = 0;
const FIRST_LOAD: usize = 6;

/// `idle` and `iowait` of tickless kernels step back by a few ticks now and then (`proc_stat(5)`
/// says so of iowait). A step back of less than this is held, not passed on as a counter reset.
const STEP_BACK_SECONDS: f64 = 5.0;

/// Reads processor time and the scheduler's totals.
pub(super) struct Cpu {
    stat: PathBuf,
    loadavg: PathBuf,
    node: Arc<str>,
    ticks_per_second: f64,
    reader: FileReader,
    processors: Seen<Processor>,
    totals: SeriesSet,
}

struct Processor {
    series: SeriesSet,
    last: [f64; MODES],
}

impl Cpu {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            stat: root.path("proc/stat"),
            loadavg: root.path("proc/loadavg"),
            node: Arc::clone(node),
            ticks_per_second: rustix::param::clock_ticks_per_second() as f64,
            reader: FileReader::default(),
            processors: Seen::new(PROCESSORS_MAX),
            totals: SeriesSet::new(&TOTALS, node, &[]),
        }
    }

    fn processor(&mut self, line: &[u8], round: &mut Round) -> bool {
        let mut columns = words(line);
        let Some(name) = columns.next() else { return false };
        let Some(times) = mode_seconds(columns, self.ticks_per_second) else {
            round.malformed("/proc/stat", line);
            return false;
        };
        let node = &self.node;
        let Some(processor) = self.processors.entry(name, || {
            let index = super::fields::text(name.strip_prefix(b"cpu").unwrap_or(name));
            let series = SeriesSet::new(&TIMES, node, &[("cpu", &index)]);
            Processor { series, last: [0.0; MODES] }
        }) else {
            return false;
        };
        for (mode, (now, last)) in times.into_iter().zip(&mut processor.last).enumerate() {
            let held = now < *last && *last - now < STEP_BACK_SECONDS;
            if !held {
                *last = now;
            }
            round.emit(processor.series.get(mode), *last);
        }
        true
    }

    fn stat(&mut self, file: &[u8], round: &mut Round) {
        let mut logical = 0_u32;
        for line in lines(file) {
            let mut columns = words(line);
            let total = match columns.next() {
                Some(b"ctxt") => 1,
                Some(b"intr") => 2,
                Some(b"processes") => 3,
                Some(b"procs_running") => 4,
                Some(b"procs_blocked") => 5,
                // The line "cpu" is the sum of the others.
                Some(name) if name.len() > 3 && name.starts_with(b"cpu") => {
                    logical += u32::from(self.processor(line, round));
                    continue;
                }
                _ => continue,
            };
            match columns.next().and_then(number) {
                Some(value) => round.emit(self.totals.get(total), value as f64),
                None => round.malformed("/proc/stat", line),
            }
        }
        if logical > 0 {
            round.emit(self.totals.get(LOGICAL), f64::from(logical));
        }
        let refused = self.processors.end_round();
        round.over_limit("processors", PROCESSORS_MAX, refused);
    }
}

impl Part for Cpu {
    fn id(&self) -> &'static str {
        "host/cpu"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut reader = std::mem::take(&mut self.reader);
        let read = reader.read(&self.stat).map(|file| self.stat(file, round));
        if read.is_ok() {
            match reader.read_small(&self.loadavg) {
                Ok(file) => load(file, &self.totals, round),
                Err(error) => round.unreadable(&error),
            }
        }
        self.reader = reader;
        read.map_err(|error| error.fatal("mount the host's /proc and name it with --host-root"))
    }
}

/// Seconds per mode. `guest` and `guest_nice`, columns nine and ten, are contained in `user` and
/// `nice` and not counted again.
fn mode_seconds<'a>(
    columns: impl Iterator<Item = &'a [u8]>,
    ticks_per_second: f64,
) -> Option<[f64; MODES]> {
    let mut seconds = [0.0; MODES];
    let mut known = 0;
    for (mode, column) in seconds.iter_mut().zip(columns) {
        *mode = number(column)? as f64 / ticks_per_second;
        known += 1;
    }
    // Kernels since 2.6.11 write all eight.
    (known == MODES).then_some(seconds)
}

fn load(file: &[u8], totals: &SeriesSet, round: &mut Round) {
    for (index, word) in words(file).take(3).enumerate() {
        match fraction(word) {
            Some(value) => round.emit(totals.get(FIRST_LOAD + index), value),
            None => round.fault(FaultCode::Malformed, "/proc/loadavg: not a number"),
        }
    }
}
