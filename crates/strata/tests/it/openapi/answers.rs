//! Every kind of answer once, compared with its description.

use std::process::Command;

use super::ledger::{an_idle_gpu, statements};
use super::pages::{a_live_page, every_page};
use super::records::with_records;
use super::{Described, Parameters};
use crate::program::{STRATA, Server, now_ms};

/// Answers of the demo: pages, queries, the ledger.
const DEMO: &[(&str, Parameters<'_>, u16)] = &[
    ("/api/v1/suggest", &[("q", "gpu"), ("limit", "50")], 200),
    ("/api/v1/suggest", &[], 200),
    ("/api/v1/pages/{page}", &[("page", "nowhere")], 404),
    ("/api/v1/pages/{page}", &[("page", "gpus"), ("since", "soon")], 400),
    ("/api/v1/pages/{page}/live", &[("page", "nowhere")], 404),
    ("/api/v1/pages/{page}/live", &[("page", "gpus"), ("start", "1")], 400),
    ("/api/v1/query", &[("query", "up"), ("stats", "all")], 200),
    ("/api/v1/query", &[("query", "up[1m]")], 200),
    ("/api/v1/query", &[("query", "1")], 200),
    ("/api/v1/query", &[("query", "\"text\"")], 200),
    ("/api/v1/query", &[("query", "up"), ("limit", "1")], 200),
    ("/api/v1/query", &[("query", "sum(")], 400),
    ("/api/v1/query", &[("query", "up"), ("timeout", "0")], 503),
    ("/api/v1/query", &[("query", "label_replace(up, \"a\", \"\", \"job\", \"(\")")], 422),
    ("/api/v1/query_exemplars", &[("query", "up")], 200),
    ("/api/v1/query_exemplars", &[("query", "")], 400),
    ("/api/v1/format_query", &[("query", "sum( up )")], 200),
    ("/api/v1/format_query", &[("query", "sum(")], 400),
    ("/api/v1/series", &[("match[]", "up"), ("match[]", "{job=\"vllm\"}")], 200),
    ("/api/v1/series", &[], 400),
    ("/api/v1/labels", &[], 200),
    ("/api/v1/labels", &[("limit", "1"), ("match[]", "up")], 200),
    ("/api/v1/labels", &[("limit", "-1")], 400),
    ("/api/v1/label/{name}/values", &[("name", "job")], 200),
    ("/api/v1/metadata", &[("limit_per_metric", "1")], 200),
    ("/api/v1/metadata", &[("limit", "few")], 400),
    ("/api/v1/rules", &[], 200),
    ("/api/v1/alerts", &[], 200),
    ("/api/v1/status/buildinfo", &[], 200),
    ("/api/v1/status/runtimeinfo", &[], 200),
    ("/api/v1/status/config", &[], 200),
    ("/api/v1/status/flags", &[], 200),
    ("/api/v1/status/tsdb", &[], 200),
    ("/api/v1/strata/sources", &[], 200),
    ("/api/v1/strata/status", &[], 200),
    ("/api/v1/openapi.json", &[], 200),
    ("/api/v1/cost", &[("since", "5m")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "tenant,model")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "sku,node")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "run,team")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("end", "2020-01-01")], 200),
    ("/api/v1/cost", &[("since", "5m"), ("by", "team"), ("basis", "used")], 200),
    ("/api/v1/cost", &[("by", "gpu"), ("idle", "platform")], 400),
    ("/api/v1/cost", &[("end", "2200-01-01")], 400),
    ("/api/v1/cost", &[("by", "color")], 400),
    ("/api/v1/cost", &[("colour", "red")], 400),
    ("/api/v1/cost/calls", &[("since", "5m"), ("by", "team,model")], 200),
    ("/api/v1/cost/calls", &[("by", "gpu")], 400),
    ("/api/v1/cost/why", &[("since", "2m")], 200),
    ("/api/v1/cost/why", &[("since", "1h")], 422),
    ("/api/v1/cost/focus", &[("since", "5m")], 200),
    ("/api/v1/cost/breakeven", &[("since", "5m"), ("prompt", "1"), ("generated", "3")], 200),
    ("/api/v1/cost/breakeven", &[("since", "5m"), ("against", "gpt-4o")], 200),
    ("/api/v1/cost/breakeven", &[("prompt", "little")], 400),
    ("/api/v1/cost/advice", &[("since", "5m")], 200),
    ("/api/v1/cost/budgets", &[], 200),
    ("/api/v1/cost/tariff", &[("since", "5m")], 200),
    ("/api/v1/cost/prices", &[], 200),
    ("/api/v1/cost/statements", &[], 200),
    ("/api/v1/cost/statement", &[], 400),
    ("/api/v1/cost/statement/draft", &[("customer", "nobody")], 400),
    ("/allocation", &[("window", "5m"), ("aggregate", "pod"), ("accumulate", "true")], 200),
    ("/allocation/compute", &[("window", "5m")], 200),
    ("/allocation", &[("window", "soon")], 400),
    ("/allocation", &[("window", "today"), ("aggregate", "label:team")], 200),
    ("/allocation", &[("window", "5m"), ("aggregate", "tenant_id")], 200),
    ("/inferenceCost/total", &[("window", "5m")], 200),
    ("/inferenceCost/total", &[("window", "5m"), ("costBasis", "usage")], 200),
    ("/inferenceCost/total", &[("window", "5m"), ("aggregate", "namespace")], 400),
    (
        "/inferenceCost/timeseries",
        &[("window", "1h"), ("aggregate", "model_name"), ("accumulate", "hour")],
        200,
    ),
    ("/inferenceCost/timeseries", &[("window", "1h")], 400),
];

fn demo() -> Server {
    let mut command = Command::new(STRATA);
    let arguments = ["demo", "--json", "--listen", "127.0.0.1:0", "--history", "15m"];
    Server::spawn(command.args(arguments))
}

#[test]
fn answers_are_as_described() {
    let server = demo();
    let described = Described::by(&server);
    for (path, parameters, status) in DEMO {
        described.ask(&server, path, parameters, *status);
    }
    let now = (now_ms() / 1000).to_string();
    let before = (now_ms() / 1000 - 300).to_string();
    let range = [("query", "up"), ("start", &before), ("end", &now), ("step", "15s")];
    described.ask(&server, "/api/v1/query_range", &range, 200);
    described.ask(&server, "/api/v1/query_range", &range[..3], 400);
    every_page(&server, &described);
    a_live_page(&server, &described);
    statements(&server, &described);
    with_records(&described);
    an_idle_gpu(&described);
    for (method, path, operation) in described.operations() {
        let json = operation["responses"]["200"]["content"]["application/json"].is_object();
        let key = (method.to_owned(), path.to_owned(), 200);
        let compared = described.seen.borrow().contains(&key);
        assert!(compared || !json, "{method} {path} is not compared");
    }
}
