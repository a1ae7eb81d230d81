//! How many requests of the usual shapes still fit into all replicas of one model.

use strata_world::capacity::{Fit, Lengths, Room, fits};
use strata_world::{EntityKind, World};

use super::ceilings::{shape, shape_name};
use super::fact::{cell, column, text};
use crate::page::block::Block;
use crate::page::table::{Row, Table};

/// Asked of each replica.
pub(super) const EACH: [&str; 2] = ["l6.kv_capacity_tokens", "l6.kv_pinned_tokens"];

/// One row for each shape; none of several models, whose requests have no shape in common, and of one
/// replica, whose own card tells it.
pub(super) fn of_all(world: &World) -> Option<Block> {
    let models = world.each("l6.replicas").count().max(world.of_kind(EntityKind::Model).count());
    if world.capacity.is_some() || models > 1 {
        return None;
    }
    let of = |id: &str| {
        let spread = world.spread(id, None)?;
        Lengths::new(&spread.edges, spread.counts.as_ref().ok()?)
    };
    let (prompt, output) = (of("l6.prompt_lengths")?, of("l6.output_lengths")?);
    let (fill, shares) = (world.targets.fill, world.targets.shapes);
    let rooms: Vec<Room> = world
        .of_kind(EntityKind::Replica)
        .filter_map(|replica| {
            let now = |id| world.signal(id, Some(&replica.id))?.now.known();
            let capacity = now("l6.kv_capacity_tokens")?;
            let is_pinned = super::counts(replica) != "resident";
            let pinned = now("l6.kv_pinned_tokens").filter(|_| is_pinned);
            // How many ranks a replica has is not told of a fleet.
            Some(Room { fill, capacity, pinned, ranks: 1.0 })
        })
        .collect();
    let told = rooms.len();
    let rows = shares.into_iter().enumerate().map(|(at, share)| {
        let fit = |room: &Room| fits(&prompt, &output, shares, *room).get(at).copied().flatten();
        let each = rooms.iter().map(fit);
        let why = if told == 0 {
            "no replica says how many tokens its KV cache holds"
        } else {
            "such a request is longer than the last edge of the buckets"
        };
        let all = sum(each);
        let semantics = super::Semantics::Pinned;
        let numbers = shape(all.as_ref().ok_or(why), semantics).map(cell);
        let cells = std::iter::once(text(shape_name(share))).chain(numbers).collect();
        Row { cells, link: None }
    });
    Some(Block::Table(Table {
        title: format!("Requests of your shape, over {told} replicas"),
        columns: vec![
            column("shape", false, 0),
            column("tokens", true, 0),
            column("fit in all", true, 0),
            column("still fit", true, 0),
        ],
        rows: rows.collect(),
        total_rows: None,
        empty: String::new(),
    }))
}

/// Replicas are filled one by one: a request does not stand on two. One that does not say what it
/// holds leaves the rest unknown.
fn sum(each: impl Iterator<Item = Option<Fit>>) -> Option<Fit> {
    let add = |sum: Fit, one: Fit| Fit {
        all: sum.all + one.all,
        more: sum.more.zip(one.more).map(|(sum, one)| sum + one),
        ..sum
    };
    let each: Option<Vec<Fit>> = each.collect();
    each?.into_iter().reduce(add)
}
