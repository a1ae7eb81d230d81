//! Processors: what they do, and who waits for them.

use super::node;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    node(
        "l3.cpu_utilization",
        "1",
        "1 - sum by (%) (rate<system.cpu.time|mode=~\"idle|iowait\">) \
         / sum by (%) (rate<system.cpu.time>)",
    )
    .whole(Whole::Mean)
    .means(
        "Share of processor time that is neither idle nor waiting for I/O (proc_stat(5)).",
        "1 - rate(idle + iowait) / rate(all modes); mean over the hosts",
    ),
    node(
        "l3.cpu_busiest",
        "1",
        "1 - sum by (%) (rate<system.cpu.time|mode=~\"idle|iowait\">) \
         / sum by (%) (rate<system.cpu.time>)",
    )
    .means(
        "Share of processor time that is neither idle nor waiting for I/O (proc_stat(5)), of the host \
         where it is highest.",
        "1 - rate(idle + iowait) / rate(all modes); greatest of the hosts",
    ),
    node(
        "l3.cpu_user",
        "1",
        "sum by (%) (rate<system.cpu.time|mode=~\"user|nice\">) \
         / sum by (%) (rate<system.cpu.time>)",
    )
    .whole(Whole::Mean)
    .means(
        "Share of processor time in programs.",
        "rate(user + nice) / rate(all modes); mean over the hosts",
    ),
    node(
        "l3.cpu_system",
        "1",
        "sum by (%) (rate<system.cpu.time|mode=~\"system|irq|softirq\">) \
         / sum by (%) (rate<system.cpu.time>)",
    )
    .whole(Whole::Mean)
    .means(
        "Share of processor time in the kernel, interrupts included.",
        "rate(system + irq + softirq) / rate(all modes); mean over the hosts",
    ),
    node(
        "l3.cpu_steal",
        "1",
        "sum by (%) (rate<system.cpu.time|mode=\"steal\">) / sum by (%) (rate<system.cpu.time>)",
    )
    .means(
        "Share of processor time that the hypervisor gave to others.",
        "rate(steal) / rate(all modes); the worst host",
    ),
    node(
        "l3.iowait",
        "1",
        "sum by (%) (rate<system.cpu.time|mode=\"iowait\">) / sum by (%) (rate<system.cpu.time>)",
    )
    .means(
        "Share of processor time idle while an I/O was outstanding. The kernel calls it not \
         reliable (proc_stat(5)): read it beside I/O pressure.",
        "rate(iowait) / rate(all modes); the worst host",
    ),
    node("l3.load_1m", "{thread}", "max by (%) (<system.cpu.load_average.1m>)").means(
        "Runnable and uninterruptible threads, averaged over about one minute.",
        "system.cpu.load_average.1m; the greatest",
    ),
    node(
        "l3.cpus",
        "{cpu}",
        "max by (%) (<system.cpu.logical.count>) \
         or count by (%) (count by (%, cpu) (<system.cpu.time>))",
    )
    .unlike()
    .means("Logical processors of the host.", "system.cpu.logical.count; the greatest"),
    node(
        "l3.psi_cpu",
        "1",
        "max by (%) (rate<host.pressure.stall_time|resource=\"cpu\",kind=\"some\",cgroup=\"\">)",
    )
    .means(
        "Share of time in which some task waited for a processor (pressure stall information, \
         kernel Documentation/accounting/psi.rst).",
        "rate of host.pressure.stall_time (cpu, some); the worst host",
    ),
    node("l3.uptime", "s", "max by (%) (<system.uptime>)")
        .whole(Whole::Min)
        .unlike()
        .means("Time since the system was booted.", "system.uptime; the shortest"),
    node("l3.hosts", "{host}", "count by (%) (count by (%) (<system.memory.limit>))")
        .whole(Whole::Text(
            "count(count by (node) (<system.memory.limit|node!=\"\">)) \
             + (count(count by (instance) (<system.memory.limit|node=\"\">)) or vector(0)) \
             or count(count by (instance) (<system.memory.limit|node=\"\">))",
        ))
        .unlike()
        .means(
            "Hosts that are seen: their memory size is read.",
            "number of different nodes, else of instances",
        ),
];
