//! L7: what users get.

use strata_model::Layer;
use strata_world::{EntityKind, Want, World};

use super::pieces::{Show, chart, numbers, section, table};
use super::{each, overview, tracks};
use crate::page::block::{Block, Section};
use crate::request::PageId;

const WHOLE: [(&str, &str); 9] = [
    ("requests", "l7.requests"),
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

pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&WHOLE.map(|(_, signal)| signal));
    wants.extend(strata_diagnose::verdict_wants_of(Layer::L7Genai));
    wants.extend(each(&["l7.requests", "l7.ttft_p95", "l7.error_ratio", "l7.output_tokens"]));
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let columns = [
        ("requests", 0, Show::Signal("l7.requests")),
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
        section("time", "Over time", "", vec![Block::Multiples { charts }]),
    ]
}
