//! Parsers of what kernels, drivers and schedulers write, over captures that were damaged at random.
//!
//! The fuzz targets do the same with coverage; this needs no further tool. `PROPTEST_CASES` says how often.

use proptest::prelude::*;
use proptest::sample::Index;
use strata_collect::fuzz;

/// One damage to a capture.
#[derive(Debug, Clone)]
enum Damage {
    Byte(Index, u8),
    Cut(Index, u8),
    Repeat(Index, u8),
    Insert(Index, &'static str),
}

/// What tends to be read wrongly.
const TOKENS: [&str; 14] = [
    "-1",
    "18446744073709551616",
    "1e999",
    "NaN",
    "\0",
    "\n",
    "\"",
    "{}",
    "[]",
    "null",
    "::",
    "//",
    "gres/gpu:",
    "\u{fffd}",
];

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Cut(at, length)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (any::<Index>(), prop::sample::select(&TOKENS[..]))
            .prop_map(|(at, token)| Damage::Insert(at, token)),
    ];
    prop::collection::vec(one, 0..8)
}

fn damaged(seed: &[u8], damages: Vec<Damage>) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        let range = |at: Index, long: u8| {
            let at = at.index(length);
            at..(at + usize::from(long)).min(length)
        };
        match damage {
            Damage::Byte(at, byte) => bytes[at.index(length)] = byte,
            Damage::Cut(at, long) => drop(bytes.drain(range(at, long))),
            Damage::Repeat(at, long) => {
                let again = bytes[range(at, long)].to_vec();
                let at = at.index(length);
                bytes.splice(at..at, again);
            }
            Damage::Insert(at, token) => {
                let at = at.index(length);
                bytes.splice(at..at, token.bytes());
            }
        }
    }
    bytes
}

const POD_RESOURCES: &[u8] = include_bytes!("fixtures/kubelet/podresources-v1-list.pb");
const SQUEUE: &[u8] = include_bytes!("fixtures/slurm/squeue-shards-v22.05.8.json");
const SCONTROL: &str = include_str!("fixtures/slurm/scontrol-job-shards.txt");
const KFD: &[u8] =
    b"type 11\nversion_major 0\nnode_from 2\nnode_to 3\nweight 15\nlocation_id 12288\ndomain 0\n";
const ENVIRONMENT: &[u8] =
    b"PATH=/bin\0SLURM_JOB_ID=12\0SLURM_JOB_GPUS=2,3\0CUDA_VISIBLE_DEVICES=GPU-a,MIG-b\0TOKEN=secret\0";
const BRIDGES: &str =
    "../../../devices/pci0000:17/0000:17:01.0/0000:18:00.0/0000:19:00.0/0000:1a:00.0";

/// An object of a list that was captured.
fn object() -> impl Strategy<Value = Vec<u8>> {
    let lists = [
        include_str!("fixtures/k8s/pods-list-v1.20.2.json"),
        include_str!("fixtures/k8s/nodes-list-v1.20.2.json"),
        include_str!("fixtures/k8s/events-list-v1.20.2.json"),
    ];
    let items = lists.iter().flat_map(|list| {
        let list: serde_json::Value = serde_json::from_str(list).expect("a capture");
        list["items"].as_array().expect("a list").clone()
    });
    let items: Vec<Vec<u8>> = items.map(|item| serde_json::to_vec(&item).expect("JSON")).collect();
    assert!(items.len() > 5, "the captures have objects");
    prop::sample::select(items)
}

#[test]
fn captures_are_read_as_they_are() {
    assert_eq!(fuzz::pod_resources(POD_RESOURCES), Some(3));
    assert!(fuzz::slurm_json(SQUEUE).is_some_and(|jobs| jobs > 0));
    assert!(fuzz::slurm_text(SCONTROL) > 0);
    assert_eq!(fuzz::amd_map(KFD), (Some(3), Some("0000:30:00.0".to_owned())));
    assert_eq!(fuzz::slurm_environment(ENVIRONMENT), 3);
    assert_eq!(fuzz::pcie_way(BRIDGES, &BRIDGES.replace("1a:00.0", "1a:00.1")), Some("board"));
    assert!(!fuzz::kubernetes_object(b"[]"));
}

proptest! {
    #[test]
    fn the_kubelets_answers_are_survived(damages in damage()) {
        let bytes = damaged(POD_RESOURCES, damages);
        prop_assert!(fuzz::pod_resources(&bytes).is_none_or(|devices| devices <= bytes.len()));
    }

    #[test]
    fn what_slurm_writes_is_survived(damages in damage()) {
        let bytes = damaged(SQUEUE, damages.clone());
        prop_assert!(fuzz::slurm_json(&bytes).is_none_or(|jobs| jobs <= bytes.len()));
        let text = damaged(SCONTROL.as_bytes(), damages.clone());
        let text = String::from_utf8_lossy(&text);
        prop_assert!(fuzz::slurm_text(&text) <= text.len());
        let environment = damaged(ENVIRONMENT, damages);
        prop_assert!(fuzz::slurm_environment(&environment) <= environment.len());
    }

    #[test]
    fn maps_of_gpus_are_survived(damages in damage(), more in damage()) {
        let (_, place) = fuzz::amd_map(&damaged(KFD, damages.clone()));
        prop_assert!(place.is_none_or(|place| place.len() >= "0000:00:00.0".len()));
        let text = |damages| String::from_utf8_lossy(&damaged(BRIDGES.as_bytes(), damages)).into_owned();
        let (one, other) = (text(damages), text(more));
        prop_assert_eq!(fuzz::pcie_way(&one, &other), fuzz::pcie_way(&other, &one));
    }

    #[test]
    fn fields_of_the_driver_are_numbers_or_nothing(code in 0_u32..3, kind in 0_u32..12, bytes: [u8; 8]) {
        let value = fuzz::nvidia_field(code, kind, bytes);
        prop_assert!(value.is_none_or(f64::is_finite));
        prop_assert!(value.is_none() || code == 0);
    }

    #[test]
    fn objects_of_the_api_server_are_survived(object in object(), damages in damage()) {
        prop_assert!(fuzz::kubernetes_object(&object), "as captured");
        fuzz::kubernetes_object(&damaged(&object, damages));
    }
}
