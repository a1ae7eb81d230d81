//! The Doctor page: what it counts, that it fits a screen or two, and that nothing is missing without a
//! word of why.

use std::collections::BTreeSet;

use strata_model::Layer;
use strata_view::page::block::Fold;
use strata_view::page::table::{Cell, Row, Table};
use strata_view::rooms::Context;
use strata_view::{Block, Page, PageId, PageRequest, Section, Status};
use strata_world::signals;

use super::cluster::Cluster;
use super::made;

fn page(id: PageId) -> Page {
    made(&Cluster::read(), &PageRequest::new(id), &Context::default())
}

/// The sections of layers, lowest first.
fn layers(page: &Page) -> impl Iterator<Item = &Section> {
    page.sections.iter().filter(|section| Layer::ALL.iter().any(|one| one.name() == section.id))
}

fn table(blocks: &[Block]) -> &Table {
    let found = blocks.iter().find_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    found.expect("there is a table")
}

fn folds(section: &Section) -> impl Iterator<Item = &Fold> {
    section.blocks.iter().filter_map(|block| match block {
        Block::Fold(fold) => Some(fold),
        _ => None,
    })
}

/// Rows of single signals.
fn single(section: &Section) -> impl Iterator<Item = &Row> {
    let of_signals = folds(section).filter(|fold| fold.summary.contains("signal"));
    let of_signals = of_signals.filter(|fold| !fold.summary.contains("no signal"));
    of_signals.flat_map(|fold| table(&fold.blocks).rows.iter())
}

fn words(row: &Row, column: usize) -> &str {
    match &row.cells[column] {
        Cell::Text { text }
        | Cell::Command { text }
        | Cell::Status { text, .. }
        | Cell::Fold { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_counts_are_those_of_the_overview() {
    let (overview, doctor) = (page(PageId::Overview), page(PageId::Doctor));
    let Block::Strata { strata } = &overview.sections[0].blocks[0] else {
        panic!("the layers stand first");
    };
    let summary = table(&doctor.sections[0].blocks);
    assert_eq!(summary.rows.len(), strata.len());
    for (row, layer) in summary.rows.iter().zip(strata) {
        assert!(words(row, 1).starts_with(&layer.code), "{}", words(row, 1));
        let counted = format!("{} signals", words(row, 2));
        assert_eq!(layer.coverage.text, counted, "{}", layer.code);
        let begin = format!("{}: {counted}, ", words(row, 1));
        assert!(layers(&doctor).any(|one| one.title.starts_with(&begin)), "{begin}");
    }
}

#[test]
fn every_signal_has_a_row_of_its_own() {
    let doctor = page(PageId::Doctor);
    let mut listed = BTreeSet::new();
    for row in layers(&doctor).flat_map(single) {
        assert!(listed.insert(words(row, 2).to_owned()), "{} stands twice", words(row, 2));
        let Cell::Fold { lines, .. } = &row.cells[5] else { panic!("its metrics are folded") };
        assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(": ")), "{lines:?}");
        let is_ok = matches!(row.cells[0], Cell::Status { status: Status::Ok, .. });
        assert_eq!(words(row, 3).is_empty(), is_ok, "{}: {}", words(row, 2), words(row, 3));
    }
    let all: BTreeSet<String> = signals().iter().map(|def| def.id.to_owned()).collect();
    assert_eq!(listed, all);
}

#[test]
fn what_is_not_folded_is_little_and_the_worst_comes_first() {
    let doctor = page(PageId::Doctor);
    let order = [Status::Broken, Status::Watch, Status::Blind, Status::Absent];
    for section in layers(&doctor) {
        let rows = &table(&section.blocks).rows;
        assert!(rows.len() <= 3, "{}: {} rows", section.title, rows.len());
        let places = rows.iter().map(|row| match row.cells[0] {
            Cell::Status { status, .. } => order.iter().position(|one| *one == status),
            _ => None,
        });
        let places: Vec<usize> = places.map(|place| place.expect("it is not well")).collect();
        assert!(places.is_sorted(), "{}: {places:?}", section.title);
        for row in rows {
            assert!(words(row, 1).len() < 240 && words(row, 4).len() < 400, "{}", words(row, 1));
        }
    }
}

#[test]
fn what_is_absent_has_a_remedy_or_says_why_it_has_none() {
    let doctor = page(PageId::Doctor);
    let mut without = 0;
    for section in layers(&doctor) {
        for row in single(section) {
            let Cell::Status { status: Status::Blind, .. } = row.cells[0] else { continue };
            if words(row, 4).is_empty() {
                let why = words(row, 3).split_once(": ").map_or("", |(_, why)| why);
                assert!(why.len() > 20, "{}: {why}", words(row, 2));
                assert_ne!(why, "no source of it is here", "{}", words(row, 2));
                without += 1;
            }
        }
    }
    assert!(without > 2, "some rows have no remedy");
}
