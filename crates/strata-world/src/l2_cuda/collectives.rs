//! Collectives by communicator.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

const fn communicator(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Communicator, id, unit, each)
}

const NONE_FINISHED: &str = "no collective finished in the rate window";

pub(crate) const ALL: &[Recipe] = &[
    communicator("l2.bus_bandwidth", "By/s", "avg by (%) (<nccl.bus.bandwidth>)")
        .whole(Whole::Mean)
        .means(
            "Algorithm bandwidth corrected so that it can be compared with the links: S/t x \
             2(n-1)/n for AllReduce, (n-1)/n for AllGather, ReduceScatter and AlltoAll \
             (nccl-tests doc/PERFORMANCE.md).",
            "mean over the ranks; mean over the communicators",
        ),
    communicator(
        "l2.bus_bandwidth_vs_past",
        "1",
        "avg by (%) (mean<nccl.bus.bandwidth> / best<nccl.bus.bandwidth>)",
    )
    .whole(Whole::Min)
    .unlike()
    .means(
        "Bus bandwidth against the best of the hour before, whatever its usual speed is: one slow \
         link, port or late rank slows a whole ring.",
        "mean of two minutes / greatest of an hour of each series (rank, collective, size); their \
         mean; the worst communicator",
    ),
    communicator("l2.algorithm_bandwidth", "By/s", "avg by (%) (<nccl.algorithm.bandwidth>)")
        .whole(Whole::Mean)
        .means(
            "Message bytes over duration, S/t (nccl-tests doc/PERFORMANCE.md).",
            "mean over the ranks; mean over the communicators",
        ),
    communicator(
        "l2.collective_mean",
        "s",
        "sum by (%) (rate<nccl.collective.duration:sum>) \
         / sum by (%) (rate<nccl.collective.duration:count>) \
         or avg by (%) (<nccl.collective.mean_duration>)",
    )
    .undefined(NONE_FINISHED)
    .means(
        "Mean time one rank was inside a collective on its GPU, waiting for peers included: long \
         alone does not tell a slow link from a late peer.",
        "rate(sum) / rate(count), else the source's own mean; the slowest communicator",
    ),
    communicator(
        "l2.collective_p95",
        "s",
        "histogram_quantile(0.95, sum by (%, le) (rate<nccl.collective.duration:bucket>))",
    )
    .undefined(NONE_FINISHED)
    .means(
        "95th percentile of the time one rank was inside a collective on its GPU.",
        "histogram quantile over ranks and kinds; the slowest communicator",
    ),
    communicator(
        "l2.collective_rate",
        "{collective}/s",
        "sum by (%) (rate<nccl.collective.count>) \
         or sum by (%) (rate<nccl.collective.duration:count>)",
    )
    .whole(Whole::Sum)
    .unlike()
    .means(
        "Collectives finished per second, counted once for each rank.",
        "rate of nccl.collective.count; sum over the communicators",
    ),
    communicator(
        "l2.skew_p95",
        "s",
        "histogram_quantile(0.95, sum by (%, le) (rate<nccl.collective.skew:bucket>))",
    )
    .undefined(NONE_FINISHED)
    .means(
        "95th percentile of the spread of the ranks' arrival, from durations on the GPU: ranks \
         leave a collective together, so it needs no common clock.",
        "histogram quantile of longest - shortest duration; the worst communicator",
    ),
    communicator("l2.inflight_age", "s", "max by (%) (<nccl.collective.inflight.age>)").means(
        "Age of the oldest collective that has not finished; against its usual duration it tells \
         a hang.",
        "nccl.collective.inflight.age; the oldest",
    ),
    communicator("l2.desync", "{bool}", "max by (%) (<nccl.desync>)").means(
        "Whether the ranks have run different numbers of collectives and stand still (NCCL RAS).",
        "nccl.desync; the worst communicator",
    ),
    communicator("l2.peers_dead", "{peer}", "max by (%) (<nccl.ras.peers.dead>)")
        .whole(Whole::Sum)
        .means(
            "Ranks that NCCL RAS considers dead or cannot reach.",
            "nccl.ras.peers.dead; sum over the communicators",
        ),
];
