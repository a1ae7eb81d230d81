//! The Doctor page: what it counts, and that nothing is missing without a word of what to do.

use strata_view::page::table::{Cell, Row, Table};
use strata_view::rooms::Context;
use strata_view::{Block, Page, PageId, PageRequest, Status};

use super::cluster::Cluster;
use super::made;

fn page(id: PageId) -> Page {
    made(&Cluster::read(), &PageRequest::new(id), &Context::default())
}

fn tables(page: &Page) -> impl Iterator<Item = (&str, &Table)> {
    page.sections.iter().flat_map(|section| {
        section.blocks.iter().filter_map(move |block| match block {
            Block::Table(table) => Some((section.title.as_str(), table)),
            _ => None,
        })
    })
}

fn words(row: &Row, column: usize) -> &str {
    match &row.cells[column] {
        Cell::Text { text } | Cell::Command { text } | Cell::Status { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_counts_are_those_of_the_overview() {
    let (overview, doctor) = (page(PageId::Overview), page(PageId::Doctor));
    let Block::Strata { strata } = &overview.sections[0].blocks[0] else {
        panic!("the layers stand first");
    };
    let (_, summary) = tables(&doctor).next().unwrap();
    assert_eq!(summary.rows.len(), strata.len());
    for (row, layer) in summary.rows.iter().zip(strata) {
        assert!(words(row, 1).starts_with(&layer.code), "{}", words(row, 1));
        let counted = format!("{} signals", words(row, 2));
        assert_eq!(layer.coverage.text, counted, "{}", layer.code);
        let begin = format!("{}: {counted}, ", words(row, 1));
        assert!(tables(&doctor).any(|(title, _)| title.starts_with(&begin)), "{begin}");
    }
}

#[test]
fn what_is_absent_has_a_remedy_or_says_why_it_has_none() {
    let doctor = page(PageId::Doctor);
    let mut without = 0;
    for (title, table) in tables(&doctor).skip(2) {
        for row in &table.rows {
            let Cell::Status { status: Status::Blind, .. } = row.cells[0] else { continue };
            if words(row, 3).is_empty() {
                let why = words(row, 2);
                let told = why.contains("nothing known to strata") || why.contains("not tell it");
                assert!(told, "{title}: {why}");
                without += 1;
            }
        }
    }
    assert!(without > 2, "some rows have no remedy");
}
