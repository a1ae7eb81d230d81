//! Ranks, told by the GPU they run on.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(
        EntityKind::Gpu,
        "l2.blame",
        "1",
        "sum by (%) (rate<nccl.rank.blame_time>)",
    )
    .whole(Whole::Sum)
    .means(
        "Seconds per second of waiting that a rank inflicted on the others by arriving last. \
         Summed over the ranks it is the lost time.",
        "rate of nccl.rank.blame_time; sum over the GPUs",
    ),
    Recipe::new(EntityKind::Gpu, "l2.launch_lag", "s", "max by (%) (<nccl.rank.launch_lag>)").means(
        "How much later than its peers a rank's host enqueues collectives: large means that the \
         host is late.",
        "nccl.rank.launch_lag; the latest rank",
    ),
    Recipe::new(EntityKind::Gpu, "l2.queue_delay", "s", "max by (%) (<nccl.rank.queue_delay>)")
        .means(
            "Time between launching a collective and its start on the GPU: large means that the \
             GPU is busy with something else.",
            "nccl.rank.queue_delay; the longest",
        ),
];
