//! Faults of the hardware.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu(
        "l1.fault_events",
        "{event}",
        "sum by (%) (max by (%, code) (increase<gpu.fault.events>)) \
         or sum by (%) (max by (%, code) (peak<gpu.fault.recent>))",
    )
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Faults the device reported in the last ten minutes (XID of NVIDIA, AFID of AMD), counted from \
         the counter of events. Where only dcgm-exporter's count of its own window is told, at least so \
         many. The last code alone does not tell of the same code again.",
        "increase of gpu.fault.events over 10 min, else the greatest gpu.fault.recent; sum over the GPUs",
    ),
    gpu("l1.xid_last", "{code}", "max by (%) (<gpu.xid.last>)").means(
        "Code of the last XID, kept until the next one, for ever: it tells which, not when. 0 is \
         none.",
        "gpu.xid.last; the greatest code",
    ),
    gpu(
        "l1.ecc_uncorrected",
        "{error}",
        "max by (%) (increase<hw.errors|error_type=\"uncorrected\",scope!=\"aggregate\">)",
    )
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Memory errors in the last ten minutes that could not be corrected.",
        "increase of hw.errors (uncorrected) over 10 min; sum over the GPUs",
    ),
    gpu(
        "l1.ecc_corrected",
        "{error}",
        "max by (%) (increase<hw.errors|error_type=\"corrected\",scope!=\"aggregate\">)",
    )
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Memory errors in the last ten minutes that were corrected; a steady trickle is normal, \
         a flood is a failing part.",
        "increase of hw.errors (corrected) over 10 min; sum over the GPUs",
    ),
    gpu("l1.row_remap_failed", "{bool}", "max by (%) (<gpu.rows.remap_failed>)").means(
        "Whether remapping a memory row failed (DCGM field 395): the board must be replaced.",
        "gpu.rows.remap_failed; the worst GPU",
    ),
    gpu(
        "l1.row_remap_pending",
        "{bool}",
        "max by (%) (<gpu.rows.remap_pending>) or max by (%) (<gpu.pages.retire_pending>)",
    )
    .means(
        "Whether a memory row or page waits for a reset to be put out of use.",
        "gpu.rows.remap_pending, else gpu.pages.retire_pending; the worst GPU",
    ),
    gpu("l1.recovery_action", "{action}", "max by (%) (<gpu.recovery_action>)").means(
        "What the driver asks for: 0 nothing, 1 reset, 2 reboot, 3 drain P2P, 4 drain and reset.",
        "gpu.recovery_action; the greatest",
    ),
    gpu("l1.pcie_replays", "{event}", "max by (%) (increase<gpu.pcie.replays>)")
        .whole(Whole::Sum)
        .undefined("the counter has no two samples yet")
        .means(
            "PCI Express packets sent again in the last ten minutes.",
            "increase of gpu.pcie.replays over 10 min; sum over the GPUs",
        ),
    gpu(
        "l1.link_errors",
        "{error}",
        "sum by (%) (increase<gpu.interconnect.errors|type!=\"c2c\">)",
    )
    .whole(Whole::Sum)
    .undefined("the counter has no two samples yet")
    .means(
        "Errors of the links between GPUs (NVLink, XGMI) in the last ten minutes, all kinds and \
             links together.",
        "increase of gpu.interconnect.errors over 10 min, without type c2c; sum over the GPUs",
    ),
    gpu("l1.c2c_errors", "{error}", "sum by (%) (increase<gpu.interconnect.errors|type=\"c2c\">)")
        .whole(Whole::Sum)
        .undefined("the GPU has no C2C link, or the counter has no two samples yet")
        .means(
            "Errors of the links to the processor on the same module (NVLink-C2C) in the last ten \
             minutes, all kinds and links together.",
            "increase of gpu.interconnect.errors of type c2c over 10 min; sum over the GPUs",
        ),
];
