//! Clocks, and what holds them down.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu("l1.sm_clock", "Hz", "max by (%) (<gpu.clock.frequency|domain!~\"memory|video\">)")
        .whole(Whole::Mean)
        .means(
            "Clock of the compute units; it falls when the GPU idles.",
            "gpu.clock.frequency without memory and video; mean over the GPUs",
        ),
    gpu("l1.memory_clock", "Hz", "max by (%) (<gpu.clock.frequency|domain=\"memory\">)")
        .whole(Whole::Mean)
        .means(
            "Clock of the device memory.",
            "gpu.clock.frequency of memory; mean over the GPUs",
        ),
    gpu(
        "l1.sm_clock_vs_peers",
        "1",
        "(max by (%, gpu_model) (<gpu.clock.frequency|domain!~\"memory|video\">) \
         and on (%) (max by (%) (<hw.gpu.utilization|task=~\"|general\">) > 0.5)) \
         / on (gpu_model) group_left () quantile by (gpu_model) (0.5, \
         max by (%, gpu_model) (<!gpu.clock.frequency|domain!~\"memory|video\">) \
         and on (%) (max by (%) (<!hw.gpu.utilization|task=~\"|general\">) > 0.5))",
    )
    .whole(Whole::Min)
    .undefined("no GPU in scope is busy for more than half of the time: idle clocks say nothing")
    .means(
        "Clock of a busy GPU against the median of the busy GPUs of its model: tells a slow one \
         without knowing what its load would allow. Busy is a utilization above 0.5.",
        "clock / median(clock of busy GPUs of the same model); the slowest",
    ),
    // Bits of the reasons mask (nvml.h): 0x20 software thermal, 0x40 hardware thermal.
    gpu(
        "l1.throttle_thermal",
        "1",
        "clamp_max(sum by (%) (rate<gpu.throttle.time|reason=~\".*thermal\">), 1) \
         or max by (%) (<gpu.throttle.active|reason=~\".*thermal\">) \
         or max by (%) (<gpu.throttle.residency|reason=~\".*thermal\">) \
         or clamp_max(max by (%) (floor(<gpu.throttle.reasons> / 32) % 2) \
         + max by (%) (floor(<gpu.throttle.reasons> / 64) % 2), 1)",
    )
    .means(
        "Share of time in which heat held the clocks down; where a source only tells the moment, \
         1 while it does.",
        "rate of throttled seconds, else reason active (bits 0x20, 0x40); the worst GPU",
    ),
    // 0x4 software power cap, 0x80 hardware power brake.
    gpu(
        "l1.throttle_power",
        "1",
        "clamp_max(max by (%) (rate<gpu.throttle.time|reason=~\"power|sw_power_cap|hw_power_brake|board_limit\">), 1) \
         or max by (%) (<gpu.throttle.active|reason=~\"sw_power_cap|hw_power_brake\">) \
         or max by (%) (<gpu.throttle.residency|reason=\"power\">) \
         or clamp_max(max by (%) (floor(<gpu.throttle.reasons> / 4) % 2) \
         + max by (%) (floor(<gpu.throttle.reasons> / 128) % 2), 1)",
    )
    .means(
        "Share of time in which a power limit held the clocks down. A capped GPU at full load is \
         normal; a brake is not.",
        "rate of throttled seconds, else reason active (bits 0x4, 0x80); the worst GPU",
    ),
    // 0x8 hardware slowdown.
    gpu(
        "l1.throttle_hardware",
        "1",
        "max by (%) (<gpu.throttle.active|reason=\"hw_slowdown\">) \
         or max by (%) (floor(<gpu.throttle.reasons> / 8) % 2)",
    )
    .means(
        "Whether the hardware slowed itself down (NVML HwSlowdown): heat, a power brake, or a \
         failing supply.",
        "reason hw_slowdown active (bit 0x8); the worst GPU",
    ),
    // 0x1 idle.
    gpu(
        "l1.clocks_idle",
        "1",
        "max by (%) (<gpu.throttle.active|reason=\"idle\">) \
         or max by (%) (<gpu.throttle.reasons> % 2) \
         or clamp_max(max by (%) (rate<gpu.throttle.time|reason=\"low_utilization\">), 1)",
    )
    .unlike()
    .whole(Whole::Mean)
    .means(
        "Share of time in which the clocks are low because there is nothing to do; where a source \
         only tells the moment, 1 while it is so.",
        "reason idle active (bit 0x1), else rate of seconds of low utilization; mean over the GPUs",
    ),
    // 0x10 sync boost.
    gpu(
        "l1.throttle_sync_boost",
        "1",
        "clamp_max(max by (%) (rate<gpu.throttle.time|reason=\"sync_boost\">), 1) \
         or max by (%) (<gpu.throttle.active|reason=\"sync_boost\">) \
         or max by (%) (floor(<gpu.throttle.reasons> / 16) % 2)",
    )
    .means(
        "Share of time in which the clocks are held at those of the slowest GPU of a sync boost \
         group.",
        "rate of throttled seconds, else reason active (bit 0x10); the worst GPU",
    ),
];
