//! The collectors against an API server that is played here from captured answers.

use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value as Json, json};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/k8s/", $name))
    };
}

// Behind the macro, which they use.
mod access;
mod pods;
mod shares;
mod waiting;

const PODS: &str = fixture!("pods-list-v1.20.2.json");
const NODES: &str = fixture!("nodes-list-v1.20.2.json");
const EVENTS: &str = fixture!("pods-watch-delete-v1.20.2.jsonl");
const GONE: &str = fixture!("list-continue-expired-410.json");

/// What the server does.
#[derive(Default)]
struct Play {
    /// Answers by path; what is not here is not found.
    answers: BTreeMap<String, Json>,
    forbidden: Vec<&'static str>,
    /// The token it takes, when it wants one.
    token: Option<String>,
    /// Items of one page.
    page: Option<usize>,
    /// Continuing a list fails so many times because it has expired.
    expires: usize,
    /// Lines of the first watch of each path; after them it is silent.
    watch: BTreeMap<String, String>,
    asked: Vec<String>,
}

type Server = Arc<Mutex<Play>>;

async fn serve(play: Play) -> (Server, String) {
    let play = Arc::new(Mutex::new(play));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shared = Arc::clone(&play);
    let router = axum::Router::new().fallback(move |request: Request| {
        let answer = shared.lock().unwrap().answer(&request);
        std::future::ready(answer)
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (play, url)
}

fn status(code: u16, reason: &str) -> Response {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code });
    (StatusCode::from_u16(code).unwrap(), body.to_string()).into_response()
}

impl Play {
    fn answer(&mut self, request: &Request) -> Response {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        self.asked.push(format!("{path}?{query}"));
        if let Some(token) = &self.token {
            let given = request.headers().get("authorization");
            if given.and_then(|value| value.to_str().ok()) != Some(&format!("Bearer {token}")) {
                return status(401, "Unauthorized");
            }
        }
        if self.forbidden.iter().any(|plural| path.contains(plural)) {
            return status(403, "Forbidden");
        }
        if query.contains("watch=true") {
            let lines = self.watch.remove(path).unwrap_or_default();
            let lines = stream::iter([Ok::<_, std::io::Error>(Bytes::from(lines))]);
            return Body::from_stream(lines.chain(stream::pending())).into_response();
        }
        let Some(answer) = self.answers.get(path) else { return status(404, "NotFound") };
        let mut answer = answer.clone();
        let next = query.split('&').find_map(|one| one.strip_prefix("continue="));
        let start: usize = next.map_or(0, |at| at.parse().unwrap());
        if start > 0 && self.expires > 0 {
            self.expires -= 1;
            return (StatusCode::GONE, GONE).into_response();
        }
        if let (Some(page), Some(items)) = (self.page, answer["items"].as_array().cloned()) {
            let end = items.len().min(start + page);
            answer["items"] = json!(items[start..end]);
            let more = end < items.len();
            answer["metadata"]["continue"] =
                json!(if more { end.to_string() } else { String::new() });
        }
        answer.to_string().into_response()
    }
}

fn object(uid: &str, name: &str, owner: Option<(&str, &str, &str)>) -> Json {
    let owners: Vec<_> = owner
        .iter()
        .map(|(version, kind, name)| {
            json!({ "apiVersion": version, "kind": kind, "name": name, "uid": format!("{kind}-uid"),
                "controller": true })
        })
        .collect();
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "name": name, "uid": uid, "labels": { "cost-center": "cc7" },
            "ownerReferences": owners } })
}

/// The captured cluster, with owners as their controllers would write them.
fn cluster() -> Play {
    let mut play = Play::default();
    let mut set = |path: &str, answer: Json| drop(play.answers.insert(path.to_owned(), answer));
    set("/api/v1/pods", serde_json::from_str(PODS).unwrap());
    set("/api/v1/nodes", serde_json::from_str(NODES).unwrap());
    set(
        "/api/v1/namespaces",
        json!({ "kind": "NamespaceList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" },
            "items": [{ "metadata": { "name": "ml-team-a", "uid": "n",
                "labels": { "team": "research" } } }] }),
    );
    let apps = "/apis/apps/v1/namespaces/ml-team-a";
    set(
        &format!("{apps}/replicasets/vllm-chat-fd9d9849b"),
        object(
            "dd7578fc-27df-4dac-8e60-67335273cf19",
            "vllm-chat-fd9d9849b",
            Some(("apps/v1", "Deployment", "vllm-chat")),
        ),
    );
    set(&format!("{apps}/deployments/vllm-chat"), object("Deployment-uid", "vllm-chat", None));
    set(
        "/apis/batch/v1/namespaces/ml-team-a/jobs/pretrain",
        object(
            "94a32276-b51c-4c1f-9ffe-a598947a7335",
            "pretrain",
            Some(("trainer.kubeflow.org/v1alpha1", "TrainJob", "llama-pretrain")),
        ),
    );
    set(
        "/apis/trainer.kubeflow.org/v1alpha1",
        json!({ "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": "trainer.kubeflow.org/v1alpha1",
            "resources": [{ "name": "trainjobs", "singularName": "trainjob", "namespaced": true,
                "kind": "TrainJob", "verbs": ["get", "list", "watch"] }] }),
    );
    set(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/ml-team-a/trainjobs/llama-pretrain",
        object("TrainJob-uid", "llama-pretrain", None),
    );
    set(
        "/apis/batch/v1/namespaces/ml-team-a/jobs/too-big",
        object("757dea1b-e71d-4062-ab21-7e252bc17e27", "too-big", None),
    );
    play
}

struct Asked {
    folder: tempfile::TempDir,
    book: PodBook,
    collectors: Vec<Box<dyn Collector>>,
}

/// The collectors, as a pod in the cluster would make them.
fn inside(url: &str, node: Option<&str>) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "first").unwrap();
    let entrance = Entrance::InCluster { url: url.to_owned(), folder: folder.path().to_owned() };
    let settings = KubernetesOptions::default().validate().unwrap();
    let book = PodBook::default();
    let collectors = collectors(&settings, entrance, node, &book);
    Asked { folder, book, collectors }
}

impl Asked {
    async fn ask(&mut self, id: &str) -> Result<Harvest, CollectError> {
        let mut collectors = self.collectors.iter_mut();
        let collector = collectors.find(|one| one.id() == id).unwrap();
        // 2026-11-22T10:49:02Z, two minutes after the pods were made.
        collector.collect(1_795_344_542_000).await
    }

    /// Ask until `until` holds, as the scheduler would.
    async fn ask_until(&mut self, id: &str, until: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..200 {
            if let Ok(harvest) = self.ask(id).await {
                let found = lines(&harvest);
                if until(&found) {
                    return found;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never came to that");
    }
}

fn lines(harvest: &Harvest) -> Vec<String> {
    let batch = &harvest.batch;
    let line =
        |sample: &strata_model::Sample| format!("{} {}", batch.labels(sample.series), sample.value);
    let mut lines: Vec<_> = batch.samples.iter().map(line).collect();
    lines.sort();
    lines
}

fn only<'a>(lines: &'a [String], name: &str, part: &str) -> Vec<&'a str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(part)).collect()
}
