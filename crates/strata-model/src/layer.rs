//! The eight layers, in their order from hardware to money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the eight layers every page, catalog entry and collector belongs to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// GPU hardware: is the GPU healthy and doing useful work?
    L1Gpu,
    /// CUDA and communication: computing, or waiting for other GPUs?
    L2Cuda,
    /// Host and operating system: is the host the bottleneck?
    L3Host,
    /// Kubernetes and scheduling: who owns the GPU?
    L4Sched,
    /// Training runtime: how much of the hardware becomes training progress?
    L5Training,
    /// Inference engine: how much capacity is left?
    L6Inference,
    /// GenAI API: what do users get?
    L7Genai,
    /// Business and cost: is the GPU creating value?
    L8Cost,
}

impl Layer {
    /// All layers, lowest first.
    pub const ALL: [Self; 8] = [
        Self::L1Gpu,
        Self::L2Cuda,
        Self::L3Host,
        Self::L4Sched,
        Self::L5Training,
        Self::L6Inference,
        Self::L7Genai,
        Self::L8Cost,
    ];

    /// The room's name, the same in files, TOML, JSON and URLs: `l1_gpu` .. `l8_cost`.
    pub fn name(self) -> &'static str {
        match self {
            Self::L1Gpu => "l1_gpu",
            Self::L2Cuda => "l2_cuda",
            Self::L3Host => "l3_host",
            Self::L4Sched => "l4_sched",
            Self::L5Training => "l5_training",
            Self::L6Inference => "l6_inference",
            Self::L7Genai => "l7_genai",
            Self::L8Cost => "l8_cost",
        }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
