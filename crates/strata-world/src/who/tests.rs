//! Each state of a device, from the series that make it.

use strata_model::Labels;

use super::ledger::{read, read_shares};
use super::*;

fn row(labels: &[(&str, &str)], value: f64) -> Row {
    Row { labels: Labels::from_pairs(labels.iter().copied()), value }
}

/// The row with one label more.
fn with_label(row: &Row, label: &str, value: &str) -> Row {
    let mut labels = row.labels.to_builder();
    labels.set(label, value);
    Row { labels: labels.build(), value: row.value }
}

/// One device `g` of node `n`, given to pod `a`; pods `a` and `b` exist on the node.
fn given() -> Answers {
    let device = [("gpu_uuid", "g"), ("node", "n"), ("gpu", "0"), ("gpu_model", "H100")];
    let pod = |name: &str| {
        row(&[("namespace", "ml"), ("pod", name), ("pod_uid", name), ("node", "n")], 1.0)
    };
    let mut owned = pod("a");
    for (label, value) in [("workload", "chat"), ("workload_kind", "Deployment"), ("team", "t")] {
        owned = with_label(&owned, label, value);
    }
    Answers {
        memory: vec![row(&device, 100.0)],
        allocations: vec![row(
            &[
                ("gpu_uuid", "g"),
                ("node", "n"),
                ("namespace", "ml"),
                ("pod", "a"),
                ("pod_uid", "a"),
                ("container", "c"),
                ("method", "pod_resources"),
                ("confidence", "high"),
            ],
            1.0,
        )],
        workloads: vec![owned, pod("b")],
        ..Answers::default()
    }
}

fn process(pod_uid: &str, bytes: f64) -> Row {
    row(&[("gpu_uuid", "g"), ("node", "n"), ("pid", "7"), ("pod_uid", pod_uid)], bytes)
}

fn peak(value: f64) -> Row {
    row(&[("gpu_uuid", "g"), ("node", "n"), ("gpu", "0")], value)
}

#[test]
fn use_and_allocation_are_put_together() {
    let check = |what: &str, answers: Answers, state: State, evidence: &str| {
        let gpus = read(&answers);
        assert_eq!(gpus.len(), 1, "{what}: {gpus:#?}");
        assert_eq!((gpus[0].state, gpus[0].evidence), (state, evidence), "{what}: {gpus:#?}");
    };
    let with = |processes: &[Row]| Answers { processes: processes.to_vec(), ..given() };
    check("its owner", with(&[process("a", 5.0)]), State::UsedByOwner, "processes");
    check("another", with(&[process("b", 5.0)]), State::UsedByOtherPod, "processes");
    let both = with(&[process("a", 5.0), process("b", 5.0)]);
    check("the owner and another", both, State::UsedByOtherPod, "processes");
    check("nobody's process", with(&[process("", 5.0)]), State::UsedOutsidePods, "processes");
    check("a pod that is gone", with(&[process("z", 5.0)]), State::Orphan, "processes");
    let unknown = Answers { workloads: Vec::new(), ..with(&[process("z", 5.0)]) };
    check("pods are not known", unknown, State::UsedByOtherPod, "processes");
    // The node tells of processes, and this device has none.
    let elsewhere = row(&[("gpu_uuid", "h"), ("node", "n"), ("pid", "9")], 1.0);
    check("no process", with(std::slice::from_ref(&elsewhere)), State::AllocatedIdle, "processes");
    let of_late = Answers { peak: vec![peak(0.9)], ..with(std::slice::from_ref(&elsewhere)) };
    check("it ended a moment ago", of_late, State::UsedByOwner, "processes");
    let free = Answers { allocations: Vec::new(), ..with(&[elsewhere]) };
    check("neither", free, State::Free, "processes");
    let context = Answers { peak: vec![peak(0.0)], ..with(&[process("a", 5.0)]) };
    check("a context and no work", context, State::AllocatedIdle, "processes");
    // Without processes the load tells.
    check("nothing known", given(), State::Unknown, "none");
    let load = |value: f64| Answers { peak: vec![peak(value)], ..given() };
    check("load", load(0.7), State::UsedByOwner, "utilization");
    check("no load", load(0.001), State::AllocatedIdle, "utilization");
    let load = |value: f64| Answers { allocations: Vec::new(), ..load(value) };
    check("no load, nobody's", load(0.0), State::Free, "utilization");
    check("load of nobody", load(0.5), State::Unknown, "utilization");
    // Elsewhere holders are known, so that this one's is missing.
    let mut other = given().allocations;
    other[0] = with_label(&with_label(&other[0], "gpu_uuid", "h"), "node", "m");
    let answers = Answers { allocations: other, ..load(0.5) };
    let found = read(&answers);
    let state = |uuid: &str| found.iter().find(|gpu| gpu.gpu_uuid == uuid).map(|gpu| gpu.state);
    assert_eq!(state("g"), Some(State::UsedOwnerUnknown), "{found:#?}");
}

#[test]
fn memory_is_the_processes_own_and_never_guessed_between_holders() {
    let answers = Answers {
        processes: vec![process("a", 30.0), process("a", 5.0), process("b", 7.0)],
        ..given()
    };
    let gpu = &read(&answers)[0];
    assert_eq!(gpu.holders[0].memory_bytes, Some(35));
    assert_eq!(gpu.strangers[0].memory_bytes, Some(7));
    assert_eq!(gpu.memory_bytes, Some(100));
    let mut two = given();
    let mut other = two.allocations[0].clone();
    for label in ["pod", "pod_uid"] {
        other = with_label(&other, label, "b");
    }
    two.allocations.push(other);
    two.peak.push(peak(0.5));
    let gpu = &read(&two)[0];
    assert_eq!(gpu.holders.iter().map(|one| one.memory_bytes).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn exporters_and_slurm_tell_where_no_agent_does() {
    let exported = row(
        &[("gpu_uuid", "g"), ("node", "n"), ("namespace", "ml"), ("pod", "b"), ("container", "x")],
        1.0,
    );
    let both = Answers { exported: vec![exported], ..given() };
    let gpu = &read(&both)[0];
    assert_eq!(gpu.holders.len(), 1, "the kubelet's word is not doubled");
    assert_eq!((&*gpu.holders[0].workload, &*gpu.holders[0].team), ("chat", "t"));
    let only = Answers { allocations: Vec::new(), ..both };
    let gpu = &read(&only)[0];
    assert_eq!((&*gpu.holders[0].pod, &*gpu.holders[0].method), ("b", "exporter"));
    let slurm = Answers {
        memory: given().memory,
        slurm_devices: vec![row(&[("node", "n"), ("gpu", "0"), ("slurm_job_id", "5")], 1.0)],
        jobs: vec![row(&[("slurm_job_id", "5"), ("job_name", "train"), ("account", "nlp")], 1.0)],
        slurm_processes: vec![row(&[("node", "n"), ("pid", "7"), ("slurm_job_id", "5")], 1.0)],
        processes: vec![process("", 9.0)],
        ..Answers::default()
    };
    let gpu = &read(&slurm)[0];
    let holder = &gpu.holders[0];
    assert_eq!(gpu.state, State::UsedByOwner, "{gpu:#?}");
    assert_eq!((&*holder.workload, &*holder.team), ("train", "nlp"));
    assert_eq!(holder.memory_bytes, Some(9));
}

#[test]
fn a_device_that_slurm_cut_into_shards_has_all_their_jobs() {
    let shard = |job: &str| {
        let labels = [("node", "n"), ("gpu", "3"), ("slurm_job_id", job), ("sharing", "shard")];
        row(&labels, 1.0)
    };
    let answers = Answers { slurm_devices: vec![shard("15"), shard("16")], ..given() };
    let gpus = read(&answers);
    assert_eq!(gpus.len(), 2, "the device is there though nothing else tells of it: {gpus:#?}");
    let jobs: Vec<_> = gpus[1].holders.iter().map(|one| &*one.slurm_job_id).collect();
    assert_eq!((&*gpus[1].gpu, &*jobs), ("3", &["15", "16"][..]));
}

#[test]
fn a_device_is_divided_by_what_tells_most_of_it() {
    let device = |value: f64| row(&[("gpu_uuid", "g"), ("node", "n"), ("gpu", "0")], value);
    let base = || ShareAnswers {
        busy: vec![device(0.6)],
        limit: vec![device(200.0)],
        power: vec![device(400.0)],
        power_floor: vec![device(100.0)],
        ..ShareAnswers::default()
    };
    let given = || Answers { peak: vec![device(0.9)], ..given() };
    let time = |told: ShareAnswers| read_shares(&given(), &told)[0].shares.sm_time.clone().unwrap();
    let alone = time(base());
    assert_eq!((alone.evidence, alone.owners.len()), ("sole_holder", 1));
    assert!((alone.owners[0].share - 0.6).abs() < 1e-9 && (alone.idle - 0.4).abs() < 1e-9);
    let shared = time(ShareAnswers {
        process_busy: vec![process("a", 0.2), process("b", 0.1), process("", 0.2)],
        ..base()
    });
    let parts: Vec<(&str, f64)> =
        shared.owners.iter().map(|part| (&*part.owner.pod, part.share)).collect();
    assert_eq!((shared.evidence, parts), ("processes", vec![("a", 0.2), ("b", 0.1)]));
    assert!(
        (shared.unattributed - 0.3).abs() < 1e-9,
        "a process in no pod is nobody's: {shared:?}"
    );
    let slice = |uuid: &str, profile: &str, value: f64| {
        row(&[("gpu_uuid", "g"), ("mig_uuid", uuid), ("mig_profile", profile)], value)
    };
    let split = ShareAnswers {
        slice_busy: vec![slice("m1", "1g.10gb", 0.7), slice("m2", "2g.20gb", 0.35)],
        busy: Vec::new(),
        ..base()
    };
    let mut held = given();
    held.allocations[0] = with_label(&held.allocations[0], "mig_uuid", "m1");
    let split = read_shares(&held, &split)[0].shares.sm_time.clone().unwrap();
    assert!((split.owners[0].share - 0.1).abs() < 1e-9, "{split:?}");
    assert!(
        (split.unattributed - 0.1).abs() < 1e-9 && (split.idle - 0.8).abs() < 1e-9,
        "{split:?}"
    );
    // Without the whole of a device there is no share of it.
    let unwhole = ShareAnswers { busy: Vec::new(), limit: Vec::new(), ..base() };
    assert_eq!(read_shares(&given(), &unwhole)[0].shares, Shares::default());
    let known = &read_shares(&given(), &base())[0].shares;
    assert!((known.memory.as_ref().unwrap().idle - 0.5).abs() < 1e-9, "{known:?}");
    assert!((known.energy.as_ref().unwrap().idle - 0.1).abs() < 1e-9, "{known:?}");
}
