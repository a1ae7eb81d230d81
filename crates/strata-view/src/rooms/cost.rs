//! L8: what is spent, on whom, and how much of it was useful.

use strata_model::Layer;
use strata_world::{EntityKind, Scope, Want, World};

use super::pieces::{chart, number, numbers, section};
use super::{Context, books, ground, overview, tracks};
use crate::page::block::{Block, Section};
use crate::request::PageRequest;

const WHOLE: [(&str, &str); 9] = [
    ("per useful token", "l8.cost_per_useful_token"),
    ("spend", "l8.cost_rate"),
    ("idle", "l8.idle_rate"),
    ("waste", "l8.waste_rate"),
    ("useful tokens", "l8.useful_tokens"),
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

/// What a page about one team begins with.
const TEAM: (&str, &str) = ("spend of the team", "l8.team_cost_rate");

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L8Cost));
    wants.extend(tracks(&[TEAM.1]));
    wants
}

pub(super) fn sections(request: &PageRequest, world: &World, context: &Context) -> Vec<Section> {
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    let mut now = vec![overview::line(world, Layer::L8Cost)];
    if let Scope::Entity(id) = &world.scope {
        let own: &[(&str, &str)] = if id.kind == EntityKind::Team { &[TEAM] } else { &WHOLE };
        let told = own.iter().map(|(label, signal)| number(world, label, signal, None));
        // What money the fleet makes is not missed on the page of one host.
        let told = told.filter(|number| number.value.is_some()).collect();
        now.push(Block::Numbers { numbers: told });
        let text = "The ledger below is of everything: `strata cost --by team` and the tables by holder tell \
                    it apart.";
        now.push(Block::Text { text: text.to_owned() });
    } else {
        now.push(numbers(world, &WHOLE, None));
    }
    let brief = "Energy is measured, time is counted, prices are in the book below.";
    let mut sections = vec![
        section("now", "", brief, now),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
    ];
    if let Some(books) = &context.books {
        let mut told = books::sections(request, books);
        let ledger = &books.ledger;
        let length_ms = ledger.step_ms * i64::try_from(ledger.steps).unwrap_or(0);
        ground::of_ledger(world, ledger.start_ms + length_ms, &mut told);
        sections.extend(told);
    }
    sections
}
