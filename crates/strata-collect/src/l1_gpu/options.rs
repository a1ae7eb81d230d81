//! How GPUs are collected, as written in `strata.toml` and as checked.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::parse_duration;

/// The name under which NVIDIA installs its library; the linker knows where.
const NVIDIA_LIBRARY: &str = "libnvidia-ml.so.1";

/// Whose GPUs one collector reads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GpuVendor {
    /// Through the driver's library.
    Nvidia,
    /// From the files of the kernel's driver.
    Amd,
}

/// When the profiling counters of NVIDIA GPUs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profiling {
    /// Never, as beside Nsight.
    Off,
    /// But while DCGM reads them.
    Alone,
    /// Always, beside DCGM too.
    Always,
}

/// `[gpu]`: what is read of the GPUs of this host, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GpuOptions {
    /// Read the GPUs of this host.
    pub enabled: bool,
    /// Whose GPUs are looked for.
    pub vendors: Vec<GpuVendor>,
    /// How often, at least "1s". What changes rarely (limits, memory errors, links) is read every 10
    /// seconds when this is shorter.
    pub interval: String,
    /// NVIDIA's management library: a path, or a name for the dynamic linker.
    pub nvidia_library: String,
    /// When the profiling counters of NVIDIA GPUs (Hopper and later) are read. Another profiler that
    /// reads the same counters at the same time can disturb, and be disturbed.
    pub profiling: Profiling,
    /// Tell the processes that use a GPU, with their memory and share.
    pub processes: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            vendors: vec![GpuVendor::Nvidia, GpuVendor::Amd],
            interval: "1s".to_owned(),
            nvidia_library: NVIDIA_LIBRARY.to_owned(),
            profiling: Profiling::Alone,
            processes: true,
        }
    }
}

/// [`GpuOptions`] that were found to make sense.
#[derive(Debug, Clone)]
pub struct GpuSettings {
    pub(super) vendors: Vec<GpuVendor>,
    pub(super) interval: Duration,
    pub(super) nvidia_library: String,
    pub(super) profiling: Profiling,
    pub(super) processes: bool,
}

impl GpuOptions {
    /// Check everything.
    ///
    /// # Errors
    /// Every problem found.
    pub fn validate(&self) -> Result<GpuSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let interval = match parse_duration(&self.interval) {
            Ok(interval) if interval >= Duration::from_secs(1) => interval,
            Ok(_) => {
                problems.push(Problem::new("interval", "must be at least 1s"));
                Duration::ZERO
            }
            Err(message) => {
                problems.push(Problem::new("interval", message));
                Duration::ZERO
            }
        };
        if self.nvidia_library.trim().is_empty() {
            let message = format!("must not be empty; the default is {NVIDIA_LIBRARY:?}");
            problems.push(Problem::new("nvidia_library", message));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut vendors = if self.enabled { self.vendors.clone() } else { Vec::new() };
        vendors.sort_unstable();
        vendors.dedup();
        Ok(GpuSettings {
            vendors,
            interval,
            nvidia_library: self.nvidia_library.clone(),
            profiling: self.profiling,
            processes: self.processes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let settings = GpuOptions::default().validate().unwrap();
        assert_eq!(settings.interval, Duration::from_secs(1));
    }

    #[test]
    fn gpus_that_are_not_to_be_read_have_no_collector() {
        let check = |options: GpuOptions, expected: &[GpuVendor]| {
            assert_eq!(options.validate().unwrap().vendors, expected);
        };
        let off = GpuOptions { enabled: false, ..GpuOptions::default() };
        check(off, &[]);
        let twice = vec![GpuVendor::Amd, GpuVendor::Amd];
        check(GpuOptions { vendors: twice, ..GpuOptions::default() }, &[GpuVendor::Amd]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let check = |interval: &str, library: &str, expected: &[&str]| {
            let options = GpuOptions {
                interval: interval.to_owned(),
                nvidia_library: library.to_owned(),
                ..GpuOptions::default()
            };
            let problems = options.validate().map(|_| ()).err().unwrap_or_default();
            let paths: Vec<&str> = problems.iter().map(|problem| &*problem.path).collect();
            assert_eq!(paths, expected);
        };
        check("1s", "/lib/x.so", &[]);
        check("100ms", " ", &["interval", "nvidia_library"]);
        check("soon", "x", &["interval"]);
    }
}
