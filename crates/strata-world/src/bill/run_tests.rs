//! Training runs of periods made of samples.

use strata_query::promqltest::MemorySource;

use super::HolderKind;
use super::tests::{on, push, world};

fn trained(source: &mut MemorySource, more: &[(&'static str, &'static str)]) {
    let name = |name| {
        let own = [("__name__", name), ("run", "pretrain"), ("framework", "megatron")];
        own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>()
    };
    // A step each 15 s; in the third minute it goes back by four.
    let step = |at: i64| 100.0 + at as f64 / 15_000.0 - if at >= 165_000 { 4.0 } else { 0.0 };
    push(source, &name("training_step"), |at| Some(step(at)));
    // Every rank tells of the tokens of all of them.
    for rank in ["0", "1"] {
        let labels = [&name("training_tokens_total")[..], &[("rank", rank)]].concat();
        push(source, &labels, |at| Some(step(at) * 1e6));
    }
    push(source, &name("training_data_wait_time_seconds_total"), |at| Some(at as f64 / 1e4));
    let shape = [("__name__", "training_run_info"), ("run", "pretrain"), ("world_size", "1")];
    push(source, &[&shape[..], &[("model", "vl-7b")]].concat(), |_| Some(1.0));
    for (name, rank, value) in [
        ("training_flops_rate_per_second", "0", 5e14),
        ("training_flops_rate_per_second", "1", 3e14),
        ("training_step_duration_seconds", "0", 15.0),
    ] {
        let labels = [("__name__", name), ("run", "pretrain"), ("rank", rank)];
        push(source, &labels, |_| Some(value));
    }
    let labels = [
        ("__name__", "training_badput_time_seconds_total"),
        ("run", "pretrain"),
        ("type", "data_loading"),
    ];
    push(source, &labels, |at| Some(at as f64 / 1e4));
}

fn held(source: &mut MemorySource, pod: &'static str, gpu: &'static str) {
    let edge = [("gpu_uuid", gpu), ("namespace", "n"), ("pod", pod), ("method", "podresources")];
    on(source, "hw_gpu_memory_usage_bytes", &[("gpu_uuid", gpu)], 1e9);
    on(source, "gpu_allocation_info", &edge, 1.0);
}

#[test]
fn a_run_is_followed_and_its_workload_holds_its_gpus() {
    let mut source = MemorySource::new();
    trained(&mut source, &[]);
    held(&mut source, "pretrain-worker-0", "GPU-1");
    held(&mut source, "other", "GPU-2");
    let workload = |namespace, pod, workload| {
        let name = ("__name__", "k8s_pod_workload_info");
        [name, ("namespace", namespace), ("pod", pod), ("workload", workload)]
    };
    push(&mut source, &workload("n", "pretrain-worker-0", "pretrain"), |_| Some(1.0));
    push(&mut source, &workload("n", "other", "other"), |_| Some(1.0));
    let made = [("__name__", "k8s_pod_owner_info"), ("owner_name", "pretrain"), ("namespace", "n")];
    push(&mut source, &[&made[..], &[("pod", "bare-worker")]].concat(), |_| Some(1.0));
    held(&mut source, "bare-worker", "GPU-3");
    // Of the same name, and on no GPU.
    push(&mut source, &workload("m", "pretrain-web", "pretrain"), |_| Some(1.0));
    let world = world(source);
    assert_eq!(world.notes, Vec::<String>::new());
    let [run] = world.runs.as_slice() else { panic!("{:?}", world.runs) };
    assert_eq!(
        (run.run.as_str(), run.model.as_deref(), run.ranks),
        ("pretrain", Some("vl-7b"), Some(1.0))
    );
    let pod = |pod: &str| (HolderKind::Pod, "n".to_owned(), pod.to_owned());
    let mut holders = run.holders.clone();
    holders.sort();
    assert_eq!(run.method, Some("workload"));
    assert_eq!(holders, ["bare-worker", "pretrain-worker-0"].map(pod));
    assert_eq!(run.step, [104.0, 108.0, 108.0, 112.0, 116.0].map(Some));
    assert_eq!(run.step_max[2], Some(110.0));
    assert_eq!(run.step_min[2], Some(107.0), "after the restart");
    assert_eq!(run.step_before, Some(100.0));
    assert_eq!(run.tokens[0], Some(1.04e8));
    assert_eq!(run.step_gpu_flop[4], Some(6e15));
    let waited = run.badput_s["data_loading"][3].unwrap();
    assert!((waited - 6.0).abs() < 1e-9 && (run.data_wait_s[3].unwrap() - 6.0).abs() < 1e-9);
    assert_eq!(run.save_s, Vec::new(), "nobody measures it");
}

#[test]
fn the_trainers_own_labels_come_first_where_they_hold_a_gpu() {
    let of = |pods: &[&'static str]| {
        let mut source = MemorySource::new();
        trained(&mut source, &[("namespace", "n"), ("pod", "trainer")]);
        for (pod, gpu) in pods.iter().copied().zip(["GPU-1", "GPU-2"]) {
            held(&mut source, pod, gpu);
        }
        for (namespace, pod) in [("n", "p"), ("m", "q")] {
            let workload = [("__name__", "k8s_pod_workload_info"), ("workload", "pretrain")];
            let labels = [&workload[..], &[("namespace", namespace), ("pod", pod)]].concat();
            push(&mut source, &labels, |_| Some(1.0));
        }
        let mut world = world(source);
        let run = world.runs.remove(0);
        (run.method, run.holders.into_iter().map(|holder| holder.2).collect::<Vec<_>>())
    };
    assert_eq!(of(&["trainer", "p"]), (Some("label"), vec!["trainer".to_owned()]));
    assert_eq!(of(&["p"]), (Some("workload"), vec!["p".to_owned()]), "a collector's pod has none");
    assert_eq!(of(&["stranger"]), (None, Vec::new()));
}
