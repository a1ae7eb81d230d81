//! Whatever the sources tell of who uses a device, its parts are the device.

use proptest::prelude::*;
use strata_model::Labels;

use super::ledger::read_shares;
use super::{Answers, Division, Row, ShareAnswers};

const PROFILES: [&str; 4] = ["1g.10gb", "2g.20gb", "3g.40gb", "unheard of"];

/// What a source tells of one user: the pod (the first is nobody's), the instance, its profile, and a
/// number.
type Told = (usize, usize, usize, f64);

fn told() -> impl Strategy<Value = Vec<Told>> {
    proptest::collection::vec(
        (0_usize..4, 0_usize..3, 0_usize..PROFILES.len(), -0.2_f64..1.5),
        0..5,
    )
}

/// A series of the one device.
fn row(more: &[(&str, &str)], value: f64) -> Row {
    let device =
        [("gpu_uuid", "g"), ("node", "n"), ("gpu", "0"), ("gpu_model", "NVIDIA H100 80GB")];
    Row { labels: Labels::from_pairs(device.iter().chain(more).copied()), value }
}

fn rows(told: &[Told], mig: bool) -> Vec<Row> {
    let row = |(pod, instance, profile, value): &Told| {
        let (name, uuid) = (format!("p{pod}"), format!("MIG-{instance}"));
        let pod: &[(&str, &str)] = if *pod == 0 {
            &[]
        } else {
            &[("namespace", "ml"), ("pod", &name), ("pod_uid", &name)]
        };
        let slice: &[(&str, &str)] =
            if mig { &[("mig_uuid", &uuid), ("mig_profile", PROFILES[*profile])] } else { &[] };
        row(&[pod, slice].concat(), *value)
    };
    told.iter().map(row).collect()
}

fn parts(division: &Division) -> Vec<f64> {
    let owners = division.owners.iter().map(|part| part.share);
    owners.chain([division.idle, division.unattributed]).collect()
}

proptest! {
    #[test]
    fn parts_are_the_device_whatever_tells_of_them(
        holders in told(),
        processes in told(),
        vgpus in told(),
        slices in told(),
        memory in told(),
        busy in proptest::option::of(0.0_f64..1.0),
        used in 0.0_f64..100.0,
    ) {
        let is_split = !slices.is_empty();
        let answers = Answers {
            memory: vec![row(&[], used)],
            allocations: rows(&holders, is_split),
            processes: rows(&memory, false),
            ..Answers::default()
        };
        let told = ShareAnswers {
            limit: vec![row(&[], 80.0)],
            busy: busy.map(|busy| row(&[], busy)).into_iter().collect(),
            power: vec![row(&[], 300.0)],
            power_floor: vec![row(&[], 100.0)],
            process_busy: rows(&processes, false),
            vgpu_busy: rows(&vgpus, false),
            slice_busy: rows(&slices, true),
        };
        let gpus = read_shares(&answers, &told);
        prop_assert_eq!(gpus.len(), 1);
        let shares = &gpus[0].shares;
        let evidence = shares.sm_time.as_ref().map(|time| time.evidence);
        let known = slices.iter().all(|(_, _, profile, _)| *profile < 3);
        let expected = match (is_split, processes.is_empty(), vgpus.is_empty()) {
            (true, ..) => known.then_some("mig"),
            _ if busy.is_none() => None,
            (_, false, _) => Some("processes"),
            (_, _, false) => Some("vgpu"),
            _ => evidence.filter(|word| ["sole_holder", "none"].contains(word)),
        };
        prop_assert_eq!(evidence, expected);
        prop_assert_eq!(evidence.is_some(), if is_split { known } else { busy.is_some() });
        prop_assert_eq!(shares.energy.is_some(), shares.sm_time.is_some());
        for division in [&shares.sm_time, &shares.memory, &shares.energy].into_iter().flatten() {
            let parts = parts(division);
            prop_assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", division);
            prop_assert!(parts.iter().all(|part| (0.0..=1.0 + 1e-9).contains(part)), "{:?}", division);
            let named = division.owners.iter().all(|part| !part.owner.pod.is_empty());
            prop_assert!(named, "nobody's part is unattributed: {:?}", division);
        }
    }
}
