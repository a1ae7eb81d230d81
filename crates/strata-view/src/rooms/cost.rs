//! L8: what is spent, on whom, and how much of it was useful.

use strata_model::Layer;
use strata_world::{Want, World};

use super::pieces::{chart, numbers, section};
use super::{Context, books, overview, tracks};
use crate::page::block::{Block, Section};
use crate::request::PageRequest;

const WHOLE: [(&str, &str); 8] = [
    ("per useful token", "l8.cost_per_useful_token"),
    ("spend", "l8.cost_rate"),
    ("idle", "l8.idle_rate"),
    ("waste", "l8.waste_rate"),
    ("goodput", "l8.goodput"),
    ("power", "l8.power"),
    ("tokens per joule", "l8.tokens_per_joule"),
    ("energy per token", "l8.joules_per_token"),
];

const CHARTS: [(&str, &[(&str, &str)]); 5] = [
    ("Cost of a useful token", &[("all models", "l8.cost_per_useful_token")]),
    ("Spend and waste", &[("spend", "l8.cost_rate"), ("waste", "l8.waste_rate")]),
    ("Goodput", &[("useful GPU seconds", "l8.goodput")]),
    ("Power", &[("drawn", "l8.power")]),
    ("Tokens per joule", &[("all engines", "l8.tokens_per_joule")]),
];

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L8Cost));
    wants
}

pub(super) fn sections(request: &PageRequest, world: &World, context: &Context) -> Vec<Section> {
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    let mut sections = vec![
        section(
            "now",
            "",
            "Energy is measured, time is counted, prices are in the book below.",
            vec![overview::line(world, Layer::L8Cost), numbers(world, &WHOLE, None)],
        ),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
    ];
    let books = context.books.iter();
    sections.extend(books.flat_map(|books| books::sections(request, books)));
    sections
}
