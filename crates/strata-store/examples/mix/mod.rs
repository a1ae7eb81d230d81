//! A generated fleet: GPU exporters, hosts and inference engines, as numbers that look like theirs.
//!
//! 64 nodes with 8 GPUs each (14 DCGM-like series a GPU, decimal text values), 64 hosts (80
//! node-exporter-like series), 100 engine pods (3 classic histograms of 23 buckets, counters,
//! gauges, ten `vllm:generation_tokens_total`): 21,600 series on 228 targets. Deterministic.

use std::sync::Arc;

use strata_model::{Batch, Labels};

/// How one series moves from scrape to scrape.
#[derive(Clone, Copy)]
enum Motion {
    /// A gauge that walks within bounds, rounded to a decimal step.
    Walk {
        low: f64,
        high: f64,
        step: f64,
        decimals: f64,
    },
    /// A counter of whole things at a rate that itself varies.
    Count {
        per_scrape: f64,
    },
    /// A counter of seconds with decimals.
    Seconds {
        per_scrape: f64,
        decimals: f64,
    },
    /// A sum of floats as programs keep it: full mantissa.
    Sum {
        per_scrape: f64,
    },
    Constant(f64),
}

struct Member {
    labels: Labels,
    motion: Motion,
    value: f64,
}

/// Series that are scraped together.
pub(crate) struct Target {
    source: Arc<str>,
    members: Vec<Member>,
    offset_ms: i64,
    random: fastrand::Rng,
}

impl Target {
    fn new(source: &str, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let offset_ms = random.i64(0..15_000);
        Self { source: Arc::from(source), members: Vec::new(), offset_ms, random }
    }

    fn add(&mut self, pairs: &[(&str, &str)], motion: Motion) {
        let value = match motion {
            Motion::Walk { low, high, .. } => low + (high - low) * self.random.f64(),
            Motion::Constant(value) => value,
            Motion::Count { per_scrape } => (per_scrape * 1_000.0 * self.random.f64()).round(),
            Motion::Seconds { per_scrape, .. } | Motion::Sum { per_scrape } => {
                per_scrape * 1_000.0 * self.random.f64()
            }
        };
        let labels = pairs.iter().copied().chain([("instance", &*self.source)]);
        self.members.push(Member { labels: Labels::from_pairs(labels), motion, value });
    }

    /// Series of this target.
    pub(crate) fn series(&self) -> usize {
        self.members.len()
    }

    /// The scrape number `round` of a plan that began at `start_ms`, every 15 s with jitter.
    pub(crate) fn scrape(&mut self, start_ms: i64, round: i64) -> Batch {
        let mut batch = Batch::new(Arc::clone(&self.source));
        let at_ms = start_ms + round * 15_000 + self.offset_ms + self.random.i64(0..4);
        for member in &mut self.members {
            member.step(&mut self.random);
            batch.push(&member.labels, at_ms, member.value);
        }
        batch
    }
}

impl Member {
    fn step(&mut self, random: &mut fastrand::Rng) {
        match self.motion {
            Motion::Walk { low, high, step, decimals } => {
                let moved = self.value + (random.f64() * 2.0 - 1.0) * step;
                self.value = (moved.clamp(low, high) * decimals).round() / decimals;
            }
            Motion::Count { per_scrape } => {
                self.value += (per_scrape * (0.5 + random.f64())).floor();
            }
            Motion::Seconds { per_scrape, decimals } => {
                let moved = self.value + per_scrape * (0.8 + 0.4 * random.f64());
                self.value = (moved * decimals).round() / decimals;
            }
            Motion::Sum { per_scrape } => self.value += per_scrape * random.f64(),
            Motion::Constant(_) => {}
        }
    }
}

/// `scale` fleets of 228 targets, the second and later ones renamed.
pub(crate) fn fleet(scale: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    for copy in 0..scale {
        for node in 0..64 {
            targets.push(gpu_target(copy, node));
            targets.push(host_target(copy, node));
        }
        for pod in 0..100 {
            targets.push(engine_target(copy, pod));
        }
    }
    targets
}

fn gpu_target(copy: usize, node: u64) -> Target {
    let host = format!("gpu-node-{copy}-{node:02}");
    let mut target = Target::new(&format!("{host}:9400"), node + 1_000 * copy as u64);
    for gpu in 0..8 {
        let id = gpu.to_string();
        let uuid =
            format!("GPU-{:08x}-{node:04x}-{gpu:04x}-9b1d", (node * 8 + gpu) * 2_654_435_761);
        let walk = |low, high, step, decimals| Motion::Walk { low, high, step, decimals };
        let rows = [
            ("DCGM_FI_DEV_GPU_UTIL", walk(0.0, 100.0, 15.0, 1.0)),
            ("DCGM_FI_DEV_MEM_COPY_UTIL", walk(0.0, 100.0, 10.0, 1.0)),
            ("DCGM_FI_DEV_GPU_TEMP", walk(35.0, 85.0, 1.5, 1.0)),
            ("DCGM_FI_DEV_POWER_USAGE", walk(90.0, 700.0, 25.0, 1_000.0)),
            ("DCGM_FI_DEV_SM_CLOCK", walk(1_200.0, 1_980.0, 30.0, 1.0)),
            ("DCGM_FI_DEV_FB_USED", walk(10_000.0, 80_000.0, 40.0, 1.0)),
            ("DCGM_FI_DEV_FB_FREE", walk(100.0, 70_000.0, 40.0, 1.0)),
            ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", walk(0.0, 1.0, 0.1, 1e6)),
            ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", walk(0.0, 1.0, 0.1, 1e6)),
            ("DCGM_FI_PROF_DRAM_ACTIVE", walk(0.0, 1.0, 0.1, 1e6)),
            ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", Motion::Count { per_scrape: 6_000_000.0 }),
            ("DCGM_FI_DEV_XID_ERRORS", Motion::Constant(0.0)),
            ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", Motion::Constant(0.0)),
            ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", Motion::Count { per_scrape: 40_000.0 }),
        ];
        for (name, motion) in rows {
            let pairs = [
                ("__name__", name),
                ("gpu", &id),
                ("UUID", &uuid),
                ("Hostname", &host),
                ("modelName", "NVIDIA H100 80GB HBM3"),
                ("device", &format!("nvidia{id}")),
                ("job", "dcgm"),
            ];
            target.add(&pairs, motion);
        }
    }
    target
}

fn host_target(copy: usize, node: u64) -> Target {
    let host = format!("gpu-node-{copy}-{node:02}");
    let mut target = Target::new(&format!("{host}:9100"), 100 + node + 1_000 * copy as u64);
    for cpu in 0..5 {
        for mode in ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"] {
            let busy = matches!(mode, "idle" | "system" | "user");
            let motion = if busy {
                Motion::Seconds { per_scrape: 5.0, decimals: 100.0 }
            } else {
                Motion::Seconds { per_scrape: 0.02, decimals: 100.0 }
            };
            let cpu = cpu.to_string();
            let name = "node_cpu_seconds_total";
            target
                .add(&[("__name__", name), ("cpu", &cpu), ("mode", mode), ("job", "node")], motion);
        }
    }
    for device in ["eth0", "ib0", "ib1", "lo"] {
        for name in [
            "node_network_receive_bytes_total",
            "node_network_transmit_bytes_total",
            "node_network_receive_packets_total",
            "node_network_transmit_packets_total",
            "node_network_receive_drop_total",
        ] {
            let per_scrape = if name.contains("bytes") { 5e7 } else { 4e4 };
            let per_scrape = if name.contains("drop") { 0.1 } else { per_scrape };
            let pairs = [("__name__", name), ("device", device), ("job", "node")];
            target.add(&pairs, Motion::Count { per_scrape });
        }
    }
    let memory = Motion::Walk { low: 1e10, high: 2e12, step: 2e8, decimals: 1.0 / 4_096.0 };
    for name in
        ["MemAvailable", "MemFree", "Cached", "Buffers", "Dirty", "AnonPages", "Mapped", "Slab"]
    {
        target.add(&[("__name__", &format!("node_memory_{name}_bytes")), ("job", "node")], memory);
    }
    for name in ["MemTotal", "SwapTotal", "HugePages_Total", "CommitLimit"] {
        let name = format!("node_memory_{name}_bytes");
        target.add(&[("__name__", &name), ("job", "node")], Motion::Constant(2_164_195_336_192.0));
    }
    let load = Motion::Walk { low: 0.0, high: 200.0, step: 2.0, decimals: 100.0 };
    for name in ["node_load1", "node_load5", "node_load15", "node_procs_running"] {
        target.add(&[("__name__", name), ("job", "node")], load);
    }
    for name in ["cpu", "io", "memory", "irq"] {
        let name = format!("node_pressure_{name}_waiting_seconds_total");
        let motion = Motion::Seconds { per_scrape: 0.2, decimals: 1e6 };
        target.add(&[("__name__", &name), ("job", "node")], motion);
    }
    target
}

fn engine_target(copy: usize, pod: u64) -> Target {
    let name = format!("vllm-{copy}-{pod:03}");
    let mut target = Target::new(&format!("{name}:8000"), 500 + pod + 1_000 * copy as u64);
    let model = ["llama-3-70b", "qwen-2.5-32b", "mixtral-8x22b", "deepseek-v3"][pod as usize % 4];
    let base =
        [("model_name", model), ("pod", name.as_str()), ("namespace", "serving"), ("job", "vllm")];
    for family in [
        "vllm:time_to_first_token_seconds",
        "vllm:inter_token_latency_seconds",
        "vllm:e2e_request_latency_seconds",
    ] {
        for bucket in 0..23 {
            let edge = if bucket == 22 {
                "+Inf".to_owned()
            } else {
                format!("{}", 0.001 * 2_f64.powi(bucket))
            };
            let bucket_name = format!("{family}_bucket");
            let mut pairs = vec![("__name__", bucket_name.as_str()), ("le", &edge)];
            pairs.extend(base);
            target.add(&pairs, Motion::Count { per_scrape: f64::from(bucket) * 3.0 });
        }
        for (suffix, motion) in [
            ("_sum", Motion::Sum { per_scrape: 40.0 }),
            ("_count", Motion::Count { per_scrape: 66.0 }),
        ] {
            let name = format!("{family}{suffix}");
            let mut pairs = vec![("__name__", name.as_str())];
            pairs.extend(base);
            target.add(&pairs, motion);
        }
    }
    let ratio = Motion::Walk { low: 0.0, high: 1.0, step: 0.03, decimals: 1e4 };
    let few = Motion::Walk { low: 0.0, high: 256.0, step: 6.0, decimals: 1.0 };
    for (name, motion) in [
        ("vllm:num_requests_running", few),
        ("vllm:num_requests_waiting", few),
        ("vllm:kv_cache_usage_perc", ratio),
        ("vllm:gpu_prefix_cache_hit_rate", ratio),
        ("vllm:prompt_tokens_total", Motion::Count { per_scrape: 20_000.0 }),
        ("vllm:num_preemptions_total", Motion::Count { per_scrape: 0.4 }),
        ("vllm:request_success_total", Motion::Count { per_scrape: 60.0 }),
    ] {
        let mut pairs = vec![("__name__", name)];
        pairs.extend(base);
        target.add(&pairs, motion);
    }
    for engine in 0..10 {
        let engine = engine.to_string();
        let mut pairs =
            vec![("__name__", "vllm:generation_tokens_total"), ("engine", engine.as_str())];
        pairs.extend(base);
        target.add(&pairs, Motion::Count { per_scrape: 3_000.0 });
    }
    target
}
