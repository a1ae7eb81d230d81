//! Instances that a GPU is split into (MIG).

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

const fn slice(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Slice, id, unit, each).unlike()
}

pub(crate) const ALL: &[Recipe] = &[
    slice(
        "l1.slice_memory_used",
        "By",
        "max by (%) (<gpu.mig.memory.usage>) \
         or max by (%) (<hw.gpu.memory.usage|mig_instance!=\"\">)",
    )
    .whole(Whole::Sum)
    .means("Memory that a MIG instance uses.", "gpu.mig.memory.usage; sum over the instances"),
    slice(
        "l1.slice_memory",
        "By",
        "max by (%) (<gpu.mig.memory.limit>) \
         or max by (%) (<hw.gpu.memory.limit|mig_instance!=\"\">)",
    )
    .whole(Whole::Sum)
    .means("Memory of a MIG instance.", "gpu.mig.memory.limit; sum over the instances"),
    slice(
        "l1.slice_sm_active",
        "1",
        "max by (%) (<gpu.mig.sm.active>) or max by (%) (<gpu.sm.active|mig_instance!=\"\">)",
    )
    .means(
        "Share of its own SMs and of the time in which a MIG instance had at least one warp \
         resident. NVML knows no utilization of an instance.",
        "gpu.mig.sm.active; the busiest instance",
    ),
    slice(
        "l1.slice_engine_active",
        "1",
        "max by (%) (<gpu.mig.engine.active>) \
         or max by (%) (<gpu.engine.active|mig_instance!=\"\">)",
    )
    .means(
        "Share of the time in which the engine of a MIG instance was active.",
        "gpu.mig.engine.active; the busiest instance",
    ),
    slice(
        "l1.slice_tensor_active",
        "1",
        "max by (%) (<gpu.mig.tensor.active>) \
         or max by (%) (<gpu.tensor.active|mig_instance!=\"\">)",
    )
    .means(
        "Share of its cycles in which the tensor cores of a MIG instance were active.",
        "gpu.mig.tensor.active; the busiest instance",
    ),
];
