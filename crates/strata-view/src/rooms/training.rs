//! L5: training runs and their ranks.

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, overview, tracks};
use crate::page::block::{Block, Section};

const WHOLE: [(&str, &str); 10] = [
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
    wants.extend(each(&["l5.rank_step_time"]));
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let runs = [
        ("step", 0, Show::Signal("l5.step")),
        ("step time", 0, Show::Signal("l5.step_time")),
        ("MFU", 0, Show::Signal("l5.mfu")),
        ("throughput", 1, Show::Signal("l5.tokens_per_second")),
        ("loss", 1, Show::Signal("l5.loss")),
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
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
        section(
            "ranks",
            "Ranks",
            "A rank apart from the others is marked.",
            vec![Block::Table(table(world, "", (EntityKind::Rank, None), &ranks, alone))],
        ),
    ]
}
