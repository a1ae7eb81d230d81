//! What the simulated programs tell of single requests: read by the real decoder, kept by the real
//! store, and as much as the engines count.

use std::process::Command;

use serde_json::Value as Json;
use strata_collect::receive::ReceiveLimits;
use strata_collect::receive::otlp::records::{
    RecordRules, decode_logs, decode_traces, logs, traces,
};
use strata_model::record::{Door, Outcome, RequestRecord, merge};
use strata_sim::{Opinion, Sim, SimOptions};

use crate::http::eventually;
use crate::program::{STRATA, Server, now_ms, stderr, stdout};

const RULES: RecordRules = RecordRules { spans: true, comments: false };

/// Requests of five minutes, as the decoder reads them.
fn told() -> (Vec<RequestRecord>, Vec<Opinion>) {
    let options = SimOptions { seed: 5, start_ms: 1_790_000_000_000, ..SimOptions::default() };
    let mut sim = Sim::new(&options).unwrap();
    sim.tell_requests(1.0, options.start_ms);
    sim.advance_to(options.start_ms + 300_000);
    let mut records = Vec::new();
    while let Some(body) = sim.export_spans(256) {
        let request = decode_traces(&body, false, &ReceiveLimits::default()).unwrap();
        let decoded = traces(&request, RULES);
        assert!(decoded.faults.is_empty(), "{:?}", decoded.faults);
        assert_eq!((decoded.rejected, decoded.content_dropped), (0, 0));
        records.extend(decoded.batch.requests);
    }
    (records, sim.take_opinions())
}

#[test]
fn simulated_spans_are_requests_with_all_that_is_known_of_them() {
    let (records, opinions) = told();
    let (clients, engines): (Vec<_>, Vec<_>) =
        records.iter().partition(|one| one.door == Door::Client);
    assert_eq!(clients.len(), engines.len());
    let mut engines: std::collections::HashMap<_, _> =
        engines.into_iter().map(|one| (one.response_id.clone().unwrap(), one)).collect();
    let mut failed = 0;
    for client in clients {
        let engine = engines.remove(client.response_id.as_ref().unwrap()).unwrap();
        let one = merge(&[client.clone(), engine.clone()]).unwrap();
        let texts = [&one.tenant, &one.team, &one.app, &one.session, &one.replica];
        assert!(texts.iter().all(|text| text.is_some()) && one.model().is_some(), "{one:?}");
        let parts = [one.queue_us, one.prefill_us].map(Option::unwrap);
        let ttft = one.ttft_us.unwrap();
        let way = ttft - parts[0] - parts[1];
        assert!((3_000..300_000).contains(&way), "first token: queue, prefill, way: {one:?}");
        assert!(one.decode_us.is_some() && one.tokens.output_text.unwrap() > 0, "{one:?}");
        match one.outcome.clone().unwrap() {
            Outcome::Ok => {
                let input = one.tokens.fresh_input.unwrap() + one.tokens.cache_read.unwrap();
                assert_eq!(Some(input), engine.tokens.fresh_input, "both count one prompt");
                assert!(["stop", "length"].contains(&one.finish_reason.as_deref().unwrap()));
            }
            _ => failed += 1,
        }
    }
    assert!(failed > 0);
    let body = Opinion::log_export(&opinions);
    let decoded = logs(&decode_logs(&body, false, &ReceiveLimits::default()).unwrap(), RULES);
    assert!(decoded.faults.is_empty(), "{:?}", decoded.faults);
    let given: i64 = decoded.batch.feedback.iter().map(|one| one.at_us / 1_000).sum();
    assert_eq!(given, opinions.iter().map(|one| one.at_ms).sum::<i64>());
    assert!(decoded.batch.feedback.iter().all(|one| one.name == "user_feedback"));
}

/// The first row of an answer in SQL.
fn row(server: &Server, query: &str) -> Vec<f64> {
    let answer = server.get("/api/v1/sql", &[("query", query)]).json();
    let row = answer["rows"][0].as_array();
    row.into_iter().flatten().map(|cell| cell.as_f64().unwrap_or(0.0)).collect()
}

/// Records of what ended before a page of the engines, against the counters of the page.
fn compare(server: &Server, page_seconds: f64) -> Result<(), String> {
    // Of what has an engine's part: a prompt, an answer, and how much of the prompt was cached.
    let query = format!(
        "SELECT count(*), sum(coalesce(fresh_input, 0) + coalesce(cache_read, 0)), \
         sum(output_text), sum(cache_read), sum(queue_us) / 1e6 FROM request \
         WHERE queue_us IS NOT NULL AND start_us + duration_us <= {:.0}",
        page_seconds * 1e6
    );
    let told = row(server, &query);
    // Requests on their way at that moment are counted here and there only in part.
    let counters = [
        ("vllm:request_success_total", 0.01),
        ("vllm:request_prompt_tokens_sum", 0.01),
        ("vllm:request_generation_tokens_sum", 0.02),
        ("vllm:prompt_tokens_cached_total", 0.01),
        ("vllm:request_queue_time_seconds_sum", 0.05),
    ];
    if told.len() != counters.len() {
        return Err(format!("no records: {told:?}"));
    }
    let time = page_seconds.to_string();
    // The engine counts what was cached when it begins, and a client that went away never learned it.
    let unsaid = format!(
        "SELECT sum(coalesce(cache_read, fresh_input, 0)) FROM request \
         WHERE queue_us IS NOT NULL AND start_us <= {at:.0} \
         AND (cache_read IS NULL OR start_us + duration_us > {at:.0})",
        at = page_seconds * 1e6
    );
    let unsaid = row(server, &unsaid).first().copied().unwrap_or(0.0);
    for ((counter, tolerance), told) in counters.into_iter().zip(told) {
        let counted = server.value(&format!("sum({counter})"), Some(&time)).unwrap();
        let more = if counter.contains("cached") { unsaid } else { 0.0 };
        let fits = told - tolerance * counted..=told + more + tolerance * counted;
        if counted <= 0.0 || !fits.contains(&counted) {
            return Err(format!("{counter}: records have {told} of {counted}"));
        }
    }
    Ok(())
}

#[test]
fn the_demo_tells_of_its_requests_as_much_as_its_engines_count() {
    let mut command = Command::new(STRATA);
    command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--history", "3m"]);
    let server = Server::spawn(&mut command);
    let now = now_ms() as f64 / 1e3;
    // A page of the history: live ones are read at times of their own.
    let newest = "max(timestamp(vllm:request_success_total))";
    let page_seconds = server.value(newest, Some(&(now - 20.0).to_string())).unwrap();
    eventually("records", || compare(&server, page_seconds));
    let judged = "SELECT count(*), count(request), avg(value) FROM feedback";
    // How many there are follows the hour of the day: at night a few in three minutes.
    eventually("feedback", || match row(&server, judged)[..] {
        [given, joined, mean] if given > 4.0 && given == joined && mean > 0.5 => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    let ends = "SELECT count(*), sum(outcome = 'ok'), sum(outcome = 'client_cancel'), \
                sum(outcome = 'error') FROM request";
    let ends = row(&server, ends);
    // In three minutes a dozen people go away; that something breaks is not certain.
    assert!(ends[1] > 0.95 * ends[0] && ends[2] > 0.0, "{ends:?}");
    assert!((ends[1] + ends[2] + ends[3] - ends[0]).abs() < 0.5, "no other ending: {ends:?}");
    // What comes is told as well, and the command lists it.
    let live = format!("SELECT count(*) FROM request WHERE start_us > {:.0}", now * 1e6);
    eventually("live requests", || match row(&server, &live)[..] {
        [count] if count > 0.0 => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
    let arguments = ["requests", "--json", "--order", "newest", "--url", &server.url];
    let output = Command::new(STRATA).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let list: Json = serde_json::from_str(&stdout(&output)).unwrap();
    let list = list["requests"].as_array().unwrap();
    assert_eq!(list.len(), 20);
    for field in ["tenant", "team", "app", "session", "model", "ttft_us", "duration_us"] {
        assert!(list.iter().all(|one| one.get(field).is_some()), "{field}: {list:?}");
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}
