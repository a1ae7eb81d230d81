//! Examples and pairs out of content and records on disk.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use strata_model::content::Redactor;
use strata_model::meter::Meter;
use strata_model::record::{
    Door, Feedback, FeedbackSource, FeedbackTarget, RecordBatch, RecordSink, RequestRecord,
};
use strata_store::{RecordOptions, RecordStore, Redacted, RoutePlan};

use super::*;

const NOW_MS: i64 = 1_795_848_122_000;

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A call: seconds before now, id, messages, answer; and a label somebody gave it.
type Call<'a> = (i64, &'a str, Value, &'a str, Option<&'a str>);

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn said(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

async fn shelves(dir: &Path, calls: Vec<Call<'_>>) -> Shelves {
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let settings = RecordOptions::default().validate(&dir.join("records")).unwrap();
    let records = RecordStore::open(settings, Arc::clone(&clock), &Meter::default()).unwrap();
    let content = ContentStore::at(&dir.join("content"), Arc::clone(&clock));
    let plan = RoutePlan {
        route: "chat".to_owned(),
        retention: Duration::from_hours(24),
        disk_bytes: 1 << 20,
    };
    let (mut batch, mut judged) = (RecordBatch::default(), RecordBatch::default());
    for (ago_s, id, messages, answer, label) in calls {
        let start_us = (NOW_MS - ago_s * 1_000) * 1_000;
        batch.requests.push(RequestRecord {
            route: Some("chat".to_owned()),
            response_id: Some(id.to_owned()),
            // What follows the dash is the conversation; every answer takes a second.
            conversation_id: id.split_once('-').map(|(_, conversation)| conversation.to_owned()),
            end_us: Some(start_us + 1_000_000),
            ..RequestRecord::new(Door::Proxy, start_us)
        });
        let exchange = Exchange {
            id: format!("call-{id}"),
            start_us,
            route: "chat".to_owned(),
            api: "openai_chat".to_owned(),
            response_id: Some(id.to_owned()),
            request: json!({ "messages": messages }),
            answer: json!({ "choices": [{ "message": said(answer), "finish_reason": "stop" }] }),
            ..Exchange::default()
        };
        let call = Redacted::of(exchange, &Redactor::new(&["ip".to_owned()], &[]).unwrap());
        content.append(&plan, vec![call], Vec::new()).unwrap();
        judged.feedback.extend(label.map(|label| Feedback {
            at_us: NOW_MS * 1_000,
            target: FeedbackTarget {
                response_id: Some(id.to_owned()),
                ..FeedbackTarget::default()
            },
            name: "user".to_owned(),
            value: None,
            label: Some(label.to_owned()),
            comment: None,
            source: FeedbackSource::Human,
            idempotency_key: None,
        }));
    }
    records.append(batch).await.unwrap();
    records.append(judged).await.unwrap();
    records.close();
    Shelves::open(&dir.join("content"), &dir.join("records"), clock).unwrap()
}

fn asked() -> Asked {
    Asked {
        range_us: 0..i64::MAX,
        chosen: Chosen::default(),
        terms: Terms::default(),
        format: Format::Trl,
        reasoning: false,
    }
}

fn pairs(shelves: &Shelves) -> (Vec<(Value, Value)>, Tally) {
    let mut found = Vec::new();
    let tally = shelves.dpo(&asked(), &mut |line| {
        let word = |field: &str| line[field][0]["content"].clone();
        found.push((word("chosen"), word("rejected")));
        Ok(())
    });
    (found, tally.unwrap())
}

#[tokio::test]
async fn judged_answers_to_one_prompt_are_pairs() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = json!([user("hi")]);
    let shelves = shelves(
        dir.path(),
        vec![
            (900, "a", prompt.clone(), "bad one", Some("down")),
            (800, "b", prompt.clone(), "good one", Some("up")),
            (700, "c", prompt.clone(), "worse", Some("thumbs_down")),
            (600, "d", prompt, "nobody cares", None),
            (500, "e", json!([user("other")]), "alone", Some("up")),
        ],
    )
    .await;
    let (found, tally) = pairs(&shelves);
    let good = json!("good one");
    assert_eq!(found, [(good.clone(), json!("bad one")), (good, json!("worse"))]);
    assert_eq!((tally.read, tally.written, tally.unjudged, tally.otherwise), (5, 2, 1, 1));
    let mut examples = Vec::new();
    let tally = shelves.sft(&asked(), &mut |line| {
        examples.push(line.clone());
        Ok(())
    });
    assert_eq!(
        examples[0],
        json!({ "prompt": [user("hi")], "completion": [said("good one")] }),
        "{tally:?}"
    );
    assert_eq!((examples.len(), tally.unwrap().otherwise), (2, 2));
}

#[tokio::test]
async fn what_was_asked_again_is_disliked_where_the_later_answer_was_gone_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let prompt = json!([user("hi")]);
    let on = json!([user("hi"), said("second"), user("more")]);
    let late = json!([user("later")]);
    let late_on = json!([user("later"), said("again"), user("more")]);
    let shelves = shelves(
        dir.path(),
        vec![
            (3000, "a-1", prompt.clone(), "first", None),
            (2900, "b-1", prompt.clone(), "second", None),
            (2800, "c-1", on, "third", None),
            // Another person, one whose conversation nobody names, and one at the same time.
            (2950, "g-2", prompt.clone(), "to another", None),
            (2940, "h", prompt.clone(), "to somebody", None),
            (2900, "i-1", prompt, "at once", None),
            // Eleven minutes later it is another question.
            (2700, "d-3", late.clone(), "once", None),
            (2000, "e-3", late, "again", None),
            (1900, "f-3", late_on, "fine", None),
        ],
    )
    .await;
    let (found, tally) = pairs(&shelves);
    assert_eq!(found, [(json!("second"), json!("first"))]);
    assert_eq!((tally.read, tally.unjudged), (9, 7));
}

#[tokio::test]
async fn only_what_is_asked_for_is_exported_and_what_has_no_record_is_unjudged() {
    let dir = tempfile::tempdir().unwrap();
    let shelves =
        shelves(dir.path(), vec![(60, "a", json!([user("hi")]), "yes", Some("up"))]).await;
    let count = |change: &dyn Fn(&mut Asked)| {
        let mut asked = asked();
        change(&mut asked);
        let tally = shelves.sft(&asked, &mut |_| Ok(())).unwrap();
        (tally.read, tally.written, tally.not_chosen, tally.unjudged)
    };
    assert_eq!(count(&|_| {}), (1, 1, 0, 0));
    assert_eq!(count(&|asked| asked.range_us = 0..1), (0, 0, 0, 0));
    assert_eq!(count(&|asked| asked.chosen.tenant = Some("x".to_owned())), (1, 0, 1, 0));
    assert_eq!(count(&|asked| asked.chosen.app = Some("x".to_owned())), (1, 0, 1, 0));
    assert_eq!(count(&|asked| asked.terms.name = Some("x".to_owned())), (1, 0, 0, 1));
    std::fs::remove_dir_all(dir.path().join("records")).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let alone = Shelves::open(&dir.path().join("content"), &dir.path().join("records"), clock);
    let tally = alone.unwrap().sft(&asked(), &mut |_| Ok(())).unwrap();
    assert_eq!((tally.written, tally.unjudged), (0, 1));
}

#[tokio::test]
async fn prompts_that_are_alike_only_without_what_was_taken_out_are_no_pair() {
    let dir = tempfile::tempdir().unwrap();
    let shelves = shelves(
        dir.path(),
        vec![
            (900, "a", json!([user("who has 10.0.0.1?")]), "me", Some("up")),
            (800, "b", json!([user("who has 10.0.0.2?")]), "you", Some("down")),
            (700, "c", json!([user("who has 10.0.0.1?")]), "nobody", Some("down")),
        ],
    )
    .await;
    let (found, tally) = pairs(&shelves);
    assert_eq!(found, [(json!("me"), json!("nobody"))]);
    assert_eq!((tally.written, tally.otherwise), (1, 1));
}
