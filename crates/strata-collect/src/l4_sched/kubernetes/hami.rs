//! Parts of devices that HAMi's scheduler gave to a pod, from its annotation; Volcano took over HAMi's
//! way of writing it.
//!
//! Containers are divided by `;`, devices of one by `:`, and a device is `UUID,type,MiB,percent`.

/// Where it is written what was given, and by whom. HAMi wrote below `4pd.io` before its version 2.4.
pub(super) const ALLOCATED: [(&str, &str); 3] = [
    ("hami.io/vgpu-devices-allocated", "hami"),
    ("volcano.sh/vgpu-ids-new", "volcano"),
    ("4pd.io/vgpu-ids-new", "hami"),
];
/// Devices of one pod.
const SHARES_MAX: usize = 256;

/// A part of a device that a container has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Share {
    /// Place of the container in the pod.
    pub(super) container: usize,
    pub(super) gpu_uuid: String,
    /// Bytes; `None` where none was set.
    pub(super) memory: Option<f64>,
    /// 0 to 1; `None` where none was set.
    pub(super) cores: Option<f64>,
    /// Who cut the device: `hami`, `volcano`, `kai`.
    pub(super) by: &'static str,
}

/// Every part in the first annotation that is there. What is not understood is left out.
pub(super) fn of_pod<'a>(annotated: impl Fn(&str) -> Option<&'a String>) -> Vec<Share> {
    let found = ALLOCATED.iter().find_map(|(key, by)| Some((annotated(key)?, *by)));
    found.map(|(text, by)| read(text, by)).unwrap_or_default()
}

fn read(annotation: &str, by: &'static str) -> Vec<Share> {
    let mut found = Vec::new();
    for (container, devices) in annotation.split(';').enumerate() {
        for device in devices.split(':').take(SHARES_MAX) {
            let mut parts = device.split(',').map(str::trim);
            let (Some(uuid), Some(_kind)) = (parts.next(), parts.next()) else { continue };
            // A MIG instance is written behind the device's UUID, in brackets.
            let uuid = uuid.split('[').next().unwrap_or_default();
            if uuid.is_empty() || found.len() == SHARES_MAX {
                continue;
            }
            let mut amount = || {
                let amount = parts.next().and_then(|text| text.parse::<f64>().ok());
                amount.filter(|amount| *amount > 0.0)
            };
            found.push(Share {
                container,
                gpu_uuid: uuid.to_owned(),
                memory: amount().map(|mib| mib * 1024.0 * 1024.0),
                cores: amount().map(|percent| percent / 100.0),
                by,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn containers_and_devices_are_told_apart() {
        let share = |container, uuid: &str, memory, cores| Share {
            container,
            gpu_uuid: uuid.to_owned(),
            memory,
            cores,
            by: "hami",
        };
        let gib = 1024.0 * 1024.0 * 1024.0;
        let check =
            |text: &str, expected: &[Share]| assert_eq!(read(text, "hami"), expected, "{text}");
        check(
            "GPU-a,NVIDIA,2048,30:GPU-b,NVIDIA,1024,0:;GPU-c[0-1],NVIDIA,1024,100:;",
            &[
                share(0, "GPU-a", Some(2.0 * gib), Some(0.3)),
                share(0, "GPU-b", Some(gib), None),
                share(1, "GPU-c", Some(gib), Some(1.0)),
            ],
        );
        check(";", &[]);
        check("nonsense", &[]);
    }

    #[test]
    fn each_generation_is_found_under_its_key() {
        let check = |key: &'static str, by: Option<&str>| {
            let text = "GPU-a,NVIDIA,3000,50:".to_owned();
            let shares = of_pod(|asked| (asked == key).then_some(&text));
            assert_eq!(shares.first().map(|one| one.by), by, "{key}");
        };
        check("hami.io/vgpu-devices-allocated", Some("hami"));
        check("4pd.io/vgpu-ids-new", Some("hami"));
        check("volcano.sh/vgpu-ids-new", Some("volcano"));
        check("volcano.sh/devices-to-allocate", None);
    }

    proptest! {
        #[test]
        fn any_annotation_is_survived(text: String) {
            drop(read(&text, "hami"));
        }
    }
}
