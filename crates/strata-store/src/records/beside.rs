//! A proxy and an engine below one span of a client that told nothing itself: joined where it is clear
//! which belongs to which.

use strata_model::record::{Door, RequestRecord, StoredRequest, siblings};

use super::tests::{Bench, SECOND, seen};

/// What the proxy saw: it has no span, and passed the client's on.
fn proxy(from: i64, to: i64) -> RequestRecord {
    at(RequestRecord { span_id: None, ..seen(Door::Proxy, "-", Some("client"), 0) }, from, to)
}

fn engine(span: &str, from: i64, to: i64) -> RequestRecord {
    at(seen(Door::Engine, span, Some("client"), 0), from, to)
}

/// Moved to these tenths of a second.
fn at(one: RequestRecord, from: i64, to: i64) -> RequestRecord {
    let base_us = one.start_us;
    let of = |tenths: i64| base_us + tenths * SECOND / 10;
    RequestRecord { start_us: of(from), end_us: Some(of(to)), ..one }
}

fn check(calls: Vec<RequestRecord>, expected: &[&[&str]]) {
    let mut orders = vec![calls.clone()];
    orders.push(calls.into_iter().rev().collect());
    for calls in orders {
        let bench = Bench::new();
        for call in calls {
            bench.requests(vec![call]);
        }
        let mut found: Vec<Vec<&str>> =
            bench.ask(&[]).into_iter().map(|StoredRequest { doors, .. }| doors).collect();
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(bench.totals().requests, expected.len() as i64);
    }
}

const BOTH: &[&str] = &["proxy", "engine"];
const APART: [&[&str]; 2] = [&["engine"], &["proxy"]];

#[test]
fn who_hangs_below_the_same_span_is_of_one_request_in_any_order() {
    check(vec![proxy(0, 30), engine("e", 1, 29)], &[BOTH]);
    // One after the other, as an agent does.
    let calls =
        vec![proxy(0, 10), engine("e", 1, 9), proxy(20, 30), engine("f", 21, 29), proxy(40, 50)];
    check(calls, &[&["proxy"], BOTH, BOTH]);
    // Closer together than clocks may differ: a call is never taken for another of the same observer.
    check(vec![proxy(0, 1), engine("e", 0, 1), proxy(2, 3)], &[&["proxy"], BOTH]);
}

#[test]
fn what_speaks_against_it_keeps_them_apart() {
    let id =
        |one: RequestRecord, id: &str| RequestRecord { response_id: Some(id.to_owned()), ..one };
    check(vec![id(proxy(0, 30), "a"), id(engine("e", 1, 29), "b")], &APART);
    check(vec![id(proxy(0, 30), "a"), engine("e", 1, 29)], &[BOTH]);
    // Not within its time, by more than clocks may differ.
    check(vec![proxy(0, 30), engine("e", 1, 40)], &APART);
    check(vec![proxy(10, 30), engine("e", 0, 20)], &APART);
    let endless = RequestRecord { end_us: None, ..engine("e", 1, 29) };
    assert!(!siblings(&proxy(0, 30), &endless));
    let elsewhere =
        RequestRecord { parent_span_id: Some("other".to_owned()), ..engine("e", 1, 29) };
    check(vec![proxy(0, 30), elsewhere], &APART);
    // A proxy that has a span of its own would be named by the engine.
    let own = at(seen(Door::Proxy, "p", Some("client"), 0), 0, 30);
    check(vec![own, engine("e", 1, 29)], &APART);
}

#[test]
fn of_calls_made_at_once_nobody_can_say_which_is_which() {
    let bench = Bench::new();
    bench.requests(vec![proxy(0, 30), proxy(1, 31)]);
    bench.requests(vec![engine("e", 2, 29)]);
    assert_eq!(bench.totals().requests, 3);
    // An id says it.
    let id =
        |one: RequestRecord, id: &str| RequestRecord { response_id: Some(id.to_owned()), ..one };
    let bench = Bench::new();
    bench.requests(vec![id(proxy(0, 30), "a"), id(proxy(1, 31), "b")]);
    bench.requests(vec![id(engine("e", 2, 29), "b"), id(engine("f", 2, 28), "a")]);
    let found = bench.ask(&["response_id=b"]);
    assert_eq!((found.len(), found[0].doors.as_slice()), (1, BOTH));
    assert_eq!(bench.totals().requests, 2);
}
