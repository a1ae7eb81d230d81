//! A row a layer: how much of it is known, and the step that makes most of the rest known.

use std::collections::BTreeSet;

use strata_diagnose::diagnoses;
use strata_world::{LayerCoverage, World};

use super::words::{count, opened, possible};
use super::{column, text};
use crate::page::block::{Block, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Row, Table};
use crate::rooms::pieces::section;
use crate::rooms::{code, words as layer_words};

pub(super) fn section_of(world: &World) -> Section {
    let possible = possible(&world.coverage);
    let layers = world.coverage.layers.iter().rev();
    let table = Table {
        title: String::new(),
        columns: vec![
            column("state", 0),
            column("layer", 0),
            column("signals with a source", 0),
            column("diagnoses possible", 1),
            column("best next step", 2),
            column("makes known", 2),
        ],
        rows: layers.map(|layer| row(layer, &possible)).collect(),
        total_rows: None,
        empty: "it is not known which metrics are stored: the engine does not list their names"
            .to_owned(),
    };
    let brief = "What each layer can tell, and the one step that makes most of the rest known. A signal \
                 is a number of the pages, complete with all that it is made of.";
    section("summary", "At a glance", brief, vec![Block::Table(table)])
}

fn row(layer: &LayerCoverage, possible: &BTreeSet<&'static str>) -> Row {
    let own = || diagnoses().filter(|one| one.layer == layer.layer);
    let ready = own().filter(|one| one.signals().all(|id| possible.contains(id))).count();
    let all = own().count();
    let (status, word) = match layer.fed {
        0 => (Status::Blind, "not seen"),
        _ if ready < all => (Status::Watch, "in part"),
        _ => (Status::Ok, "seen"),
    };
    let (title, _) = layer_words(layer.layer);
    let (step, opens) = match layer.steps.first() {
        Some(step) => {
            // How to name it in the configuration, or the lines to copy, stand with the layer.
            let first = step.mend.lines().next().unwrap_or_default();
            let first = first.split_once("; what").map_or(first, |(what, _)| what);
            let found = opened(possible, &step.opens).len();
            let signals = count(step.opens.len(), "signal");
            let opens = match found {
                0 => signals,
                1 => format!("{signals}, 1 diagnosis"),
                _ => format!("{signals}, {found} diagnoses"),
            };
            (Cell::Command { text: first.trim_end_matches(':').to_owned() }, opens)
        }
        None if layer.possible.len() < layer.signals => {
            (text("nothing that is known to strata adds a signal"), String::new())
        }
        None => (text("nothing is missing"), String::new()),
    };
    Row {
        cells: vec![
            Cell::Status { status, text: word.to_owned() },
            text(format!("{} {title}", code(layer.layer))),
            text(format!("{} of {}", layer.fed, layer.signals)),
            text(format!("{ready} of {all}")),
            step,
            text(opens),
        ],
        link: None,
    }
}
