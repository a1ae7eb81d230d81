//! Memory and swap.

use super::node;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    node(
        "l3.memory_utilization",
        "1",
        "1 - max by (%) (<system.memory.linux.available>) / max by (%) (<system.memory.limit>)",
    )
    .means(
        "Share of memory that new work could not get without swapping: page cache does not count \
         as used (MemAvailable, proc_meminfo(5)).",
        "1 - available / total; the fullest host",
    ),
    node("l3.memory_available", "By", "max by (%) (<system.memory.linux.available>)")
        .whole(Whole::Min)
        .means(
            "Memory that new work could get without swapping, as the kernel estimates it.",
            "system.memory.linux.available; the smallest",
        ),
    node("l3.memory_total", "By", "max by (%) (<system.memory.limit>)")
        .unlike()
        .means("Memory the system can use.", "system.memory.limit; the greatest"),
    node(
        "l3.swap_utilization",
        "1",
        "max by (%) (<system.paging.utilization|state=\"used\">) \
         or max by (%) (<system.paging.usage|state=\"used\">) \
         / (sum by (%) (<system.paging.usage|state=~\"used|free\">) > 0)",
    )
    .undefined("the host has no swap space")
    .means("Share of swap space in use.", "used / (used + free); the fullest host"),
    node("l3.swap_rate", "{operation}/s", "sum by (%) (rate<system.paging.operations>)").means(
        "Pages swapped in and out per second; swap in use without traffic does no harm.",
        "rate of system.paging.operations; the worst host",
    ),
    node("l3.oom_kills", "{kill}", "max by (%) (increase<host.memory.oom_kills|cgroup=\"\">)")
        .undefined("the counter has no two samples yet")
        .means(
            "Processes killed in the last ten minutes because memory ran out.",
            "increase of host.memory.oom_kills over 10 min; the worst host",
        ),
    node(
        "l3.psi_memory",
        "1",
        "max by (%) (rate<host.pressure.stall_time|resource=\"memory\",kind=\"some\",cgroup=\"\">)",
    )
    .means(
        "Share of time in which some task waited for memory (pressure stall information).",
        "rate of host.pressure.stall_time (memory, some); the worst host",
    ),
    node(
        "l3.psi_memory_full",
        "1",
        "max by (%) (rate<host.pressure.stall_time|resource=\"memory\",kind=\"full\",cgroup=\"\">)",
    )
    .means(
        "Share of time in which all tasks waited for memory at once: thrashing.",
        "rate of host.pressure.stall_time (memory, full); the worst host",
    ),
];
