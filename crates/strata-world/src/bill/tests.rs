//! Periods made of samples, through the real evaluator.

use std::collections::BTreeMap;
use std::sync::Arc;

use strata_model::Labels;
use strata_model::catalog::Catalog;
use strata_query::canonical::CanonicalSource;
use strata_query::promql::{EvalOptions, Query, evaluate};
use strata_query::promqltest::MemorySource;
use strata_query::{Answer, QueryError};

use super::{
    BillWorld, Counting, EngineRole, Hold, HolderKind, Part, Period, bill, bill_plan, tenant_plan,
    tenant_totals,
};
use crate::ask::Planned;

const PERIOD: Period = Period { start_ms: 0, step_ms: 60_000, steps: 5 };

pub(super) fn push(
    source: &mut MemorySource,
    labels: &[(&str, &str)],
    values: impl Fn(i64) -> Option<f64>,
) {
    let labels = Labels::from_pairs(labels.iter().copied());
    for at_ms in (0..=PERIOD.end_ms()).step_by(15_000) {
        if let Some(value) = values(at_ms) {
            source.push_float(&labels, at_ms, value);
        }
    }
}

pub(super) fn world(source: MemorySource) -> BillWorld {
    let plan = bill_plan(&PERIOD);
    bill(&PERIOD, &plan, &answers(source, plan.clone()), Some(1.0))
}

fn answers(
    source: MemorySource,
    planned: Vec<Planned>,
) -> BTreeMap<String, Result<Answer, QueryError>> {
    let source = CanonicalSource::new(Arc::new(source), Catalog::builtin());
    let window = PERIOD.window();
    let mut answers = BTreeMap::new();
    for query in planned {
        let start_ms = if query.range { window.start_ms } else { window.end_ms };
        let step_ms = query.range.then_some(window.step_ms);
        let asked = Query { text: &query.text, start_ms, end_ms: window.end_ms, step_ms };
        let answer = evaluate(&source, &asked, &EvalOptions::default(), &|| None);
        answers.insert(query.key, answer);
    }
    answers
}

fn dcgm(name: &'static str, pod: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut labels = vec![
        ("__name__", name),
        ("UUID", "GPU-1"),
        ("gpu", "0"),
        ("modelName", "NVIDIA H100 80GB HBM3"),
        ("Hostname", "node-1"),
        ("instance", "node-1:9400"),
        ("job", "dcgm"),
    ];
    if !pod.is_empty() {
        labels.extend([("exported_pod", pod), ("exported_namespace", "prod")]);
    }
    labels
}

#[test]
fn a_gpu_is_held_while_its_series_name_a_pod() {
    let mut source = MemorySource::new();
    let busy = |at: i64| (120_000..=240_000).contains(&at);
    push(&mut source, &dcgm("DCGM_FI_DEV_GPU_UTIL", "web-1"), |at| busy(at).then_some(50.0));
    push(&mut source, &dcgm("DCGM_FI_DEV_GPU_UTIL", ""), |at| (!busy(at)).then_some(0.0));
    push(&mut source, &dcgm("DCGM_FI_DEV_POWER_USAGE", ""), |_| Some(100.0));
    let world = world(source);
    assert_eq!(world.notes, Vec::<String>::new());
    let [gpu] = world.gpus.as_slice() else { panic!("{:?}", world.gpus) };
    assert_eq!((gpu.id.as_str(), gpu.node.as_deref()), ("GPU-1", Some("node-1")));
    assert_eq!(gpu.model.as_deref(), Some("NVIDIA H100 80GB HBM3"));
    assert_eq!(gpu.seen, [true; 5]);
    let utilization: Vec<f64> = gpu.utilization.iter().map(|value| value.unwrap()).collect();
    assert_eq!((utilization[0], utilization[2], utilization[4]), (0.0, 0.5, 0.0));
    // 100 W for a minute.
    assert_eq!(gpu.energy_j, [Some(6000.0); 5]);
    let hold = Hold {
        first: 1,
        end: 4,
        kind: HolderKind::Pod,
        namespace: "prod".to_owned(),
        pod: "web-1".to_owned(),
        team: None,
        method: "exporter".to_owned(),
        part: Part::default(),
    };
    assert_eq!(gpu.holds, [hold]);
    assert!(gpu.names_holders);
}

#[test]
fn a_replica_is_counted_by_steps() {
    let mut source = MemorySource::new();
    let vllm = |name: &'static str| {
        vec![
            ("__name__", name),
            ("model_name", "m"),
            ("engine", "0"),
            ("instance", "n:8000"),
            ("job", "vllm"),
        ]
    };
    push(&mut source, &vllm("vllm:generation_tokens_total"), |at| Some(at as f64 / 100.0));
    push(&mut source, &vllm("vllm:num_requests_running"), |at| (at <= 180_000).then_some(1.0));
    for (le, share) in [("0.5", 0.25), ("1.0", 0.5), ("2.5", 1.0), ("+Inf", 1.0)] {
        let mut labels = vllm("vllm:time_to_first_token_seconds_bucket");
        labels.push(("le", le));
        push(&mut source, &labels, |at| Some(at as f64 / 1000.0 * share));
    }
    let world = world(source);
    let [replica] = world.replicas.as_slice() else { panic!("{:?}", world.replicas) };
    assert_eq!(replica.model.as_deref(), Some("m"));
    assert_eq!(replica.engine.as_deref(), Some("vllm"));
    assert_eq!(replica.up, [true; 5], "its counter is still there");
    let generated: f64 = replica.generated.iter().flatten().sum();
    assert!((generated - 3000.0).abs() < 300.0, "{:?}", replica.generated);
    assert_eq!(replica.cached, Vec::new(), "nobody counts it");
    let within = replica.within_slo.unwrap();
    assert!((within - 0.5).abs() < 1e-9, "{within}");
}

#[test]
fn nothing_is_billed_before_anything_was_seen() {
    let mut source = MemorySource::new();
    push(&mut source, &dcgm("DCGM_FI_DEV_GPU_UTIL", "web-1"), |at| (at > 120_000).then_some(50.0));
    let (period, world) = world(source).from_first_sight(PERIOD);
    assert_eq!((period.start_ms, period.steps), (120_000, 3));
    assert_eq!(period.end_ms(), PERIOD.end_ms());
    let gpu = &world.gpus[0];
    assert_eq!((gpu.seen.len(), gpu.utilization.len(), gpu.energy_j.len()), (3, 3, 3));
    assert_eq!((gpu.holds[0].first, gpu.holds[0].end), (0, 3));
}

#[test]
fn a_job_of_slurm_holds_and_a_node_that_names_nobody_is_not_free() {
    let mut source = MemorySource::new();
    let used = |uuid: &'static str, node: &'static str| {
        [
            ("__name__", "hw_gpu_memory_usage_bytes"),
            ("gpu_uuid", uuid),
            ("gpu", "0"),
            ("node", node),
        ]
    };
    for (uuid, node) in [("GPU-1", "s1"), ("GPU-2", "s1"), ("GPU-3", "s2"), ("GPU-4", "bare")] {
        push(&mut source, &used(uuid, node), |_| Some(1e9));
    }
    let allocation = [
        ("__name__", "gpu_allocation_info"),
        ("gpu_uuid", "GPU-1"),
        ("gpu", "0"),
        ("node", "s1"),
        ("job", "42"),
        ("slurm_job_id", "42"),
        ("method", "slurm"),
    ];
    push(&mut source, &allocation, |_| Some(1.0));
    for node in ["s1", "s2"] {
        push(&mut source, &[("__name__", "slurm_node_info"), ("node", node)], |_| Some(1.0));
    }
    let world = world(source);
    let told: Vec<_> = world.gpus.iter().map(|gpu| (gpu.names_holders, gpu.holds.len())).collect();
    // Held, free beside it, free on another node of the cluster, and nobody knows.
    assert_eq!(told, [(true, 1), (true, 0), (true, 0), (false, 0)]);
    let hold = &world.gpus[0].holds[0];
    assert_eq!((hold.namespace.as_str(), hold.pod.as_str()), ("slurm jobs", "42"));
    assert_eq!(hold.kind, HolderKind::SlurmJob);
    assert_eq!((hold.first, hold.end, hold.method.as_str()), (0, 5, "slurm"));
}

#[test]
fn a_pod_of_a_namespace_called_slurm_is_no_job() {
    let mut source = MemorySource::new();
    let used = [("__name__", "hw_gpu_memory_usage_bytes"), ("gpu_uuid", "GPU-1"), ("node", "n")];
    push(&mut source, &used, |_| Some(1e9));
    let of_pod = [("namespace", "slurm"), ("pod", "42"), ("method", "podresources")];
    let of_job = [("job", "42"), ("slurm_job_id", "42"), ("method", "slurm")];
    for own in [of_pod, of_job] {
        let edge = [("__name__", "gpu_allocation_info"), ("gpu_uuid", "GPU-1"), ("node", "n")];
        let labels: Vec<_> = edge.into_iter().chain(own).collect();
        push(&mut source, &labels, |_| Some(1.0));
    }
    let world = world(source);
    let holds = world.gpus[0].holds.iter();
    let told: Vec<_> = holds.map(|hold| (hold.kind, &*hold.namespace, &*hold.pod)).collect();
    // Each in a line of its own, by namespace too.
    let job = (HolderKind::SlurmJob, "slurm jobs", "42");
    assert_eq!(told, [(HolderKind::Pod, "slurm", "42"), job]);
}

#[test]
fn two_series_of_one_gpu_are_one_track() {
    let mut source = MemorySource::new();
    let mut other = dcgm("DCGM_FI_DEV_GPU_UTIL", "");
    other[2] = ("gpu", "7");
    push(&mut source, &dcgm("DCGM_FI_DEV_GPU_UTIL", ""), |at| (at < 150_000).then_some(50.0));
    push(&mut source, &other, |at| (at >= 150_000).then_some(30.0));
    let world = world(source);
    assert_eq!(world.gpus.len(), 1);
    assert!(world.gpus[0].utilization.iter().all(Option::is_some), "{:?}", world.gpus[0]);
}

/// A sample each 15 s of a series with the labels of a GPU.
pub(super) fn on(
    source: &mut MemorySource,
    name: &'static str,
    more: &[(&'static str, &'static str)],
    value: f64,
) {
    let gpu = [("__name__", name), ("gpu_uuid", "GPU-1"), ("gpu", "0"), ("node", "n")];
    let own = gpu.into_iter().filter(|(name, _)| more.iter().all(|(known, _)| known != name));
    let labels: Vec<_> = own.chain(more.iter().copied()).collect();
    push(source, &labels, |_| Some(value));
}

#[test]
fn slices_belong_to_their_gpu_and_have_their_part_of_it() {
    let mut source = MemorySource::new();
    let model = [("gpu_model", "NVIDIA H100 80GB HBM3")];
    on(&mut source, "hw_gpu_memory_usage_bytes", &model, 1e9);
    on(&mut source, "hw_gpu_memory_limit_bytes", &model, 81_559.0 * 1024.0 * 1024.0);
    let instances = [("MIG-a", "1", "1g.10gb", "a", 0.5), ("MIG-b", "2", "3g.40gb", "b", 1.0)];
    for (uuid, instance, profile, pod, active) in instances {
        let slice = [("mig_uuid", uuid), ("mig_instance", instance), ("mig_profile", profile)];
        on(&mut source, "gpu_mig_memory_usage_bytes", &slice, 1e9);
        on(&mut source, "gpu_mig_engine_active_ratio", &slice, active);
        // The kubelet knows the instance, not the GPU it is on.
        let edge = [
            ("gpu_uuid", uuid),
            ("gpu", ""),
            ("mig_uuid", uuid),
            ("namespace", "n"),
            ("pod", pod),
            ("sharing", "mig"),
            ("device", uuid),
        ];
        on(&mut source, "gpu_allocation_info", &edge, 1.0);
    }
    let world = world(source);
    let [gpu] = world.gpus.as_slice() else { panic!("{:?}", world.gpus) };
    let parts: Vec<_> = gpu.holds.iter().map(|hold| (&*hold.pod, hold.part)).collect();
    let mig = |cores: f64, memory| Part { how: "mig", cores: Some(cores), memory: Some(memory) };
    assert_eq!(parts, [("a", mig(1.0 / 7.0, 1.0 / 8.0)), ("b", mig(3.0 / 7.0, 4.0 / 8.0))]);
    let used = |pod: &str| gpu.used[&("n".to_owned(), pod.to_owned())][2].unwrap();
    assert!((used("a") - 0.5 / 7.0).abs() < 1e-12 && (used("b") - 3.0 / 7.0).abs() < 1e-12);
}

#[test]
fn a_slice_that_changes_hands_is_used_by_who_has_it() {
    let mut source = MemorySource::new();
    on(&mut source, "hw_gpu_memory_usage_bytes", &[("gpu_model", "NVIDIA H100 80GB HBM3")], 1e9);
    let slice = [("mig_uuid", "MIG-a"), ("mig_instance", "1"), ("mig_profile", "1g.10gb")];
    on(&mut source, "gpu_mig_memory_usage_bytes", &slice, 1e9);
    on(&mut source, "gpu_mig_engine_active_ratio", &slice, 0.7);
    // The first has it for two steps, both are seen in the third, the other has it from then on.
    for (pod, from, until) in [("first", 0, 135_000), ("other", 150_000, 300_000)] {
        let edge = [
            ("__name__", "gpu_allocation_info"),
            ("gpu_uuid", "MIG-a"),
            ("node", "n"),
            ("mig_uuid", "MIG-a"),
            ("namespace", "n"),
            ("pod", pod),
            ("sharing", "mig"),
            ("device", "MIG-a"),
        ];
        push(&mut source, &edge, |at| (from..=until).contains(&at).then_some(1.0));
    }
    let world = world(source);
    let used = |pod: &str| {
        let used = &world.gpus[0].used[&("n".to_owned(), pod.to_owned())];
        used.iter().map(|used| used.map(|used| (used * 1e6).round() / 1e6)).collect::<Vec<_>>()
    };
    assert_eq!(used("first"), [Some(0.1), Some(0.1), Some(0.05), None, None]);
    assert_eq!(used("other"), [None, None, Some(0.05), Some(0.1), Some(0.1)]);
}

#[test]
fn replicas_and_fractions_are_parts() {
    let mut source = MemorySource::new();
    on(&mut source, "hw_gpu_memory_usage_bytes", &[], 1e9);
    on(&mut source, "hw_gpu_memory_limit_bytes", &[], 8e10);
    push(
        &mut source,
        &[("__name__", "gpu_node_capacity"), ("node", "n"), ("resource", "nvidia_com_gpu")],
        |_| Some(4.0),
    );
    for (pod, device) in [("a", "GPU-1::0"), ("a", "GPU-1::1"), ("b", "GPU-1::2")] {
        let replica = [("device", device), ("sharing", "replica")];
        let pod = [("namespace", "n"), ("pod", pod), ("pod_uid", pod)];
        on(&mut source, "gpu_allocation_info", &[&replica[..], &pod].concat(), 1.0);
    }
    let edge = [("namespace", "n"), ("pod", "c"), ("sharing", "hami")];
    on(&mut source, "gpu_allocation_info", &edge, 1.0);
    let pod = [("namespace", "n"), ("pod", "c")];
    on(&mut source, "gpu_vgpu_memory_allocated_bytes", &pod, 2e10);
    on(&mut source, "gpu_vgpu_core_allocated_ratio", &pod, 0.1);
    on(
        &mut source,
        "gpu_process_utilization_ratio",
        &[("pid", "1"), ("pod", "a"), ("namespace", "n")],
        0.2,
    );
    on(
        &mut source,
        "gpu_process_utilization_ratio",
        &[("pid", "2"), ("pod", "a"), ("namespace", "n")],
        0.3,
    );
    // As the agent tells of a process: by the UID of its pod, and only while it computes.
    let brief = [
        ("__name__", "gpu_process_utilization_ratio"),
        ("gpu_uuid", "GPU-1"),
        ("gpu", "0"),
        ("node", "n"),
        ("pid", "3"),
        ("pod_uid", "b"),
    ];
    push(&mut source, &brief, |at| (at % 60_000 < 30_000).then_some(0.4));
    let world = world(source);
    let gpu = &world.gpus[0];
    let parts: Vec<_> = gpu.holds.iter().map(|hold| (hold.part.how, hold.part.cores)).collect();
    assert_eq!(parts, [("replica", Some(0.5)), ("replica", Some(0.25)), ("fraction", Some(0.1))]);
    assert_eq!(gpu.holds[2].part.memory, Some(0.25));
    let used = gpu.used[&("n".to_owned(), "a".to_owned())][2].unwrap();
    assert!((used - 0.5).abs() < 1e-12);
    let brief = gpu.used[&("n".to_owned(), "b".to_owned())][2].unwrap();
    assert!((brief - 0.2).abs() < 1e-12, "half of the time: {brief}");
}

/// As the collector of pods tells of fractions by KAI: `gpu-fraction` is a share of the cores,
/// `gpu-memory` bytes; two pods of one group are on one device.
#[test]
fn a_fraction_by_kai_is_its_part_of_the_device() {
    let mut source = MemorySource::new();
    on(&mut source, "hw_gpu_memory_usage_bytes", &[], 1e9);
    on(&mut source, "hw_gpu_memory_limit_bytes", &[], 8e10);
    for pod in ["half", "memory", "untold"] {
        let edge = [("namespace", "n"), ("pod", pod), ("sharing", "kai"), ("method", "annotation")];
        on(&mut source, "gpu_allocation_info", &edge, 1.0);
    }
    let pod = |pod| [("namespace", "n"), ("pod", pod), ("container", "main")];
    on(&mut source, "gpu_vgpu_core_allocated_ratio", &pod("half"), 0.5);
    on(&mut source, "gpu_vgpu_memory_allocated_bytes", &pod("memory"), 1e10);
    // Of a pod on another device of its group this one's holder has nothing.
    let other = [("gpu_uuid", "GPU-2"), ("namespace", "n"), ("pod", "untold")];
    on(&mut source, "gpu_vgpu_core_allocated_ratio", &other, 0.25);
    let world = world(source);
    let [gpu] = world.gpus.as_slice() else { panic!("{:?}", world.gpus) };
    let parts: Vec<_> = gpu.holds.iter().map(|hold| (&*hold.pod, hold.part)).collect();
    let part = |cores, memory| Part { how: "fraction", cores, memory };
    let expected = [
        ("half", part(Some(0.5), None)),
        ("memory", part(None, Some(0.125))),
        ("untold", Part::default()),
    ];
    assert_eq!(parts, expected);
    assert!(gpu.names_holders && gpu.holds.iter().all(|hold| hold.method == "annotation"));
}

#[test]
fn tenants_are_counted_by_the_gateway_else_by_their_clients() {
    let client = |kind: &'static str| {
        [
            ("__name__", "gen_ai_client_token_usage_sum"),
            ("gen_ai_request_model", "m"),
            ("gen_ai_token_type", kind),
            ("tenant", "acme"),
        ]
    };
    let clients = || {
        let mut source = MemorySource::new();
        push(&mut source, &client("input"), |at| Some(at as f64 / 100.0));
        push(&mut source, &client("output"), |at| Some(at as f64 / 200.0));
        source
    };
    let [one] = world(clients()).tenants.try_into().unwrap();
    assert_eq!((&*one.tenant, &*one.model, one.cached), ("acme", "m", None));
    assert!((one.prompt.unwrap() - 3000.0).abs() < 1.0, "{one:?}");
    assert!((one.generated.unwrap() - 1500.0).abs() < 1.0, "{one:?}");
    let mut source = clients();
    let gateway = [("__name__", "gateway_output_tokens_total"), ("tenant", "t"), ("model", "m")];
    push(&mut source, &gateway, |at| Some(at as f64 / 1000.0));
    let [one] = world(source).tenants.try_into().unwrap();
    assert_eq!((&*one.tenant, one.prompt), ("t", None), "the same tokens are not counted twice");
}

#[test]
fn one_tenant_is_asked_for_by_name_and_never_half_answered() {
    let mut source = MemorySource::new();
    for tenant in ["a\"b", "other"] {
        let labels =
            [("__name__", "gateway_output_tokens_total"), ("tenant", tenant), ("model", "m")];
        push(&mut source, &labels, |at| Some(at as f64 / 1000.0));
    }
    let mut answers = answers(source, tenant_plan(&PERIOD, "a\"b"));
    let [one] = tenant_totals(&PERIOD, &answers, Counting::Gateway).unwrap().try_into().unwrap();
    assert_eq!((&*one.tenant, one.prompt), ("a\"b", None));
    assert!((one.generated.unwrap() - 300.0).abs() < 1e-9, "{one:?}");
    assert_eq!(tenant_totals(&PERIOD, &answers, Counting::Clients), Ok(Vec::new()));
    answers.remove("bill/tenant_cached");
    let missing = tenant_totals(&PERIOD, &answers, Counting::Gateway).unwrap_err();
    assert_eq!(missing, "bill/tenant_cached: not answered in time");
}

#[test]
fn workers_of_pools_are_told_by_their_engine() {
    let mut source = MemorySource::new();
    for (instance, kind) in [("a:1", "prefill"), ("b:1", "decode"), ("c:1", "unified")] {
        let labels = [
            ("__name__", "sglang:num_running_reqs"),
            ("instance", instance),
            ("pod", instance),
            ("namespace", "n"),
            ("model_name", "m"),
            ("engine_type", kind),
        ];
        push(&mut source, &labels, |_| Some(1.0));
    }
    for (instance, kind) in [("a:1", "fp8_e4m3"), ("b:1", "auto"), ("c:1", "bfloat16")] {
        let labels = [("instance", instance), ("cache_dtype", kind)];
        let name = [("__name__", "inference_engine_config_info")];
        push(&mut source, &[&name[..], &labels].concat(), |_| Some(1.0));
    }
    let world = world(source);
    let bytes: Vec<_> = world.replicas.iter().map(|one| one.kv_bytes).collect();
    assert_eq!(bytes, [Some(1.0), None, Some(2.0)]);
    let roles: Vec<_> = world.replicas.iter().map(|one| (&*one.instance, one.role)).collect();
    let expected = [EngineRole::Prefill, EngineRole::Decode, EngineRole::Whole];
    assert_eq!(roles, ["a:1", "b:1", "c:1"].into_iter().zip(expected).collect::<Vec<_>>());
    assert!(world.replicas.iter().all(|one| one.model.as_deref() == Some("m")));
}

#[test]
fn what_is_read_once_a_minute_is_counted_by_the_minute() {
    let check = |interval_ms: i64, until_ms: i64, expected: [Option<f64>; 5]| {
        let mut source = MemorySource::new();
        for (name, each) in
            [("inference_generation_tokens_total", 2.0), ("inference_requests_running", 0.0)]
        {
            let labels = [("__name__", name), ("instance", "a:1"), ("model", "m")];
            push(&mut source, &labels, |at| {
                let is_read = at % interval_ms == 0 && at <= until_ms;
                is_read.then_some(each * at as f64 / 1e3)
            });
        }
        let world = world(source);
        let found = &world.replicas[0].generated;
        let near = |(found, expected): (&Option<f64>, Option<f64>)| match (found, expected) {
            (Some(found), Some(expected)) => (found / expected - 1.0).abs() < 0.01,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(found.iter().zip(expected).all(near), "{interval_ms} {found:?}");
    };
    check(15_000, 300_000, [Some(120.0); 5]);
    check(60_000, 300_000, [Some(120.0); 5]);
    // Gone after two minutes: nothing was counted then, by whatever interval.
    check(15_000, 120_000, [Some(120.0), Some(120.0), None, None, None]);
    check(60_000, 120_000, [Some(120.0), Some(120.0), None, None, None]);
}
