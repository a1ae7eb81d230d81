//! How busy a GPU is: four different ratios that are never called efficiency.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu("l1.utilization", "1", "max by (%) (<hw.gpu.utilization|task=~\"|general\">)")
        .whole(Whole::Mean)
        .means(
            "Share of time in which at least one kernel ran (NVML utilization.gpu). One small \
             kernel at a time reads 1: it tells idle from not idle and no more.",
            "hw.gpu.utilization; mean over the GPUs",
        ),
    gpu("l1.utilization_peak", "1", "max by (%) (peak<hw.gpu.utilization|task=~\"|general\">)")
        .unlike()
        .means(
            "Greatest utilization of the last ten minutes: tells a GPU that does nothing from one \
             that pauses.",
            "maximum of hw.gpu.utilization over 10 min; the busiest GPU",
        ),
    gpu(
        "l1.profiling_stuck",
        "{bool}",
        "max by (%) (<gpu.profiling.stuck>) \
         or (max by (%) (mean<gpu.sm.active>) + max by (%) (mean<gpu.engine.active>) == bool 0) \
         * (max by (%) (mean<hw.gpu.utilization|task=~\"|general\">) > bool 0.5)",
    )
    .unlike()
    .undefined("nobody reads profiling counters of it")
    .means(
        "Whether the profiling counters stand at 0 while a kernel runs more than half of the time: \
         they are broken (after an XID) or held by another profiler, and say nothing: 1 or 0.",
        "gpu.profiling.stuck, else SM and engine activity 0 and utilization above 0.5 over 2 min",
    ),
    gpu("l1.engine_active", "1", "max by (%) (<gpu.engine.active>)").whole(Whole::Mean).means(
        "Share of cycles in which the graphics or compute engine was active (DCGM field 1001).",
        "gpu.engine.active; mean over the GPUs",
    ),
    gpu("l1.sm_active", "1", "max by (%) (<gpu.sm.active>)").whole(Whole::Mean).means(
        "Share of cycles in which an SM had at least one warp, averaged over the SMs (DCGM field \
         1002).",
        "gpu.sm.active; mean over the GPUs",
    ),
    gpu("l1.sm_occupancy", "1", "max by (%) (<gpu.sm.occupancy>)").whole(Whole::Mean).means(
        "Resident warps over the most an SM can hold, averaged over the SMs (DCGM field 1003).",
        "gpu.sm.occupancy; mean over the GPUs",
    ),
    gpu("l1.tensor_active", "1", "max by (%) (<gpu.tensor.active|precision=~\"|any\">)")
        .whole(Whole::Mean)
        .means(
            "Share of cycles in which the tensor pipe was active (DCGM field 1004): the nearest a \
             counter comes to useful matrix work.",
            "gpu.tensor.active; mean over the GPUs",
        ),
    gpu("l1.dram_active", "1", "max by (%) (<gpu.dram.active>)").whole(Whole::Mean).means(
        "Share of cycles in which the memory interface was moving data (DCGM field 1005): how \
         near the HBM bandwidth is to its peak.",
        "gpu.dram.active; mean over the GPUs",
    ),
    gpu("l1.memory_controller", "1", "max by (%) (<gpu.memory_controller.utilization>)")
        .whole(Whole::Mean)
        .means(
            "Share of time in which device memory was being read or written (NVML \
             utilization.memory); not the share of memory in use.",
            "gpu.memory_controller.utilization; mean over the GPUs",
        ),
];
