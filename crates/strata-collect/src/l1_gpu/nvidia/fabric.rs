//! The `NVLink` fabric that a device is part of: GPUs of one cluster and clique reach each other over the
//! switches of a node or rack.

use super::super::names;
use super::condition::{Condition, Sign};
use super::facts::Facts;
use super::library::{Handle, Nvml};
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain};

const FABRIC: [Shape; 1] = [plain(names::FABRIC)];

/// What the driver says of the fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Membership {
    /// The UUID of the cluster; all zero outside of a rack.
    pub(super) cluster: [u8; 16],
    pub(super) clique: u32,
    /// `nvmlGpuFabricState_t`.
    pub(super) state: u32,
    /// `NVML_GPU_FABRIC_HEALTH_MASK_*`; 0 where the driver does not say.
    pub(super) health: u32,
}

/// The registration of the device with the Fabric Manager; `None` where there is no fabric.
fn state_word(state: u32) -> Option<&'static str> {
    match state {
        1 => Some("not_started"),
        2 => Some("in_progress"),
        3 => Some("completed"),
        _ => None,
    }
}

/// Each part of the mask takes two bits, 1 for "true"; the last takes more, and names what is wrong from
/// 2 on (`NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_*`: bandwidth, route recovery, route unhealthy, access timeout
/// recovery; configuration from bit 8 on).
fn is_unhealthy(mask: u32) -> bool {
    let is_true = |shift: u32| (mask >> shift) & 0b11 == 1;
    is_true(0) || is_true(4) || (mask >> 8) & 0b1111 >= 2
}

/// As `nvidia.com/gpu.clique` of Kubernetes has it: `<cluster>.<clique>`; empty outside of a cluster.
fn clique(of: &Membership) -> String {
    if of.cluster == [0; 16] {
        return String::new();
    }
    let all = u128::from_be_bytes(of.cluster);
    let part = |shift: u32, bits: u32| (all >> shift) & ((1 << bits) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}.{}",
        part(96, 32),
        part(80, 16),
        part(64, 16),
        part(48, 16),
        part(0, 48),
        of.clique
    )
}

/// Read and tell the fabric of one device.
pub(super) fn read(
    (nvml, device): (&Nvml, Handle),
    (facts, node): (&Facts, &str),
    (memo, condition): (&mut Memo, &mut Condition),
    round: &mut Round,
) {
    let Some(member) = memo.ask(round, ("fabric", 0), || nvml.fabric(device)) else { return };
    let Some(state) = state_word(member.state) else { return };
    condition.sign(Sign::FabricUnhealthy, Some(is_unhealthy(member.health)));
    let clique = clique(&member);
    let [uuid, index, model] = facts.labels();
    let identity = [uuid, index, model, ("state", state), ("clique", &*clique)];
    round.emit(SeriesSet::new(&FABRIC, node, &identity).get(0), 1.0);
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings as header;

    use super::*;

    #[test]
    fn states_and_bits_are_those_of_the_header() {
        let state = |state: u32| state_word(state);
        assert_eq!(state(header::NVML_GPU_FABRIC_STATE_NOT_SUPPORTED), None);
        assert_eq!(state(header::NVML_GPU_FABRIC_STATE_NOT_STARTED), Some("not_started"));
        assert_eq!(state(header::NVML_GPU_FABRIC_STATE_IN_PROGRESS), Some("in_progress"));
        assert_eq!(state(header::NVML_GPU_FABRIC_STATE_COMPLETED), Some("completed"));
        let at = |value: u32, shift: u32| is_unhealthy(value << shift);
        let bandwidth = header::NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_DEGRADED_BW;
        assert!(at(header::NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_TRUE, bandwidth));
        assert!(!at(header::NVML_GPU_FABRIC_HEALTH_MASK_DEGRADED_BW_FALSE, bandwidth));
        let route = header::NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_ROUTE_UNHEALTHY;
        assert!(at(header::NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_UNHEALTHY_TRUE, route));
        assert!(!at(header::NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_UNHEALTHY_FALSE, route));
        let wrong = header::NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_INCORRECT_CONFIGURATION;
        assert!(at(
            header::NVML_GPU_FABRIC_HEALTH_MASK_INCORRECT_CONFIGURATION_NO_PARTITION,
            wrong
        ));
        assert!(!at(header::NVML_GPU_FABRIC_HEALTH_MASK_INCORRECT_CONFIGURATION_NONE, wrong));
        // A device that recovers its routes works meanwhile.
        let recovery = header::NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_ROUTE_RECOVERY;
        assert!(!at(header::NVML_GPU_FABRIC_HEALTH_MASK_ROUTE_RECOVERY_TRUE, recovery));
        assert!(!is_unhealthy(0));
    }
}
