//! What the host is, how long it is up, its processor clocks, and whether we run inside a limit.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::fields::{fraction, lines, number, text, words};
use super::listing;
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, plain};
use crate::collector::CollectError;

const PROCESSORS_MAX: usize = 8192;

/// A memory limit of v1 that means "none" is `LONG_MAX` rounded down to a page; no host has 2^60
/// bytes.
const NO_LIMIT_BYTES: u64 = 1 << 60;

const SHAPES: [Shape; 4] = [
    plain(names::UPTIME),
    plain(names::CPU_PHYSICAL),
    plain(names::SELF_MEMORY_LIMIT),
    plain(names::SELF_CPU_LIMIT),
];

/// Reads what seldom changes.
pub(super) struct Info {
    root: HostRoot,
    node: Arc<str>,
    reader: FileReader,
    /// Made at the first round: identity does not change before the next boot.
    fixed: Option<Fixed>,
}

struct Fixed {
    identity: SeriesSet,
    series: SeriesSet,
    physical: Option<usize>,
    clocks: Vec<(PathBuf, SeriesSet)>,
}

impl Info {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        let reader = FileReader::default();
        Self { root: root.clone(), node: Arc::clone(node), reader, fixed: None }
    }

    fn fixed(&mut self) -> Fixed {
        let reader = &mut self.reader;
        let mut word = |below: &str| reader.word(&self.root.path(below)).unwrap_or_default();
        let kernel = word("proc/sys/kernel/osrelease");
        let boot_id = word("proc/sys/kernel/random/boot_id");
        let machine = word("sys/class/dmi/id/product_name");
        let os = reader.read(&self.root.path("etc/os-release")).map(os_name).unwrap_or_default();
        let cpuinfo = reader.read(&self.root.path("proc/cpuinfo"));
        let cpu_model = cpuinfo.map(cpu_model).unwrap_or_default();
        let arch = rustix::system::uname().machine().to_string_lossy().into_owned();
        let identity = [
            ("os", &*os),
            ("kernel", &*kernel),
            ("arch", &*arch),
            ("boot_id", &*boot_id),
            ("cpu_model", &*cpu_model),
            ("machine", &*machine),
        ];
        let identity = SeriesSet::new(&[plain(names::HOST_INFO)], &self.node, &identity);
        let series = SeriesSet::new(&SHAPES, &self.node, &[]);
        let (physical, clocks) = self.processors();
        Fixed { identity, series, physical, clocks }
    }

    fn processors(&mut self) -> (Option<usize>, Vec<(PathBuf, SeriesSet)>) {
        let folder = self.root.path("sys/devices/system/cpu");
        let mut indices: Vec<u32> = listing::names(&folder, PROCESSORS_MAX)
            .filter_map(|name| name.strip_prefix("cpu")?.parse().ok())
            .collect();
        indices.sort_unstable();
        let (mut cores, mut clocks) = (BTreeSet::new(), Vec::new());
        for index in indices {
            let cpu = folder.join(format!("cpu{index}"));
            let package = self.reader.number(&cpu.join("topology/physical_package_id"));
            let core = self.reader.number(&cpu.join("topology/core_id"));
            if let (Some(package), Some(core)) = (package, core) {
                cores.insert((package, core));
            }
            let clock = cpu.join("cpufreq/scaling_cur_freq");
            if clock.exists() {
                let identity = [("cpu", &*index.to_string())];
                let shape = [plain(names::CPU_FREQUENCY)];
                clocks.push((clock, SeriesSet::new(&shape, &self.node, &identity)));
            }
        }
        ((!cores.is_empty()).then_some(cores.len()), clocks)
    }
}

impl Part for Info {
    fn id(&self) -> &'static str {
        "host/info"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let fixed = match self.fixed.take() {
            Some(fixed) => fixed,
            None => self.fixed(),
        };
        let uptime = self.reader.read_small(&self.root.path("proc/uptime")).map(|file| {
            let seconds = words(file).next().and_then(fraction);
            round.emit_known(fixed.series.get(0), seconds);
        });
        round.emit(fixed.identity.get(0), 1.0);
        round.emit_known(fixed.series.get(1), fixed.physical.map(|count| count as f64));
        let (memory, cpu) = own_limits(&self.root, &mut self.reader);
        round.emit_known(fixed.series.get(2), memory.map(|bytes| bytes as f64));
        round.emit_known(fixed.series.get(3), cpu);
        for (path, series) in &fixed.clocks {
            let hertz = self.reader.number(path).map(|khz| khz as f64 * 1e3);
            round.emit_known(series.get(0), hertz);
        }
        self.fixed = Some(fixed);
        uptime.map_err(|error| error.fatal("mount the host's /proc and name it with --host-root"))
    }

    fn interval_min(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"` (`os-release(5)`).
fn os_name(file: &[u8]) -> String {
    let value = lines(file).find_map(|line| line.strip_prefix(b"PRETTY_NAME="));
    text(value.unwrap_or_default()).trim_matches(['"', '\'']).to_owned()
}

/// The first model name; ARM kernels write none.
fn cpu_model(file: &[u8]) -> String {
    let line = lines(file).find(|line| line.starts_with(b"model name"));
    let value = line.and_then(|line| line.splitn(2, |byte| *byte == b':').nth(1));
    text(value.unwrap_or_default().trim_ascii()).into_owned()
}

/// Bytes and processors that our own control group may use; `None` without a limit, and when the
/// host is read under another root: then its totals are what was asked for.
fn own_limits(root: &HostRoot, reader: &mut FileReader) -> (Option<u64>, Option<f64>) {
    let own = |below: &str| root.path("sys/fs/cgroup").join(below);
    if !root.is_own() {
        return (None, None);
    }
    let path = reader.read_small(&root.path("proc/self/cgroup")).ok().and_then(|file| {
        let line = lines(file).find_map(|line| line.strip_prefix(b"0::/"))?;
        Some(text(line).into_owned())
    });
    let below = path.unwrap_or_default();
    let v2 = |name: &str| own(&below).join(name);
    let memory = reader
        .number(&v2("memory.max"))
        .or_else(|| reader.number(&own("memory/memory.limit_in_bytes")))
        .filter(|bytes| *bytes < NO_LIMIT_BYTES);
    let cpu = reader.read_small(&v2("cpu.max")).ok().and_then(quota);
    let cpu = cpu.or_else(|| {
        let quota = reader.number(&own("cpu/cpu.cfs_quota_us"))?;
        let period = reader.number(&own("cpu/cpu.cfs_period_us")).filter(|us| *us > 0)?;
        Some(quota as f64 / period as f64)
    });
    (memory, cpu)
}

/// `200000 100000` is two processors, `max 100000` is no limit.
fn quota(file: &[u8]) -> Option<f64> {
    let mut columns = words(file).map(number);
    let (quota, period) = (columns.next()??, columns.next()??);
    (period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_processors() {
        assert_eq!(quota(b"250000 100000\n"), Some(2.5));
        assert_eq!(quota(b"max 100000\n"), None);
        assert_eq!(quota(b"1 0\n"), None);
        assert_eq!(quota(b"1"), None);
    }

    #[test]
    fn names_are_found() {
        assert_eq!(os_name(b"ID=x\nPRETTY_NAME=\"Some Linux 1\"\n"), "Some Linux 1");
        assert_eq!(os_name(b""), "");
        assert_eq!(cpu_model(b"processor\t: 0\nmodel name\t: A CPU @ 2GHz\n"), "A CPU @ 2GHz");
    }
}
