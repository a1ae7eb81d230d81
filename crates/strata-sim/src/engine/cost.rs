//! How long one step of an engine takes: a roofline over the GPU and the model's shape.
//!
//! A step computes 2 FLOPs per parameter and token, and attention over what each token sees; it
//! reads all weights once and the keys and values of every decoding sequence. The slower of
//! computing and reading decides (Williams et al., "Roofline", 2009); tensor parallelism adds two
//! all-reduces per layer, the host its own work. For given GPUs this has the form
//! a + b prefill tokens + c sequences + d cached tokens that serving papers fit to measurements
//! (`DistServe`, arXiv 2401.09670).

use crate::hardware::{
    BYTES, COMPUTE_EFFICIENCY, GpuKind, LINK_EFFICIENCY, MEMORY_EFFICIENCY, ModelShape,
};
use crate::trial::TrialSpeed;

/// Latency of one small all-reduce over `NVLink`, seconds.
const REDUCE_LATENCY: f64 = 9e-6;
/// Host time of a step that nothing depends on: scheduling, launching graphs, seconds.
const HOST_BASE: f64 = 1.1e-3;
/// Host time per sequence: sampling parameters, detokenizing, seconds.
const HOST_PER_SEQUENCE: f64 = 12e-6;
/// Processor seconds per second of host time: engine core, API server and tokenizer side by side.
const HOST_THREADS: f64 = 1.6;
/// Processor seconds to tokenize one prompt token.
const TOKENIZE: f64 = 1.5e-6;

/// What a step works on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Work {
    /// Prompt tokens computed.
    pub(crate) prefill: u64,
    /// Sum over prompt tokens of the tokens each looks back at.
    pub(crate) looked_at: f64,
    /// Sequences that decode one token each.
    pub(crate) decodes: u64,
    /// Cached tokens these look back at.
    pub(crate) cached: u64,
}

/// How fast the parts run now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// SM clock over the highest, of the slowest GPU of the replica.
    pub(crate) clock: f64,
    /// Memory bandwidth over the data sheet's, of the slowest GPU.
    pub(crate) memory: f64,
    /// `NVLink` bytes per second of the slowest GPU.
    pub(crate) nvlink: f64,
    /// How many times longer host work takes because processors are short on the node.
    pub(crate) host_stretch: f64,
    /// Processors the engine may use.
    pub(crate) cpu_quota: f64,
}

/// Times of a step in seconds, and what moved. FLOPs and bytes are those of one GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) total: f64,
    pub(crate) compute: f64,
    pub(crate) memory: f64,
    pub(crate) host: f64,
    pub(crate) host_cpu: f64,
    /// Seconds in which the container's quota was used up.
    pub(crate) throttled: f64,
    pub(crate) flops: f64,
    pub(crate) read: f64,
    pub(crate) written: f64,
    pub(crate) link_bytes: f64,
}

/// The cost of a step of `model` on `tp` GPUs.
pub(crate) fn step(model: &ModelShape, gpu: &GpuKind, tp: f64, pace: Pace, work: Work) -> Cost {
    let tokens = (work.prefill + work.decodes) as f64;
    let attention = 4.0 * model.layers * model.hidden * (work.looked_at + work.cached as f64);
    let flops = (2.0 * model.parameters * tokens + attention) / tp;
    let kv = model.kv_bytes_per_token();
    let read = (model.parameters * BYTES + work.cached as f64 * kv) / tp;
    let written = tokens * kv / tp;
    let compute = flops / (gpu.flops * COMPUTE_EFFICIENCY * pace.clock);
    let memory = (read + written) / (gpu.memory_bandwidth * MEMORY_EFFICIENCY * pace.memory);
    let (mut comm, mut link_bytes) = (0.0, 0.0);
    if tp > 1.0 {
        let message = tokens * model.hidden * BYTES;
        link_bytes = 2.0 * model.layers * message * 2.0 * (tp - 1.0) / tp;
        comm = 2.0 * model.layers * REDUCE_LATENCY + link_bytes / (pace.nvlink * LINK_EFFICIENCY);
    }
    let sequences = work.decodes + u64::from(work.prefill > 0);
    let host = HOST_BASE + HOST_PER_SEQUENCE * sequences as f64;
    let host_cpu = host * HOST_THREADS + TOKENIZE * work.prefill as f64;
    // Below its quota a container is throttled: its work takes as long as the quota lets it.
    let throttled = (host_cpu / pace.cpu_quota - host).max(0.0);
    let host = (host + throttled) * pace.host_stretch;
    let total = host + compute.max(memory) + comm;
    Cost { total, compute, memory, host, host_cpu, throttled, flops, read, written, link_bytes }
}

/// The pace at which an engine is as fast as one that was measured: clocks by the speed of its
/// prompts, memory by the gap between its tokens.
pub(crate) fn pace_of(model: &ModelShape, gpu: &GpuKind, speed: &TrialSpeed) -> Pace {
    let full =
        Pace { clock: 1.0, memory: 1.0, nvlink: gpu.nvlink, host_stretch: 1.0, cpu_quota: 8.0 };
    let prompt = speed.prompt.max(1.0);
    let work = Work {
        prefill: prompt as u64,
        looked_at: prompt * (prompt + 1.0) / 2.0,
        ..Work::default()
    };
    let prefill = step(model, gpu, 1.0, full, work);
    let clock = prefill.compute / (prompt / speed.prompt_tokens.max(1.0)).max(1e-9);
    let work = Work {
        decodes: speed.decoding.max(1.0) as u64,
        cached: speed.looked_back as u64,
        ..Work::default()
    };
    let decode = step(model, gpu, 1.0, full, work);
    let gap = speed.gap_s.max(1e-6);
    // An engine that is quicker than the host's work of a step is taken to have a quicker host.
    let host_stretch = (gap / 2.0 / decode.host).min(1.0);
    let memory = decode.memory / (gap - decode.host * host_stretch);
    Pace { clock, memory, host_stretch, ..full }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{H100, LARGE, SMALL};

    const FULL: Pace =
        Pace { clock: 1.0, memory: 1.0, nvlink: 450e9, host_stretch: 1.0, cpu_quota: 8.0 };

    fn decode(pace: Pace) -> f64 {
        let work = Work { decodes: 32, cached: 48_000, ..Work::default() };
        step(&SMALL, &H100, 1.0, pace, work).total
    }

    fn prefill(pace: Pace) -> f64 {
        let work = Work { prefill: 8192, looked_at: 3e7, ..Work::default() };
        step(&SMALL, &H100, 1.0, pace, work).total
    }

    #[test]
    fn steps_take_what_such_gpus_take() {
        // Measured on H100 with 8B models: 8 to 15 ms a decoding step, some 40 000 to 70 000 prompt
        // tokens a second.
        assert!((0.008..0.015).contains(&decode(FULL)), "{}", decode(FULL));
        let rate = 8192.0 / prefill(FULL);
        assert!((25_000.0..70_000.0).contains(&rate), "{rate}");
    }

    #[test]
    fn each_resource_slows_what_depends_on_it() {
        let slow_clock = Pace { clock: 0.5, ..FULL };
        let slow_memory = Pace { memory: 0.5, ..FULL };
        assert!(prefill(slow_clock) > 1.8 * prefill(FULL), "prefill is bound by computing");
        assert_eq!(decode(slow_clock), decode(FULL), "decoding is not");
        assert!(decode(slow_memory) > 1.6 * decode(FULL), "but by reading memory");
        assert!(decode(Pace { cpu_quota: 0.2, ..FULL }) > 1.3 * decode(FULL));
        assert!(decode(Pace { host_stretch: 3.0, ..FULL }) > 1.2 * decode(FULL));
        let work = Work { decodes: 16, cached: 20_000, ..Work::default() };
        let tp2 = step(&LARGE, &H100, 2.0, FULL, work);
        let slow_link = step(&LARGE, &H100, 2.0, Pace { nvlink: 1e9, ..FULL }, work);
        assert!(slow_link.total > tp2.total);
    }
}
