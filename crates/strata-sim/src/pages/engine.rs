//! vLLM's `/metrics`, families and bucket edges as release 0.32.0 writes them. The `_created` series
//! are left out, as with `PROMETHEUS_DISABLE_CREATED_SERIES=True`.

use super::engine_requests;
use super::text::{Pairs, Style, Writer};
use crate::engine::{BLOCK, Stats};
use crate::layout::SERVED;
use crate::sim::{Replica, Sim};

pub(super) fn page(sim: &Sim, number: usize) -> String {
    let Some(replica) = sim.replicas.get(number) else { return String::new() };
    let model = replica.engine.model().name;
    let labels: Pairs<'_> = &[("engine", "0"), ("model_name", model)];
    let mut writer = Writer::new(Style::Python);
    process(&mut writer, sim, replica);
    model_work(&mut writer, labels, &replica.engine.stats);
    state(&mut writer, labels, replica);
    cache(&mut writer, labels, &replica.engine.stats);
    tokens(&mut writer, labels, &replica.engine.stats);
    engine_requests::write(&mut writer, labels, model, &replica.engine.stats);
    config(&mut writer, replica);
    writer.finish()
}

fn process(writer: &mut Writer, sim: &Sim, replica: &Replica) {
    let stats = &replica.engine.stats;
    let about = ("python_info", "gauge", "Python platform information");
    let version = [
        ("implementation", "CPython"),
        ("major", "3"),
        ("minor", "12"),
        ("patchlevel", "11"),
        ("version", "3.12.11"),
    ];
    writer.single(about, &version, 1.0);
    let resident = 5.1e9 + 2.0e6 * replica.engine.load() as f64;
    let about = "Virtual memory size in bytes.";
    writer.single(("process_virtual_memory_bytes", "gauge", about), &[], 4.1e10);
    let about = "Resident memory size in bytes.";
    writer.single(("process_resident_memory_bytes", "gauge", about), &[], resident);
    let about = "Start time of the process since unix epoch in seconds.";
    writer.single(("process_start_time_seconds", "gauge", about), &[], sim.started());
    let about = "Total user and system CPU time spent in seconds.";
    let cpu = 240.0 + stats.cpu_seconds + 0.1 * sim.now();
    writer.single(("process_cpu_seconds_total", "counter", about), &[], cpu);
    let about = "Number of open file descriptors.";
    let open = 45.0 + replica.engine.load() as f64;
    writer.single(("process_open_fds", "gauge", about), &[], open);
    let about = "Maximum number of open file descriptors.";
    writer.single(("process_max_fds", "gauge", about), &[], 1_048_576.0);
}

fn model_work(writer: &mut Writer, labels: Pairs<'_>, stats: &Stats) {
    let counts = [
        ("flops", "floating point operations per GPU", stats.flops),
        ("read_bytes", "bytes read from memory per GPU", stats.read),
        ("write_bytes", "bytes written to memory per GPU", stats.written),
    ];
    for (what, words, value) in counts {
        let name = format!("vllm:estimated_{what}_per_gpu_total");
        let help =
            format!("Estimated number of {words} (for Model Flops Utilization calculations).");
        writer.single((&name, "counter", &help), labels, value);
    }
}

fn state(writer: &mut Writer, labels: Pairs<'_>, replica: &Replica) {
    let engine = &replica.engine;
    let waiting = engine.waiting() as f64;
    let about = "Number of requests in model execution batches.";
    let running = engine.running() as f64;
    writer.single(("vllm:num_requests_running", "gauge", about), labels, running);
    let about = "Number of requests waiting to be processed.";
    writer.single(("vllm:num_requests_waiting", "gauge", about), labels, waiting);
    let name = "vllm:num_requests_waiting_by_reason";
    let about = "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for \
                 scheduling capacity; 'deferred' = deferred by transient constraints (LoRA budget, \
                 KV transfer, blocked status). Sum of all reasons equals vllm:num_requests_waiting.";
    writer.family(name, "gauge", about);
    for (reason, value) in [("capacity", waiting), ("deferred", 0.0)] {
        writer.sample(name, &with(labels, ("reason", reason)), value);
    }
    let name = "vllm:engine_sleep_state";
    let about = "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is \
                 awake; weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep \
                 level 2.";
    writer.family(name, "gauge", about);
    for (state, value) in [("awake", 1.0), ("weights_offloaded", 0.0), ("discard_all", 0.0)] {
        writer.sample(name, &with(labels, ("sleep_state", state)), value);
    }
    let about = "KV-cache usage. 1 means 100 percent usage.";
    writer.single(("vllm:kv_cache_usage_perc", "gauge", about), labels, engine.kv.usage());
}

/// Labels and one more; both are in alphabetical order.
pub(super) fn with<'a>(labels: Pairs<'a>, more: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    let mut all = labels.to_vec();
    all.push(more);
    all.sort_unstable();
    all
}

fn cache(writer: &mut Writer, labels: Pairs<'_>, stats: &Stats) {
    let external = "External prefix cache {} from KV connector cross-instance cache sharing, in \
                    terms of number of {} tokens.";
    let words = |what: &str, which: &str| external.replacen("{}", what, 1).replacen("{}", which, 1);
    let counts = [
        (
            "vllm:prefix_cache_queries_total",
            "Prefix cache queries, in terms of number of queried tokens.".to_owned(),
            stats.queries,
        ),
        (
            "vllm:prefix_cache_hits_total",
            "Prefix cache hits, in terms of number of cached tokens.".to_owned(),
            stats.hits,
        ),
        ("vllm:external_prefix_cache_queries_total", words("queries", "queried"), 0),
        ("vllm:external_prefix_cache_hits_total", words("hits", "cached"), 0),
        (
            "vllm:mm_cache_queries_total",
            "Multi-modal cache queries, in terms of number of queried items.".to_owned(),
            0,
        ),
        (
            "vllm:mm_cache_hits_total",
            "Multi-modal cache hits, in terms of number of cached items.".to_owned(),
            0,
        ),
        (
            "vllm:num_preemptions_total",
            "Cumulative number of preemption from the engine.".to_owned(),
            stats.preemptions,
        ),
    ];
    for (name, about, value) in counts {
        writer.single((name, "counter", &about), labels, value as f64);
    }
}

fn tokens(writer: &mut Writer, labels: Pairs<'_>, stats: &Stats) {
    let prompt = stats.prompt_tokens as f64;
    let cached = stats.cached_tokens as f64;
    let about = "Number of prefill tokens processed.";
    writer.single(("vllm:prompt_tokens_total", "counter", about), labels, prompt);
    let name = "vllm:prompt_tokens_by_source_total";
    writer.family(name, "counter", "Number of prompt tokens by source.");
    let sources = [
        ("local_compute", prompt - cached),
        ("local_cache_hit", cached),
        ("external_kv_transfer", 0.0),
    ];
    for (source, value) in sources {
        writer.sample(name, &with(labels, ("source", source)), value);
    }
    let about = "Number of cached prompt tokens (local + external).";
    writer.single(("vllm:prompt_tokens_cached_total", "counter", about), labels, cached);
    let name = "vllm:prompt_tokens_cached_by_source_total";
    let about = "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), \
                 host (offloaded to DRAM), disk, p2p (transferred from another vLLM instance) or \
                 external_unspecified. Counted at admission; sums to vllm:prefix_cache_hits + \
                 vllm:external_prefix_cache_hits.";
    writer.family(name, "counter", about);
    for source in ["device", "host", "p2p", "disk", "external_unspecified"] {
        let value = if source == "device" { stats.hits as f64 } else { 0.0 };
        writer.sample(name, &with(labels, ("source", source)), value);
    }
    let about = "Number of generation tokens processed.";
    let generated = stats.generation_tokens as f64;
    writer.single(("vllm:generation_tokens_total", "counter", about), labels, generated);
}

fn config(writer: &mut Writer, replica: &Replica) {
    let kv = &replica.engine.kv;
    let tokens = kv.capacity() * BLOCK;
    let model = replica.engine.model();
    let bytes = tokens as f64 * model.kv_bytes_per_token() / replica.gpus.len() as f64;
    let concurrency = format!("{:.1}", tokens as f64 / model.length_max as f64);
    let texts = [
        BLOCK.to_string(),
        format!("{}", SERVED[replica.served].memory_share),
        concurrency,
        format!("{bytes:.0}"),
        tokens.to_string(),
        kv.capacity().to_string(),
    ];
    let [block, share, concurrency, bytes, tokens, blocks] = &texts;
    let caching = if kv.is_caching() { "True" } else { "False" };
    let labels = [
        ("block_size", block.as_str()),
        ("cache_dtype", "auto"),
        ("enable_prefix_caching", caching),
        ("engine", "0"),
        ("gpu_memory_utilization", share),
        ("is_attention_free", "False"),
        ("kv_cache_max_concurrency", concurrency),
        ("kv_cache_memory_bytes", bytes),
        ("kv_cache_size_tokens", tokens),
        ("num_cpu_blocks", "None"),
        ("num_gpu_blocks", blocks),
        ("num_gpu_blocks_override", "None"),
        ("prefix_caching_hash_algo", "sha256"),
        ("sliding_window", "None"),
    ];
    let about = "Information of the LLMEngine CacheConfig";
    writer.single(("vllm:cache_config_info", "gauge", about), &labels, 1.0);
}
