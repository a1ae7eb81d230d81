//! `strata demo`: simulated exporters, real collectors, pages that say so.

use std::process::Command;

use serde_json::Value as Json;
use strata_collect::exposition::{Arrival, Format};
use strata_collect::scrape::{PageReader, ScrapeOptions, SourceRules, Target};
use strata_model::METRIC_NAME;
use strata_model::catalog::Catalog;
use strata_sim::{Sim, SimOptions};

use crate::http::eventually;
use crate::program::{STRATA, Server, stderr, stdout};

/// A cluster that has lived for five minutes.
fn cluster() -> Sim {
    let options = SimOptions { seed: 5, start_ms: 1_790_000_000_000, ..SimOptions::default() };
    let mut sim = Sim::new(&options).unwrap();
    sim.advance_to(options.start_ms + 300_000);
    sim
}

/// The program that the catalog takes a page for, by the families its lines describe.
fn program(page: &str) -> Option<&'static str> {
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families = families.filter_map(|line| line.split(' ').next());
    Catalog::builtin().identify(families).map(|source| source.name.as_str())
}

#[test]
fn every_simulated_page_is_read_without_a_fault_and_known_for_what_it_is() {
    let sim = cluster();
    let options = ScrapeOptions {
        job: "x".to_owned(),
        targets: vec!["127.0.0.1:1".to_owned()],
        ..ScrapeOptions::default()
    };
    let settings = options.validate().unwrap();
    let target = Target::of(&settings, "127.0.0.1:1", &std::collections::BTreeMap::new()).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for endpoint in sim.endpoints() {
        let page = sim.page(&endpoint);
        let mut reader = PageReader::new(&settings, &target, SourceRules::default());
        let harvest = reader.read(Format::Text, page.as_bytes(), Arrival::Whole, 1).unwrap();
        assert!(harvest.faults.is_empty(), "{}: {:?}", endpoint.instance, harvest.faults);
        let lines = page.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(harvest.batch.sample_count(), lines, "{}", endpoint.instance);
        let unknown = (0..harvest.batch.series_count() as u32)
            .map(|series| harvest.batch.labels(series))
            .find(|labels| labels.get(METRIC_NAME).is_none());
        assert!(unknown.is_none(), "{}", endpoint.instance);
        seen.insert(endpoint.job, program(&page));
    }
    let expected = [
        ("cadvisor", Some("cadvisor")),
        ("dcgm-exporter", Some("dcgm")),
        ("genai-clients", Some("otel_gen_ai")),
        ("kube-scheduler", Some("kube_scheduler")),
        ("kube-state-metrics", Some("kube_state_metrics")),
        ("kueue", Some("kueue")),
        ("nccl-inspector", Some("nccl_inspector")),
        ("node-exporter", Some("node_exporter")),
        ("training", Some("megatron")),
        ("vllm", Some("vllm")),
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

fn demo(more: &[&str]) -> Server {
    let mut command = Command::new(STRATA);
    command.args(["demo", "--json", "--listen", "127.0.0.1:0"]).args(more);
    if !more.contains(&"--history") {
        command.args(["--history", "5m"]);
    }
    Server::spawn(&mut command)
}

/// The layers of the overview: code and verdict.
fn verdicts(page: &Json) -> Vec<(String, String)> {
    let sections = page["sections"].as_array().unwrap().iter();
    let blocks = sections.flat_map(|section| section["blocks"].as_array().unwrap());
    let strata = blocks.filter_map(|block| block["strata"].as_array()).flatten();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    strata.map(|one| (text(&one["code"]), text(&one["verdict"]))).collect()
}

/// Layers that are not well, each with why in words, numbers left out.
fn complaints(page: &Json) -> Vec<(String, String)> {
    let sections = page["sections"].as_array().unwrap().iter();
    let blocks = sections.flat_map(|section| section["blocks"].as_array().unwrap());
    let strata = blocks.filter_map(|block| block["strata"].as_array()).flatten();
    let hurts = strata.filter(|one| one["verdict"] == "watch" || one["verdict"] == "broken");
    let words = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
    let told = |one: &Json| {
        let reason = words(one["reason"].as_str().unwrap());
        (one["code"].as_str().unwrap().to_owned(), reason)
    };
    hurts.map(told).collect()
}

#[test]
fn the_demo_shows_all_layers_and_says_that_it_is_simulated() {
    let server = demo(&[]);
    assert!(server.greeting["simulated"].as_str().unwrap().contains("2 nodes"));
    for page in ["overview", "gpus", "communication", "hosts", "training", "engines", "doctor"] {
        let page = server.get(&format!("/api/v1/pages/{page}"), &[]).json();
        assert_eq!(page["simulated"], true, "{}", page["title"]);
    }
    let overview = server.get("/api/v1/pages/overview", &[]).json();
    let verdicts = verdicts(&overview);
    assert_eq!(verdicts.len(), 8, "{overview}");
    for (code, verdict) in verdicts.iter().filter(|(code, _)| code != "L8") {
        // The hour of the day moves the load, so a burst may be worth watching.
        assert!(["ok", "watch"].contains(&verdict.as_str()), "{code} {verdict} on a calm day");
    }
    // One canonical metric of each page, with what must be there on two nodes of eight GPUs.
    for (query, expected) in [
        ("count(count by (gpu_uuid) (hw_gpu_memory_usage_bytes))", 16.0),
        ("count(count by (node) (system_cpu_time_seconds_total))", 2.0),
        ("count(inference_kv_cache_utilization_ratio)", 4.0),
        ("count(count by (model) (inference_ttft_seconds_count))", 2.0),
        ("count(nccl_bus_bandwidth_bytes_per_second)", 16.0),
        ("count(training_step_duration_seconds)", 8.0),
        ("count(training_loss)", 1.0),
        ("sum(gpu_requested{namespace!=\"evals\"})", 14.0),
        ("sum(sched_queue_admitted{queue=\"research\"})", 1.0),
        ("sum(sched_queue_resource_quota{queue=\"evals\"})", 4.0),
        ("count(container_cpu_throttled_time_seconds_total)", 4.0),
        ("count(count by (tenant) (gen_ai_client_operation_duration_seconds_count))", 3.0),
    ] {
        assert_eq!(server.value(query, None), Some(expected), "{query}");
    }
    // The four questions, on the page and on the command line alike.
    let all = Command::new(STRATA).args(["who", "--all", "--url", &server.url]).output().unwrap();
    let all = stdout(&all);
    for words in [
        "Which pod uses which GPU",
        "research/pretrain-vl-7b-worker-0",
        "Which namespace uses most",
        "Which team costs most",
        "pretraining",
        "Which model holds most memory",
        "qwen2.5-32b-instruct",
    ] {
        assert!(all.contains(words), "{words} is not in {all}");
    }
    // The run of the demo is priced: its job holds the GPUs of all of its ranks.
    let cost = server.get("/api/v1/cost", &[("since", "30m")]).json();
    let run = &cost["training"][0];
    assert_eq!((&run["run"], &run["unknown"]), (&"pretrain-vl-7b".into(), &Json::Array(vec![])));
    for name in ["amount", "per_step", "per_million_tokens", "per_useful_exaflop"] {
        assert!(run[name].as_f64().is_some_and(|cost| cost > 0.0), "{name}: {run}");
    }
    // History and live pages are one series: the counter goes on, from the same target.
    let count = "count(vllm:generation_tokens_total)";
    let up = "sum(up{job=\"vllm\"})";
    eventually(up, || match server.value(up, None) {
        Some(4.0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(server.value(count, None), Some(4.0));
    let fell = "sum(resets(vllm:generation_tokens_total[10m]))";
    assert_eq!(server.value(fell, None), Some(0.0));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}

/// The built-in scenarios, each with the layers one of which must not be well. A burst of a calm day
/// may be worth watching; whether a rush is too much depends on the hour at which the test runs: both
/// have none.
const SEEN: [(&str, &[&str]); 12] = [
    ("calm-day", &[]),
    ("kv-pressure", &["L6"]),
    ("rush", &[]),
    ("slow-gpu", &["L1"]),
    ("hot-aisle", &["L1"]),
    ("memory-errors", &["L1"]),
    ("slow-disk", &["L3"]),
    ("slow-link", &["L2"]),
    ("cpu-quota", &["L3"]),
    ("lossy-network", &["L3"]),
    ("straggler", &["L2", "L5"]),
    ("eval-flood", &["L4"]),
];

#[test]
fn every_scenario_is_seen_in_the_layer_where_it_happens() {
    let named = strata_sim::BUILTIN.iter().map(|(name, _)| *name);
    assert_eq!(named.collect::<Vec<_>>(), SEEN.map(|(name, _)| name));
    let dir = tempfile::tempdir().unwrap();
    // What a calm day is watched for at this hour is no sight of a fault.
    let calm = demo(&["--scenario", "calm-day", "--history", "14m"]);
    let usual = complaints(&calm.get("/api/v1/pages/overview", &[]).json());
    calm.stop();
    for ((name, text), (_, layers)) in strata_sim::BUILTIN.iter().zip(SEEN) {
        if layers.is_empty() {
            continue;
        }
        // The same changes, sooner: an hour of each would take minutes.
        let sooner = text.lines().map(|line| match line.split(" = ").next() {
            Some("at") => "at = \"4m\"\n".to_owned(),
            Some("over") => "over = \"2m\"\n".to_owned(),
            _ => format!("{line}\n"),
        });
        let file = dir.path().join(format!("{name}.toml"));
        std::fs::write(&file, sooner.collect::<String>()).unwrap();
        let server = demo(&["--scenario", file.to_str().unwrap(), "--history", "14m"]);
        let page = server.get("/api/v1/pages/overview", &[]).json();
        let all = complaints(&page);
        let seen = all.iter().filter(|one| !usual.contains(one));
        let seen = seen.filter(|(code, _)| layers.contains(&code.as_str())).count();
        assert!(seen > 0, "{name} in {layers:?}: {all:?}, usually {usual:?}");
        server.stop();
    }
}

#[test]
fn real_data_is_never_mixed_with_simulated() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("something"), "real").unwrap();
    let data = dir.path().to_str().unwrap();
    let mut command = Command::new(STRATA);
    let output = command.args(["demo", "--history", "1m", "--data", data]).output().unwrap();
    assert!(!output.status.success());
    assert!(stderr(&output).contains("would mix"), "{}", stderr(&output));
}

#[test]
fn a_demo_goes_on_in_the_directory_of_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let server = demo(&["--data", data]);
    let ended = server.value("vector(time())", None).unwrap();
    assert!(server.stop().0.success());
    // A cluster that had lived for twenty minutes would go on from one that lived for five.
    let server = demo(&["--data", data, "--history", "20m"]);
    let energy = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION";
    // By GPU: one that changed its owner meanwhile has a series of the earlier run beside its own.
    let newest = format!("min(max by (instance, gpu) (timestamp({energy})))");
    eventually(&newest, || match server.value(&newest, None) {
        Some(at) if at > ended + 2.0 => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Millijoules per second: no GPU of the demo draws a kilowatt, nor did it between the two.
    let watts = format!("max_over_time(max(rate({energy}[1m]))[3m:5s]) / 1000");
    let watts = server.value(&watts, None).unwrap();
    assert!((10.0..1000.0).contains(&watts), "{watts} W");
    assert!(server.stop().0.success());
}

#[test]
fn scenarios_are_listed_and_slips_get_a_suggestion() {
    let run = |arguments: &[&str]| Command::new(STRATA).args(arguments).output().unwrap();
    let list = stdout(&run(&["demo", "--list"]));
    assert!(list.contains("slow-link") && list.contains("clock_ratio"), "{list}");
    let output = run(&["demo", "--scenario", "slow-lnik"]);
    assert!(stderr(&output).contains("did you mean \"slow-link\"?"), "{}", stderr(&output));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.toml");
    let text =
        "[[change]]\nat = \"1m\"\nentity = \"gpu:gpu-node-1/0\"\nparameter = \"clock\"\nto = 1\n";
    std::fs::write(&file, text).unwrap();
    let output = run(&["demo", "--scenario", file.to_str().unwrap()]);
    assert!(stderr(&output).contains("s.toml:4: a gpu has no parameter"), "{}", stderr(&output));
}
