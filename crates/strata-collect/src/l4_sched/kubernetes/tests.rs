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
        include_str!(concat!("../../../tests/fixtures/k8s/", $name))
    };
}

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

#[tokio::test]
async fn pods_are_listed_in_pages_and_followed_to_the_top_of_their_owners() {
    let play = Play { page: Some(2), expires: 1, ..cluster() };
    let (server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let workload = |pod: &str| only(&found, "k8s_pod_workload_info", pod)[0].to_owned();
    let chat = workload("vllm-chat-fd9d9849b-6vvvz");
    for part in [
        "workload=\"vllm-chat\"",
        "workload_kind=\"Deployment\"",
        "team=\"search\"",
        "cost_center=\"cc7\"",
        "node=\"gpu-node-1\"",
        "confidence=\"high\"",
    ] {
        assert!(chat.contains(part), "{part}: {chat}");
    }
    let train = workload("pretrain-2zsvd");
    assert!(train.contains("workload=\"llama-pretrain\""), "{train}");
    assert!(train.contains("workload_kind=\"TrainJob\""), "{train}");
    assert!(train.contains("team=\"research\""), "by the namespace: {train}");
    assert_eq!(only(&found, "k8s_pod_info", "").len(), 6, "{found:#?}");
    let requested = only(&found, "gpu_requested", "6vvvz");
    assert_eq!(requested.len(), 1);
    assert!(requested[0].ends_with(" 2") && requested[0].contains("nvidia_com_gpu"));
    let pending = only(&found, "k8s_pod_pending_seconds", "");
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert!(pending[0].contains("reason=\"insufficient_gpu\"") && pending[0].ends_with(" 120"));
    let memory = only(&found, "k8s_pod_resource_request", "resource=\"memory\"");
    assert!(memory[0].ends_with(" 68719476736"), "{memory:?}");
    let facts = asked.book.facts("ml-team-a", "vllm-chat-fd9d9849b-6vvvz").unwrap();
    assert_eq!((&*facts.workload, facts.ended), ("vllm-chat", false));
    // Pages of two; the second list began anew because the first had expired.
    let server = server.lock().unwrap();
    let lists = server.asked.iter().filter(|one| one.starts_with("/api/v1/pods?"));
    let lists: Vec<_> = lists.filter(|one| !one.contains("watch=true")).collect();
    assert_eq!(lists.len(), 5, "{lists:?}");
    let owners = server.asked.iter().filter(|one| one.contains("/replicasets/")).count();
    assert_eq!(owners, 1, "an owner is asked for once");
}

#[tokio::test]
async fn a_share_that_hami_gave_is_an_allocation() {
    let mut play = cluster();
    let pods = play.answers.get_mut("/api/v1/pods").unwrap();
    pods["items"][0]["metadata"]["annotations"] =
        json!({ "hami.io/vgpu-devices-allocated": "GPU-a,NVIDIA,1024,30:;" });
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let edge = only(&found, "gpu_allocation_info", "GPU-a");
    for part in ["container=\"trainer\"", "sharing=\"hami\"", "method=\"annotation\""] {
        assert!(edge[0].contains(part), "{edge:?}");
    }
    let memory = only(&found, "gpu_vgpu_memory_allocated_bytes", "GPU-a");
    assert!(memory[0].ends_with(" 1073741824"), "{memory:?}");
}

#[tokio::test]
async fn a_fraction_of_kai_is_of_the_device_that_is_reserved_for_its_group() {
    let mut play = cluster();
    let pods = &mut play.answers.get_mut("/api/v1/pods").unwrap()["items"];
    // The first holds a device for others; the second has half of it.
    let (group, device) = ("runai-gpu-group", "run.ai/reserve_for_gpu_index");
    pods[0]["metadata"]["labels"] = json!({ group: "g1" });
    pods[0]["metadata"]["annotations"] = json!({ device: "GPU-a" });
    pods[1]["metadata"]["labels"] = json!({ group: "g1" });
    pods[1]["metadata"]["annotations"] = json!({ "gpu-fraction": "0.5" });
    let of = |pod: &Json| format!("pod=\"{}\"", pod["metadata"]["name"].as_str().unwrap());
    let (holder, user) = (of(&pods[0]), of(&pods[1]));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let edges = only(&found, "gpu_allocation_info", "GPU-a");
    assert_eq!(edges.len(), 1, "{edges:?}");
    assert!(edges[0].contains(&user) && edges[0].contains("sharing=\"kai\""), "{edges:?}");
    let cores = only(&found, "gpu_vgpu_core_allocated_ratio", "GPU-a");
    assert!(cores[0].ends_with(" 0.5"), "{cores:?}");
    let requested = only(&found, "gpu_requested", &user);
    let half = |line: &&str| line.contains("nvidia_com_gpu") && line.ends_with(" 0.5");
    assert!(requested.iter().any(half), "{requested:?}");
    assert!(only(&found, "gpu_requested", &holder).is_empty(), "its device is asked for by others");
}

#[tokio::test]
async fn a_watch_adds_and_removes_pods() {
    let mut play = cluster();
    // The captured watch begins with what the list has; only what comes after it is new.
    let events: Vec<_> = EVENTS.lines().skip(6).collect();
    play.watch.insert("/api/v1/pods".to_owned(), format!("{}\n", events.join("\n")));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let came =
        |lines: &[String]| !only(lines, "k8s_pod_info", "vllm-chat-fd9d9849b-gdcdf").is_empty();
    let found = asked.ask_until("kubernetes/pods", came).await;
    assert!(only(&found, "k8s_pod_info", "vllm-chat-fd9d9849b-6vvvz").is_empty());
    assert_eq!(only(&found, "k8s_pod_info", "").len(), 6);
}

#[tokio::test]
async fn a_rotated_token_is_read_again() {
    let (server, url) = serve(Play { token: Some("first".to_owned()), ..cluster() }).await;
    let mut asked = inside(&url, None);
    asked.ask("kubernetes/nodes").await.unwrap();
    server.lock().unwrap().token = Some("second".to_owned());
    let error = asked.ask("kubernetes/pods").await.unwrap_err();
    assert_eq!(error.state, SourceState::Denied, "{error:?}");
    assert!(error.hint.contains("token"), "{}", error.hint);
    std::fs::write(asked.folder.path().join("token"), "second").unwrap();
    let harvest = asked.ask("kubernetes/pods").await.unwrap();
    assert_eq!(only(&lines(&harvest), "k8s_pod_info", "").len(), 6);
}

#[tokio::test]
async fn what_may_not_be_read_is_told_and_the_rest_goes_on() {
    let forbidden = vec!["/nodes", "/namespaces?", "replicasets", "trainjobs"];
    let (_server, url) = serve(Play { forbidden, ..cluster() }).await;
    let mut asked = inside(&url, None);
    let error = asked.ask("kubernetes/nodes").await.unwrap_err();
    assert_eq!(error.state, SourceState::Denied);
    assert!(error.hint.contains("list and watch of nodes"), "{}", error.hint);
    let error = asked.ask("kubernetes/claims").await.unwrap_err();
    assert_eq!(error.state, SourceState::Unsupported, "no claims in Kubernetes 1.20");
    for _ in 0..2 {
        let harvest = asked.ask("kubernetes/pods").await.unwrap();
        let found = lines(&harvest);
        let chat = only(&found, "k8s_pod_workload_info", "6vvvz")[0];
        assert!(chat.contains("workload=\"vllm-chat-fd9d9849b\""), "{chat}");
        assert!(chat.contains("confidence=\"medium\""), "{chat}");
        let told = |kind: &str| harvest.faults.iter().any(|fault| fault.message.contains(kind));
        assert!(told("ReplicaSet") && told("TrainJob"), "{:?}", harvest.faults);
    }
}

#[tokio::test]
async fn a_node_tells_its_product_room_and_conditions() {
    let (server, url) = serve(cluster()).await;
    let mut asked = inside(&url, Some("gpu-node-0"));
    let found = lines(&asked.ask("kubernetes/nodes").await.unwrap());
    let topology = only(&found, "k8s_node_topology_info", "gpu-node-0");
    assert!(topology[0].contains("gpu_product=\"NVIDIA-H200\""), "{topology:?}");
    let room = only(&found, "gpu_node_capacity", "gpu-node-0");
    assert!(room[0].ends_with(" 8"), "{room:?}");
    let ready = only(&found, "k8s_node_condition", "condition=\"Ready\"");
    assert!(ready.iter().any(|line| line.contains("status=\"true\"") && line.ends_with(" 1")));
    let asked = server.lock().unwrap().asked.clone();
    assert!(asked[0].contains("fieldSelector=metadata.name%3Dgpu-node-0"), "{asked:?}");
}

#[tokio::test]
async fn warnings_are_counted_by_object_and_reason() {
    let mut play = cluster();
    let events = serde_json::from_str(fixture!("events-list-v1.20.2.json")).unwrap();
    play.answers.insert("/api/v1/events".to_owned(), events);
    let (server, url) = serve(play).await;
    let found = lines(&inside(&url, None).ask("kubernetes/events").await.unwrap());
    assert!(found.iter().all(|line| line.contains("reason=\"FailedScheduling\"")), "{found:#?}");
    let first = only(&found, "k8s_events", "pod=\"pretrain-2zsvd\"");
    assert!(first[0].ends_with(" 2"), "{first:?}");
    assert!(first[0].contains("why=\"taint\""), "{first:?}");
    assert!(server.lock().unwrap().asked[0].contains("fieldSelector=type%3DWarning"));
    let on_a_node = inside(&url, Some("n1")).collectors;
    assert!(on_a_node.iter().all(|one| one.id() != "kubernetes/events"));
}

/// A warning about a pod, seen at a second of a minute.
fn warning(pod: &str, second: u32, (reason, message): (&str, &str)) -> Json {
    json!({ "metadata": { "namespace": "ml-team-a", "name": format!("{pod}.{second}") },
        "type": "Warning", "reason": reason, "message": message,
        "eventTime": format!("2026-11-22T10:47:{second:02}.5Z"),
        "involvedObject": { "kind": "Pod", "namespace": "ml-team-a", "name": pod, "uid": pod } })
}

#[tokio::test]
async fn a_pod_whose_condition_says_nothing_waits_for_what_its_newest_event_says() {
    let mut play = cluster();
    let pod = |name: &str| {
        json!({ "metadata": { "namespace": "ml-team-a", "name": name, "uid": name,
                "creationTimestamp": "2026-11-22T10:40:00Z" },
            "spec": { "schedulerName": "hami-scheduler", "containers": [{ "name": "c",
                "resources": { "limits": { "nvidia.com/gpu": "1" } } }] },
            "status": { "phase": "Pending" } })
    };
    let list = |items: Vec<Json>| json!({ "metadata": { "resourceVersion": "1" }, "items": items });
    play.answers.insert("/api/v1/pods".to_owned(), list(vec![pod("told"), pod("untold")]));
    let older = warning("told", 1, ("FailedScheduling", "0/1 nodes are available: 1 taint"));
    let newer = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
    // Of an earlier pod with the same name.
    let mut before = warning("untold", 9, ("FailedScheduling", newer));
    before["involvedObject"]["uid"] = json!("another");
    let events = vec![warning("told", 9, ("FailedScheduling", newer)), older, before];
    play.answers.insert("/api/v1/events".to_owned(), list(events));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    asked.ask("kubernetes/events").await.unwrap();
    let found = lines(&asked.ask("kubernetes/pods").await.unwrap());
    let told = only(&found, "k8s_pod_pending_seconds", "pod=\"told\"");
    assert!(told[0].contains("reason=\"insufficient_gpu\""), "{told:?}");
    assert!(told[0].contains("resource=\"nvidia_com_gpu\""), "{told:?}");
    let untold = only(&found, "k8s_pod_pending_seconds", "pod=\"untold\"");
    assert!(untold[0].contains("reason=\"not_tried\""), "{untold:?}");
}

#[tokio::test]
async fn claimed_devices_have_owners_without_any_agent_on_the_node() {
    let mut play = cluster();
    let list = |items: Json| json!({ "metadata": { "resourceVersion": "1" }, "items": items });
    let text = |value: &str| json!({ "string": value });
    play.answers.insert(
        "/apis/resource.k8s.io/v1/resourceslices".to_owned(),
        list(json!([
            { "metadata": { "name": "s" }, "spec": { "driver": "gpu.nvidia.com", "nodeName": "n1",
                "pool": { "name": "n1" }, "devices": [
                    { "name": "gpu-0", "attributes": { "uuid": text("GPU-a") } },
                    { "name": "gpu-1-mig", "basic": { "attributes": { "uuid": text("MIG-b"),
                        "parentUUID": text("GPU-c") } } }] } },
            { "metadata": { "name": "net" }, "spec": { "driver": "dra.net", "nodeName": "n1",
                "pool": { "name": "n1" }, "devices": [{ "name": "gpu-0" }] } },
        ])),
    );
    let result =
        |device: &str| json!({ "driver": "gpu.nvidia.com", "pool": "n1", "device": device });
    let given = json!({ "devices": { "results": [result("gpu-0"), result("gpu-1-mig")] } });
    play.answers.insert(
        "/apis/resource.k8s.io/v1/resourceclaims".to_owned(),
        list(json!([
            { "metadata": { "name": "c", "namespace": "ml" }, "status": { "allocation": given,
                "reservedFor": [{ "resource": "pods", "name": "p", "uid": "u" }] } },
            { "metadata": { "name": "waits", "namespace": "ml" } },
        ])),
    );
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = lines(&asked.ask("kubernetes/claims").await.unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    let whole = only(&found, "gpu_allocation_info", "device=\"gpu-0\"");
    assert!(whole[0].contains("pod=\"p\"") && whole[0].contains("method=\"dra\""), "{whole:?}");
    let part = only(&found, "gpu_allocation_info", "device=\"gpu-1-mig\"");
    assert!(part[0].contains("gpu_uuid=\"GPU-c\""), "the GPU of the instance: {part:?}");
    let key = ["gpu.nvidia.com", "n1", "gpu-0"];
    assert_eq!(asked.book.uuid_of(key[0], key[1], key[2]).as_deref(), Some("GPU-a"));
}

#[tokio::test]
async fn claims_of_an_older_cluster_are_found_under_its_version() {
    let mut play = cluster();
    for plural in ["resourceslices", "resourceclaims"] {
        play.answers.insert(
            format!("/apis/resource.k8s.io/v1beta1/{plural}"),
            json!({ "metadata": { "resourceVersion": "1" }, "items": [] }),
        );
    }
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    for _version in ["v1", "v1beta2"] {
        let error = asked.ask("kubernetes/claims").await.unwrap_err();
        assert_eq!(error.state, SourceState::Unsupported);
    }
    asked.ask("kubernetes/claims").await.unwrap();
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_same_server() {
    let (_server, url) = serve(Play { token: Some("t".to_owned()), ..cluster() }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let file = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: c\n  cluster:\n    \
         server: {url}\nusers:\n- name: u\n  user:\n    token: t\ncontexts:\n- name: here\n  context:\n    \
         cluster: c\n    user: u\n"
    );
    std::fs::write(&path, file).unwrap();
    let settings = KubernetesOptions::default().validate().unwrap();
    let nothing: crate::scrape::Environment = Arc::new(|_name| None);
    let ask = async |context: Option<&str>| {
        let entrance = Entrance::find(Some(&path), context, &nothing).unwrap();
        let mut all = collectors(&settings, entrance, None, &PodBook::default());
        let nodes = all.iter_mut().find(|one| one.id() == "kubernetes/nodes").unwrap();
        nodes.collect(0).await
    };
    assert!(!lines(&ask(Some("here")).await.unwrap()).is_empty());
    let error = ask(None).await.unwrap_err();
    assert!(error.fault.message.contains("other"), "{}", error.fault.message);
    assert!(Entrance::find(None, None, &nothing).is_none());
}

#[tokio::test]
async fn a_server_that_is_away_is_told_as_such() {
    let mut asked = inside("http://127.0.0.1:1", None);
    let error = asked.ask("kubernetes/nodes").await.unwrap_err();
    assert_eq!((error.state, error.fault.code), (SourceState::Failing, FaultCode::Unreachable));
}
