//! Where devices stand to each other.
#![expect(unsafe_code, reason = "names of functions as C finds them")]

use std::ffi::c_void;

use crate::{INVALID_ARGUMENT, NOT_SUPPORTED, answer, state};

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
