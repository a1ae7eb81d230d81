//! Asking an engine for the model that its page does not name.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use strata_model::Batch;

use super::*;
use crate::scrape::model::{ModelOf, ModelQuestions};
use tokio::net::TcpListener;

const PAGE: &str = "# TYPE bare:tokens counter\nbare:tokens 1\n";

/// An engine that gives these answers to the first question in turn, the last for ever.
async fn engine(answers: &'static [(StatusCode, &'static str)]) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let models = move || {
        let at = counted.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
        async move { answers[at] }
    };
    let router = Router::new()
        .route("/metrics", get(|| async { PAGE }))
        .route("/models", get(models))
        .route("/props", get(|| async { r#"{"alias":"from-props"}"# }))
        .route("/slow", get(|| async { std::future::pending::<&str>().await }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

fn asking(address: &str, questions: &[(&str, &str)]) -> ScrapeCollector {
    let settings = options(address).validate().expect("the options are good");
    let none = std::collections::BTreeMap::new();
    let target = Target::of(&settings, address, &none).expect("the target is good");
    let questions = questions.iter().map(|(path, at)| ((*path).to_owned(), (*at).to_owned()));
    let questions = ModelQuestions { engine: "bare".to_owned(), questions: questions.collect() };
    let of: ModelOf = Arc::new(move |families| {
        families.iter().any(|name| name.starts_with("bare:")).then(|| questions.clone())
    });
    let source = SourceRules { model: Some(of), ..SourceRules::default() };
    Job::new(settings, nothing(), source).expect("no files").collector(target, None)
}

/// The model in the batch, and how many samples it has.
fn model(batch: &Batch) -> (Option<String>, usize) {
    let of_info = |sample: &strata_model::Sample| {
        let labels = batch.labels(sample.series);
        (labels.metric_name() == "inference_engine_model_info").then_some(labels)
    };
    let info = batch.samples.iter().find_map(of_info);
    if let Some(labels) = &info {
        assert_eq!(labels.get("inference_engine"), Some("bare"));
        assert_eq!(labels.get("job"), Some("test"));
        assert!(labels.get("instance").is_some());
    }
    (info.and_then(|labels| labels.get("model").map(str::to_owned)), batch.samples.len())
}

const OK: StatusCode = StatusCode::OK;
const QUESTIONS: &[(&str, &str)] = &[("/models", "data/*/id"), ("/props", "alias")];

#[tokio::test]
async fn the_model_is_asked_now_and_then_and_a_swap_is_seen() {
    let (address, asked) =
        engine(&[(OK, r#"{"data":[{"id":"m1"}]}"#), (OK, r#"{"data":[{"id":"m2"}]}"#)]).await;
    let mut collector = asking(&address, QUESTIONS);
    for (at_ms, expected, questions) in
        [(0, "m1", 1), (15_000, "m1", 1), (60_000, "m2", 2), (75_000, "m2", 2)]
    {
        let harvest = collector.collect(at_ms).await.expect("the page is good");
        assert_eq!(model(&harvest.batch), (Some(expected.to_owned()), 2), "at {at_ms}");
        assert!(harvest.faults.is_empty());
        assert_eq!(asked.load(Ordering::Relaxed), questions, "at {at_ms}");
    }
}

#[tokio::test]
async fn without_one_answer_the_model_is_unknown_and_the_page_is_kept() {
    let check = async |answer: &'static [(StatusCode, &'static str)],
                       questions: &[(&str, &str)],
                       expected: Option<&str>| {
        let (address, _) = engine(answer).await;
        let harvest = asking(&address, questions).collect(0).await.expect("the page is good");
        let (model, samples) = model(&harvest.batch);
        assert_eq!(model.as_deref(), expected, "{answer:?}");
        assert_eq!(samples, 1 + usize::from(expected.is_some()));
    };
    let refused = &[(StatusCode::NOT_FOUND, "")];
    check(refused, QUESTIONS, Some("from-props")).await;
    check(refused, &QUESTIONS[..1], None).await;
    check(&[(OK, "<html>")], &QUESTIONS[..1], None).await;
    // A router with two models: its page is about both.
    check(&[(OK, r#"{"data":[{"id":"a"},{"id":"b"}]}"#)], QUESTIONS, None).await;
    check(&[(OK, "{}")], &[("/slow", "alias")], None).await;
}
