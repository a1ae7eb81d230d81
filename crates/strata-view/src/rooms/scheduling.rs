//! L4: who owns the GPUs, and what waits.

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, ground, overview, queue, tracks, who};
use crate::page::block::{Block, Section};
use crate::page::chart::Chart;

const WHOLE: [(&str, &str); 10] = [
    ("GPUs", "l4.gpus_present"),
    ("allocated", "l4.gpus_allocated"),
    ("held idle", "l4.gpus_held_idle"),
    ("requested", "l4.gpus_requested"),
    ("pods running", "l4.pods_running"),
    ("pods pending", "l4.pods_pending"),
    ("queue pending", "l4.queue_pending"),
    ("queue wait p95", "l4.queue_wait_p95"),
    ("preempted", "l4.preemptions"),
    ("restarts", "l4.restarts"),
];

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L4Sched));
    wants.extend(each(&[
        "l4.gpus_requested",
        "l4.gpus_allocated",
        "l4.gpus_held_idle",
        "l4.gpu_quota_used",
        "l4.pods_pending",
        "l4.pods_running",
    ]));
    wants.extend(each(&queue::SIGNALS));
    wants.extend(who::wants());
    wants
}

/// Who holds what, with what that is known from.
fn held(world: &World) -> Section {
    let mut section = who::section_of(world);
    ground::of_holders(world, &mut section);
    section
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let namespaces = [
        ("GPUs requested", 0, Show::Signal("l4.gpus_requested")),
        ("allocated", 0, Show::Signal("l4.gpus_allocated")),
        ("held idle", 0, Show::Signal("l4.gpus_held_idle")),
        ("pods running", 1, Show::Signal("l4.pods_running")),
        ("pods pending", 1, Show::Signal("l4.pods_pending")),
        ("quota used", 1, Show::Signal("l4.gpu_quota_used")),
    ];
    let no_namespace = "no namespace is seen: pod labels on the GPU exporter's series or \
                        kube-state-metrics would show them";
    vec![
        section(
            "now",
            "",
            "",
            vec![overview::line(world, Layer::L4Sched), numbers(world, &WHOLE, None)],
        ),
        held(world),
        section(
            "namespaces",
            "Namespaces",
            "",
            vec![Block::Table(table(
                world,
                "",
                (EntityKind::Namespace, None),
                &namespaces,
                no_namespace,
            ))],
        ),
        section(
            "waiting",
            "What waits, and why",
            "Pods without a node, pods that ask for GPUs and cannot start, workloads that are not admitted, \
             jobs in a queue. kube-scheduler and events count a pod once for each reason.",
            vec![Block::Table(queue::waiting(world))],
        ),
        section(
            "queues",
            "Queues",
            "Of every scheduler that is seen; Slurm's are its partitions.",
            vec![Block::Table(queue::queues(world))],
        ),
        section(
            "jobs",
            "Slurm jobs",
            "Those that wait first, with Slurm's own reason.",
            vec![Block::Table(queue::jobs(world))],
        ),
        section("time", "Over time", "", vec![Block::Multiples { charts: charts(world) }]),
    ]
}

fn charts(world: &World) -> Vec<Chart> {
    vec![
        chart(
            world,
            "GPUs",
            &[
                ("there", "l4.gpus_present"),
                ("allocated", "l4.gpus_allocated"),
                ("held idle", "l4.gpus_held_idle"),
            ],
            None,
        ),
        chart(
            world,
            "Pods",
            &[("running", "l4.pods_running"), ("pending", "l4.pods_pending")],
            None,
        ),
    ]
}
