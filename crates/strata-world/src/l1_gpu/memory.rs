//! Device memory.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu("l1.memory_used", "By", "max by (%) (<hw.gpu.memory.usage>)").whole(Whole::Sum).means(
        "Device memory in use. Engines take most of it in advance for their KV cache, so a full \
         GPU is normal.",
        "hw.gpu.memory.usage; sum over the GPUs",
    ),
    gpu("l1.memory_total", "By", "max by (%) (<hw.gpu.memory.limit>)").whole(Whole::Sum).means(
        "Device memory there is: used plus free plus reserved.",
        "hw.gpu.memory.limit; sum over the GPUs",
    ),
    gpu(
        "l1.memory_utilization",
        "1",
        "max by (%) (<hw.gpu.memory.usage>) / max by (%) (<hw.gpu.memory.limit>) \
         or max by (%) (<hw.gpu.memory.utilization>)",
    )
    .means("Share of device memory in use.", "used / total; the fullest GPU"),
];
