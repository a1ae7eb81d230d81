//! The collector against a kubelet that is served here, and over small trees of files.

use std::path::Path;
use std::sync::{Arc, Mutex};

use prost::Message;
use tonic::codegen::{BoxFuture as GrpcFuture, Service, http};
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::proto::{
    CdiDevice, ClaimResource, ContainerDevices, ContainerResources, DynamicResource, GetRequest,
    GetResponse, ListRequest, ListResponse, PodResources,
};
use super::*;
use crate::l4_sched::pod_book::PodFacts;

const FIXTURE: &[u8] = include_bytes!("../../../tests/fixtures/kubelet/podresources-v1-list.pb");
pub(super) const U: &str = "1a2b3c4d-0000-1111-2222-333344445555";
pub(super) const V: &str = "9a2b3c4d-0000-1111-2222-333344445555";

pub(super) type Said = Result<ListResponse, Status>;

/// A kubelet that says what the test wants it to say, all at once and pod by pod.
#[derive(Clone)]
struct Kubelet(Arc<Mutex<Said>>, Arc<Vec<PodResources>>);

impl UnaryService<GetRequest> for Kubelet {
    type Response = GetResponse;
    type Future = GrpcFuture<Response<GetResponse>, Status>;

    fn call(&mut self, request: Request<GetRequest>) -> Self::Future {
        let asked = request.into_inner();
        let is = |one: &&PodResources| {
            (&one.name, &one.namespace) == (&asked.pod_name, &asked.pod_namespace)
        };
        let found = self.1.iter().find(is).cloned();
        let unknown = format!("pod {} in namespace ml not found", asked.pod_name);
        let said = found.ok_or_else(|| Status::unknown(unknown));
        let said = said.map(|pod| Response::new(GetResponse { pod_resources: Some(pod) }));
        Box::pin(std::future::ready(said))
    }
}

impl UnaryService<ListRequest> for Kubelet {
    type Response = ListResponse;
    type Future = GrpcFuture<Response<ListResponse>, Status>;

    fn call(&mut self, _request: Request<ListRequest>) -> Self::Future {
        let said = self.0.lock().unwrap().clone();
        Box::pin(async move { said.map(Response::new) })
    }
}

impl Service<http::Request<axum::body::Body>> for Kubelet {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = GrpcFuture<Self::Response, Self::Error>;

    fn poll_ready(
        &mut self,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let kubelet = self.clone();
        Box::pin(async move {
            if request.uri().path() == "/v1.PodResourcesLister/Get" {
                let codec = ProstCodec::<GetResponse, GetRequest>::default();
                return Ok(Grpc::new(codec).unary(kubelet, request).await);
            }
            assert_eq!(request.uri().path(), "/v1.PodResourcesLister/List");
            let codec = ProstCodec::<ListResponse, ListRequest>::default();
            Ok(Grpc::new(codec).unary(kubelet, request).await)
        })
    }
}

/// Serve on the socket below `root` until the test ends.
pub(super) fn serve(root: &Path, said: Said) -> Arc<Mutex<Said>> {
    serve_each(root, said, Vec::new())
}

/// The same with pods that are told one by one.
pub(super) fn serve_each(root: &Path, said: Said, pods: Vec<PodResources>) -> Arc<Mutex<Said>> {
    let socket = root.join(SOCKET);
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let said = Arc::new(Mutex::new(said));
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let router = axum::Router::new().fallback_service(Kubelet(Arc::clone(&said), Arc::new(pods)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    said
}

pub(super) fn pod(name: &str, devices: &[(&str, &str)]) -> PodResources {
    let devices = devices.iter().map(|(resource, id)| ContainerDevices {
        resource_name: (*resource).to_owned(),
        device_ids: vec![(*id).to_owned()],
    });
    let container = ContainerResources {
        name: "main".to_owned(),
        devices: devices.collect(),
        dynamic_resources: Vec::new(),
    };
    PodResources { name: name.to_owned(), namespace: "ml".to_owned(), containers: vec![container] }
}

pub(super) fn collector(root: &Path, book: &PodBook) -> KubeletCollector {
    KubeletCollector::new(root, "n1", Duration::from_secs(15), book.clone())
}

pub(super) fn lines(harvest: &Harvest) -> Vec<String> {
    let batch = &harvest.batch;
    let mut lines: Vec<_> =
        batch.samples.iter().map(|sample| batch.labels(sample.series).to_string()).collect();
    lines.sort();
    lines
}

fn write_checkpoint(root: &Path, entries: &[(&str, &str)]) {
    let path = root.join(CHECKPOINT);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let entries = entries.iter().map(|(uid, id)| {
        serde_json::json!({ "PodUID": uid, "ContainerName": "main",
            "ResourceName": "nvidia.com/gpu", "DeviceIDs": { "0": [id] } })
    });
    let entries: Vec<_> = entries.collect();
    let file = serde_json::json!({ "Data": { "PodDeviceEntries": entries } });
    std::fs::write(path, file.to_string()).unwrap();
}

#[tokio::test]
async fn a_captured_answer_names_pod_container_and_uuid() {
    let root = tempfile::tempdir().unwrap();
    serve(root.path(), Ok(ListResponse::decode(FIXTURE).unwrap()));
    let mut collector = collector(root.path(), &PodBook::default());
    let harvest = collector.collect(1).await.unwrap();
    let line = |uuid: &str, pod: &str, container: &str| {
        format!(
            "gpu_allocation_info{{confidence=\"high\",container=\"{container}\",device=\"{uuid}\",\
             gpu_uuid=\"{uuid}\",method=\"pod_resources\",namespace=\"ml-team-a\",node=\"n1\",\
             pod=\"{pod}\",resource=\"nvidia.com/gpu\",sharing=\"exclusive\"}}"
        )
    };
    let expected = [
        line("GPU-00000000-0000-0000-0000-000000000000", "trainer-0", "trainer"),
        line("GPU-00000003-0000-0000-0000-000000000000", "trainer-0", "trainer"),
        line("GPU-00000002-0000-0000-0000-000000000000", "infer-0", "vllm"),
    ];
    assert_eq!(lines(&harvest), expected);
    assert!(harvest.faults.is_empty(), "{:?}", harvest.faults);
}

#[tokio::test]
async fn uids_come_from_the_checkpoint_and_pods_that_ended_hold_nothing() {
    let root = tempfile::tempdir().unwrap();
    let gpu = format!("GPU-{U}");
    let pods =
        vec![pod("old", &[("nvidia.com/gpu", &gpu)]), pod("new", &[("nvidia.com/gpu", &gpu)])];
    let said = serve(root.path(), Ok(ListResponse { pod_resources: pods }));
    // Nobody knows which of the two has ended: both, with low confidence, and a fault.
    let mut alone = collector(root.path(), &PodBook::default());
    let harvest = alone.collect(1).await.unwrap();
    assert_eq!(lines(&harvest).len(), 2);
    assert!(lines(&harvest).iter().all(|line| line.contains("confidence=\"low\"")));
    assert_eq!(harvest.faults.len(), 1, "{:?}", harvest.faults);
    // The API server knows.
    let book = PodBook::default();
    let facts = |uid: &str, ended| PodFacts { uid: uid.to_owned(), ended, ..PodFacts::default() };
    let key = |name: &str| ("ml".to_owned(), name.to_owned());
    book.set_pods([(key("old"), facts(U, true)), (key("new"), facts(V, false))].into());
    let harvest = collector(root.path(), &book).collect(2).await.unwrap();
    let found = lines(&harvest);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("gpu_allocation_info") && found[0].contains("pod=\"new\""));
    assert!(found[0].contains(V) && found[0].contains("confidence=\"high\""), "{found:?}");
    assert!(found[1].starts_with("gpu_owner_info"), "{found:?}");
    // So do the control groups, with the checkpoint's UID.
    *said.lock().unwrap() =
        Ok(ListResponse { pod_resources: vec![pod("old", &[("nvidia.com/gpu", &gpu)])] });
    write_checkpoint(root.path(), &[(U, &gpu)]);
    let harvest = alone.collect(3).await.unwrap();
    assert!(lines(&harvest)[0].contains(&format!("pod_uid=\"{U}\"")), "{:?}", lines(&harvest));
    std::fs::create_dir_all(root.path().join(format!("sys/fs/cgroup/kubepods/pod{V}"))).unwrap();
    assert!(lines(&alone.collect(4).await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_device_is_never_guessed_from_an_order() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("proc/driver/nvidia/gpus/0000:41:00.0");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("information"), format!("GPU UUID: GPU-{U}\nDevice Minor: 3\n"))
        .unwrap();
    let mut claimed = pod("dra", &[]);
    claimed.containers[0].dynamic_resources.push(DynamicResource {
        claim_name: "claim".to_owned(),
        claim_namespace: "ml".to_owned(),
        claim_resources: vec![ClaimResource {
            cdi_devices: vec![CdiDevice { name: "k8s.gpu.nvidia.com/claim=x".to_owned() }],
            driver_name: "gpu.nvidia.com".to_owned(),
            pool_name: "n1".to_owned(),
            device_name: "gpu-1".to_owned(),
        }],
    });
    let pods = vec![
        pod("gke", &[("nvidia.com/gpu", "nvidia3/vgpu1")]),
        pod("unknown", &[("nvidia.com/gpu", "nvidia0")]),
        pod("network", &[("nvidia.com/hostdev", "0000:01:00.0")]),
        claimed,
    ];
    serve(root.path(), Ok(ListResponse { pod_resources: pods }));
    let book = PodBook::default();
    let key = ["gpu.nvidia.com", "n1", "gpu-1"].map(str::to_owned);
    let [driver, pool, device] = key;
    book.set_claimed([((driver, pool, device), format!("GPU-{V}"))].into());
    let found = lines(&collector(root.path(), &book).collect(1).await.unwrap());
    let of = |name: &str| {
        let label = format!("pod=\"{name}\"");
        found.iter().find(|line| line.contains(&label)).cloned().unwrap_or_default()
    };
    assert_eq!(found.len(), 3, "a network function is no GPU: {found:?}");
    assert!(of("gke").contains(&format!("gpu_uuid=\"GPU-{U}\"")), "{}", of("gke"));
    assert!(of("gke").contains("sharing=\"replica\""), "{}", of("gke"));
    assert!(!of("unknown").contains("gpu_uuid"), "{}", of("unknown"));
    assert!(of("dra").contains(&format!("gpu_uuid=\"GPU-{V}\"")), "{}", of("dra"));
    assert!(of("dra").contains("method=\"dra\""), "{}", of("dra"));
}

#[tokio::test]
async fn without_podresources_the_checkpoint_stands_in_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    let gpu = format!("GPU-{U}");
    let mut collector = collector(root.path(), &PodBook::default());
    let error = collector.collect(1).await.unwrap_err();
    assert_eq!(error.state, SourceState::Absent);
    assert!(error.hint.contains("/var/lib/kubelet/pod-resources"), "{}", error.hint);
    assert!(!KubeletCollector::is_here(root.path()));
    write_checkpoint(root.path(), &[(V, &gpu)]);
    assert!(KubeletCollector::is_here(root.path()));
    let harvest = collector.collect(2).await.unwrap();
    let found = lines(&harvest);
    assert!(found[0].contains("method=\"checkpoint\""), "{found:?}");
    assert!(found[0].contains(&format!("pod_uid=\"{V}\"")), "{found:?}");
    // A kubelet that refuses is told, and the checkpoint still read.
    serve(root.path(), Err(Status::resource_exhausted("rate limit")));
    let harvest = collector.collect(3).await.unwrap();
    assert_eq!(harvest.faults[0].code, FaultCode::OverLimit);
    assert_eq!(lines(&harvest).len(), 1);
    std::fs::remove_file(root.path().join(CHECKPOINT)).unwrap();
    let error = collector.collect(4).await.unwrap_err();
    assert!(error.hint.contains("[kubernetes] interval"), "{}", error.hint);
}

#[tokio::test]
async fn where_the_list_is_denied_pods_are_asked_for_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    let gpu = format!("GPU-{U}");
    let denied = Err(Status::permission_denied("no"));
    let pods = vec![pod("mine", &[("nvidia.com/gpu", &gpu)])];
    serve_each(root.path(), denied, pods);
    let book = PodBook::default();
    let mut collector = collector(root.path(), &book);
    let error = collector.collect(1).await.unwrap_err();
    assert_eq!(error.state, SourceState::Denied, "nobody is known to ask for: {error:?}");
    let facts = |node: &str| PodFacts {
        node: node.to_owned(),
        uid: U.to_owned(),
        has_gpu: true,
        ..PodFacts::default()
    };
    let key = |name: &str| ("ml".to_owned(), name.to_owned());
    // One that the kubelet does not know yet, and one of another node, do not hide the first.
    let known =
        [(key("coming"), facts("n1")), (key("mine"), facts("n1")), (key("elsewhere"), facts("n2"))];
    book.set_pods(known.into());
    let harvest = collector.collect(2).await.unwrap();
    let edges: Vec<_> =
        lines(&harvest).into_iter().filter(|line| line.starts_with("gpu_allocation")).collect();
    assert_eq!(edges.len(), 1, "{edges:?}");
    assert!(edges[0].contains("pod=\"mine\"") && edges[0].contains(&gpu), "{edges:?}");
    assert_eq!(harvest.faults[0].code, FaultCode::Denied, "it is told all the same");
}

#[tokio::test]
async fn a_socket_nobody_listens_on_is_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let socket = root.path().join(SOCKET);
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let error = collector(root.path(), &PodBook::default()).collect(1).await.unwrap_err();
    assert_eq!((error.state, error.fault.code), (SourceState::Failing, FaultCode::Unreachable));
}
