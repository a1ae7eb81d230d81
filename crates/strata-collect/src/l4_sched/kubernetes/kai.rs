//! Fractions of devices that the KAI scheduler gives (and Run:ai, which it came from).
//!
//! A pod asks by annotation, not by resource. Where it runs, a pod of the scheduler's own reserves the
//! whole device; both carry the same group as a label, and the reserving pod says which device that
//! is. The key of that annotation speaks of an index; what stands there is the UUID.

use std::collections::BTreeMap;

use super::hami::Share;

const FRACTION: &str = "gpu-fraction";
/// MiB of each device.
const MEMORY: &str = "gpu-memory";
const DEVICES: &str = "gpu-fraction-num-devices";
const CONTAINER: &str = "gpu-fraction-container-name";
const RESERVES: &str = "run.ai/reserve_for_gpu_index";
/// Of a pod with one device; of several devices each has a label of its own below it.
const GROUP: &str = "runai-gpu-group";
/// Devices of one pod.
const DEVICES_MAX: usize = 64;

/// What a pod asks for, or reserves for others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Fraction {
    /// 0 to 1, of each device.
    pub(super) share: Option<f64>,
    /// Bytes of each device.
    pub(super) memory: Option<f64>,
    pub(super) devices: f64,
    /// The container that gets it; empty for the first.
    pub(super) container: String,
    groups: Vec<String>,
    /// UUID of the device that this pod holds for a group.
    reserves: String,
}

impl Fraction {
    /// From labels and annotations; `None` for a pod that has nothing to do with fractions.
    pub(super) fn read(
        labels: Option<&BTreeMap<String, String>>,
        annotations: Option<&BTreeMap<String, String>>,
    ) -> Option<Self> {
        let said = |key: &str| annotations.and_then(|all| all.get(key)).map(|text| text.trim());
        let number = |key: &str| {
            let number = said(key).and_then(|text| text.parse::<f64>().ok());
            number.filter(|number| *number > 0.0 && number.is_finite())
        };
        let share = number(FRACTION).filter(|share| *share <= 1.0);
        let memory = number(MEMORY).map(|mib| mib * 1024.0 * 1024.0);
        let reserves = said(RESERVES).filter(|uuid| uuid.starts_with("GPU-"));
        if share.is_none() && memory.is_none() && reserves.is_none() {
            return None;
        }
        let several = format!("{GROUP}/");
        let labels = labels.into_iter().flatten();
        let groups = labels.filter(|(key, _)| *key == GROUP || key.starts_with(&several));
        Some(Self {
            share,
            memory,
            devices: number(DEVICES).unwrap_or(1.0),
            container: said(CONTAINER).unwrap_or_default().to_owned(),
            groups: groups.map(|(_, group)| group.clone()).take(DEVICES_MAX).collect(),
            reserves: reserves.unwrap_or_default().to_owned(),
        })
    }

    /// It holds a device for others and uses nothing of it.
    pub(super) fn is_reservation(&self) -> bool {
        !self.reserves.is_empty()
    }

    /// Group and UUID of the device that is reserved for it.
    pub(super) fn reserved(&self) -> impl Iterator<Item = (&str, &str)> {
        let groups = self.groups.iter().filter(|_| self.is_reservation());
        groups.map(|group| (&**group, &*self.reserves))
    }

    /// The parts of devices that the pod has. `container` is the place of the container that gets them.
    pub(super) fn shares(
        &self,
        container: usize,
        devices: &BTreeMap<String, String>,
    ) -> Vec<Share> {
        let groups = self.groups.iter().filter(|_| !self.is_reservation());
        let share = |uuid: &String| Share {
            container,
            gpu_uuid: uuid.clone(),
            memory: self.memory,
            cores: self.share,
            by: "kai",
        };
        groups.filter_map(|group| devices.get(group)).map(share).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn groups_lead_to_the_device_that_is_reserved() {
        let read = |labels: &[(&str, &str)], annotations: &[(&str, &str)]| {
            Fraction::read(Some(&map(labels)), Some(&map(annotations)))
        };
        let reserving = read(&[(GROUP, "g1")], &[(RESERVES, "GPU-a")]).unwrap();
        assert_eq!(reserving.reserved().collect::<Vec<_>>(), [("g1", "GPU-a")]);
        let devices = map(&[("g1", "GPU-a"), ("g2", "GPU-b")]);
        assert!(reserving.shares(0, &devices).is_empty(), "it stands for others");
        let half = read(&[(GROUP, "g1")], &[(FRACTION, "0.5")]).unwrap();
        let shares = half.shares(1, &devices);
        assert_eq!(
            (&*shares[0].gpu_uuid, shares[0].cores, shares[0].by),
            ("GPU-a", Some(0.5), "kai")
        );
        let labels = [("runai-gpu-group/g1", "g1"), ("runai-gpu-group/g2", "g2")];
        let two = read(&labels, &[(MEMORY, "1024"), (DEVICES, "2")]).unwrap();
        assert_eq!(two.devices, 2.0);
        let shares = two.shares(0, &devices);
        let shares: Vec<_> = shares.iter().map(|one| (&*one.gpu_uuid, one.memory)).collect();
        let gib = 1024.0 * 1024.0 * 1024.0;
        assert_eq!(shares, [("GPU-a", Some(gib)), ("GPU-b", Some(gib))]);
        assert!(half.shares(0, &BTreeMap::new()).is_empty(), "never a guess");
        assert_eq!(read(&[(GROUP, "g1")], &[]), None);
        assert_eq!(read(&[], &[(FRACTION, "2"), (RESERVES, "-1")]), None);
    }
}
