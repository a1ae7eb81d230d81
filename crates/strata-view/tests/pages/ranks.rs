//! The rank that the others wait for has a name, on the page of communication and on that of training.

use strata_view::page::table::Cell;
use strata_view::rooms::Context;
use strata_view::{Block, Page, PageId, PageRequest, Section};

use super::cluster::Cluster;
use super::made;

fn late(page: &Page) -> &Section {
    page.sections.iter().find(|section| section.id == "late").expect("the section is there")
}

fn shown(scenario: &str, id: PageId) -> Page {
    made(&Cluster::of(&[scenario]), &PageRequest::new(id), &Context::default())
}

#[test]
fn the_late_rank_is_named_with_its_share() {
    for id in [PageId::Communication, PageId::Training] {
        let page = shown("straggler", id);
        let [Block::Text { text }, Block::Table(table)] = &late(&page).blocks[..] else {
            panic!("{:?}", late(&page).blocks);
        };
        assert_eq!(
            text,
            "pretrain rank 3 on a GPU 3 is late: 80 % of the time that ranks wait for each other \
             they wait for it."
        );
        let first = table.rows[0].cells.iter().map(|cell| match cell {
            Cell::Text { text } => text.clone(),
            Cell::Number(number) => number.text.clone(),
            other => panic!("{other:?}"),
        });
        let first: Vec<String> = first.collect();
        assert_eq!(first[..2], ["pretrain rank 3", "a GPU 3"]);
        assert_eq!(first[3], "80 %");
        assert_eq!(table.rows.len(), 4);
    }
}

#[test]
fn where_no_rank_is_known_it_says_why() {
    let page = shown("gpus_dcgm", PageId::Communication);
    let [Block::Table(table)] = &late(&page).blocks[..] else { panic!("a table alone") };
    assert!(
        table.rows.is_empty() && table.empty.contains("nccl.rank.blame_time"),
        "{}",
        table.empty
    );
}

#[test]
fn nobody_is_named_where_nobody_is_late() {
    let page = shown("training", PageId::Communication);
    assert!(matches!(&late(&page).blocks[..], [Block::Table(table)] if table.rows.len() == 1));
}
