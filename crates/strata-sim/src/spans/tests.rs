//! What is told adds up to what engines count.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::story::Story;
use super::{Seen, Witness, client, engine, opinion};
use crate::engine::{Ask, Ended, Reason, Stats};
use crate::workload::TENANTS;
use crate::{Sim, SimOptions};

const START_MS: i64 = 1_790_000_000_000;

fn sim(seed: u64, share: f64) -> Sim {
    let mut sim =
        Sim::new(&SimOptions { seed, start_ms: START_MS, ..SimOptions::default() }).unwrap();
    sim.tell_requests(share, START_MS);
    sim
}

fn bodies(sim: &mut Sim, most: usize) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| sim.export_spans(most)).collect()
}

fn spans(bodies: &[Vec<u8>]) -> Vec<Span> {
    let resources = bodies.iter().flat_map(|body| {
        ExportTraceServiceRequest::decode(body.as_slice()).unwrap().resource_spans
    });
    resources.flat_map(|one| one.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|one| one.key == key)?.value.as_ref()?.value.as_ref()
}

fn sum(spans: &[Span], name: &str, key: &str) -> f64 {
    let of_name = spans.iter().filter(|span| span.name.starts_with(name));
    let values = of_name.filter_map(|span| match value(&span.attributes, key)? {
        Value::IntValue(n) => Some(*n as f64),
        Value::DoubleValue(n) => Some(*n),
        _ => None,
    });
    values.sum()
}

#[test]
fn spans_add_up_to_the_counters_of_the_engines() {
    let mut sim = sim(3, 1.0);
    sim.advance_to(START_MS + 300_000);
    let spans = spans(&bodies(&mut sim, 100));
    let stats = || sim.replicas.iter().map(|replica| &replica.engine.stats);
    let engine = |key: &str| sum(&spans, "llm_request", key);
    // On a calm day nobody hangs up before the first token, so each request has both spans.
    let ended: u64 = stats().map(Stats::ended_in_all).sum();
    assert!(ended > 3_000, "{ended}");
    assert_eq!(spans.iter().filter(|span| span.name == "llm_request").count() as u64, ended);
    assert_eq!(spans.len() as u64, 2 * ended);
    let check = |key: &str, counted: f64| {
        let told = engine(key);
        assert!((told - counted).abs() < 1e-6 * counted, "{key}: {told} of {counted}");
    };
    check("gen_ai.usage.prompt_tokens", stats().map(|one| one.length_prompt.sum()).sum());
    check("gen_ai.usage.completion_tokens", stats().map(|one| one.length_output.sum()).sum());
    check("gen_ai.latency.time_in_queue", stats().map(|one| one.queue.sum()).sum());
    check("gen_ai.latency.time_in_model_prefill", stats().map(|one| one.prefill.sum()).sum());
    check("gen_ai.latency.time_in_model_decode", stats().map(|one| one.decode.sum()).sum());
    check("gen_ai.latency.e2e", stats().map(|one| one.e2e.sum()).sum());
    let failed = spans.iter().filter(|span| span.status.is_some()).count() as f64;
    assert!((0.005..0.03).contains(&(failed / ended as f64)), "{failed} of {ended}");
}

#[test]
fn the_same_seed_tells_the_same_however_often_it_is_asked() {
    let mut at_once = sim(9, 1.0);
    at_once.advance_to(START_MS + 120_000);
    let mut step_by_step = sim(9, 1.0);
    let (mut told, mut opinions) = (Vec::new(), Vec::new());
    for second in 1..=120 {
        step_by_step.advance_to(START_MS + second * 1_000);
        told.extend(spans(&bodies(&mut step_by_step, 7)));
        opinions.extend(step_by_step.take_opinions());
    }
    let mut all = spans(&bodies(&mut at_once, usize::MAX));
    let key = |span: &Span| (span.start_time_unix_nano, span.span_id.clone());
    all.sort_by_key(key);
    told.sort_by_key(key);
    assert_eq!(all, told);
    assert_eq!(at_once.take_opinions(), opinions);
    assert!(!opinions.is_empty());
    let mut other = sim(10, 1.0);
    other.advance_to(START_MS + 120_000);
    let ids = |spans: &[Span]| -> Vec<_> { spans.iter().map(|one| one.span_id.clone()).collect() };
    assert_ne!(ids(&spans(&bodies(&mut other, usize::MAX))), ids(&all));
}

#[test]
fn a_sample_has_whole_conversations_and_says_so() {
    let mut whole = sim(4, 1.0);
    let mut part = sim(4, 0.25);
    for sim in [&mut whole, &mut part] {
        sim.advance_to(START_MS + 300_000);
    }
    let session = |span: &Span| match value(&span.attributes, "session.id") {
        Some(Value::StringValue(id)) => Some(id.clone()),
        _ => None,
    };
    let all = spans(&bodies(&mut whole, usize::MAX));
    let some = spans(&bodies(&mut part, usize::MAX));
    let share = some.len() as f64 / all.len() as f64;
    assert!((0.2..0.3).contains(&share), "{share}");
    let told: std::collections::BTreeSet<_> = some.iter().filter_map(session).collect();
    let expected = all.iter().filter(|span| session(span).is_some_and(|id| told.contains(&id)));
    let clients = some.iter().filter(|span| session(span).is_some());
    assert_eq!(expected.count(), clients.clone().count());
    let says = |span: &Span| value(&span.attributes, "sampling.ratio").cloned();
    assert!(clients.map(says).all(|ratio| ratio == Some(Value::DoubleValue(0.25))));
    assert!(all.iter().all(|span| says(span).is_none()));
}

/// A request that ended so, before its first token.
fn without_a_token(reason: Reason) -> Seen {
    let ask = Ask {
        tenant: 0,
        conversation: 1,
        arrival: 10.0,
        deadline: 40.0,
        prompt: 100,
        system: 0,
        natural: 10,
        max_tokens: 10,
    };
    let ended = Ended {
        ask,
        reason,
        scheduled: None,
        first_token: None,
        last_token: 0.0,
        end: 40.0,
        cached: 0,
        delivered: 0,
    };
    Seen { ended, replica: 0, way: 0.004, share: 1.0 }
}

#[test]
fn who_got_no_token_knows_no_id_no_usage_and_the_engine_tells_nothing() {
    let witness = Witness::new(1, START_MS);
    let check = |reason: Reason, error: &str| {
        let seen = without_a_token(reason);
        let story = Story::of(&witness, &seen);
        let span = client::span(&witness, &seen, &story, &TENANTS[0]);
        let expected = Value::StringValue(error.to_owned());
        assert_eq!(value(&span.attributes, "error.type"), Some(&expected));
        let seconds = (span.end_time_unix_nano - span.start_time_unix_nano) as f64 / 1e9;
        assert!((seconds - 30.004).abs() < 1e-6, "{seconds}");
        for absent in ["gen_ai.response.id", "gen_ai.usage.input_tokens"] {
            assert_eq!(value(&span.attributes, absent), None, "{absent}");
        }
        assert_eq!(engine::span(&witness, &seen, &story), None);
        assert_eq!(opinion::of(&witness, &seen, &story, &TENANTS[0]), None);
    };
    check(Reason::Abort, "CancelledError");
    check(Reason::Error, "500");
}

#[test]
fn nothing_is_kept_that_nobody_asked_for() {
    let mut silent = sim(4, 0.0);
    silent.advance_to(START_MS + 60_000);
    assert_eq!(silent.export_spans(10), None);
    let mut late = sim(4, 1.0);
    late.tell_requests(1.0, START_MS + 30_000);
    late.advance_to(START_MS + 60_000);
    let told = spans(&bodies(&mut late, usize::MAX));
    let since = (START_MS as u64 + 29_900) * 1_000_000;
    assert!(!told.is_empty() && told.iter().all(|span| span.start_time_unix_nano >= since));
}
