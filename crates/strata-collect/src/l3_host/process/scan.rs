//! Looking for the processes that matter: named ones, those on a GPU, and the largest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::listing;
use super::super::options::ProcessSettings;
use super::super::root::FileReader;
use super::stat::parse_stat;

/// PIDs looked at in one scan: the kernel's default `pid_max` on large machines is 4 M, but
/// 64 k processes are already a fork bomb.
const PIDS_MAX: usize = 65_536;

/// Descriptors looked at for a GPU device; CUDA opens its devices early, so they are low.
const DESCRIPTORS_MAX: usize = 256;

/// A process that uses a GPU holds its driver's libraries in memory; smaller ones are not looked at.
const GPU_RESIDENT_PAGES_MIN: u64 = 8_192;

/// A process not (yet) on a GPU is looked at again after so many scans.
const GPU_RETRY_SCANS: u8 = 6;

/// The kernel keeps 15 bytes of a name.
const NAME_BYTES: usize = 16;

/// A command line is looked at in so many scans: in the first, the new program may not have been
/// started yet, and its parent can have the same name.
const COMMAND_LINE_LOOKS: u8 = 2;

/// Devices whose holders are GPU processes.
const GPU_DEVICES: [&str; 3] = ["/dev/nvidia", "/dev/kfd", "/dev/dri/renderD"];

/// Why a process is followed, the strongest reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    Gpu,
    Named,
    Large,
}

/// A process to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) pid: u32,
    pub(super) start_ticks: u64,
    pub(super) reason: Reason,
}

/// What does not change about a process, or is worth asking seldom.
struct Known {
    start_ticks: u64,
    /// A program that is started in a process, or one that renames itself, has another.
    name: [u8; NAME_BYTES],
    /// Whether a pattern matches its name or command line.
    matched: bool,
    /// How often its command line was looked at under this name.
    looks: u8,
    on_gpu: bool,
    /// Scans until its descriptors are looked at again.
    gpu_retry: u8,
    /// Scan in which it was last seen.
    seen: u64,
}

/// Remembers every process between scans, so that its command line is not read each time.
pub(super) struct Scanner {
    proc: PathBuf,
    dev: PathBuf,
    /// Whether there is any GPU whose device could be held; its driver may be loaded later.
    has_gpu: bool,
    settings: ProcessSettings,
    reader: FileReader,
    known: BTreeMap<u32, Known>,
    scan: u64,
}

impl Scanner {
    pub(super) fn new(proc: PathBuf, dev: PathBuf, settings: ProcessSettings) -> Self {
        Self {
            proc,
            dev,
            has_gpu: false,
            settings,
            reader: FileReader::default(),
            known: BTreeMap::new(),
            scan: 0,
        }
    }

    /// By how much to look less often than asked: a look costs some 10 microseconds a process, and
    /// at every 10 seconds 1,000 processes are a thousandth of a processor.
    pub(super) fn slowdown(&self) -> i64 {
        1 + (self.known.len() / 1_000) as i64
    }

    /// All processes to follow in order of PID, and how many more would have been.
    pub(super) fn scan(&mut self) -> (Vec<Chosen>, usize) {
        self.scan += 1;
        let devices = ["nvidiactl", "kfd", "dri"];
        self.has_gpu = devices.iter().any(|device| self.dev.join(device).exists());
        let mut found = Vec::new();
        for name in listing::names(&self.proc, PIDS_MAX * 2) {
            let Ok(pid) = name.parse() else { continue };
            if let Some(candidate) = self.look(pid, &name) {
                found.push(candidate);
            }
        }
        let scan = self.scan;
        self.known.retain(|_, known| known.seen == scan);
        choose(found, &self.settings)
    }

    /// One process with its resident pages; `None` for kernel threads and those that just ended.
    fn look(&mut self, pid: u32, name: &str) -> Option<(Chosen, u64)> {
        let folder = self.proc.join(name);
        let stat = parse_stat(self.reader.read_small(&folder.join("stat")).ok()?)?;
        // Kernel threads have no memory of their own.
        if stat.virtual_bytes == 0 {
            return None;
        }
        let (start_ticks, pages) = (stat.start_ticks, stat.resident_pages);
        let mut name = [0; NAME_BYTES];
        let length = stat.name.len().min(NAME_BYTES);
        name[..length].copy_from_slice(&stat.name[..length]);
        let same = |known: &Known| known.start_ticks == start_ticks && known.name == name;
        let known = self.known.remove(&pid).filter(same);
        let mut process = known.unwrap_or(Known {
            start_ticks,
            name,
            matched: false,
            looks: 0,
            on_gpu: false,
            gpu_retry: 0,
            seen: 0,
        });
        process.seen = self.scan;
        if !process.matched && process.looks < COMMAND_LINE_LOOKS {
            process.looks += 1;
            process.matched =
                self.settings.patterns.is_match(&name[..length]) || self.is_named(&folder);
        }
        if self.settings.gpu && self.has_gpu && !process.on_gpu && pages >= GPU_RESIDENT_PAGES_MIN {
            if process.gpu_retry == 0 {
                process.on_gpu = holds_gpu(&folder);
                process.gpu_retry = GPU_RETRY_SCANS;
            }
            process.gpu_retry -= 1;
        }
        let (on_gpu, named) = (process.on_gpu, process.matched);
        self.known.insert(pid, process);
        let reason = match (on_gpu, named) {
            (true, _) => Reason::Gpu,
            (false, true) => Reason::Named,
            (false, false) => Reason::Large,
        };
        Some((Chosen { pid, start_ticks, reason }, pages))
    }

    /// Whether a pattern matches the command line. Its arguments are separated by NUL, which is
    /// shown to the patterns as a space; nothing of it is kept.
    fn is_named(&mut self, folder: &Path) -> bool {
        // A command line may be megabytes; what it is called stands at its start.
        let Ok(line) = self.reader.read_small(&folder.join("cmdline")) else { return false };
        let spaced: Vec<u8> =
            line.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
        self.settings.patterns.is_match(&spaced)
    }
}

fn holds_gpu(folder: &Path) -> bool {
    let descriptors = folder.join("fd");
    listing::names(&descriptors, DESCRIPTORS_MAX).any(|name| {
        let target = std::fs::read_link(descriptors.join(name)).unwrap_or_default();
        let target = target.to_string_lossy();
        GPU_DEVICES.iter().any(|device| target.starts_with(device))
    })
}

/// Those on a GPU and the named ones, then the largest of the others.
fn choose(mut found: Vec<(Chosen, u64)>, settings: &ProcessSettings) -> (Vec<Chosen>, usize) {
    // Larger first within each reason; the PID makes the order definite.
    found.sort_unstable_by_key(|(chosen, pages)| {
        (chosen.reason, std::cmp::Reverse(*pages), chosen.pid)
    });
    let (mut chosen, mut others) = (Vec::new(), 0);
    for (candidate, _) in found {
        if candidate.reason == Reason::Large {
            others += 1;
            if others > settings.top_by_memory {
                break;
            }
        }
        chosen.push(candidate);
    }
    let beyond = chosen.len().saturating_sub(settings.max);
    chosen.truncate(settings.max);
    chosen.sort_unstable_by_key(|chosen| chosen.pid);
    (chosen, beyond)
}

#[cfg(test)]
mod tests {
    use super::super::super::options::HostOptions;
    use super::*;

    #[test]
    fn gpu_and_named_come_before_large() {
        let mut settings = HostOptions::default().validate().unwrap().processes;
        settings.top_by_memory = 1;
        settings.max = 3;
        let found =
            |pid: u32, reason: Reason, pages: u64| (Chosen { pid, start_ticks: 0, reason }, pages);
        let all = vec![
            found(1, Reason::Large, 900),
            found(2, Reason::Large, 800),
            found(3, Reason::Named, 1),
            found(4, Reason::Gpu, 2),
        ];
        let pids = |(chosen, beyond): (Vec<Chosen>, usize)| {
            (chosen.iter().map(|chosen| chosen.pid).collect::<Vec<_>>(), beyond)
        };
        assert_eq!(pids(choose(all.clone(), &settings)), (vec![1, 3, 4], 0));
        settings.max = 2;
        assert_eq!(pids(choose(all, &settings)), (vec![3, 4], 1));
    }
}
