//! Kernels by what they do.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(
        EntityKind::Gpu,
        "l2.communication_share",
        "1",
        "sum by (%) (<cuda.kernel.time_ratio|class=\"nccl\">)",
    )
    .whole(Whole::Mean)
    .means(
        "Share of GPU time in communication kernels (CUPTI activity), waiting inside included.",
        "cuda.kernel.time_ratio of class nccl; mean over the GPUs",
    ),
    Recipe::new(
        EntityKind::Gpu,
        "l2.kernel_p99",
        "s",
        "histogram_quantile(0.99, sum by (%, le) (rate<cuda.kernel.duration:bucket>))",
    )
    .undefined("no kernel finished in the rate window")
    .means(
        "99th percentile of the GPU time of a kernel (CUPTI activity end less start).",
        "histogram quantile over all classes; the slowest GPU",
    ),
    Recipe::new(EntityKind::Gpu, "l2.sync_share", "1", "sum by (%) (rate<cuda.sync.time>)").means(
        "Share of time in which the host waited for the device (CUPTI synchronization).",
        "rate of cuda.sync.time; the longest wait",
    ),
];
