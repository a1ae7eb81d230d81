//! Every page of one small cluster, as text: the blocks, the words, the units, and what a person is
//! told where nothing is known. A change of any word that people read shows here.
//!
//! The cluster is the worlds of `strata-world/scenarios` side by side, through the real catalog and
//! the real PromQL engine; nothing moves, so the same text comes out of every run.

#![cfg(test)]

mod cluster;
mod text;

use strata_model::record::{SqlAnswer, SqlValue};
use strata_view::page::table::Cell;
use strata_view::rooms::{self, Context, RecordDoor};
use strata_view::{Block, Language, Number, Page, PageErrorCode, PageId, PageRequest};

use cluster::{Cluster, NOW_MS};

fn made(cluster: &Cluster, request: &PageRequest, context: &Context) -> Page {
    let ask = rooms::ask(request, NOW_MS).unwrap();
    rooms::page(request, &cluster.world(&ask), context).unwrap()
}

#[test]
fn pages_say_what_they_said() {
    let cluster = Cluster::read();
    for id in PageId::ALL {
        let page = made(&cluster, &PageRequest::new(id), &Context::default());
        insta::assert_snapshot!(id.name(), text::of(&page));
    }
}

#[test]
fn a_page_of_one_thing_is_about_that_thing() {
    let cluster = Cluster::read();
    for (id, entity) in [
        (PageId::Gpus, "gpu:GPU-5"),
        (PageId::Engines, "replica:10.0.0.1:8000"),
        (PageId::Hosts, "node:h"),
    ] {
        let mut request = PageRequest::new(id);
        request.entity = Some(entity.to_owned());
        let page = made(&cluster, &request, &Context::default());
        insta::assert_snapshot!(format!("{}-one", id.name()), text::of(&page));
    }
}

#[test]
fn a_gpu_shows_its_instances_links_and_the_faults_of_its_switches() {
    let mut request = PageRequest::new(PageId::Gpus);
    request.entity = Some("gpu:GPU-8".to_owned());
    let mut page = made(&Cluster::of(&["gpu_parts"]), &request, &Context::default());
    page.sections.retain(|section| ["faults", "slices", "links"].contains(&&*section.id));
    page.north_star.clear();
    insta::assert_snapshot!("gpus-parts", text::of(&page));
}

#[test]
fn records_are_shown_as_they_are() {
    let mut request = PageRequest::new(PageId::Explore);
    request.lang = Language::Sql;
    request.query = Some("SELECT team, count(*) AS n FROM request GROUP BY team".to_owned());
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let answer = SqlAnswer {
        columns: vec!["team".to_owned(), "n".to_owned()],
        rows: vec![
            vec![text("search"), SqlValue::Integer(41)],
            vec![SqlValue::Null, SqlValue::Real(0.5)],
        ],
        cut: false,
    };
    let records = RecordDoor::Open { seconds: 10, rows_max: 10_000, answer: Some(Ok(answer)) };
    let context = Context { records, ..Context::default() };
    let mut page = made(&Cluster::read(), &request, &context);
    // The list of tables has a test of its own in the store.
    page.sections.truncate(1);
    insta::assert_snapshot!("explore-sql", text::of(&page));
}

#[test]
fn a_page_of_nothing_says_so() {
    let mut request = PageRequest::new(PageId::Hosts);
    request.entity = Some("node:never-seen".to_owned());
    let cluster = Cluster::read();
    let ask = rooms::ask(&request, NOW_MS).unwrap();
    let error = rooms::page(&request, &cluster.world(&ask), &Context::default()).unwrap_err();
    assert_eq!(error.code, PageErrorCode::NotFound);
    assert!(error.message.contains("never-seen"), "{error}");
}

/// Every number of a page.
fn numbers(page: &Page) -> Vec<&Number> {
    let mut all: Vec<&Number> = page.north_star.iter().collect();
    for block in page.sections.iter().flat_map(|section| &section.blocks) {
        match block {
            Block::Numbers { numbers } => all.extend(numbers),
            Block::Card(card) => all.extend(&card.numbers),
            Block::Distribution(spread) => all.extend(&spread.numbers),
            Block::Table(table) => {
                let cells = table.rows.iter().flat_map(|row| &row.cells);
                all.extend(cells.filter_map(|cell| match cell {
                    Cell::Number(number) => Some(number.as_ref()),
                    _ => None,
                }));
            }
            Block::Anatomy(anatomy) => all.extend(anatomy.bars.iter().map(|bar| &bar.total)),
            Block::Strata { strata } => {
                all.extend(strata.iter().flat_map(|one| one.numbers.iter().chain([&one.coverage])));
            }
            _ => {}
        }
    }
    all
}

#[test]
fn every_number_says_how_it_was_made_or_why_it_is_unknown() {
    let cluster = Cluster::read();
    let mut known = 0;
    let mut replica = PageRequest::new(PageId::Engines);
    replica.entity = Some("replica:10.0.0.1:8000".to_owned());
    for request in PageId::ALL.map(PageRequest::new).into_iter().chain([replica]) {
        let id = request.page;
        let page = made(&cluster, &request, &Context::default());
        for number in numbers(&page) {
            let explain = &number.explain;
            let what = format!("{} of {}: {number:?}", number.label, id.name());
            assert!(!explain.definition.is_empty() && !explain.formula.is_empty(), "{what}");
            match number.value {
                Some(_) => known += 1,
                None => assert!(explain.unknown.is_some(), "{what}"),
            }
        }
    }
    assert!(known > 60, "only {known} numbers are known");
}

#[test]
fn a_page_over_json_says_the_same_digits() {
    let cluster = Cluster::read();
    for id in PageId::ALL {
        let page = made(&cluster, &PageRequest::new(id), &Context::default());
        let json = serde_json::to_string(&page).unwrap();
        let again: Page = serde_json::from_str(&json).unwrap();
        assert_eq!(text::of(&again), text::of(&page), "{}", id.name());
    }
}
