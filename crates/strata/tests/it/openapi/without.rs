//! Servers that lack something: no ledger, no records, no store, no engine.

use super::Described;
use crate::http;
use crate::program::{House, Server, now_ms};
use crate::serve::serve;
use crate::wire::{HEADERS, Row, body};

#[test]
fn without_ledger_and_records_the_refusals_are_as_described() {
    let house = House::new("[records]\nenabled = false\n[cost]\nenabled = false\n");
    let server = house.start();
    let described = Described::by(&server);
    let nobody = [("customer", "nobody")];
    for (path, parameters) in [
        ("/api/v1/requests", &[][..]),
        ("/api/v1/requests/sums", &[]),
        ("/api/v1/requests/compare", &[]),
        ("/api/v1/requests/parts", &[]),
        ("/api/v1/requests/lengths", &[]),
        ("/api/v1/sql", &[("query", "SELECT 1")]),
        ("/api/v1/cost", &[]),
        ("/api/v1/cost/statement", &nobody),
        ("/allocation", &[]),
    ] {
        described.ask(&server, path, parameters, 404);
    }
    for path in ["/v1/traces", "/v1/logs", "/v1/feedback"] {
        let json = [("Content-Type", "application/json")];
        let answer = http::post(&server.address(path, &[]), &json, b"{}");
        described.check("post", path, 404, &answer);
    }
}

/// A server that asks another engine, and one whose engine is not there.
#[test]
fn without_a_store_the_answers_are_as_described() {
    let engine = House::new("").start();
    let house = House::with_config("");
    let server = Server::spawn(&mut serve(&house, &["--metrics", &engine.url]));
    let described = Described::by(&server);
    for path in ["/api/v1/strata/status", "/api/v1/status/tsdb", "/api/v1/strata/sources"] {
        described.ask(&server, path, &[], 200);
    }
    described.ask(&server, "/api/v1/pages/{page}", &[("page", "overview")], 200);
    described.ask(&server, "/api/v1/query", &[("query", "vector(1)")], 200);
    described.ask(&server, "/api/v1/cost/statements", &[], 400);
    let row = Row::new("desk", ("number", "1"), [(now_ms(), 1.0)]);
    let path = "/api/v1/write";
    let written = http::post(&server.address(path, &[]), &HEADERS, &body(&[row]));
    described.check("post", path, 404, &written);
    engine.kill();
    let gone = http::eventually("the engine is missed", || {
        let answer = server.get("/readyz", &[]);
        drop(server.get("/api/v1/query", &[("query", "vector(2)")]));
        if answer.status == 503 { Ok(answer) } else { Err(answer.text()) }
    });
    described.check("get", "/readyz", 503, &gone);
    described.ask(&server, "/api/v1/strata/status", &[], 200);
    let refused = server.get("/api/v1/query", &[("query", "vector(3)")]);
    described.check("get", "/api/v1/query", refused.status, &refused);
}
