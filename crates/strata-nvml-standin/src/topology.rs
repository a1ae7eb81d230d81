//! Where devices stand to each other.
#![expect(unsafe_code, reason = "names of functions as C finds them")]

use std::ffi::c_void;

use nvml_wrapper_sys::bindings as raw;

use crate::{INVALID_ARGUMENT, NOT_SUPPORTED, SUCCESS, answer, state};

/// `NVML_ERROR_ARGUMENT_VERSION_MISMATCH`.
const ARGUMENT_VERSION_MISMATCH: u32 = 25;

/// `near.GPU-2=10` on a device is its level to the other; without one the driver does not tell, as in
/// a virtual machine.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetTopologyCommonAncestor(
    device: *mut c_void,
    other: *mut c_void,
    level: *mut u32,
) -> u32 {
    let found = state().device(other).map(|(other, _)| other.uuid.clone());
    let Ok(other) = found else { return INVALID_ARGUMENT };
    answer("nvmlDeviceGetTopologyCommonAncestor", device, level, |device, _| {
        match device.value(&format!("near.{other}"), u64::MAX) {
            u64::MAX => Err(NOT_SUPPORTED),
            level => Ok(level as u32),
        }
    })
}

/// `fabric=3` is the state, `cluster=7` fills the cluster's UUID, `clique` and `fabrichealth` are what
/// they say. Without a state there is no fabric.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetGpuFabricInfoV(
    device: *mut c_void,
    out: *mut raw::nvmlGpuFabricInfo_v2_t,
) -> u32 {
    if out.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the header demands a structure whose first member is its version.
    let version = unsafe { (*out).version };
    if version != size_of::<raw::nvmlGpuFabricInfo_v2_t>() as u32 | (2 << 24) {
        return ARGUMENT_VERSION_MISMATCH;
    }
    answer("nvmlDeviceGetGpuFabricInfoV", device, out, |device, _| {
        match device.value("fabric", u64::MAX) {
            u64::MAX => Err(NOT_SUPPORTED),
            state => Ok(raw::nvmlGpuFabricInfo_v2_t {
                version,
                clusterUuid: [device.value("cluster", 0) as u8; 16],
                status: SUCCESS,
                cliqueId: device.value("clique", 0) as u32,
                state: state as u8,
                healthMask: device.value("fabrichealth", 0) as u32,
            }),
        }
    })
}
