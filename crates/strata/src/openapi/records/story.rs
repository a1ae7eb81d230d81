//! One request, and what the time of many is made of.

use serde_json::Value as Json;
use strata_model::record::RequestRecord;
use strata_world::requests::anatomy::Segment;

use super::{CODES, TAG, conditions, microseconds, query, request};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, needed};
use crate::openapi::pages::refusing;
use crate::openapi::schema::{count, flag, integer, list, maybe, number, object, said, text, word};

pub(super) const START: &str =
    "First moment, RFC 3339 or seconds since 1970; a day before end when nothing is given.";
pub(super) const END: &str = "First moment no longer in it; now when nothing is given.";

pub(super) fn describe(document: &mut Document, refused: &Json) {
    one(document, refused);
    parts(document, refused);
}

fn segment() -> Json {
    let names = Segment::ALL.map(|segment| segment.name().replace(' ', "_"));
    word(names.iter().map(String::as_str))
}

fn one(document: &mut Document, refused: &Json) {
    let stored = request(document);
    let sighting = document.of::<RequestRecord>();
    let part = object([
        ("part", segment()),
        ("took_us", said(maybe(integer()), "Microseconds; null where nobody told.")),
        ("what", text()),
    ]);
    let named = object([("id", said(text(), "As in links: kind:key.")), ("name", text())]);
    let gpu = object([
        ("id", said(text(), "As in links: kind:key.")),
        ("name", text()),
        ("confidence", said(number(), "How sure it is, 0 to 1.")),
    ]);
    let answer = object([
        ("request", stored),
        ("parts", said(list(part), "In the order in which they passed.")),
        ("contradicts", said(flag(), "The engine tells of more time than was seen outside.")),
        (
            "neighbors",
            said(maybe(count()), "Other requests that its replica had under way meanwhile."),
        ),
        ("replica", maybe(named)),
        ("gpus", list(gpu)),
        ("why", said(text(), "Why the replica or its GPUs are not known; empty where they are.")),
        ("sightings", said(list(sighting), "What each observer told.")),
    ]);
    let operation = Operation::new("request", TAG, "One request with what was around it.")
        .asks([needed(query("id", "Its number: `uid` of the list.", &text()))])
        .answers(200, "The request.", &[(JSON, answer)]);
    document.get("/api/v1/requests/one", refusing(operation, refused, &CODES));
}

fn parts(document: &mut Document, refused: &Json) {
    let quantiles =
        object([("p50_seconds", number()), ("p95_seconds", number()), ("p99_seconds", number())]);
    let part = object([
        ("part", segment()),
        ("told_by", said(count(), "Requests that tell how long it took.")),
        ("longest_of", said(count(), "Requests of which it is the longest part.")),
        ("share", said(number(), "Of all the time that is told, 0 to 1.")),
        ("quantiles", quantiles),
    ]);
    let slow = object([("longest_part", maybe(segment())), ("request", request(document))]);
    let answer = object([
        ("start_us", microseconds("First moment")),
        ("end_us", microseconds("First moment no longer in it")),
        ("matching", said(count(), "Requests that meet the conditions.")),
        ("taken", said(count(), "Requests that went into the parts, evenly over the time.")),
        ("parts", list(part)),
        ("slowest", said(list(slow), "The slowest first.")),
    ]);
    let operation = Operation::new("request_parts", TAG, "What the time of requests is made of.")
        .asks([query("start", START, &text()), query("end", END, &text()), conditions()])
        .answers(200, "The parts.", &[(JSON, answer)]);
    document.get("/api/v1/requests/parts", refusing(operation, refused, &CODES));
}
