//! Queues of the schedulers.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

const fn queue(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Queue, id, unit, each).unlike()
}

pub(crate) const ALL: &[Recipe] = &[
    queue("l4.queue_pending", "{workload}", "sum by (%) (<sched.queue.pending>)")
        .whole(Whole::Sum)
        .means(
            "Workloads that wait in a queue (Kueue, Volcano, kube-scheduler).",
            "sched.queue.pending, all states of waiting; sum over the queues",
        ),
    queue("l4.queue_admitted", "{workload}", "sum by (%) (<sched.queue.admitted>)")
        .whole(Whole::Sum)
        .means(
            "Workloads of a queue that were admitted and have not finished.",
            "sched.queue.admitted; sum over the queues",
        ),
    queue(
        "l4.queue_wait_p95",
        "s",
        "histogram_quantile(0.95, sum by (%, le) (rate<sched.wait.duration:bucket>))",
    )
    .undefined("nothing was admitted in the rate window")
    .means(
        "95th percentile of the time from submission to admission.",
        "histogram quantile of sched.wait.duration; the slowest queue",
    ),
    queue(
        "l4.queue_gpu_quota_used",
        "1",
        "sum by (%) (<sched.queue.resource.usage|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">) \
         / (sum by (%) (<sched.queue.resource.quota|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">) > 0)",
    )
    .undefined("the queue has no quota of GPUs")
    .means(
        "GPUs a queue uses over its quota; above 1 it borrows.",
        "usage / quota of resources named gpu; the fullest queue",
    ),
    queue(
        "l4.queue_gpus_used",
        "{gpu}",
        "sum by (%) (<sched.queue.resource.usage|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">)",
    )
    .whole(Whole::Sum)
    .undefined("the queue holds no GPU, or its scheduler does not say")
    .means(
        "GPUs that the running workloads of a queue hold.",
        "sched.queue.resource.usage of resources named gpu; sum over the queues",
    ),
    queue(
        "l4.queue_gpus_wanted",
        "{gpu}",
        "sum by (%) (<sched.queue.resource.pending|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">)",
    )
    .whole(Whole::Sum)
    .undefined("nothing that waits asks for a GPU, or the scheduler does not say")
    .means(
        "GPUs that the waiting workloads of a queue ask for.",
        "sched.queue.resource.pending of resources named gpu; sum over the queues",
    ),
    queue(
        "l4.queue_gpus_requested",
        "{gpu}",
        "sum by (%) (<sched.queue.resource.requested|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">) \
         or (sum by (%) (<sched.queue.resource.usage|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">) \
         + sum by (%) (<sched.queue.resource.pending|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">))",
    )
    .whole(Whole::Sum)
    .undefined("the scheduler does not say what the queue's workloads ask for")
    .means(
        "GPUs that all workloads of a queue ask for, those that run and those that wait.",
        "sched.queue.resource.requested, else usage + pending, of resources named gpu; sum over the \
         queues",
    ),
    queue(
        "l4.queue_gpus_allocated",
        "{gpu}",
        "sum by (%) (<sched.queue.resource.reservation|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">) \
         or sum by (%) (<sched.queue.resource.usage|resource=~\".*gpu.*\",resource!~\".*gpu.*(mem|core).*\">)",
    )
    .whole(Whole::Sum)
    .undefined("the scheduler does not say what it gave to the queue")
    .means(
        "GPUs that a queue's workloads were given, started or not.",
        "sched.queue.resource.reservation, else usage, of resources named gpu; sum over the queues",
    ),
    queue("l4.preemptions", "{workload}", "sum by (%) (increase<sched.preemptions>)")
        .whole(Whole::Sum)
        .undefined("the counter has no two samples yet")
        .means(
            "Workloads preempted in the last ten minutes.",
            "increase of sched.preemptions over 10 min; sum over the queues",
        ),
];
