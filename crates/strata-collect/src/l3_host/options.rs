//! How the host is collected, as written in `strata.toml` and as checked.

use std::time::Duration;

use regex::bytes::{Regex, RegexSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{format_duration, parse_duration};

/// The area of the host that one collector reads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum HostPart {
    /// Identity of the host, uptime, processor clocks, limits of our own control group.
    Info,
    /// Processor time, load, run queue.
    Cpu,
    /// Memory, swap, paging, huge pages.
    Memory,
    /// Memory and allocations per NUMA node.
    Numa,
    /// Block devices.
    Disk,
    /// Mounted file systems.
    Filesystem,
    /// Network interfaces.
    Network,
    /// TCP retransmissions and sockets.
    Tcp,
    /// Processes that matter.
    Process,
    /// Pressure stall information of the host.
    Pressure,
    /// Pressure and resources of control groups (pods, containers, jobs, services).
    Cgroup,
    /// NFS latency per operation.
    Nfs,
    /// InfiniBand, RoCE and EFA ports.
    Infiniband,
    /// PCI Express errors and link state.
    Pcie,
    /// Facts from the kernel log.
    KernelLog,
}

impl HostPart {
    /// All parts.
    pub const ALL: [Self; 15] = [
        Self::Info,
        Self::Cpu,
        Self::Memory,
        Self::Numa,
        Self::Disk,
        Self::Filesystem,
        Self::Network,
        Self::Tcp,
        Self::Process,
        Self::Pressure,
        Self::Cgroup,
        Self::Nfs,
        Self::Infiniband,
        Self::Pcie,
        Self::KernelLog,
    ];
}

/// `[host]`: what is read of the host, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostOptions {
    /// Read this host.
    pub enabled: bool,
    /// How often the host is read, at least "1s". Slow parts (file systems, control groups, PCI)
    /// keep to 10 or 15 seconds when this is shorter.
    pub interval: String,
    /// The parts to read.
    pub parts: Vec<HostPart>,
    /// Mount points to leave out (regular expression, unanchored).
    pub exclude_mounts: String,
    /// How long one remote file system may take to answer before it counts as hanging, at most "1s".
    pub mount_deadline: String,
    /// Network interfaces to leave out (regular expression, unanchored).
    pub exclude_interfaces: String,
    /// Control groups to read at most, those of pods and containers first.
    pub cgroups_max: usize,
    /// Which processes are followed.
    pub processes: ProcessOptions,
}

/// `[host.processes]`: which processes are followed one by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessOptions {
    /// A process whose name or command line matches one of these (regular expressions, unanchored)
    /// is followed. The command line is only looked at, never stored: it may hold secrets.
    pub patterns: Vec<String>,
    /// Follow processes that have a GPU device open.
    pub gpu: bool,
    /// Besides, follow as many processes with the most resident memory.
    pub top_by_memory: usize,
    /// Processes to follow at most.
    pub max: usize,
    /// How often processes are looked for; on hosts with thousands of them, less often.
    pub scan_interval: String,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: "15s".to_owned(),
            parts: HostPart::ALL.to_vec(),
            exclude_mounts:
                "^/(dev|proc|sys|run/credentials|run/user|run/netns)($|/)|/kubelet/pods/\
                             |/docker/(containers|overlay2)/|/containers/storage/|/containerd/"
                    .to_owned(),
            mount_deadline: "1s".to_owned(),
            exclude_interfaces:
                "^(veth|cali|lxc|cilium|tap|ifb|dummy|docker|br-|cni|flannel|nerdctl)".to_owned(),
            cgroups_max: 128,
            processes: ProcessOptions::default(),
        }
    }
}

impl Default for ProcessOptions {
    fn default() -> Self {
        let patterns = [
            // Inference engines.
            r"(?i)\bvllm\b",
            r"\bsglang\b",
            "llama-server",
            "text-generation-(launcher|router|server)",
            "tritonserver",
            "trtllm",
            "lmdeploy",
            r"\bollama\b",
            // Training.
            r"\btorchrun\b|torch\.distributed\.",
            r"\bdeepspeed\b",
            "megatron",
            r"\baccelerate\b",
            "pt_data_worker|pt_main_thread",
            r"\braylet\b|^ray::",
            // Those that run the GPUs and the node.
            "nvidia-fabricmanager|nv-fabricmanager|nvidia-persiste|nv-hostengine|dcgm-exporter",
            r"\bkubelet\b|\bslurmstepd\b",
            "^strata$",
        ];
        Self {
            patterns: patterns.map(str::to_owned).to_vec(),
            gpu: true,
            top_by_memory: 8,
            max: 64,
            scan_interval: "10s".to_owned(),
        }
    }
}

/// [`HostOptions`] that were found to make sense.
#[derive(Debug, Clone)]
pub struct HostSettings {
    pub(super) interval: Duration,
    pub(super) parts: Vec<HostPart>,
    pub(super) exclude_mounts: Regex,
    pub(super) mount_deadline: Duration,
    pub(super) exclude_interfaces: Regex,
    pub(super) cgroups_max: usize,
    pub(super) processes: ProcessSettings,
}

/// [`ProcessOptions`] that were found to make sense.
#[derive(Debug, Clone)]
pub(super) struct ProcessSettings {
    pub(super) patterns: RegexSet,
    pub(super) gpu: bool,
    pub(super) top_by_memory: usize,
    pub(super) max: usize,
    pub(super) scan_interval: Duration,
}

/// Eight mounts that begin to hang in one round still leave it within its own deadline.
const MOUNT_DEADLINE_MAX: Duration = Duration::from_secs(1);
/// Bounds that keep one host's share of series and of processor time small.
const PROCESSES_MAX: usize = 1024;
const CGROUPS_MAX: usize = 4096;

impl HostOptions {
    /// Check everything.
    ///
    /// # Errors
    /// Every problem found.
    pub fn validate(&self) -> Result<HostSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let second = Duration::from_secs(1);
        let interval = at_least("interval", &self.interval, second, &mut problems);
        let mount_deadline = at_least(
            "mount_deadline",
            &self.mount_deadline,
            Duration::from_millis(10),
            &mut problems,
        );
        if mount_deadline.is_some_and(|deadline| deadline > MOUNT_DEADLINE_MAX) {
            problems.push(Problem::new("mount_deadline", "must be at most 1s"));
        }
        let scan_interval = at_least(
            "processes.scan_interval",
            &self.processes.scan_interval,
            second,
            &mut problems,
        );
        let exclude_mounts = pattern("exclude_mounts", &self.exclude_mounts, &mut problems);
        let exclude_interfaces =
            pattern("exclude_interfaces", &self.exclude_interfaces, &mut problems);
        let patterns = patterns(&self.processes.patterns, &mut problems);
        bounded("cgroups_max", self.cgroups_max, CGROUPS_MAX, &mut problems);
        bounded("processes.max", self.processes.max, PROCESSES_MAX, &mut problems);
        let mut parts = if self.enabled { self.parts.clone() } else { Vec::new() };
        parts.sort_unstable();
        parts.dedup();
        match (interval, mount_deadline, scan_interval, exclude_mounts, exclude_interfaces) {
            (
                Some(interval),
                Some(mount_deadline),
                Some(scan_interval),
                Some(exclude_mounts),
                Some(exclude_interfaces),
            ) if problems.is_empty() => Ok(HostSettings {
                interval,
                parts,
                exclude_mounts,
                mount_deadline,
                exclude_interfaces,
                cgroups_max: self.cgroups_max,
                processes: ProcessSettings {
                    patterns,
                    gpu: self.processes.gpu,
                    top_by_memory: self.processes.top_by_memory,
                    max: self.processes.max,
                    scan_interval,
                },
            }),
            _ => Err(problems),
        }
    }
}

fn at_least(
    setting: &str,
    text: &str,
    least: Duration,
    problems: &mut Vec<Problem>,
) -> Option<Duration> {
    match parse_duration(text) {
        Ok(duration) if duration >= least => Some(duration),
        Ok(_) => {
            let message = format!("must be at least {}", format_duration(least));
            problems.push(Problem::new(setting, message));
            None
        }
        Err(message) => {
            problems.push(Problem::new(setting, message));
            None
        }
    }
}

/// An empty pattern excludes nothing, where the empty regular expression would match everything.
fn pattern(setting: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Regex> {
    let text = if text.is_empty() { "$^a" } else { text };
    Regex::new(text).map_err(|error| problems.push(Problem::new(setting, error.to_string()))).ok()
}

/// All patterns as one, so that a name is looked at once.
fn patterns(texts: &[String], problems: &mut Vec<Problem>) -> RegexSet {
    // Each by itself first: the error of the set does not say which pattern it is about.
    for (index, text) in texts.iter().enumerate() {
        pattern(&format!("processes.patterns[{index}]"), text, problems);
    }
    let texts = texts.iter().filter(|text| !text.is_empty());
    RegexSet::new(texts).unwrap_or_else(|error| {
        if problems.is_empty() {
            problems.push(Problem::new("processes.patterns", error.to_string()));
        }
        RegexSet::empty()
    })
}

fn bounded(setting: &str, value: usize, most: usize, problems: &mut Vec<Problem>) {
    if value > most {
        problems.push(Problem::new(setting, format!("must be at most {most}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let settings = HostOptions::default().validate().unwrap();
        assert_eq!(settings.interval, Duration::from_secs(15));
        assert_eq!(settings.parts.len(), HostPart::ALL.len());
    }

    #[test]
    fn a_host_that_is_not_to_be_read_has_no_parts() {
        let options = HostOptions { enabled: false, ..HostOptions::default() };
        assert!(options.validate().unwrap().parts.is_empty());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let options = HostOptions {
            interval: "10ms".to_owned(),
            exclude_mounts: "(".to_owned(),
            cgroups_max: usize::MAX,
            ..HostOptions::default()
        };
        let problems = options.validate().unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(problems[0], Problem::new("interval", "must be at least 1s"));
    }

    #[test]
    fn an_empty_pattern_excludes_nothing() {
        let options = HostOptions { exclude_interfaces: String::new(), ..HostOptions::default() };
        let settings = options.validate().unwrap();
        assert!(!settings.exclude_interfaces.is_match(b"eth0"));
        assert!(!settings.exclude_interfaces.is_match(b""));
        assert!(!patterns(&[String::new()], &mut Vec::new()).is_match(b"x"));
    }
}
