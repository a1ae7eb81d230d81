//! Sums over the threads of a process that the kernel keeps per thread only.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::listing;
use super::super::root::FileReader;
use super::stat::{parse_run_delay, parse_stat, parse_switches};

/// Threads of one process that are summed. Engines have a few hundred; for one with more, the sums
/// are unknown rather than wrong or expensive.
pub(super) const THREADS_MAX: usize = 512;

/// Totals since the process was first followed. `schedstat` and `status` of a process are those of
/// its first thread only, so the threads are read one by one; what an ended thread had counted stays
/// in the total.
#[derive(Debug, Default)]
pub(super) struct Threads {
    last: BTreeMap<u32, Counts>,
    total: Counts,
    blocked: u32,
    known: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    run_delay_ns: u64,
    voluntary: u64,
    involuntary: u64,
}

/// The sums of one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sums {
    pub(super) run_delay_seconds: f64,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    pub(super) blocked: u32,
}

impl Threads {
    /// Read every thread of the process in `folder`, unless there are more than [`THREADS_MAX`].
    pub(super) fn read(&mut self, folder: &Path, count: u64, reader: &mut FileReader) {
        self.known = false;
        if count > THREADS_MAX as u64 {
            return;
        }
        let tasks = folder.join("task");
        let mut now = BTreeMap::new();
        self.blocked = 0;
        for name in listing::names(&tasks, THREADS_MAX) {
            let Ok(tid) = name.parse::<u32>() else { continue };
            let task = tasks.join(&name);
            let Some((counts, blocked)) = one(&task, reader) else { continue };
            self.blocked += u32::from(blocked);
            now.insert(tid, counts);
        }
        self.known = !now.is_empty();
        self.add(now);
    }

    /// Add what each thread counted since it was last read. The number of an ended thread may be
    /// given to a new one, whose counts are then smaller and all new.
    fn add(&mut self, now: BTreeMap<u32, Counts>) {
        let grown = |now: u64, last: u64| if now >= last { now - last } else { now };
        for (tid, counts) in &now {
            let last = self.last.get(tid).copied().unwrap_or_default();
            self.total.run_delay_ns += grown(counts.run_delay_ns, last.run_delay_ns);
            self.total.voluntary += grown(counts.voluntary, last.voluntary);
            self.total.involuntary += grown(counts.involuntary, last.involuntary);
        }
        self.last = now;
    }

    /// The sums, or `None` when they are not known.
    pub(super) fn sums(&self) -> Option<Sums> {
        self.known.then(|| Sums {
            run_delay_seconds: self.total.run_delay_ns as f64 / 1e9,
            voluntary: self.total.voluntary,
            involuntary: self.total.involuntary,
            blocked: self.blocked,
        })
    }
}

fn one(task: &Path, reader: &mut FileReader) -> Option<(Counts, bool)> {
    let run_delay_ns = parse_run_delay(reader.read_small(&task.join("schedstat")).ok()?)?;
    let status = reader.read_small(&task.join("status")).ok()?;
    let (voluntary, involuntary) = parse_switches(status)?;
    let stat = parse_stat(reader.read_small(&task.join("stat")).ok()?)?;
    Some((Counts { run_delay_ns, voluntary, involuntary }, stat.state == b'D'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_never_falls_when_threads_end() {
        let mut threads = Threads::default();
        let counts = |n: u64| Counts { run_delay_ns: n, voluntary: n, involuntary: 0 };
        let mut add = |now: &[(u32, u64)]| {
            threads.add(now.iter().map(|(tid, n)| (*tid, counts(*n))).collect());
            threads.total.voluntary
        };
        assert_eq!(add(&[(1, 10), (2, 20)]), 30);
        assert_eq!(add(&[(1, 15)]), 35, "thread 2 ended");
        assert_eq!(add(&[(1, 15), (2, 3)]), 38, "a new thread with its number");
        assert_eq!(add(&[(1, 4)]), 42, "thread 1 was replaced between two rounds");
    }
}
