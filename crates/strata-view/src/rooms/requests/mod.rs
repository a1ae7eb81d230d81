//! L7: what users get. As metrics tell it, and from records of single requests.

mod advice;
mod compare;
mod fact;
mod lengths;
mod one;
mod slowest;
mod told;

pub use lengths::LENGTHS_BY;
pub use told::{LengthsTold, ModelLine, Place, RequestsTold, Slowest, Story, Told};

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, overview, tracks};
use crate::page::Link;
use crate::page::block::{Block, Section};
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::{PageId, PageRequest, View};

const WHOLE: [(&str, &str); 10] = [
    ("requests", "l7.requests"),
    ("in flight", "l7.inflight"),
    ("errors", "l7.error_ratio"),
    ("TTFT p50", "l7.ttft_p50"),
    ("TTFT p95", "l7.ttft_p95"),
    ("duration p50", "l7.duration_p50"),
    ("duration p95", "l7.duration_p95"),
    ("input", "l7.input_tokens"),
    ("output", "l7.output_tokens"),
    ("feedback", "l7.feedback_score"),
];

const CHARTS: [(&str, &[(&str, &str)]); 4] = [
    ("Requests", &[("all", "l7.requests")]),
    ("TTFT", &[("p50", "l7.ttft_p50"), ("p95", "l7.ttft_p95")]),
    ("Tokens", &[("input", "l7.input_tokens"), ("output", "l7.output_tokens")]),
    ("Errors", &[("share", "l7.error_ratio")]),
];

pub(super) fn wants(request: &PageRequest) -> Vec<Want> {
    if request.is_about_records() {
        return Vec::new();
    }
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L7Genai));
    wants.extend(each(&[
        "l7.requests",
        "l7.inflight",
        "l7.ttft_p95",
        "l7.error_ratio",
        "l7.output_tokens",
    ]));
    wants
}

/// The side of the page that is asked for.
pub(super) fn sections(request: &PageRequest, world: &World, told: &RequestsTold) -> Vec<Section> {
    match request.view {
        _ if request.one_request().is_some() => one::sections(told),
        View::Now => now(world),
        View::Slowest => slowest::sections(request, told),
        View::Lengths => lengths::sections(request, told),
        View::Compare => compare::sections(request, told),
    }
}

fn now(world: &World) -> Vec<Section> {
    let columns = [
        ("requests", 0, Show::Signal("l7.requests")),
        ("in flight", 1, Show::Signal("l7.inflight")),
        ("TTFT p95", 0, Show::Signal("l7.ttft_p95")),
        ("errors", 0, Show::Signal("l7.error_ratio")),
        ("output", 1, Show::Signal("l7.output_tokens")),
    ];
    let empty = "no model is seen";
    let page = Some(PageId::Engines);
    let list = table(world, "", (EntityKind::Model, page), &columns, empty);
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    vec![
        section(
            "now",
            "",
            "As clients see it: pushed by their instrumentation.",
            vec![overview::line(world, Layer::L7Genai), numbers(world, &WHOLE, None)],
        ),
        section("list", "Models", "", vec![Block::Table(list)]),
        section("closer", "From single requests", "", vec![Block::Table(closer())]),
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
    ]
}

/// The ways from sums to single requests.
fn closer() -> Table {
    let row = |(view, title, what): (View, &str, &str)| Row {
        cells: [title, what].map(|text| Cell::Text { text: text.to_owned() }).to_vec(),
        link: Some(link(view, &[])),
    };
    let views = [
        (View::Slowest, "Slowest requests", "Which, and what their time is made of."),
        (
            View::Lengths,
            "Lengths",
            "Input, cache and output together, and what follows for engines.",
        ),
        (View::Compare, "Compare models", "Quality, failures, times and cost of two models."),
    ];
    let column = |title: &str| Column { title: title.to_owned(), numeric: false, rank: 0 };
    Table {
        title: String::new(),
        columns: vec![column("look at"), column("what it tells")],
        rows: views.map(row).to_vec(),
        total_rows: None,
        empty: String::new(),
    }
}

/// A way to a side of the page.
fn link(view: View, params: &[(&str, &str)]) -> Link {
    let view = [("view", view.name())];
    let params = view.iter().chain(params);
    Link {
        page: PageId::Requests.name().to_owned(),
        params: params.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}
