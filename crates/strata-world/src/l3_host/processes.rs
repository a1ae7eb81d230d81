//! Processes and pods on a host.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

const fn process(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    Recipe::new(EntityKind::Process, id, unit, each).unlike()
}

pub(crate) const ALL: &[Recipe] = &[
    process("l3.process_cpu", "1", "sum by (%) (rate<process.cpu.time>)").whole(Whole::Sum).means(
        "Processor time a process uses per second; 1 is one processor.",
        "rate of process.cpu.time; sum over the processes that are followed",
    ),
    process("l3.process_memory", "By", "max by (%) (<process.memory.usage>)")
        .whole(Whole::Sum)
        .means(
            "Resident memory of a process; pages shared between processes count in each.",
            "process.memory.usage; sum over the processes that are followed",
        ),
    process("l3.process_threads", "{thread}", "max by (%) (<process.thread.count>)")
        .whole(Whole::Sum)
        .means(
            "Threads of a process.",
            "process.thread.count; sum over the processes that are followed",
        ),
    process("l3.process_run_delay", "1", "sum by (%) (rate<process.scheduler.run_delay>)").means(
        "Seconds per second in which threads of a process could run and waited for a processor: \
         tells starved from busy.",
        "rate of process.scheduler.run_delay; the worst process",
    ),
    process("l3.process_blocked", "{thread}", "max by (%) (<process.thread.blocked>)").means(
        "Threads in uninterruptible sleep, most often waiting for storage.",
        "process.thread.blocked; the worst process",
    ),
    Recipe::new(
        EntityKind::Pod,
        "l3.cpu_quota_throttled",
        "1",
        "sum by (%) (rate<container.cpu.throttled_time>)",
    )
    .unlike()
    .means(
        "Seconds per second in which containers of a pod were stopped because their processor \
         quota was used up.",
        "rate of container.cpu.throttled_time; the worst pod",
    ),
];
