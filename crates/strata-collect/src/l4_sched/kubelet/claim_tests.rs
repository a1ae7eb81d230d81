//! Devices of claims (dynamic resource allocation), as the kubelet's `v1` answers have them on the wire.

use prost::Message;
use tonic::Status;

use super::proto::{CdiDevice, ClaimResource, DynamicResource, ListResponse, PodResources};
use super::tests::{U, V, collector, lines, pod, serve, serve_each};
use super::*;
use crate::l4_sched::pod_book::PodFacts;

/// A pod whose container was given the devices of a claim: driver, pool, device, and the names for the
/// container runtime.
fn claiming(name: &str, devices: &[(&str, &str, &str, &str)]) -> PodResources {
    let mut claiming = pod(name, &[]);
    let claim_resources = devices.iter().map(|(driver, pool, device, cdi)| ClaimResource {
        cdi_devices: cdi
            .split_whitespace()
            .map(|name| CdiDevice { name: name.to_owned() })
            .collect(),
        driver_name: (*driver).to_owned(),
        pool_name: (*pool).to_owned(),
        device_name: (*device).to_owned(),
    });
    claiming.containers[0].dynamic_resources.push(DynamicResource {
        claim_name: "training".to_owned(),
        claim_namespace: "ml".to_owned(),
        claim_resources: claim_resources.collect(),
    });
    claiming
}

const NVIDIA: &str = "gpu.nvidia.com";

fn published(book: &PodBook, devices: &[(&str, &str, String)]) {
    let device = |(pool, device, uuid): &(&str, &str, String)| {
        ((NVIDIA.to_owned(), (*pool).to_owned(), (*device).to_owned()), uuid.clone())
    };
    book.set_claimed(devices.iter().map(device).collect());
}

/// The value of a label, empty where it is not there.
fn label<'a>(line: &'a str, name: &str) -> &'a str {
    let rest = line
        .split_once(&format!("{{{name}=\""))
        .or_else(|| line.split_once(&format!(",{name}=\"")));
    rest.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default()
}

#[tokio::test]
async fn each_device_of_a_claim_is_an_edge_and_its_uuid_is_what_the_driver_published() {
    let root = tempfile::tempdir().unwrap();
    let cdi = format!("k8s.gpu.nvidia.com/claim=uid-GPU-{V}");
    let mig = format!("MIG-{U}");
    let claim = claiming(
        "train",
        &[
            (NVIDIA, "n1", "gpu-0", "k8s.gpu.nvidia.com/device=gpu-0"),
            (NVIDIA, "n1", "gpu-1", &format!("other.com/x=1 {cdi}")),
            (NVIDIA, "n1", "gpu-2-mig-9-4-4", ""),
            (NVIDIA, "n1", "gpu-3", ""),
            ("nic.example.com", "n1", "rdma-0", ""),
        ],
    );
    serve(root.path(), Ok(ListResponse { pod_resources: vec![claim] }));
    let book = PodBook::default();
    published(
        &book,
        &[("n1", "gpu-0", format!("GPU-{U}")), ("n1", "gpu-2-mig-9-4-4", mig.clone())],
    );
    let found = lines(&collector(root.path(), &book).collect(1).await.unwrap());
    assert_eq!(found.len(), 4, "a network device is no GPU: {found:#?}");
    let of = |device: &str| {
        let device = format!("n1/{device}");
        found.iter().find(|line| label(line, "device") == device).unwrap()
    };
    for line in &found {
        let told = ["method", "confidence", "resource", "container"].map(|name| label(line, name));
        assert_eq!(told, ["dra", "high", NVIDIA, "main"]);
    }
    assert_eq!(label(of("gpu-0"), "gpu_uuid"), format!("GPU-{U}"));
    assert_eq!(label(of("gpu-1"), "gpu_uuid"), format!("GPU-{V}"), "by the name for the runtime");
    assert_eq!(label(of("gpu-2-mig-9-4-4"), "mig_uuid"), mig);
    assert_eq!(label(of("gpu-2-mig-9-4-4"), "sharing"), "mig");
    assert_eq!(label(of("gpu-3"), "gpu_uuid"), "", "nobody says which it is, so nothing is said");
}

#[tokio::test]
async fn pods_that_share_a_claim_both_hold_its_device() {
    let root = tempfile::tempdir().unwrap();
    let device = [(NVIDIA, "n1", "gpu-0", "")];
    let pods = vec![claiming("one", &device), claiming("two", &device)];
    serve(root.path(), Ok(ListResponse { pod_resources: pods }));
    let book = PodBook::default();
    published(&book, &[("n1", "gpu-0", format!("GPU-{U}"))]);
    let harvest = collector(root.path(), &book).collect(1).await.unwrap();
    let told = lines(&harvest);
    let told: Vec<_> =
        told.iter().map(|line| (label(line, "pod"), label(line, "confidence"))).collect();
    assert_eq!(
        told,
        [("one", "high"), ("two", "high")],
        "a claim may be shared, a plugin's device not"
    );
    assert!(harvest.faults.is_empty(), "{:?}", harvest.faults);
}

#[tokio::test]
async fn claims_are_told_pod_by_pod_too() {
    let root = tempfile::tempdir().unwrap();
    let pods = vec![claiming("mine", &[(NVIDIA, "n1", "gpu-0", "")])];
    serve_each(root.path(), Err(Status::permission_denied("no")), pods);
    let book = PodBook::default();
    published(&book, &[("n1", "gpu-0", format!("GPU-{U}"))]);
    let facts = |node: &str, has_gpu| PodFacts {
        node: node.to_owned(),
        uid: V.to_owned(),
        has_gpu,
        team: "nlp".to_owned(),
        ..PodFacts::default()
    };
    let key = |name: &str| ("ml".to_owned(), name.to_owned());
    book.set_pods([(key("mine"), facts("n1", true)), (key("web"), facts("n1", false))].into());
    let harvest = collector(root.path(), &book).collect(1).await.unwrap();
    let found = lines(&harvest);
    assert_eq!(found.len(), 2, "{found:#?}");
    let told = ["gpu_uuid", "method", "pod", "pod_uid"].map(|name| label(&found[0], name));
    assert_eq!(told, [&*format!("GPU-{U}"), "dra", "mine", V]);
    assert_eq!(label(&found[1], "team"), "nlp");
}

/// A field of a message on the wire: its number, and bytes of its length.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(number << 3 | 2) as u8];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(content);
    bytes
}

#[test]
fn what_a_newer_kubelet_says_besides_is_passed_over() {
    let name = |number, text: &str| field(number, text.as_bytes());
    // ClaimResource, with a share id (5) of a later version.
    let claimed = [name(2, NVIDIA), name(3, "n1"), name(4, "gpu-0"), name(5, "share-7")].concat();
    // DynamicResource; its field 1 was a class name until 1.29.
    let dynamic =
        [name(1, "old-class"), name(2, "claim"), name(3, "ml"), field(4, &claimed)].concat();
    // ContainerDevices with its topology (3: NUMANode 1).
    let topology = field(1, &[0x08, 0x01]);
    let plugin =
        [name(1, "nvidia.com/gpu"), name(2, &format!("GPU-{V}")), field(3, &topology)].concat();
    // ContainerResources with cpu_ids (3, packed), memory (4) and something not yet thought of.
    let memory = [name(1, "hugepages-2Mi"), vec![0x10, 0x05]].concat();
    let container = [
        name(1, "main"),
        field(2, &plugin),
        field(3, &[1, 2, 3]),
        field(4, &memory),
        field(5, &dynamic),
        name(14, "new"),
    ]
    .concat();
    let pod = [name(1, "train"), name(2, "ml"), field(3, &container)].concat();
    let answer = ListResponse::decode(&*field(1, &pod)).unwrap();
    let found = &answer.pod_resources[0].containers[0];
    assert_eq!(found.devices[0].device_ids, [format!("GPU-{V}")]);
    let claim = &found.dynamic_resources[0];
    assert_eq!((&*claim.claim_name, &*claim.claim_namespace), ("claim", "ml"));
    let device = &claim.claim_resources[0];
    let told = [&*device.driver_name, &*device.pool_name, &*device.device_name];
    assert_eq!(told, [NVIDIA, "n1", "gpu-0"]);
}
