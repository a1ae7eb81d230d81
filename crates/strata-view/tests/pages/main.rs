//! Every page of one small cluster, as text: the blocks, the words, the units, and what a person is
//! told where nothing is known. A change of any word that people read shows here.
//!
//! The cluster is the worlds of `strata-world/scenarios` side by side, through the real catalog and
//! the real PromQL engine; nothing moves, so the same text comes out of every run.

#![cfg(test)]

mod cluster;
mod doctor;
mod ranks;
mod signals;
mod text;

use strata_diagnose::compare::{Side, Terms, compare};
use strata_model::record::{
    CountSource, Door, FeedbackSource, Judgement, Outcome, RequestRecord, RequestSample,
    RequestSightings, SqlAnswer, SqlValue, StoredRequest, TokenBuckets, merge,
};
use strata_view::page::table::Cell;
use strata_view::rooms::{
    self, Context, LengthsTold, ModelLine, Place, RecordDoor, RequestsTold, Slowest, Story, Told,
};
use strata_view::{Block, Language, Number, Page, PageErrorCode, PageId, PageRequest, View};

use strata_world::requests::breakdown::breakdown;
use strata_world::requests::lengths::{Lengths, by_group};
use strata_world::requests::split::{Advised, Given, ReplayLine, Replayed};
use strata_world::{EntityId, EntityKind};

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
fn the_topology_draws_links_where_they_are_told() {
    let cluster = Cluster::of(&["links"]);
    let page = made(&cluster, &PageRequest::new(PageId::Topology), &Context::default());
    insta::assert_snapshot!("topology-links", text::of(&page));
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

/// Two models of which the second is liked less, is faster, and has no price.
fn two_models() -> RequestsTold {
    let side = |model: &str, good: usize, ttft_ms: i64| {
        let judged = |n: usize| Judgement {
            at_us: 1,
            name: "user_feedback".to_owned(),
            value: Some(if n < good { 1.0 } else { 0.0 }),
            label: None,
            source: FeedbackSource::Human,
            request: n.to_string(),
        };
        let sample = |n: i64| RequestSample {
            ttft_us: Some(ttft_ms * 1_000 + n * 10),
            duration_us: Some(4_000_000 + n * 100),
            outcome: Some("ok".to_owned()),
            group: Some("chat".to_owned()),
            tokens: TokenBuckets {
                fresh_input: Some(1_000),
                output_text: Some(200),
                ..TokenBuckets::default()
            },
            ..RequestSample::default()
        };
        Side {
            model: model.to_owned(),
            samples: (0..1_000).map(sample).collect(),
            matching: 4_000,
            judgements: (0..500).map(judged).collect(),
            judgements_cut: false,
            cost: None,
        }
    };
    let terms = Terms::default();
    let found = compare(&side("big", 450, 400), &side("small", 430, 100), &terms);
    let model = |model: &str| ModelLine { model: model.to_owned(), requests: 4_000 };
    let what = Told::Compared { comparison: Box::new(found), currency: "USD".to_owned() };
    RequestsTold { models: vec![model("big"), model("small")], what }
}

/// A request seen by a client and an engine, and one of which only the client told.
fn two_requests() -> [RequestSightings; 2] {
    let mut client = RequestRecord::new(Door::Client, NOW_MS * 1_000 - 60_000_000);
    client.end_us = Some(client.start_us + 2_000_000);
    client.ttft_us = Some(700_000);
    client.model_served = Some("big".to_owned());
    client.team = Some("search".to_owned());
    client.outcome = Some(Outcome::Ok);
    client.tokens.fresh_input = Some(1_000);
    client.tokens.output_text = Some(100);
    client.count_source = CountSource::Usage;
    let mut alone = client.clone();
    alone.start_us -= 5_000_000;
    alone.end_us = Some(alone.start_us + 900_000);
    alone.outcome = Some(Outcome::Error { code: Some("503".to_owned()) });
    let mut engine = client.clone();
    engine.door = Door::Engine;
    engine.start_us += 20_000;
    engine.end_us = Some(engine.start_us + 1_960_000);
    engine.replica = Some("10.0.0.1:8000".to_owned());
    engine.queue_us = Some(400_000);
    engine.prefill_us = Some(250_000);
    engine.decode_us = Some(1_280_000);
    let request = |uid: &str, sightings: Vec<RequestRecord>| RequestSightings {
        stored: StoredRequest {
            uid: uid.to_owned(),
            doors: sightings.iter().map(|one| one.door.name()).collect(),
            record: merge(&sightings).unwrap(),
        },
        sightings,
    };
    [request("20260101-7", vec![client, engine]), request("20260101-6", vec![alone])]
}

fn slowest() -> RequestsTold {
    let requests = two_requests().map(|one| one.stored);
    let samples = requests.each_ref().map(|one| RequestSample {
        duration_us: one.record.duration_us(),
        ttft_us: one.record.ttft_us,
        queue_us: one.record.queue_us,
        prefill_us: one.record.prefill_us,
        decode_us: one.record.decode_us,
        ..RequestSample::default()
    });
    let segments = breakdown(&samples);
    let told = Slowest { requests: requests.to_vec(), segments, matching: 20, taken: 2 };
    RequestsTold { models: Vec::new(), what: Told::Slowest(Box::new(told)) }
}

/// Chats and agents, with prefill and decode told by the engine.
fn lengths() -> RequestsTold {
    let one = |n: i64| {
        let is_agent = n % 4 == 0;
        RequestSample {
            ttft_us: Some(300_000),
            prefill_us: Some(if is_agent { 500_000 } else { 20_000 }),
            decode_us: Some(4_000_000 + n * 1_000),
            tokens: TokenBuckets {
                fresh_input: Some(if is_agent { 5_000 } else { 200 }),
                cache_read: is_agent.then_some(3_000),
                output_text: Some(if is_agent { 40 } else { 400 }),
                ..TokenBuckets::default()
            },
            group: Some(if is_agent { "agent" } else { "chat" }.to_owned()),
            ..RequestSample::default()
        }
    };
    let samples: Vec<RequestSample> = (0..400).map(one).collect();
    let all = Lengths::of(samples.iter());
    let given = Given { itl_target_s: 0.05, batch: None, bytes_per_token: None, transfer: None };
    let all_us = 0..3_600_000_000;
    let asked: Vec<&RequestSample> = samples.iter().collect();
    let mut advised = Advised::of("big".to_owned(), &asked, 400, &all_us, &given);
    let line = |setting: &str, tail: f64| ReplayLine {
        setting: setting.to_owned(),
        ended: 66,
        ttft_s: [0.2, 0.9],
        itl_s: Some([0.011, tail]),
    };
    let lines = vec![line("2 together, 8192 (now)", 0.5), line("2 together, 256", 0.05)];
    advised.replay =
        Some(Replayed { from_us: 0, seconds: 600.0, requests: 66, lines, why: String::new() });
    let advice = vec![advised];
    let groups = by_group(&samples);
    let by = "app".to_owned();
    let told = LengthsTold { all, by, groups, advice, more_models: 3, matching: 400, taken: 400 };
    RequestsTold { models: Vec::new(), what: Told::Lengths(Box::new(told)) }
}

#[test]
fn one_request_is_told_with_what_was_around_it() {
    let [both, alone] = two_requests();
    let gpu =
        |n: u8| (EntityId::new(EntityKind::Gpu, format!("GPU-{n}")), format!("n GPU {n}"), 0.95);
    let replica = EntityId::new(EntityKind::Replica, "10.0.0.1:8000");
    let place = Place {
        replica: Some((replica, "big at 10.0.0.1:8000".to_owned())),
        gpus: vec![gpu(0), gpu(1)],
        why: String::new(),
    };
    let known = Story { request: both, neighbors: Some(11), place };
    let unknown = Story { request: alone, neighbors: None, place: Place::default() };
    let cluster = Cluster::read();
    for (name, story) in [("requests-one", known), ("requests-one-client", unknown)] {
        let mut request = PageRequest::new(PageId::Requests);
        request.entity = Some(format!("request:{}", story.request.stored.uid));
        let what = Told::One(Box::new(story));
        let requests = RequestsTold { models: Vec::new(), what };
        let page = made(&cluster, &request, &Context { requests, ..Context::default() });
        every_number_is_told(&page);
        insta::assert_snapshot!(name, text::of(&page));
    }
}

#[test]
fn sides_of_the_requests_page_say_what_records_told() {
    let cluster = Cluster::read();
    let check = |name: &str, view: View, requests: RequestsTold| {
        let mut request = PageRequest::new(PageId::Requests);
        request.view = view;
        let context = Context { requests, ..Context::default() };
        let page = made(&cluster, &request, &context);
        every_number_is_told(&page);
        insta::assert_snapshot!(name, text::of(&page));
    };
    check("requests-compare", View::Compare, two_models());
    check("requests-slowest", View::Slowest, slowest());
    check("requests-lengths", View::Lengths, lengths());
    let shut = Told::Shut {
        why: "records are switched off".to_owned(),
        hint: "switch them on".to_owned(),
    };
    check("requests-shut", View::Compare, RequestsTold { models: Vec::new(), what: shut });
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

#[test]
fn what_a_page_cannot_group_or_color_by_is_refused_with_the_choices() {
    let check = |group: Option<&str>, color: Option<&str>, message: &str, choice: &str| {
        let mut request = PageRequest::new(PageId::Gpus);
        (request.group, request.color) = (group.map(str::to_owned), color.map(str::to_owned));
        let error = rooms::ask(&request, NOW_MS).unwrap_err();
        assert_eq!(error.code, PageErrorCode::BadRequest);
        assert!(error.message.contains(message), "{error}");
        assert!(error.hint.contains(choice), "{}", error.hint);
    };
    check(Some("zzz"), None, "group=\"zzz\"", "node, pod, model");
    check(Some("pod"), Some("zzz"), "color=\"zzz\"", "l1.power");
    let mut request = PageRequest::new(PageId::Gpus);
    (request.group, request.color) = (Some("pod".to_owned()), Some("l1.power".to_owned()));
    assert!(rooms::ask(&request, NOW_MS).is_ok());
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
        known += every_number_is_told(&made(&cluster, &request, &Context::default()));
    }
    assert!(known > 60, "only {known} numbers are known");
}

/// How many numbers are known; every one says how it was made or why it is unknown.
fn every_number_is_told(page: &Page) -> usize {
    let mut known = 0;
    for number in numbers(page) {
        let explain = &number.explain;
        let what = format!("{} of {}: {number:?}", number.label, page.title);
        assert!(!explain.definition.is_empty() && !explain.formula.is_empty(), "{what}");
        match number.value {
            Some(_) => known += 1,
            None => assert!(explain.unknown.is_some(), "{what}"),
        }
    }
    known
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
