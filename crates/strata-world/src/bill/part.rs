//! Which part of a GPU its holders have, where anything tells.

use std::collections::{BTreeMap, BTreeSet};

use super::Part;

/// Compute slices of a device that can be partitioned, but for [`A30`].
const COMPUTE_SLICES: f64 = 7.0;
/// The one device of four slices of each kind.
const A30: &str = "A30";
/// Memory slices of a device, but for [`A30`] (NVIDIA MIG user guide, "Partitioning").
const MEMORY_SLICES: f64 = 8.0;
const GIB: f64 = (1_u64 << 30) as f64;

/// A device as its slices are measured by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Device<'a> {
    pub(super) model: Option<&'a str>,
    pub(super) memory_bytes: Option<f64>,
    /// Parts that a scheduler hands out of it, where it is shared in time.
    pub(super) replicas: Option<f64>,
}

impl Device<'_> {
    /// Shares of cores and memory of a MIG profile: `1g.10gb`, `1g.10gb+me`, `1c.3g.40gb`.
    fn slice(&self, profile: &str) -> Option<(f64, Option<f64>)> {
        let is_small = self.model.is_some_and(|model| model.contains(A30));
        let [cores, memories] = if is_small { [4.0; 2] } else { [COMPUTE_SLICES, MEMORY_SLICES] };
        let (mut cut, mut compute, mut memory) = (None, None, None);
        for part in profile.split(['.', '+', '_']) {
            let digits = part.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
            let Ok(amount) = digits.parse::<f64>() else { continue };
            match part.strip_prefix(digits) {
                Some("c") => cut = Some(amount),
                Some("g") => compute = Some(amount),
                Some("gb") => memory = Some(amount),
                _ => {}
            }
        }
        let compute = compute.filter(|compute| *compute > 0.0)?;
        let of_instance = cut.map_or(1.0, |cut| (cut / compute).min(1.0));
        // Profiles are named by whole GB of a memory slice, which no device reports.
        let memory = memory.zip(self.memory_bytes).and_then(|(memory, bytes)| {
            let slice = (bytes / GIB / memories).round();
            (slice > 0.0).then(|| (memory / (slice * memories)).min(1.0) * of_instance)
        });
        Some(((compute * of_instance / cores).min(1.0), memory))
    }
}

/// Share of a GPU's SMs that an instance of this MIG profile (`1g.10gb`) has; `None` where the profile
/// does not say it (NVIDIA MIG user guide, "Partitioning").
pub fn mig_share(profile: &str, gpu_model: &str) -> Option<f64> {
    let device = Device { model: Some(gpu_model), ..Device::default() };
    device.slice(profile).map(|(cores, _)| cores)
}

/// What is known of the part of one holder.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    /// Profiles by instance.
    slices: BTreeMap<String, String>,
    /// Replicas of the device, by name.
    replicas: BTreeSet<String>,
    /// Shares of cores and bytes of memory that a scheduler gave.
    given: Option<(Option<f64>, Option<f64>)>,
    /// The question that told of slices: another may name the same ones otherwise.
    told_by: Option<&'static str>,
}

impl Parts {
    /// A slice of the device.
    pub(super) fn slice(&mut self, told_by: &'static str, instance: &str, profile: &str) {
        if *self.told_by.get_or_insert(told_by) == told_by {
            self.slices.insert(instance.to_owned(), profile.to_owned());
        }
    }

    /// One of the equal parts in time that the device is handed out in.
    pub(super) fn replica(&mut self, name: &str) {
        self.replicas.insert(name.to_owned());
    }

    /// What a scheduler gave.
    pub(super) fn given(&mut self, cores: Option<f64>, memory_bytes: Option<f64>) {
        self.given = Some((cores, memory_bytes));
    }

    /// The part that this is of a device.
    pub(super) fn of(&self, device: Device<'_>) -> Part {
        let sound = |share: f64| Some(share.clamp(0.0, 1.0)).filter(|share| *share > 0.0);
        if !self.slices.is_empty() {
            let found: Vec<_> = self.slices.values().map(|profile| device.slice(profile)).collect();
            let sum = |of: fn(&(f64, Option<f64>)) -> Option<f64>| {
                let shares = found.iter().map(|slice| slice.as_ref().and_then(of));
                shares.sum::<Option<f64>>().and_then(sound)
            };
            return Part { how: "mig", cores: sum(|one| Some(one.0)), memory: sum(|one| one.1) };
        }
        if let Some((cores, bytes)) = self.given {
            let memory = bytes.zip(device.memory_bytes.filter(|all| *all > 0.0));
            return Part {
                how: "fraction",
                cores: cores.and_then(sound),
                memory: memory.and_then(|(bytes, all)| sound(bytes / all)),
            };
        }
        if !self.replicas.is_empty() {
            let all = device.replicas.filter(|all| *all >= self.replicas.len() as f64);
            let cores = all.and_then(|all| sound(self.replicas.len() as f64 / all));
            return Part { how: "replica", cores, memory: None };
        }
        Part::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_part_of_its_device() {
        let check = |model: &str, mib: f64, profile: &str, cores: f64, memory: f64| {
            let memory_bytes = Some(mib * 1024.0 * 1024.0);
            let device = Device { model: Some(model), memory_bytes, replicas: None };
            let (found, of_memory) = device.slice(profile).unwrap();
            assert!((found - cores).abs() < 1e-12, "{profile} of {model}: {found}");
            assert!((of_memory.unwrap() - memory).abs() < 1e-12, "{profile}: {of_memory:?}");
        };
        let h100 = "NVIDIA H100 80GB HBM3";
        check(h100, 81_559.0, "1g.10gb", 1.0 / 7.0, 1.0 / 8.0);
        check(h100, 81_559.0, "1g.20gb+me", 1.0 / 7.0, 2.0 / 8.0);
        check(h100, 81_559.0, "3g.40gb", 3.0 / 7.0, 4.0 / 8.0);
        check(h100, 81_559.0, "7g.80gb", 1.0, 1.0);
        check(h100, 81_559.0, "1c.3g.40gb", 1.0 / 7.0, 4.0 / 8.0 / 3.0);
        check("NVIDIA H200", 143_771.0, "1g.18gb", 1.0 / 7.0, 1.0 / 8.0);
        check("NVIDIA A100-SXM4-40GB", 40_960.0, "2g.10gb", 2.0 / 7.0, 2.0 / 8.0);
        check("NVIDIA A30", 24_576.0, "1g.6gb", 1.0 / 4.0, 1.0 / 4.0);
        assert_eq!(Device::default().slice("all"), None);
        assert_eq!(Device::default().slice("2g.10gb"), Some((2.0 / 7.0, None)));
    }

    #[test]
    fn parts_are_told_by_the_first_who_tells() {
        let device = Device { replicas: Some(4.0), memory_bytes: Some(8.0), ..Device::default() };
        let mut parts = Parts::default();
        assert_eq!(parts.of(device), Part::default());
        parts.replica("GPU-1::0");
        parts.replica("GPU-1::0");
        let replica = |cores| Part { how: "replica", cores, memory: None };
        assert_eq!(parts.of(device), replica(Some(0.25)));
        assert_eq!(parts.of(Device::default()), replica(None), "of how many, nobody says");
        parts.given(None, Some(2.0));
        let fraction = Part { how: "fraction", cores: None, memory: Some(0.25) };
        assert_eq!(parts.of(device), fraction);
        parts.slice("allocation", "MIG-a", "1g.10gb");
        parts.slice("allocation", "MIG-b", "1g.10gb");
        parts.slice("holder", "7", "1g.10gb");
        let mig = Part { how: "mig", cores: Some(2.0 / 7.0), memory: None };
        assert_eq!(parts.of(Device::default()), mig);
    }
}
