//! Which rank the others wait for. In a synchronous run the steps of all ranks take as long: the late
//! one shows in the waiting that it inflicts on the others, by collective.

use strata_world::{EntityId, Signal, Want, World};

use super::pieces::{ROWS_MAX, fact_of, link_to, name, number, section};
use super::{each, tracks};
use crate::page::block::{Block, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::PageId;
use crate::words;

const BLAME: &str = "l2.blame";
const LAUNCH_LAG: &str = "l2.launch_lag";
const QUEUE_DELAY: &str = "l2.queue_delay";

/// A rank that inflicts more than this share of all waiting is the one to look at.
const MOST: f64 = 0.5;

/// Below this many seconds a second nobody waits to speak of: with eight ranks it is a share of 0.1 %
/// of their time.
const LEAST: f64 = 0.01;

pub(super) fn wants() -> Vec<Want> {
    let mut wants = each(&[BLAME, LAUNCH_LAG, QUEUE_DELAY]);
    wants.extend(tracks(&[BLAME]));
    wants
}

pub(super) fn section_of(world: &World) -> Section {
    let ranks = ranks(world);
    let mut blocks = Vec::new();
    if let Some(text) = named(world, &ranks) {
        blocks.push(Block::Text { text });
    }
    blocks.push(Block::Table(table(world, &ranks)));
    let brief = "Ranks by the waiting that they inflict on the others: in a synchronous run all steps \
                 take as long, whoever is late.";
    section("late", "Who the others wait for", brief, blocks)
}

fn known(world: &World, signal: &str, gpu: &EntityId) -> Option<f64> {
    world.signal(signal, Some(gpu)).and_then(|signal| signal.now.known())
}

/// GPUs that run ranks, the one that is waited for most first.
fn ranks(world: &World) -> Vec<EntityId> {
    let told = [BLAME, LAUNCH_LAG, QUEUE_DELAY].into_iter().flat_map(|id| world.each(id));
    let told = told.filter(|signal: &&Signal| signal.now.known().is_some());
    let mut ranks: Vec<EntityId> = told.filter_map(|signal| signal.entity.clone()).collect();
    ranks.sort();
    ranks.dedup();
    ranks.sort_by_cached_key(|gpu| rank_of(world, gpu));
    let order = |one: &EntityId, other: &EntityId| {
        let [one, other] = [one, other].map(|gpu| known(world, BLAME, gpu).unwrap_or(-1.0));
        other.total_cmp(&one)
    };
    ranks.sort_by(order);
    ranks
}

/// The rank of a GPU as its communicator counts: `dp rank 3`.
fn rank_of(world: &World, gpu: &EntityId) -> Option<String> {
    let rank = world.entity(gpu).map(|gpu| fact_of(gpu, "rank").to_owned());
    rank.filter(|rank| !rank.is_empty())
}

/// Seconds per second that all ranks together wait.
fn lost(world: &World, ranks: &[EntityId]) -> f64 {
    ranks.iter().filter_map(|gpu| known(world, BLAME, gpu)).sum()
}

/// A sentence about the rank that is waited for more than for all others together.
fn named(world: &World, ranks: &[EntityId]) -> Option<String> {
    let first = ranks.first()?;
    let (blame, lost) = (known(world, BLAME, first)?, lost(world, ranks));
    if ranks.len() < 2 || blame < LEAST || blame <= MOST * lost {
        return None;
    }
    let place = name(world, first);
    let who =
        rank_of(world, first).map_or_else(|| place.clone(), |rank| format!("{rank} on {place}"));
    let share = words::text(Some(blame / lost), "1");
    Some(format!(
        "{who} is late: {share} of the time that ranks wait for each other they wait for it."
    ))
}

fn table(world: &World, ranks: &[EntityId]) -> Table {
    let lost = lost(world, ranks);
    let row = |gpu: &EntityId| {
        let mut blame = number(world, "blame", BLAME, Some(gpu));
        let is_most = blame.value.is_some_and(|value| value >= LEAST && value > MOST * lost);
        if is_most && ranks.len() > 1 {
            blame.status = Some(Status::Watch);
            blame.note = Some("waited for more than all others".to_owned());
        }
        let share = blame.value.filter(|_| lost > 0.0).map(|value| value / lost);
        let cell = |label, signal| Cell::Number(Box::new(number(world, label, signal, Some(gpu))));
        Row {
            cells: vec![
                Cell::Text { text: rank_of(world, gpu).unwrap_or_else(|| "unknown".to_owned()) },
                Cell::Text { text: name(world, gpu) },
                Cell::Number(Box::new(blame)),
                Cell::Text { text: words::text(share, "1") },
                cell("launch lag", LAUNCH_LAG),
                cell("queue delay", QUEUE_DELAY),
            ],
            link: Some(link_to(PageId::Gpus, gpu)),
        }
    };
    let column = |(title, numeric, rank): (&str, bool, u8)| Column {
        title: title.to_owned(),
        numeric,
        rank,
    };
    let columns = [
        ("rank", false, 0),
        ("GPU", false, 1),
        ("blame", true, 0),
        ("of all waiting", true, 1),
        ("launch lag", true, 1),
        ("queue delay", true, 2),
    ];
    Table {
        title: String::new(),
        columns: columns.map(column).to_vec(),
        rows: ranks.iter().take(ROWS_MAX).map(row).collect(),
        total_rows: (ranks.len() > ROWS_MAX).then_some(ranks.len()),
        empty: why_none(world),
    }
}

/// Why no rank is known: nothing tells of them, or what does gives no number now.
fn why_none(world: &World) -> String {
    let why = number(world, "blame", BLAME, None).explain.unknown;
    why.unwrap_or_else(|| "nothing tells which GPU runs which rank".to_owned())
}
