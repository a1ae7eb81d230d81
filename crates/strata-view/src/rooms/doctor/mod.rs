//! Every signal of every layer: seen or not, why, how to mend it, and what becomes possible.

mod layer;
mod signal;
mod sources;
mod summary;
mod words;

use strata_model::Layer;
use strata_world::World;

use crate::page::block::Section;
use crate::page::table::{Cell, Column};

pub(super) fn sections(world: &World) -> Vec<Section> {
    let mut sections = vec![summary::section_of(world), sources::section_of(world)];
    sections.extend(Layer::ALL.into_iter().map(|layer| layer::section_of(world, layer)));
    sections
}

fn column(title: &str, rank: u8) -> Column {
    Column { title: title.to_owned(), numeric: false, rank }
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}
