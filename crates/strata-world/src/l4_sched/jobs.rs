//! Jobs of Slurm.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(EntityKind::Workload, "l4.job_gpus", "{gpu}", "max by (%) (<slurm.job.gpus>)")
        .unlike()
        .whole(Whole::Sum)
        .means(
            "Devices a Slurm job holds, or asks for while it waits.",
            "slurm.job.gpus; sum over the jobs, waiting ones included",
        ),
    Recipe::new(EntityKind::Workload, "l4.job_wait", "s", "max by (%) (<slurm.job.wait_time>)")
        .unlike()
        .undefined("no job waits")
        .means(
            "Time a Slurm job has waited since it was submitted.",
            "slurm.job.wait_time; the longest",
        ),
];
