//! What an id that a device plugin gave to the kubelet says: which device, and how it is shared.
//!
//! Plugins write the id of a device in many ways; only an identity is taken from it (a UUID, a minor
//! number, a PCI address), never a place in a list.

use std::path::Path;

use crate::scrape::read_bounded;

/// A device as an id names it. What the id does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Device {
    /// UUID of the GPU, or of the MIG instance where its GPU is not named.
    pub(super) gpu_uuid: String,
    /// UUID of the MIG instance.
    pub(super) mig_uuid: String,
    /// Minor number of the GPU's device file, where the id has nothing better.
    pub(super) minor: String,
    /// `exclusive`, `mig`, `hami`, `replica` (time slicing or MPS, the id does not say which).
    pub(super) sharing: &'static str,
}

/// `8-4-4-4-12` hexadecimal digits.
const UUID_CHARS: usize = 36;

/// Resource names that stand for accelerators or shares of them. Not those that only size a share
/// (`nvidia.com/gpumem`) and not network cards of the same vendors.
pub(super) fn is_accelerator(resource: &str) -> bool {
    let Some((vendor, name)) = resource.split_once('/') else { return false };
    match vendor {
        "nvidia.com" => matches!(name, "gpu" | "gpu.shared" | "pgpu") || name.starts_with("mig-"),
        "amd.com" => name.starts_with("gpu"),
        "habana.ai" => name.starts_with("gaudi"),
        "huawei.com" => name.starts_with("Ascend") || name.starts_with("npu"),
        "gpu.intel.com" => matches!(name, "i915" | "xe"),
        "google.com" => name == "tpu",
        "aws.amazon.com" => name.starts_with("neuron"),
        "volcano.sh" => matches!(name, "vgpu-number" | "gpu-number"),
        _ => false,
    }
}

impl Device {
    /// Read one id.
    pub(super) fn of_id(id: &str) -> Self {
        let (id, replica) = match id.split_once("::") {
            Some((id, _)) => (id, true),
            None => (id, false),
        };
        let mut device = Self::default();
        if let Some(rest) = id.strip_prefix("MIG-GPU-") {
            // Before driver 470: MIG-GPU-<uuid>/<instance>/<compute instance>.
            id.clone_into(&mut device.mig_uuid);
            device.gpu_uuid = uuid(rest).map(|(uuid, _)| format!("GPU-{uuid}")).unwrap_or_default();
            device.sharing = "mig";
        } else if let Some(rest) = id.strip_prefix("MIG-") {
            let found = uuid(rest).map(|(uuid, _)| format!("MIG-{uuid}")).unwrap_or_default();
            device.gpu_uuid.clone_from(&found);
            device.mig_uuid = found;
            device.sharing = "mig";
        } else if let Some((found, after)) = id.strip_prefix("GPU-").and_then(uuid) {
            device.gpu_uuid = format!("GPU-{found}");
            // HAMi and Volcano append "-<n>" for the n-th share.
            let share = after.strip_prefix('-').is_some_and(is_number);
            device.sharing = if share { "hami" } else { "exclusive" };
        } else if let Some((minor, shares)) = gke(id) {
            minor.clone_into(&mut device.minor);
            device.sharing = shares;
        } else {
            device.sharing = "exclusive";
        }
        if replica {
            device.sharing = "replica";
        }
        device
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A UUID at the beginning, and what follows it.
fn uuid(text: &str) -> Option<(&str, &str)> {
    let (uuid, rest) = text.split_at_checked(UUID_CHARS)?;
    let dashes = [8, 13, 18, 23];
    let plain = uuid.bytes().enumerate().all(|(at, byte)| {
        if dashes.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() }
    });
    plain.then_some((uuid, rest))
}

/// `nvidia0`, `nvidia0/gi1`, `nvidia0/vgpu2`, `nvidia0/gi1/vgpu0` of Google's device plugin.
fn gke(id: &str) -> Option<(&str, &'static str)> {
    let rest = id.strip_prefix("nvidia")?;
    let (minor, parts) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_number(minor) {
        return None;
    }
    let sharing = match (parts.contains("vgpu"), parts.contains("gi")) {
        (true, _) => "replica",
        (false, true) => "mig",
        (false, false) => "exclusive",
    };
    Some((minor, sharing))
}

/// GPUs a host may have; a DGX has 16 at most.
const GPUS_MAX: usize = 256;
/// The driver writes about 400 bytes.
const INFORMATION_BYTES_MAX: u64 = 16 << 10;

/// Minor number and UUID of each GPU, as NVIDIA's kernel driver says it under `/proc`.
pub(super) fn minors(host_root: &Path) -> Vec<(String, String)> {
    let folder = host_root.join("proc/driver/nvidia/gpus");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(GPUS_MAX);
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.path().join("information");
            let text = read_bounded(&path.display().to_string(), INFORMATION_BYTES_MAX).ok()?;
            information(&String::from_utf8_lossy(&text))
        })
        .collect();
    found.sort();
    found
}

fn information(text: &str) -> Option<(String, String)> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let (minor, uuid) = (field("Device Minor")?, field("GPU UUID")?);
    (is_number(&minor) && uuid.starts_with("GPU-") && !uuid.contains('?')).then_some((minor, uuid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const U: &str = "11111111-2222-3333-4444-555555555555";

    #[test]
    fn every_spelling_of_a_device_is_read() {
        let check = |id: &str, gpu: &str, mig: &str, minor: &str, sharing: &str| {
            let device = Device::of_id(id);
            let got = (&*device.gpu_uuid, &*device.mig_uuid, &*device.minor, device.sharing);
            assert_eq!(got, (gpu, mig, minor, sharing), "{id}");
        };
        let (gpu, mig) = (format!("GPU-{U}"), format!("MIG-{U}"));
        check(&gpu, &gpu, "", "", "exclusive");
        check(&format!("{gpu}::3"), &gpu, "", "", "replica");
        check(&format!("{gpu}-7"), &gpu, "", "", "hami");
        check(&mig, &mig, &mig, "", "mig");
        check(&format!("{mig}::1"), &mig, &mig, "", "replica");
        let old = format!("MIG-GPU-{U}/1/0");
        check(&old, &gpu, &old, "", "mig");
        check("nvidia0", "", "", "0", "exclusive");
        check("nvidia3/gi1", "", "", "3", "mig");
        check("nvidia3/vgpu2", "", "", "3", "replica");
        check("nvidia3/gi1/vgpu0", "", "", "3", "replica");
        check("0000:0c:00.0", "", "", "", "exclusive");
        check("GPU-short", "", "", "", "exclusive");
        check("", "", "", "", "exclusive");
    }

    #[test]
    fn resources_that_only_size_a_share_are_no_accelerators() {
        let check = |resource: &str, expected: bool| {
            assert_eq!(is_accelerator(resource), expected, "{resource}");
        };
        check("nvidia.com/gpu", true);
        check("nvidia.com/mig-1g.10gb", true);
        check("nvidia.com/gpu.shared", true);
        check("amd.com/gpu", true);
        check("huawei.com/Ascend910", true);
        check("nvidia.com/gpumem", false);
        check("nvidia.com/hostdev", false);
        check("rdma/hca", false);
        check("cpu", false);
    }

    #[test]
    fn the_driver_says_which_minor_is_which_uuid() {
        let root = tempfile::tempdir().unwrap();
        let write = |bus: &str, minor: &str, uuid: &str| {
            let folder = root.path().join("proc/driver/nvidia/gpus").join(bus);
            std::fs::create_dir_all(&folder).unwrap();
            let text = format!(
                "Model: \t\t NVIDIA H100\nIRQ:   \t\t 16\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
            );
            std::fs::write(folder.join("information"), text).unwrap();
        };
        write("0000:01:00.0", "1", "GPU-b");
        write("0000:02:00.0", "0", "GPU-a");
        write("0000:03:00.0", "2", "GPU-????????-????");
        let expected = [("0", "GPU-a"), ("1", "GPU-b")];
        let found = minors(root.path());
        let found: Vec<_> = found.iter().map(|(minor, uuid)| (&**minor, &**uuid)).collect();
        assert_eq!(found, expected);
        assert!(minors(Path::new("/nonexistent")).is_empty());
    }

    proptest! {
        #[test]
        fn any_id_is_survived(id: String) {
            let _ = (Device::of_id(&id), is_accelerator(&id));
        }
    }
}
