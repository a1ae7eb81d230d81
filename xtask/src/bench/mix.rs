//! The telemetry the bench ships: what a cluster of GPU nodes and inference pods really exports.
//!
//! 64 nodes of 8 GPUs with 14 DCGM-like series each, 80 node_exporter-like series per node, and
//! inference pods with three classic histograms, counters and gauges: about 20,000 series. Values
//! are written with the decimals their exporters print. Deterministic by seed.

use fastrand::Rng;

/// How a series moves from scrape to scrape.
#[derive(Debug, Clone, Copy)]
enum Motion {
    /// A gauge that wanders between bounds, printed with this many decimals.
    Wander { low: f64, high: f64, decimals: i32 },
    /// A counter that grows by up to this much per scrape, printed with this many decimals.
    Grow { most: f64, decimals: i32 },
    /// Hardly ever changes.
    Still,
}

/// One series with its current value.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Pairs sorted by name, `__name__` included.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
    motion: Motion,
}

/// All series of one scrape target, in page order.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) lines: Vec<Line>,
    /// Offset of its scrapes inside the interval, in milliseconds.
    pub(crate) phase_ms: i64,
}

/// The whole cluster.
#[derive(Debug)]
pub(crate) struct Mix {
    pub(crate) targets: Vec<Target>,
    random: Rng,
}

const GPU_METRICS: [(&str, Motion); 14] = [
    ("DCGM_FI_DEV_SM_CLOCK", Motion::Wander { low: 345.0, high: 1980.0, decimals: 0 }),
    ("DCGM_FI_DEV_MEM_CLOCK", Motion::Still),
    ("DCGM_FI_DEV_GPU_TEMP", Motion::Wander { low: 30.0, high: 86.0, decimals: 0 }),
    ("DCGM_FI_DEV_MEMORY_TEMP", Motion::Wander { low: 30.0, high: 95.0, decimals: 0 }),
    ("DCGM_FI_DEV_POWER_USAGE", Motion::Wander { low: 70.0, high: 700.0, decimals: 3 }),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", Motion::Grow { most: 1e7, decimals: 0 }),
    ("DCGM_FI_DEV_GPU_UTIL", Motion::Wander { low: 0.0, high: 100.0, decimals: 0 }),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", Motion::Wander { low: 0.0, high: 100.0, decimals: 0 }),
    ("DCGM_FI_DEV_XID_ERRORS", Motion::Still),
    ("DCGM_FI_DEV_FB_FREE", Motion::Wander { low: 0.0, high: 81_559.0, decimals: 0 }),
    ("DCGM_FI_DEV_FB_USED", Motion::Wander { low: 0.0, high: 81_559.0, decimals: 0 }),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", Motion::Wander { low: 0.0, high: 1.0, decimals: 6 }),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", Motion::Wander { low: 0.0, high: 1.0, decimals: 6 }),
    ("DCGM_FI_PROF_DRAM_ACTIVE", Motion::Wander { low: 0.0, high: 1.0, decimals: 6 }),
];
const NODES: usize = 64;
const GPUS_PER_NODE: usize = 8;
const HOST_SERIES: usize = 80;
const HISTOGRAMS: [&str; 3] =
    ["time_to_first_token_seconds", "inter_token_latency_seconds", "e2e_request_latency_seconds"];
const EDGES: [&str; 23] = [
    "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0",
    "2.5", "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf",
];

impl Mix {
    /// The cluster with `pods` inference pods; 100 pods make about 20,000 series.
    pub(crate) fn cluster(pods: usize, seed: u64) -> Self {
        Self::fleet(NODES, pods, seed)
    }

    /// The same with another number of nodes.
    pub(crate) fn fleet(nodes: usize, pods: usize, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut targets = Vec::new();
        for node in 0..nodes {
            targets.push(gpu_target(node));
            targets.push(host_target(node));
        }
        targets.extend((0..pods).map(engine_target));
        for target in &mut targets {
            target.phase_ms = random.i64(0..15_000);
            for line in &mut target.lines {
                line.value = start(line.motion, &mut random);
            }
        }
        Self { targets, random }
    }

    /// `count` counters of one metric over ten models, for the query figure.
    pub(crate) fn counters(metric: &str, count: usize, seed: u64) -> Self {
        let motion = Motion::Grow { most: 4000.0, decimals: 0 };
        let targets = (0..count).map(|pod| {
            let own = [("model_name", format!("model-{}", pod % 10)), ("engine", "0".to_owned())];
            let line = line(
                metric,
                "engine",
                &format!("10.1.{}.{}:8000", pod / 250, pod % 250),
                own,
                motion,
            );
            Target { lines: vec![line], phase_ms: (pod as i64 * 7919) % 15_000 }
        });
        Self { targets: targets.collect(), random: Rng::with_seed(seed) }
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> usize {
        self.targets.iter().map(|target| target.lines.len()).sum()
    }

    /// Move every series on by one scrape.
    pub(crate) fn advance(&mut self) {
        for line in self.targets.iter_mut().flat_map(|target| &mut target.lines) {
            line.value = next(line.value, line.motion, &mut self.random);
        }
    }
}

fn start(motion: Motion, random: &mut Rng) -> f64 {
    match motion {
        Motion::Wander { low, high, decimals } => {
            round(low + random.f64() * (high - low), decimals)
        }
        Motion::Grow { most, decimals } => round(random.f64() * most * 1000.0, decimals),
        Motion::Still => f64::from(random.u8(0..4)),
    }
}

fn next(value: f64, motion: Motion, random: &mut Rng) -> f64 {
    match motion {
        Motion::Wander { low, high, decimals } => {
            // A GPU that is idle or saturated holds its value for many scrapes.
            if random.f64() < 0.3 {
                return value;
            }
            let step = (random.f64() - 0.5) * 0.1 * (high - low);
            round((value + step).clamp(low, high), decimals)
        }
        Motion::Grow { most, decimals } => round(value + random.f64() * most, decimals),
        Motion::Still => value,
    }
}

fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

fn line<const N: usize>(
    metric: &str,
    job: &str,
    instance: &str,
    own: [(&str, String); N],
    motion: Motion,
) -> Line {
    let mut labels = vec![
        ("__name__".to_owned(), metric.to_owned()),
        ("instance".to_owned(), instance.to_owned()),
        ("job".to_owned(), job.to_owned()),
    ];
    labels.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    labels.sort();
    Line { labels, value: 0.0, motion }
}

fn gpu_target(node: usize) -> Target {
    let instance = format!("10.0.0.{node}:9400");
    let gpus = (0..GPUS_PER_NODE).flat_map(|gpu| {
        let instance = instance.clone();
        GPU_METRICS.iter().map(move |(metric, motion)| {
            let own = [
                ("gpu", gpu.to_string()),
                ("UUID", format!("GPU-{node:08x}-{gpu:04x}-5b1c-9d2e-0a4f3c7e11d0")),
                ("modelName", "NVIDIA H100 80GB HBM3".to_owned()),
                ("Hostname", format!("node-{node}")),
            ];
            line(metric, "dcgm", &instance, own, *motion)
        })
    });
    Target { lines: gpus.collect(), phase_ms: 0 }
}

fn host_target(node: usize) -> Target {
    let instance = format!("10.0.0.{node}:9100");
    let modes = ["user", "system", "idle", "iowait", "irq", "softirq", "steal", "nice"];
    let lines = (0..HOST_SERIES).map(|index| {
        if index < 64 {
            let own = [("cpu", (index / 8).to_string()), ("mode", modes[index % 8].to_owned())];
            let motion = Motion::Grow { most: 15.0, decimals: 2 };
            line("node_cpu_seconds_total", "node", &instance, own, motion)
        } else {
            let own = [("device", format!("nvme{}n1", index - 64))];
            let motion = Motion::Grow { most: 5e8, decimals: 0 };
            line("node_disk_written_bytes_total", "node", &instance, own, motion)
        }
    });
    Target { lines: lines.collect(), phase_ms: 0 }
}

fn engine_target(pod: usize) -> Target {
    let instance = format!("10.2.{}.{}:8000", pod / 250, pod % 250);
    let own = || [("model_name", format!("model-{}", pod % 10)), ("engine", "0".to_owned())];
    let mut lines = Vec::new();
    for histogram in HISTOGRAMS {
        for (index, edge) in EDGES.iter().enumerate() {
            let [model, engine] = own();
            let labels = [model, engine, ("le", (*edge).to_owned())];
            let motion = Motion::Grow { most: (index + 1) as f64 * 2.0, decimals: 0 };
            let metric = format!("vllm:{histogram}_bucket");
            lines.push(line(&metric, "vllm", &instance, labels, motion));
        }
        let sum = Motion::Grow { most: 30.0, decimals: 9 };
        lines.push(line(&format!("vllm:{histogram}_sum"), "vllm", &instance, own(), sum));
    }
    for counter in ["generation_tokens_total", "prompt_tokens_total", "num_preemptions_total"] {
        let motion = Motion::Grow { most: 4000.0, decimals: 0 };
        lines.push(line(&format!("vllm:{counter}"), "vllm", &instance, own(), motion));
    }
    for gauge in ["num_requests_running", "num_requests_waiting"] {
        let motion = Motion::Wander { low: 0.0, high: 256.0, decimals: 0 };
        lines.push(line(&format!("vllm:{gauge}"), "vllm", &instance, own(), motion));
    }
    let usage = Motion::Wander { low: 0.0, high: 1.0, decimals: 16 };
    lines.push(line("vllm:kv_cache_usage_perc", "vllm", &instance, own(), usage));
    Target { lines, phase_ms: 0 }
}
