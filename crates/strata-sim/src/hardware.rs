//! What the simulated parts can do by data sheet: the constants behind all times and watts.

/// A kind of GPU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GpuKind {
    /// As NVML names it.
    pub(crate) name: &'static str,
    /// Dense BF16 tensor peak in FLOP/s, without sparsity.
    pub(crate) flops: f64,
    /// Memory bandwidth in bytes per second.
    pub(crate) memory_bandwidth: f64,
    /// Frame buffer in MiB, as the driver reports it.
    pub(crate) memory_mib: f64,
    /// What the driver keeps of it, in MiB.
    pub(crate) reserved_mib: f64,
    /// Board power limit in watts.
    pub(crate) power_limit: f64,
    /// Draw with contexts loaded and nothing to do, in watts.
    pub(crate) idle_power: f64,
    /// Highest SM clock in hertz.
    pub(crate) sm_clock: f64,
    pub(crate) memory_clock: f64,
    /// Temperature at which software slows the clocks, in degrees Celsius.
    pub(crate) slowdown_celsius: f64,
    /// `NVLink` bytes per second in one direction, all links.
    pub(crate) nvlink: f64,
}

/// NVIDIA H100 SXM5 (data sheet of 2023): 989.4 TFLOP/s dense BF16, 3.35 TB/s HBM3, 700 W, 900 GB/s
/// `NVLink` in both directions together.
pub(crate) const H100: GpuKind = GpuKind {
    name: "NVIDIA H100 80GB HBM3",
    flops: 989.4e12,
    memory_bandwidth: 3.35e12,
    memory_mib: 81_559.0,
    reserved_mib: 551.0,
    power_limit: 700.0,
    idle_power: 72.0,
    sm_clock: 1.98e9,
    memory_clock: 2.619e9,
    slowdown_celsius: 87.0,
    nvlink: 450e9,
};

/// Share of the tensor peak that big matrix products of serving and training reach; published
/// kernels of H100 reach 0.6 to 0.75.
pub(crate) const COMPUTE_EFFICIENCY: f64 = 0.62;
/// The same for a training step, which also has layer norms, losses and recomputation in it.
pub(crate) const TRAINING_EFFICIENCY: f64 = 0.50;
/// Share of the memory's peak that weight and KV reads reach.
pub(crate) const MEMORY_EFFICIENCY: f64 = 0.75;
/// Share of a link's rate that large collectives reach (nccl-tests on 400 Gb/s rails: 0.8 to 0.95).
pub(crate) const LINK_EFFICIENCY: f64 = 0.85;

/// The shape of a served model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelShape {
    pub(crate) name: &'static str,
    pub(crate) parameters: f64,
    pub(crate) layers: f64,
    pub(crate) hidden: f64,
    /// Heads of keys and values.
    pub(crate) kv_heads: f64,
    pub(crate) head_size: f64,
    /// Longest sequence the engine was started for.
    pub(crate) length_max: u64,
}

/// Bytes of a weight and of a cached value: BF16.
pub(crate) const BYTES: f64 = 2.0;

/// An 8-billion-parameter model with grouped queries (Llama 3.1 8B: 32 layers, 8 of 128).
pub(crate) const SMALL: ModelShape = ModelShape {
    name: "llama-3.1-8b-instruct",
    parameters: 8.03e9,
    layers: 32.0,
    hidden: 4096.0,
    kv_heads: 8.0,
    head_size: 128.0,
    length_max: 32_768,
};

/// A 32-billion-parameter model (Qwen2.5 32B: 64 layers, 8 of 128).
pub(crate) const LARGE: ModelShape = ModelShape {
    name: "qwen2.5-32b-instruct",
    parameters: 32.8e9,
    layers: 64.0,
    hidden: 5120.0,
    kv_heads: 8.0,
    head_size: 128.0,
    length_max: 32_768,
};

impl ModelShape {
    /// Bytes of keys and values of one token, over all GPUs: 2 L H d b.
    pub(crate) fn kv_bytes_per_token(&self) -> f64 {
        2.0 * self.layers * self.kv_heads * self.head_size * BYTES
    }

    /// Tokens whose keys and values fit beside the weights on `tp` GPUs of which an engine may use
    /// `share`; 4 GiB a GPU go to activations and graphs.
    pub(crate) fn kv_capacity(&self, gpu: &GpuKind, tp: f64, share: f64) -> f64 {
        let mib = 1_048_576.0;
        let room = tp * (gpu.memory_mib * mib * share - 4.0 * 1024.0 * mib);
        ((room - self.parameters * BYTES) / self.kv_bytes_per_token()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_of_known_models_is_as_published() {
        assert_eq!(SMALL.kv_bytes_per_token(), 131_072.0);
        assert_eq!(LARGE.kv_bytes_per_token(), 262_144.0);
        // vLLM on one H100 has room for some 400 000 tokens beside an 8B model.
        let tokens = SMALL.kv_capacity(&H100, 1.0, 0.92);
        assert!((400_000.0..500_000.0).contains(&tokens), "{tokens}");
    }
}
