//! The whole cluster against what must hold whatever the scenario, and each built-in scenario
//! against the physical thing it is about.

use std::collections::BTreeMap;

use super::*;
use crate::knob::GpuKnob;

const START: i64 = 1_790_000_000_000;

fn sim(seed: u64, size: Size, scenario: &str) -> Sim {
    let scenario = Scenario::builtin(scenario).unwrap().unwrap();
    Sim::new(&SimOptions { size, seed, start_ms: START, scenario }).unwrap()
}

fn default(scenario: &str) -> Sim {
    sim(1, Size::default(), scenario)
}

fn pages(sim: &Sim) -> Vec<String> {
    sim.endpoints().iter().map(|endpoint| sim.page(endpoint)).collect()
}

fn minutes(sim: &mut Sim, minutes: i64) {
    sim.advance_to(START + minutes * 60_000);
}

#[test]
fn the_same_seed_gives_the_same_pages_however_time_is_cut() {
    let (mut one, mut other) = (default("calm-day"), default("calm-day"));
    one.advance_to(START + 90_000);
    for step in 1..=360 {
        other.advance_to(START + step * 250);
    }
    assert_eq!(pages(&one), pages(&other));
    let mut different = sim(2, Size::default(), "calm-day");
    different.advance_to(START + 90_000);
    assert_ne!(pages(&one), pages(&different));
}

/// Series and values of a page, with the families that are counters or histograms.
fn read(page: &str) -> (BTreeMap<String, f64>, Vec<String>) {
    let mut values = BTreeMap::new();
    let mut growing = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            if kind == "counter" || kind == "histogram" {
                growing.push(name.to_owned());
            }
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let old = values.insert(series.to_owned(), value.parse().unwrap());
            assert!(old.is_none(), "{series} is there twice");
        }
    }
    (values, growing)
}

#[test]
fn counters_never_fall() {
    for scenario in ["calm-day", "kv-pressure"] {
        let mut sim = default(scenario);
        let mut before: Vec<BTreeMap<String, f64>> = Vec::new();
        for minute in [1, 2, 42, 46, 47] {
            minutes(&mut sim, minute);
            let now = pages(&sim);
            for (place, page) in now.iter().enumerate() {
                let (values, growing) = read(page);
                let Some(old) = before.get(place) else { continue };
                for (series, value) in &values {
                    let name = series.split('{').next().unwrap();
                    // NVLink bandwidth is a rate although it is typed as a counter.
                    let grows = growing.iter().any(|family| {
                        name.strip_prefix(family.as_str())
                            .is_some_and(|rest| ["", "_bucket", "_count", "_sum"].contains(&rest))
                    });
                    if grows && !name.contains("NVLINK_BANDWIDTH") {
                        let old = old.get(series).copied().unwrap_or(0.0);
                        assert!(*value >= old, "{scenario}: {series} fell from {old} to {value}");
                    }
                }
            }
            before = now.iter().map(|page| read(page).0).collect();
        }
    }
}

/// Mean number in the system is arrival rate times mean time in it (Little, 1961).
#[test]
fn the_number_inside_is_rate_times_time() {
    let mut sim = default("calm-day");
    let mut inside = 0.0;
    let seconds = 1200;
    for second in 1..=seconds {
        sim.advance_to(START + second * 1000);
        inside += sim.replicas.iter().map(|one| one.engine.load() as f64).sum::<f64>();
    }
    let inside = inside / seconds as f64;
    let mut time_in_system = 0.0;
    for replica in &sim.replicas {
        time_in_system += replica.engine.stats.e2e.sum();
    }
    // Rate times mean time is the summed time over the length of the experiment.
    let by_law = time_in_system / seconds as f64;
    // Requests that are inside at the end are cut off: a few of some ten thousand.
    assert!((inside / by_law - 1.0).abs() < 0.05, "{inside} and {by_law}");
}

#[test]
fn energy_is_the_sum_of_power_and_memory_is_never_more_than_there_is() {
    let mut sim = default("calm-day");
    let mut joules = vec![0.0; sim.devices.len()];
    for second in 1..=120 {
        sim.advance_to(START + second * 1000);
        for (sum, device) in joules.iter_mut().zip(&sim.devices) {
            *sum += device.power;
        }
        for replica in &sim.replicas {
            assert!(replica.engine.kv.usage() <= 1.0);
        }
    }
    for (sum, device) in joules.iter().zip(&sim.devices) {
        assert!((sum - device.energy).abs() < 1e-6 * sum);
        let used = device.memory_used_mib + device.kind.reserved_mib;
        assert!(used < device.kind.memory_mib);
    }
}

#[test]
fn a_calm_day_is_calm() {
    let mut sim = default("calm-day");
    minutes(&mut sim, 20);
    for replica in &sim.replicas {
        let stats = &replica.engine.stats;
        assert_eq!(stats.preemptions, 0);
        assert!(replica.engine.kv.usage() < 0.7, "{}", replica.engine.kv.usage());
        assert!(stats.queue.sum() / (stats.queue.count() as f64) < 0.1);
        let [stop, length, abort, error] = stats.ended;
        assert!(stop > 5 * length && length > 0, "{stop} {length}");
        assert!(abort * 500 < stop && error == 0, "{abort} of {stop}");
        assert!(stats.hits > 0 && stats.hits < stats.queries);
    }
    for device in &sim.devices {
        assert!(device.celsius < 82.0 && device.thermal_seconds == 0.0, "{}", device.celsius);
    }
    for node in &sim.nodes {
        assert!(node.stretch == 1.0 && node.load[0] < 60.0, "{:?}", node.load);
    }
    assert!((0.35..0.6).contains(&sim.runs[0].mfu()), "{}", sim.runs[0].mfu());
    assert!(sim.runs[0].goodput() > 0.93, "{}", sim.runs[0].goodput());
}

/// Play a scenario and the calm day to the same minute.
fn both(scenario: &str, until: i64) -> (Sim, Sim) {
    let (mut changed, mut calm) = (default(scenario), default("calm-day"));
    minutes(&mut changed, until);
    minutes(&mut calm, until);
    (changed, calm)
}

#[test]
fn longer_prompts_fill_the_cache_and_preempt() {
    let (changed, calm) = both("kv-pressure", 58);
    let preempted = |sim: &Sim| {
        sim.replicas.iter().map(|replica| replica.engine.stats.preemptions).sum::<u64>()
    };
    assert_eq!(preempted(&calm), 0);
    assert!(preempted(&changed) > 0);
    let fullest = |sim: &Sim| {
        let usage = sim.replicas.iter().map(|replica| replica.engine.kv.usage());
        usage.fold(0.0, f64::max)
    };
    assert!(fullest(&changed) > 0.8 && fullest(&changed) > fullest(&calm) + 0.3);
}

#[test]
fn a_rush_is_a_rush() {
    let (changed, calm) = both("rush", 55);
    let requests = |sim: &Sim| sim.clients[0].durations[0].count();
    assert!(requests(&changed) > requests(&calm) * 3 / 2);
    let inside = |sim: &Sim| sim.replicas.iter().map(|one| one.engine.load()).sum::<usize>();
    assert!(inside(&changed) > 2 * inside(&calm), "{} {}", inside(&changed), inside(&calm));
}

#[test]
fn a_slow_clock_slows_the_gpu_and_its_run() {
    let (changed, calm) = both("slow-gpu", 45);
    assert_eq!(changed.devices[2].clock, 0.55);
    assert!(calm.devices[2].clock > 0.9);
    assert!(changed.devices[2].power < calm.devices[2].power);
    assert!(changed.runs[0].step_seconds > 1.4 * calm.runs[0].step_seconds);
    assert!(changed.runs[0].ranks[2].blame_gpu > 60.0);
}

#[test]
fn hot_air_throttles_the_first_node_only() {
    let (changed, _) = both("hot-aisle", 59);
    let throttled = |gpu: usize| changed.devices[gpu].thermal_seconds > 30.0;
    assert!((0..4).all(throttled), "those that train");
    assert!(!(8..16).any(throttled));
}

#[test]
fn memory_errors_are_counted_on_one_gpu() {
    let (changed, _) = both("memory-errors", 60);
    assert!(changed.devices[5].corrected > 50 && changed.devices[5].uncorrected > 0);
    assert_eq!(changed.devices[4].uncorrected, 0);
}

#[test]
fn a_slow_disk_keeps_training_waiting() {
    let (changed, calm) = both("slow-disk", 48);
    assert!(changed.runs[0].step_seconds > 1.2 * calm.runs[0].step_seconds);
    let waited = |sim: &Sim, rank: usize| sim.runs[0].ranks[rank].data_wait_seconds;
    assert!(waited(&changed, 0) > waited(&calm, 0) + 60.0);
    assert!(waited(&changed, 7) < waited(&calm, 7) + 10.0, "the other node's disk is well");
    assert!(changed.nodes[0].counted.psi_io > 2.0 * calm.nodes[0].counted.psi_io);
}

#[test]
fn a_slow_link_slows_the_exchange() {
    let (changed, calm) = both("slow-link", 45);
    assert!(changed.runs[0].transfer > 5.0 * calm.runs[0].transfer);
    assert!(changed.runs[0].step_seconds > 1.1 * calm.runs[0].step_seconds);
}

#[test]
fn a_short_quota_slows_steps_but_no_gpu() {
    let (changed, calm) = both("cpu-quota", 50);
    let place = changed.replicas.iter().position(|replica| replica.served == 0).unwrap();
    let gap = |sim: &Sim| {
        let stats = &sim.replicas[place].engine.stats;
        stats.itl.sum() / stats.itl.count() as f64
    };
    assert!(gap(&changed) > 1.2 * gap(&calm), "{} {}", gap(&changed), gap(&calm));
    let throttled = |sim: &Sim| sim.replicas[place].engine.stats.throttled;
    assert!(throttled(&changed) > 60.0 && throttled(&calm) == 0.0, "{}", throttled(&changed));
    assert!(changed.devices[changed.replicas[place].gpus[0]].clock > 0.95);
}

#[test]
fn lost_packets_are_sent_again_and_felt() {
    let (changed, calm) = both("lossy-network", 55);
    let again = |sim: &Sim| sim.nodes[0].counted.retransmitted / sim.nodes[0].counted.segments_out;
    assert!(again(&changed) > 50.0 * again(&calm));
    let first = |sim: &Sim| {
        let chunk = &sim.clients[0].first_chunk;
        chunk.sum() / chunk.count() as f64
    };
    assert!(first(&changed) > first(&calm) + 0.002);
}

#[test]
fn a_straggler_is_waited_for() {
    let (changed, calm) = both("straggler", 45);
    assert!(changed.runs[0].lost_to_stragglers > calm.runs[0].lost_to_stragglers + 60.0);
    assert!(changed.runs[0].ranks[3].blame_gpu > 60.0);
}

/// Label values of the samples of a family that are not 0, in the order of the page.
fn told(sim: &Sim, job: &str, family: &str, label: &str) -> Vec<String> {
    let mut all = Vec::new();
    for endpoint in sim.endpoints().iter().filter(|endpoint| endpoint.job == job) {
        let page = sim.page(endpoint);
        let lines = page.lines().filter(|line| line.starts_with(&format!("{family}{{")));
        let lines = lines.filter(|line| !line.ends_with(" 0"));
        let value = |line: &str| {
            let (_, rest) = line.split_once(&format!("{label}=\"")).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        all.extend(lines.map(value));
    }
    all
}

#[test]
fn a_flood_of_jobs_waits_for_quota_and_for_gpus_which_change_their_owner() {
    let mut sim = default("eval-flood");
    let (mut owners, mut xids) = (std::collections::BTreeSet::new(), 0);
    for minute in 1..=70 {
        minutes(&mut sim, minute);
        let pods = told(&sim, "dcgm-exporter", "DCGM_FI_DEV_GPU_TEMP", "pod");
        owners.extend(pods.into_iter().filter(|pod| pod.starts_with("eval-")));
        xids = told(&sim, "dcgm-exporter", "DCGM_FI_DEV_XID_ERRORS", "gpu").len();
    }
    assert!(owners.len() > 12, "{owners:?}");
    assert!(xids > 0, "no program slipped in half an hour of many");
    let batch = sim.batch.as_ref().unwrap();
    let pending = batch.pending().count();
    assert_eq!((batch.held(), pending), (2, 2), "two more than there is room for are let in");
    let unscheduled = "kube_pod_status_unschedulable";
    assert_eq!(told(&sim, "kube-state-metrics", unscheduled, "pod").len(), pending);
    let waits = told(&sim, "kube-scheduler", "scheduler_unschedulable_pods", "plugin");
    assert_eq!(waits, ["NodeResourcesFit"]);
    let waits = told(&sim, "kueue", "kueue_pending_workloads", "cluster_queue");
    assert_eq!(waits, ["evals"]);
    // A pod is on one page of GPUs at most, and on none while it waits.
    let held = told(&sim, "dcgm-exporter", "DCGM_FI_DEV_GPU_TEMP", "pod");
    for pod in told(&sim, "kube-state-metrics", unscheduled, "pod") {
        assert!(!held.contains(&pod), "{pod}");
    }
}

#[test]
fn a_trace_is_replayed_in_the_place_of_the_first_tenant() {
    let mut sim = default("calm-day");
    let rows = "1.0,500,20\n2.0,700,30\n4.5,10,1\n";
    sim.replay(Box::new(crate::trace::TraceReader::new(rows.as_bytes())));
    minutes(&mut sim, 1);
    assert_eq!(sim.clients[0].durations[0].count(), 3);
    assert_eq!(sim.clients[0].output.sum(), 51.0);
    assert!(sim.clients[1].durations[0].count() > 10, "the others speak for themselves");
    assert!(sim.take_trace_error().is_none());
    let mut broken = default("calm-day");
    broken.replay(Box::new(crate::trace::TraceReader::new("1,1,1\nx".as_bytes())));
    minutes(&mut broken, 1);
    assert!(broken.take_trace_error().unwrap().to_string().contains("line 2"));
}

#[test]
fn clusters_of_all_sizes_live() {
    for (nodes, gpus_per_node) in [(1, 1), (1, 2), (1, 4), (3, 5), (17, 8)] {
        let mut sim = sim(3, Size { nodes, gpus_per_node }, "calm-day");
        sim.advance_to(START + 60_000);
        assert!(sim.requests_ended() > 0, "{nodes} x {gpus_per_node}");
        for page in pages(&sim) {
            read(&page);
        }
    }
}

#[test]
fn a_scenario_for_entities_that_are_not_there_is_refused() {
    let scenario = Scenario::builtin("slow-gpu").unwrap().unwrap();
    let size = Size { nodes: 1, gpus_per_node: 2 };
    let error = Sim::new(&SimOptions { size, scenario, ..SimOptions::default() }).err().unwrap();
    assert!(error.to_string().contains("there is no gpu \"gpu-node-1/2\""), "{error}");
}

#[test]
fn knobs_are_as_usual_before_and_after() {
    let text = "[[change]]\nat = \"10s\"\nuntil = \"20s\"\nentity = \"gpu:gpu-node-1/1\"\n\
                parameter = \"clock_ratio\"\nto = 0.5\n";
    let scenario = Scenario::parse("x", text).unwrap();
    let options = SimOptions { start_ms: START, scenario, ..SimOptions::default() };
    let mut sim = Sim::new(&options).unwrap();
    let mut seen = Vec::new();
    for second in [5, 15, 25] {
        sim.advance_to(START + second * 1000);
        seen.push(sim.devices[1].knobs.get(GpuKnob::ClockRatio));
    }
    assert_eq!(seen, [1.0, 0.5, 1.0]);
}

#[test]
fn the_manual_lists_every_parameter_and_scenario() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulation.md");
    let manual = std::fs::read_to_string(path).unwrap();
    for kind in Kind::ALL {
        for knob in kind.knobs() {
            let row = format!("| {} | `{}` | {} |", kind.name(), knob.name, knob.unit);
            assert!(manual.contains(&row) && manual.contains(knob.about), "{row}");
        }
    }
    for (name, _) in crate::scenario::BUILTIN {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn every_gpu_reaches_the_others_of_its_node_over_links() {
    let sim = default("calm-day");
    let pages = sim.endpoints().into_iter().filter(|endpoint| endpoint.job == "dcgm-exporter");
    for endpoint in pages {
        let page = sim.page(&endpoint);
        let pairs = page.lines().filter(|line| line.starts_with("DCGM_EXP_P2P_STATUS{"));
        let after = |line: &str, begin: &str| {
            let (_, rest) = line.split_once(begin).unwrap();
            rest.split('"').next().unwrap().to_owned()
        };
        let pairs: std::collections::BTreeSet<_> = pairs
            .inspect(|line| assert!(line.contains("link_status=\"OK\"") && line.ends_with(" 0")))
            .map(|line| (after(line, "{gpu=\""), after(line, ",peer_gpu=\"")))
            .collect();
        assert_eq!(pairs.len(), 8 * 7, "{pairs:?}");
        assert!(pairs.iter().all(|(gpu, peer)| gpu != peer));
    }
}
