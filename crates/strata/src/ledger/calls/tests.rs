//! Calls out of a store of records, priced and judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use strata_cost::calls::{CallGroup, Counted, Fate};
use strata_model::record::{
    Feedback, FeedbackSource, FeedbackTarget, Outcome, RecordBatch, RecordSink as _, RequestRecord,
    TokenBuckets,
};
use strata_query::promqltest::MemorySource;
use strata_serve::ReportSource as _;
use strata_store::RecordStore;
use strata_view::PageErrorCode;

use super::read::{CallQuery, Calls, calls};
use crate::config::CostOptions;
use crate::ledger::LedgerReports;
use crate::ledger::recorded::tests::{request, stored};
use crate::ledger::tests::{DAY, HOUR, push, service};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;

/// An answer in time, of a conversation.
fn answered(minute: i64, conversation: &str) -> RequestRecord {
    let mut record = request(minute, "a");
    record.end_us = Some(record.start_us + 2_000_000);
    record.ttft_us = Some(200_000);
    record.outcome = Some(Outcome::Ok);
    record.conversation_id = Some(conversation.to_owned()).filter(|name| !name.is_empty());
    record.response_id = Some(format!("chatcmpl-{minute}-{conversation}"));
    record
}

fn judged(of: &RequestRecord, at_us: i64, value: Option<f64>, label: Option<&str>) -> Feedback {
    let response_id = of.response_id.clone();
    Feedback {
        at_us,
        target: FeedbackTarget { response_id, ..FeedbackTarget::default() },
        name: "user_feedback".to_owned(),
        value,
        label: label.map(str::to_owned),
        comment: None,
        source: FeedbackSource::Human,
        idempotency_key: None,
    }
}

async fn judge(store: &RecordStore, feedback: Vec<Feedback>) {
    let count = feedback.len() as u64;
    let receipt = store.append(RecordBatch { feedback, ..RecordBatch::default() }).await.unwrap();
    assert_eq!(receipt.stored, count, "{receipt:?}");
}

fn query(from_us: i64, until_us: i64) -> CallQuery {
    CallQuery {
        range_us: DAY * 1000 + from_us..DAY * 1000 + until_us,
        by: vec!["tenant"],
        objective_us: 1_000_000,
        thresholds: vec![128_000.0, 200_000.0],
    }
}

/// Calls by what became of them.
fn fates(found: &Calls) -> Vec<(Fate, Option<bool>, f64)> {
    let mut all: BTreeMap<_, f64> = BTreeMap::new();
    for group in &found.groups {
        *all.entry((group.fate, group.judged)).or_default() += group.requests;
    }
    all.into_iter().map(|((fate, judged), requests)| (fate, judged, requests)).collect()
}

#[tokio::test]
async fn every_fate_is_found_where_it_happened() {
    let with = |change: fn(&mut RequestRecord), minute: i64, conversation: &str| {
        let mut record = answered(minute, conversation);
        change(&mut record);
        record
    };
    let other = |record: &mut RequestRecord| record.tokens.fresh_input = Some(61);
    let all = vec![
        answered(1, "first"),
        // Nine minutes later the same again, eleven after that once more: that is no repetition.
        answered(10, "first"),
        answered(21, "first"),
        with(other, 2, "first"),
        answered(1, "another"),
        answered(3, ""),
        with(|one| one.outcome = None, 4, "untold"),
        with(|one| one.outcome = Some(Outcome::ClientCancel), 5, "gone"),
        with(|one| one.outcome = Some(Outcome::UpstreamTruncated), 6, "broken"),
        with(|one| one.outcome = Some(Outcome::Error { code: None }), 7, "refused"),
        // What follows a failure is a first success.
        answered(8, "refused"),
        with(|one| one.ttft_us = Some(1_000_001), 9, "late"),
        with(|one| one.ttft_us = None, 11, "whole"),
    ];
    let (_dir, store) = stored(all).await;
    let found = calls(&store, &query(0, 30 * MINUTE_US)).unwrap();
    let expected = [
        (Fate::Untold, None, 1.0),
        (Fate::Failed, None, 2.0),
        (Fate::Abandoned, None, 1.0),
        (Fate::Untimed, None, 1.0),
        (Fate::Late, None, 1.0),
        (Fate::Alone, None, 1.0),
        (Fate::Repeated, None, 1.0),
        (Fate::First, None, 5.0),
    ];
    assert_eq!(fates(&found), expected);
    assert_eq!((found.all_conversations, found.is_split), (8, false));
    assert_eq!(found.conversations.get(&vec!["a".to_owned()]), Some(&8));
    // The call that was answered lies before the period.
    let found = calls(&store, &query(5 * MINUTE_US, 30 * MINUTE_US)).unwrap();
    let repeated = |one: &&(Fate, Option<bool>, f64)| one.0 == Fate::Repeated;
    assert_eq!(fates(&found).iter().find(repeated).map(|one| one.2), Some(1.0));
}

#[tokio::test]
async fn the_latest_judgement_stands_and_a_score_is_none() {
    // The first is of the day before.
    let minutes = [-10, 1, 2, 3, 4, 5, 6, 7, 8];
    let all: Vec<_> = minutes.map(|minute| answered(minute, &format!("c{minute}"))).to_vec();
    let (_dir, store) = stored(all.clone()).await;
    let at = |minute: i64| DAY * 1000 + minute * MINUTE_US;
    let feedback = vec![
        judged(&all[0], at(10), Some(1.0), None),
        judged(&all[0], at(12), Some(0.0), None),
        judged(&all[1], at(10), None, Some("Thumbs-Up")),
        judged(&all[2], at(10), None, Some("rejected")),
        judged(&all[3], at(10), Some(0.7), None),
        judged(&all[4], at(10), Some(-1.0), None),
    ];
    // What people do against an answer, what a model thinks of it, and a second opinion.
    let named = |of: &RequestRecord, name: &str, value: f64, source| Feedback {
        name: name.to_owned(),
        source,
        ..judged(of, at(11), Some(value), None)
    };
    let feedback = feedback.into_iter().chain([
        named(&all[5], "regenerated", 1.0, FeedbackSource::Implicit),
        named(&all[6], "edited", 0.0, FeedbackSource::Implicit),
        named(&all[7], "toxicity", 0.0, FeedbackSource::Model),
        named(&all[8], "user_feedback", 1.0, FeedbackSource::Human),
        named(&all[8], "abandoned", 1.0, FeedbackSource::Implicit),
    ]);
    judge(&store, feedback.collect()).await;
    let found = calls(&store, &query(-20 * MINUTE_US, 30 * MINUTE_US)).unwrap();
    let expected =
        [(Fate::First, None, 4.0), (Fate::First, Some(false), 4.0), (Fate::First, Some(true), 1.0)];
    assert_eq!(fates(&found), expected);
}

#[tokio::test]
async fn many_days_add_up_and_a_conversation_over_midnight_counts_once() {
    let of_day = |day: i64, conversation: &str| {
        let mut record = answered(day, conversation);
        record.start_us += day * DAY_US;
        record.end_us = record.end_us.map(|end| end + day * DAY_US);
        record
    };
    let all = (-3..0).flat_map(|day| [of_day(day, "long"), of_day(day, "")]);
    let (_dir, store) = stored(all.collect()).await;
    let found = calls(&store, &query(-4 * DAY_US, DAY_US)).unwrap();
    let requests: f64 = found.groups.iter().map(|group| group.requests).sum();
    assert_eq!((requests, found.all_conversations), (6.0, 1));
    let tokens: f64 = found.groups.iter().map(CallGroup::generated).sum();
    assert_eq!(tokens, 150.0);
    assert_eq!(calls(&store, &query(-400 * DAY_US, -300 * DAY_US)), {
        Ok(Calls { is_split: true, ..Calls::default() })
    });
}

#[tokio::test]
async fn prompts_of_each_price_are_apart_and_what_is_not_counted_is_too() {
    let sized = |minute: i64, fresh: Option<u64>| {
        let mut record = answered(minute, "");
        record.tokens = TokenBuckets { fresh_input: fresh, ..record.tokens };
        record
    };
    // 40 more are in the cache, so the second is just no longer than the threshold.
    let all = vec![
        sized(1, Some(10)),
        sized(2, Some(127_960)),
        sized(3, Some(127_961)),
        sized(4, Some(300_000)),
        sized(5, None),
    ];
    let (_dir, store) = stored(all).await;
    let found = calls(&store, &query(0, 30 * MINUTE_US)).unwrap();
    let mut tiers: Vec<_> = found
        .groups
        .iter()
        .map(|group| (group.longer_than as i64, group.counted != Counted::Not, group.requests))
        .collect();
    tiers.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let expected = [(0, false, 1.0), (0, true, 2.0), (128_000, true, 1.0), (200_000, true, 1.0)];
    assert_eq!(tiers, expected);
}

/// One GPU that serves `m`, five hours long.
fn served() -> MemorySource {
    let mut source = MemorySource::new();
    let model = ("gpu_model", "NVIDIA H100 80GB HBM3");
    let gpu = |name| [("__name__", name), ("gpu_uuid", "GPU-1"), ("node", "n"), model];
    push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 5, |_| 1e9);
    push(&mut source, &gpu("hw_gpu_utilization_ratio"), 5, |_| 1.0);
    let held = [("namespace", "n"), ("pod", "e"), ("method", "podresources")];
    push(&mut source, &[&gpu("gpu_allocation_info")[..], &held].concat(), 5, |_| 1.0);
    let place = [("namespace", "n"), ("pod", "e"), ("node", "n"), ("instance", "e:8000")];
    let engine = |name| {
        [&[("__name__", name), ("model", "m"), ("inference_engine", "vllm")], &place[..]].concat()
    };
    push(&mut source, &engine("inference_requests_running"), 5, |_| 1.0);
    for (name, each) in [
        ("inference_prompt_tokens_total", 100.0),
        ("inference_prompt_tokens_cached_total", 40.0),
        ("inference_generation_tokens_total", 25.0),
        ("inference_requests_finished_total", 1.0),
    ] {
        push(&mut source, &engine(name), 5, |at| each * at as f64 / 60_000.0);
    }
    source
}

async fn report(all: Vec<RequestRecord>, params: &[(&str, &str)]) -> Json {
    let (dir, store) = stored(all).await;
    let map = dir.path().join("prices.json");
    let text = r#"{"gpt": {"input_cost_per_token": 1e-5, "cache_read_input_token_cost": 1e-6,
        "output_cost_per_token": 4e-5}}"#;
    std::fs::write(&map, text).unwrap();
    let options = CostOptions { api_prices: Some(map), ..CostOptions::default() };
    let service = service(served(), &options, DAY + 5 * HOUR);
    let reports = LedgerReports(Arc::new(service.with_records(Some(Arc::new(store)))));
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let told = reports.report("/cost/calls", params.collect()).await.unwrap();
    serde_json::from_str(&told.body).unwrap()
}

fn near(found: &Json, expected: f64) {
    let found = found.as_f64().unwrap_or(f64::NAN);
    assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
}

#[tokio::test]
async fn calls_of_own_gpus_come_to_their_bill_and_an_api_to_its_list() {
    // One a minute, as the engine counts them, and one to an API in each conversation.
    let own = (60..300).map(|minute| answered(minute, &format!("c{}", minute / 24)));
    let api = (60..300).step_by(24).map(|minute| {
        let mut record = answered(minute, &format!("c{}", minute / 24));
        record.response_id = Some(format!("api-{minute}"));
        record.model_served = Some("gpt".to_owned());
        record
    });
    let all = own.chain(api).collect();
    let told = report(all, &[("since", "4h"), ("by", "model,conversation")]).await;
    let model = |name: &str| {
        let found = told["models"].as_array().unwrap().iter().find(|one| one["model"] == name);
        found.unwrap().clone()
    };
    // All of the four hours of the GPU, at the published figure.
    near(&model("m")["amount"], 4.0 * 2.95);
    near(&model("m")["explained"], 1.0);
    let api_calls = 10.0;
    near(&model("gpt")["amount"], api_calls * (60e-5 + 40e-6 + 25.0 * 4e-5));
    assert_eq!(model("gpt")["explained"], Json::Null);
    assert_eq!(told["total"]["conversations"], 11);
    assert_eq!(told["total"]["unpriced_requests"], 0.0);
    let amount = told["total"]["amount"].as_f64().unwrap();
    near(&told["total"]["per_conversation"], amount / 11.0);
    let useful = &model("m")["useful"];
    near(&useful["U0"]["per_million"], 4.0 * 2.95 / 6000.0 * 1e6);
    // Of a conversation's twenty-four alike the first is no repetition.
    near(&useful["U3"]["per_million"], 4.0 * 2.95 / (25.0 * 11.0) * 1e6);
    assert_eq!(useful.get("U4"), None, "nobody judged");
    let repeated = &told["waste"][0];
    assert_eq!((&repeated["cause"], &repeated["requests"]), (&"repeated".into(), &229.0.into()));
}

#[tokio::test]
async fn prompts_whose_cached_part_is_not_told_come_to_the_bill_too() {
    let all = (60..300).map(|minute| {
        let mut record = answered(minute, "");
        // The same hundred tokens.
        record.tokens.fresh_input = Some(100);
        record.tokens.cache_read = None;
        record
    });
    let told = report(all.collect(), &[("since", "4h")]).await;
    near(&told["models"][0]["explained"], 1.0);
}

#[tokio::test]
async fn a_call_without_a_time_to_its_first_token_is_paid_and_neither_in_time_nor_late() {
    // Of four alike one is late and one tells no time.
    let all = (60..300).map(|minute| {
        let mut record = answered(minute, "");
        record.ttft_us = match minute % 4 {
            0 => None,
            1 => Some(1_000_001),
            _ => Some(200_000),
        };
        record
    });
    let told = report(all.collect(), &[("since", "4h")]).await;
    near(&told["total"]["untimed_requests"], 60.0);
    near(&told["total"]["amount"], 4.0 * 2.95);
    let useful = &told["models"][0]["useful"];
    near(&useful["U1"]["per_million"], 4.0 * 2.95 / 6000.0 * 1e6);
    // Two of the three that tell it were in time; that is known of three in four.
    near(&useful["U2"]["per_million"], 4.0 * 2.95 / 6000.0 * 1e6 * 3.0 / 2.0);
    near(&useful["U2"]["covered"], 0.75);
    let late = &told["waste"][0];
    assert_eq!((&late["cause"], &late["requests"]), (&"too_late".into(), &60.0.into()));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_in_words() {
    let service = service(served(), &CostOptions::default(), DAY + 5 * HOUR);
    let reports = LedgerReports(Arc::new(service));
    let asked = async |params: &[(&str, &str)]| {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        reports.report("/cost/calls", params.collect()).await.unwrap_err()
    };
    let none = asked(&[]).await;
    assert_eq!(none.code, PageErrorCode::BadRequest);
    assert!(none.message.contains("keeps no records"), "{none:?}");
    let word = asked(&[("by", "gpu")]).await;
    assert!(word.hint.contains("conversation"), "{word:?}");
    let many = asked(&[("by", "model,team,app")]).await;
    assert!(many.message.contains("more than two"), "{many:?}");
}
