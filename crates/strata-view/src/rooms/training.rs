//! L5: training runs and their ranks.

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, overview, ranks, tracks};
use crate::page::block::{Block, Section};

const WHOLE: [(&str, &str); 12] = [
    ("MFU", "l5.mfu"),
    ("step time", "l5.step_time"),
    ("throughput", "l5.tokens_per_second"),
    ("goodput", "l5.goodput"),
    ("loss", "l5.loss"),
    ("gradient norm", "l5.gradient_norm"),
    ("data wait", "l5.data_wait_share"),
    ("checkpoint save", "l5.checkpoint_save_mean"),
    ("restarts", "l5.restarts"),
    ("NaN or infinite", "l5.not_finite"),
    ("no progress", "l5.badput"),
    ("effective time", "l5.ettr"),
];

const CHARTS: [(&str, &[(&str, &str)]); 4] = [
    ("Step time", &[("step", "l5.step_time")]),
    ("Loss", &[("training", "l5.loss"), ("validation", "l5.validation_loss")]),
    ("Throughput", &[("tokens", "l5.tokens_per_second")]),
    ("MFU", &[("MFU", "l5.mfu")]),
];

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(tracks(&["l5.validation_loss"]));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L5Training));
    wants.extend(each(&["l5.step_time", "l5.mfu", "l5.tokens_per_second", "l5.loss", "l5.step"]));
    wants.extend(each(&["l5.tokens_per_second_per_gpu", "l5.flops", "l5.learning_rate"]));
    wants.extend(each(&["l5.steps_at_risk", "l5.rank_step_time"]));
    wants.extend(ranks::wants());
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let runs = [
        ("step", 0, Show::Signal("l5.step")),
        ("step time", 0, Show::Signal("l5.step_time")),
        ("MFU", 0, Show::Signal("l5.mfu")),
        ("throughput", 1, Show::Signal("l5.tokens_per_second")),
        ("per GPU", 2, Show::Signal("l5.tokens_per_second_per_gpu")),
        ("FLOP/s of a GPU", 2, Show::Signal("l5.flops")),
        ("loss", 1, Show::Signal("l5.loss")),
        ("learning rate", 3, Show::Signal("l5.learning_rate")),
        ("steps at risk", 2, Show::Signal("l5.steps_at_risk")),
    ];
    let none = "no training run is seen: a trainer's metrics page, scraped, or OpenTelemetry \
                metrics sent to port 4318 would show it";
    let ranks = [("step time", 0, Show::Signal("l5.rank_step_time"))];
    let alone = "no source tells ranks apart";
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    vec![
        section(
            "now",
            "",
            "",
            vec![overview::line(world, Layer::L5Training), numbers(world, &WHOLE, None)],
        ),
        section(
            "list",
            "Runs",
            "",
            vec![Block::Table(table(world, "", (EntityKind::Run, None), &runs, none))],
        ),
        ranks::section_of(world),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
        section(
            "ranks",
            "Ranks",
            "Where ranks wait for each other all steps take as long.",
            vec![Block::Table(table(world, "", (EntityKind::Rank, None), &ranks, alone))],
        ),
    ]
}
