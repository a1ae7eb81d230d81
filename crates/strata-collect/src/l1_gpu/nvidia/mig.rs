//! The instances a device is split into (MIG): their memory and activity.

use std::sync::Arc;

use super::super::names;
use super::facts::Facts;
use super::gpm::Gpm;
use super::library::{Code, Handle, Nvml};
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain};

/// A device is split into seven instances at most; twice that leaves room for later ones.
const INSTANCES_MAX: u32 = 16;

const SHAPES: [Shape; 2] = [plain(names::MIG_MEMORY_USAGE), plain(names::MIG_MEMORY_LIMIT)];

/// One GPU instance. Compute instances inside it share its memory and counters, so it is told once.
pub(super) struct Instance {
    handle: Handle,
    id: u32,
    uuid: String,
    series: SeriesSet,
    gpm: Option<Gpm>,
}

/// The instances of a device that is split.
pub(super) fn list(
    nvml: &Nvml,
    device: Handle,
    facts: &Facts,
    node: &str,
    profiling: bool,
) -> Vec<Instance> {
    let most = nvml.mig_devices_max(device).unwrap_or(0).min(INSTANCES_MAX);
    let mut instances: Vec<Instance> = Vec::new();
    for index in 0..most {
        // Places without an instance are "not found".
        let Ok(handle) = nvml.mig_device(device, index) else { continue };
        let (Ok(id), Ok(uuid)) = (nvml.gpu_instance(handle), nvml.uuid(handle)) else { continue };
        if instances.iter().any(|known| known.id == id) {
            continue;
        }
        let profile = profile(nvml, handle);
        let id_text = id.to_string();
        let [gpu, number, model] = facts.labels();
        let identity = [
            gpu,
            number,
            model,
            ("mig_uuid", &*uuid),
            ("mig_profile", &*profile),
            ("mig_instance", &*id_text),
        ];
        let series = SeriesSet::new(&SHAPES, node, &identity);
        let gpm = profiling.then(|| Gpm::of_instance(node, &identity));
        instances.push(Instance { handle, id, uuid, series, gpm });
    }
    instances
}

/// Whether two lists are of the same instances; their samples are then kept.
pub(super) fn same(left: &[Instance], right: &[Instance]) -> bool {
    let key = |one: &Instance| (one.id, one.uuid.clone());
    left.iter().map(key).eq(right.iter().map(key))
}

/// The handles of the same instances as they are now.
pub(super) fn rename(known: &mut [Instance], now: &[Instance]) {
    for (one, now) in known.iter_mut().zip(now) {
        one.handle = now.handle;
    }
}

/// `1g.10gb`, from the name (`NVIDIA H100 80GB HBM3 MIG 1g.10gb`), else made of its size.
fn profile(nvml: &Nvml, instance: Handle) -> String {
    let name = nvml.model(instance).unwrap_or_default();
    if let Some((_, profile)) = name.rsplit_once(" MIG ") {
        return profile.to_owned();
    }
    nvml.mig_size(instance).map(profile_of_size).unwrap_or_default()
}

/// Slices of compute and of the instance, MiB. The names round up to whole GiB.
fn profile_of_size((compute, slices, mib): (u32, u32, u64)) -> String {
    let gib = mib.div_ceil(1024);
    if compute == slices {
        format!("{slices}g.{gib}gb")
    } else {
        format!("{compute}c.{slices}g.{gib}gb")
    }
}

impl Instance {
    pub(super) fn read(
        &mut self,
        nvml: &Arc<Nvml>,
        device: Handle,
        memo: &mut Memo,
        round: &mut Round,
    ) {
        let handle = self.handle;
        // Not found: the instance was destroyed since the last listing.
        let memory = memo.ask(round, ("memory of an instance", self.id), || {
            nvml.memory(handle)
                .map_err(|code| if code == Code::INVALID_ARGUMENT { Code::NOT_FOUND } else { code })
        });
        if let Some(memory) = memory {
            round.emit(self.series.get(0), memory.used as f64);
            round.emit(self.series.get(1), memory.total as f64);
        }
        if let Some(gpm) = &mut self.gpm {
            gpm.read_instance(nvml, device, self.id, memo, round);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_named_as_nvidia_does() {
        let check = |compute, slices, mib, expected: &str| {
            assert_eq!(profile_of_size((compute, slices, mib)), expected);
        };
        check(1, 1, 9_856, "1g.10gb");
        check(3, 3, 40_192, "3g.40gb");
        check(1, 3, 40_192, "1c.3g.40gb");
        check(7, 7, 81_050, "7g.80gb");
    }
}
