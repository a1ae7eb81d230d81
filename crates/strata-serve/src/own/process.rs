//! What the kernel says about this process: CPU, memory, files, start. Linux only; elsewhere the
//! numbers are left out.

use std::fs;

/// Clock ticks per second of `/proc`: fixed in the kernel's interface to programs on every
/// architecture Rust supports (`USER_HZ`, `proc_pid_stat(5)`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What could be read; `None` where it could not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) threads: Option<f64>,
    pub(super) open_fds: Option<f64>,
    pub(super) max_fds: Option<f64>,
    /// Seconds since the Unix epoch.
    pub(super) start_time_seconds: Option<f64>,
}

/// Read this process's numbers.
pub(super) fn read() -> Process {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let own = text("/proc/self/stat");
    let status = text("/proc/self/status");
    let limits = text("/proc/self/limits");
    let booted = value_after(&text("/proc/stat"), "btime ");
    let started = stat_field(&own, 22).map(|ticks| ticks / TICKS_PER_SECOND);
    Process {
        cpu_seconds: stat_field(&own, 14)
            .zip(stat_field(&own, 15))
            .map(|(user, system)| (user + system) / TICKS_PER_SECOND),
        resident_bytes: value_after(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024.0),
        virtual_bytes: value_after(&status, "VmSize:").map(|kibibytes| kibibytes * 1024.0),
        threads: value_after(&status, "Threads:"),
        open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64),
        max_fds: value_after(&limits, "Max open files"),
        start_time_seconds: booted.zip(started).map(|(booted, started)| booted + started),
    }
}

/// Field of `/proc/PID/stat` by its number in `proc_pid_stat(5)`. The second field is the command in
/// parentheses and may hold spaces, so counting starts after its last parenthesis.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    after_command.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The first number after a word at the start of a line.
fn value_after(text: &str, word: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_command() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000 20";
        assert_eq!(stat_field(stat, 14), Some(250.0));
        assert_eq!(stat_field(stat, 15), Some(50.0));
        assert_eq!(stat_field(stat, 22), Some(12_345.0));
        assert_eq!(stat_field("", 14), None);
        assert_eq!(stat_field("7 (x) S", 14), None);
    }

    #[test]
    fn values_are_found_by_the_start_of_their_line() {
        let status = "Name:\tx\nVmRSS:\t  1024 kB\nThreads:\t9\n";
        assert_eq!(value_after(status, "VmRSS:"), Some(1024.0));
        assert_eq!(value_after(status, "VmSize:"), None);
        assert_eq!(value_after("Max open files   unlimited", "Max open files"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_all_of_them() {
        let process = read();
        assert!(process.resident_bytes.unwrap() > 1e6);
        assert!(process.open_fds.unwrap() >= 3.0);
        assert!(process.threads.unwrap() >= 1.0);
        assert!(process.cpu_seconds.unwrap() >= 0.0);
        assert!(process.start_time_seconds.unwrap() > 1.6e9);
    }
}
