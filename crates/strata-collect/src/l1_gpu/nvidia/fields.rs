//! Values that NVML gives by number, a batch of them in one call, and what each number means.

use super::super::names;
use super::library::{ALL_LINKS, FieldAsk};
use crate::l3_host::series::{Shape, plain, shape};

/// Which numbers stand for the fields from 251 on. CUDA 13.0 Update 1 gave them new ones, and a
/// driver answers by its own list: the old number then silently reads another thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbering {
    Before580_82,
    Since580_82,
}

impl Numbering {
    /// By the driver's version, such as `570.86.15`. One that cannot be read is taken for old: the
    /// old numbers mean power smoothing in the new list, which few devices have.
    pub(super) fn of_driver(version: &str) -> Self {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        let (major, minor) = (parts.next().flatten(), parts.next().flatten());
        match (major, minor) {
            (Some(major), Some(minor)) if (major, minor) >= (580, 82) => Self::Since580_82,
            _ => Self::Before580_82,
        }
    }
}

/// A field, the series it goes to, and the factor to its unit.
pub(super) struct Field {
    /// Before and since driver 580.82.
    ids: [u32; 2],
    scope: u32,
    pub(super) shape: Shape,
    pub(super) scale: f64,
    /// Only asked while the field with this index has no answer.
    pub(super) unless: Option<usize>,
    /// It grows so fast that 32 bits of it say nothing.
    pub(super) needs_64_bits: bool,
}

impl Field {
    pub(super) fn ask(&self, numbering: Numbering) -> FieldAsk {
        let id = match numbering {
            Numbering::Before580_82 => self.ids[0],
            Numbering::Since580_82 => self.ids[1],
        };
        FieldAsk { id, scope: self.scope }
    }
}

const fn field(id: u32, scale: f64, shape: Shape) -> Field {
    Field { ids: [id, id], scope: 0, shape, scale, unless: None, needs_64_bits: false }
}

const fn all_links(id: u32, scale: f64, shape: Shape) -> Field {
    Field { ids: [id, id], scope: ALL_LINKS, shape, scale, unless: None, needs_64_bits: false }
}

const fn moved(before: u32, since: u32, scale: f64, shape: Shape) -> Field {
    Field { ids: [before, since], scope: 0, shape, scale, unless: None, needs_64_bits: false }
}

const fn wide(field: Field) -> Field {
    Field { needs_64_bits: true, ..field }
}

const fn unless(index: usize, field: Field) -> Field {
    Field { unless: Some(index), ..field }
}

const MILLI: f64 = 1e-3;
const NANO: f64 = 1e-9;
const KIB: f64 = 1024.0;

const fn throttled(reason: &'static [(&'static str, &'static str)]) -> Shape {
    shape(names::THROTTLE_TIME, reason)
}

/// Read every round. Numbers and units: nvml.h, "Field Identifiers".
pub(super) const FAST: [Field; 17] = [
    field(82, 1.0, shape(names::TEMPERATURE, &[("sensor_location", "memory")])),
    field(185, MILLI, shape(names::POWER, &[("sensor", "average")])),
    field(186, MILLI, shape(names::POWER, &[("sensor", "instant")])),
    // Since the driver was loaded.
    field(83, MILLI, plain(names::ENERGY)),
    wide(field(197, 1.0, shape(names::PCIE_IO, &[("direction", "transmit")]))),
    wide(field(198, 1.0, shape(names::PCIE_IO, &[("direction", "receive")]))),
    field(94, 1.0, plain(names::PCIE_REPLAYS)),
    // Payload only, all links; a counter of KiB in spite of its name.
    all_links(138, KIB, shape(names::LINK_IO, &[("type", "nvlink"), ("direction", "transmit")])),
    all_links(139, KIB, shape(names::LINK_IO, &[("type", "nvlink"), ("direction", "receive")])),
    moved(251, 269, NANO, throttled(&[("reason", "sw_thermal")])),
    moved(252, 270, NANO, throttled(&[("reason", "hw_thermal")])),
    moved(253, 271, NANO, throttled(&[("reason", "hw_power_brake")])),
    field(74, NANO, throttled(&[("reason", "sw_power_cap")])),
    field(76, NANO, throttled(&[("reason", "sync_boost")])),
    field(77, NANO, throttled(&[("reason", "board_limit")])),
    field(79, NANO, throttled(&[("reason", "reliability")])),
    // Both thermal reasons in one, for drivers that do not tell them apart: never besides them.
    unless(9, field(75, NANO, throttled(&[("reason", "thermal")]))),
];

/// Read now and then: they change rarely.
pub(super) const SLOW: [Field; 22] = [
    field(190, MILLI, shape(names::POWER_LIMIT, &[("kind", "enforced")])),
    field(192, MILLI, shape(names::POWER_LIMIT, &[("kind", "configured")])),
    field(189, MILLI, shape(names::POWER_LIMIT, &[("kind", "default")])),
    field(187, MILLI, shape(names::POWER_LIMIT, &[("kind", "min")])),
    field(188, MILLI, shape(names::POWER_LIMIT, &[("kind", "max")])),
    field(142, 1.0, shape(names::ROWS_REMAPPED, &[("cause", "correctable")])),
    field(143, 1.0, shape(names::ROWS_REMAPPED, &[("cause", "uncorrectable")])),
    field(144, 1.0, plain(names::ROWS_PENDING)),
    field(145, 1.0, plain(names::ROWS_FAILED)),
    field(230, 1.0, plain(names::RECOVERY_ACTION)),
    field(95, 1.0, shape(names::PCIE_ERRORS, &[("kind", "replay_rollover")])),
    field(169, 1.0, shape(names::PCIE_ERRORS, &[("kind", "l0_to_recovery")])),
    field(173, 1.0, shape(names::PCIE_ERRORS, &[("kind", "correctable")])),
    field(174, 1.0, shape(names::PCIE_ERRORS, &[("kind", "naks_received")])),
    field(175, 1.0, shape(names::PCIE_ERRORS, &[("kind", "receiver")])),
    field(176, 1.0, shape(names::PCIE_ERRORS, &[("kind", "bad_tlp")])),
    field(177, 1.0, shape(names::PCIE_ERRORS, &[("kind", "naks_sent")])),
    field(178, 1.0, shape(names::PCIE_ERRORS, &[("kind", "bad_dllp")])),
    field(179, 1.0, shape(names::PCIE_ERRORS, &[("kind", "nonfatal")])),
    field(180, 1.0, shape(names::PCIE_ERRORS, &[("kind", "fatal")])),
    field(181, 1.0, shape(names::PCIE_ERRORS, &[("kind", "unsupported_request")])),
    field(182, 1.0, shape(names::PCIE_ERRORS, &[("kind", "lcrc")])),
];

const fn of_link(id: u32, kind: &'static [(&'static str, &'static str)]) -> Field {
    field(id, 1.0, shape(names::LINK_ERRORS, kind))
}

/// Errors of one link from `NVLink` 5 on, which the older call does not count; the scope is the link.
pub(super) const LINK: [Field; 6] = [
    of_link(206, &[("type", "nvlink"), ("kind", "malformed_packet")]),
    of_link(207, &[("type", "nvlink"), ("kind", "buffer_overrun")]),
    of_link(208, &[("type", "nvlink"), ("kind", "receive")]),
    of_link(211, &[("type", "nvlink"), ("kind", "link_integrity")]),
    of_link(214, &[("type", "nvlink"), ("kind", "recovery_failed")]),
    of_link(219, &[("type", "nvlink"), ("kind", "effective")]),
];

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings::field_id as header;

    use super::*;

    #[test]
    fn numbers_move_at_driver_580_82() {
        let check = |version: &str, expected: Numbering| {
            assert_eq!(Numbering::of_driver(version), expected, "{version}");
        };
        check("550.54.15", Numbering::Before580_82);
        check("580.65.06", Numbering::Before580_82);
        check("580.82.07", Numbering::Since580_82);
        check("580.105.08", Numbering::Since580_82);
        check("590.1", Numbering::Since580_82);
        check("", Numbering::Before580_82);
        check("vGPU", Numbering::Before580_82);
    }

    #[test]
    fn numbers_are_those_of_the_header() {
        let numbers =
            |table: &[Field]| -> Vec<u32> { table.iter().map(|one| one.ids[0]).collect() };
        assert_eq!(
            numbers(&FAST),
            [
                header::NVML_FI_DEV_MEMORY_TEMP,
                header::NVML_FI_DEV_POWER_AVERAGE,
                header::NVML_FI_DEV_POWER_INSTANT,
                header::NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION,
                header::NVML_FI_DEV_PCIE_COUNT_TX_BYTES,
                header::NVML_FI_DEV_PCIE_COUNT_RX_BYTES,
                header::NVML_FI_DEV_PCIE_REPLAY_COUNTER,
                header::NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX,
                header::NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX,
                header::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
                header::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
                header::NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
                header::NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP,
                header::NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST,
                header::NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT,
                header::NVML_FI_DEV_PERF_POLICY_RELIABILITY,
                header::NVML_FI_DEV_PERF_POLICY_THERMAL,
            ]
        );
        assert_eq!(
            numbers(&SLOW),
            [
                header::NVML_FI_DEV_POWER_CURRENT_LIMIT,
                header::NVML_FI_DEV_POWER_REQUESTED_LIMIT,
                header::NVML_FI_DEV_POWER_DEFAULT_LIMIT,
                header::NVML_FI_DEV_POWER_MIN_LIMIT,
                header::NVML_FI_DEV_POWER_MAX_LIMIT,
                header::NVML_FI_DEV_REMAPPED_COR,
                header::NVML_FI_DEV_REMAPPED_UNC,
                header::NVML_FI_DEV_REMAPPED_PENDING,
                header::NVML_FI_DEV_REMAPPED_FAILURE,
                header::NVML_FI_DEV_GET_GPU_RECOVERY_ACTION,
                header::NVML_FI_DEV_PCIE_REPLAY_ROLLOVER_COUNTER,
                header::NVML_FI_DEV_PCIE_L0_TO_RECOVERY_COUNTER,
                header::NVML_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS,
                header::NVML_FI_DEV_PCIE_COUNT_NAKS_RECEIVED,
                header::NVML_FI_DEV_PCIE_COUNT_RECEIVER_ERROR,
                header::NVML_FI_DEV_PCIE_COUNT_BAD_TLP,
                header::NVML_FI_DEV_PCIE_COUNT_NAKS_SENT,
                header::NVML_FI_DEV_PCIE_COUNT_BAD_DLLP,
                header::NVML_FI_DEV_PCIE_COUNT_NON_FATAL_ERROR,
                header::NVML_FI_DEV_PCIE_COUNT_FATAL_ERROR,
                header::NVML_FI_DEV_PCIE_COUNT_UNSUPPORTED_REQ,
                header::NVML_FI_DEV_PCIE_COUNT_LCRC_ERROR,
            ]
        );
        assert_eq!(
            numbers(&LINK),
            [
                header::NVML_FI_DEV_NVLINK_COUNT_MALFORMED_PACKET_ERRORS,
                header::NVML_FI_DEV_NVLINK_COUNT_BUFFER_OVERRUN_ERRORS,
                header::NVML_FI_DEV_NVLINK_COUNT_RCV_ERRORS,
                header::NVML_FI_DEV_NVLINK_COUNT_LOCAL_LINK_INTEGRITY_ERRORS,
                header::NVML_FI_DEV_NVLINK_COUNT_LINK_RECOVERY_FAILED_EVENTS,
                header::NVML_FI_DEV_NVLINK_COUNT_EFFECTIVE_ERRORS,
            ]
        );
    }

    #[test]
    fn only_the_renumbered_fields_differ() {
        for one in FAST.iter().chain(&SLOW).chain(&LINK) {
            let [before, since] = one.ids;
            let expected = if (251..=255).contains(&before) { before + 18 } else { before };
            assert_eq!(since, expected);
        }
    }
}
