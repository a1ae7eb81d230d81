//! The physical parameters that a scenario may change, by kind of entity. This list is the whole
//! of what a scenario can reach: it changes causes, and symptoms follow from the model.

/// One parameter of a kind of entity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knob {
    pub name: &'static str,
    /// UCUM unit; `1` for ratios.
    pub unit: &'static str,
    /// Least and greatest value that makes sense.
    pub bounds: (f64, f64),
    pub about: &'static str,
}

/// The kinds of entities a scenario can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Tenant,
    Replica,
    Gpu,
    Node,
    Link,
    Run,
    Rank,
    Batch,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Tenant,
        Self::Replica,
        Self::Gpu,
        Self::Node,
        Self::Link,
        Self::Run,
        Self::Rank,
        Self::Batch,
    ];

    /// The word before the colon in `gpu:gpu-node-1/3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Replica => "replica",
            Self::Gpu => "gpu",
            Self::Node => "node",
            Self::Link => "link",
            Self::Run => "run",
            Self::Rank => "rank",
            Self::Batch => "batch",
        }
    }

    /// Its parameters, in the order in which entities keep them.
    pub fn knobs(self) -> &'static [Knob] {
        match self {
            Self::Tenant => TENANT,
            Self::Replica => REPLICA,
            Self::Gpu => GPU,
            Self::Node => NODE,
            Self::Link => LINK,
            Self::Run => RUN,
            Self::Rank => RANK,
            Self::Batch => BATCH,
        }
    }
}

/// The values of an entity's parameters, in the order of [`Kind::knobs`].
#[derive(Debug, Clone)]
pub(crate) struct Knobs(Vec<f64>);

impl Knobs {
    pub(crate) fn new(values: Vec<f64>) -> Self {
        Self(values)
    }

    pub(crate) fn get(&self, knob: impl Into<usize>) -> f64 {
        self.0.get(knob.into()).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn set(&mut self, knob: usize, value: f64) {
        if let Some(place) = self.0.get_mut(knob) {
            *place = value;
        }
    }
}

macro_rules! knobs {
    ($kind:ident $list:ident {
        $($variant:ident $name:literal $unit:literal $least:literal $most:literal $about:literal)*
    }) => {
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum $kind { $($variant),* }

        impl From<$kind> for usize {
            fn from(knob: $kind) -> usize {
                knob as usize
            }
        }

        const $list: &[Knob] = &[$(
            Knob { name: $name, unit: $unit, bounds: ($least, $most), about: $about },
        )*];
    };
}

knobs!(TenantKnob TENANT {
    Rate "rate" "{conversation}/s" 0.0 1e5 "New conversations per second, before day and bursts."
    Diurnal "diurnal" "1" 0.0 1.0 "Swing of the day: 0.3 is 30 % above and below the mean."
    BurstFactor "burst_factor" "1" 1.0 100.0 "The rate in a burst over the usual rate."
    BurstSeconds "burst_seconds" "s" 1.0 86400.0 "Mean length of a burst."
    BurstGapSeconds "burst_gap_seconds" "s" 1.0 864_000.0 "Mean time between bursts."
    PromptTokens "prompt_tokens" "{token}" 1.0 30000.0 "Mean length of what a user adds in one turn."
    PromptSigma "prompt_sigma" "1" 0.0 3.0 "Deviation of the logarithm of that length."
    OutputTokens "output_tokens" "{token}" 1.0 30000.0 "Mean length of an answer that nothing cuts."
    OutputSigma "output_sigma" "1" 0.0 3.0 "Deviation of the logarithm of that length."
    MaxTokens "max_tokens" "{token}" 1.0 30000.0 "What half of the requests allow an answer; the others allow twice as much."
    SystemTokens "system_tokens" "{token}" 0.0 30000.0 "System prompt, the same in all requests of the tenant."
    TurnProbability "turn_probability" "1" 0.0 0.99 "Chance that a conversation goes on after an answer."
    ThinkSeconds "think_seconds" "s" 1.0 86400.0 "Mean time a user takes before going on."
    PatienceSeconds "patience_seconds" "s" 0.1 86400.0 "Mean time a client waits for the first token before it hangs up."
});

knobs!(ReplicaKnob REPLICA {
    KvBlocks "kv_blocks" "{block}" 0.0 1e9 "Blocks of the KV cache, 16 tokens each."
    MaxSeqs "max_seqs" "{request}" 1.0 4096.0 "Most requests in one step."
    BatchTokens "batch_tokens" "{token}" 16.0 262_144.0 "Most tokens in one step."
    CpuQuota "cpu_quota" "{cpu}" 0.05 1024.0 "Processors the engine's container may use."
    PrefixCaching "prefix_caching" "1" 0.0 1.0 "Whether blocks are kept for reuse: 1 or 0."
});

knobs!(GpuKnob GPU {
    ClockRatio "clock_ratio" "1" 0.05 1.0 "SM clock allowed, over the highest."
    MemoryRatio "memory_bandwidth_ratio" "1" 0.05 1.0 "Memory bandwidth over the data sheet's."
    PowerLimit "power_limit" "W" 100.0 2000.0 "Board power limit."
    InletCelsius "inlet_celsius" "Cel" -20.0 90.0 "Temperature of the air or water that comes in."
    ThermalResistance "thermal_resistance" "K/W" 0.001 1.0 "How much hotter each watt makes the chip."
    CorrectedEcc "ecc_corrected_rate" "{error}/h" 0.0 1e6 "Memory errors that are corrected."
    UncorrectedEcc "ecc_uncorrected_rate" "{error}/h" 0.0 1e6 "Memory errors that are not; each is an XID 48."
    NvlinkBandwidth "nvlink_bandwidth" "By/s" 1e6 1e13 "Bytes per second in one direction, all links."
});

knobs!(NodeKnob NODE {
    CpuCores "cpu_cores" "{cpu}" 1.0 4096.0 "Processors that work; the others are stolen."
    BackgroundCores "background_cores" "{cpu}" 0.0 4096.0 "Processors that unrelated processes would use."
    DiskBandwidth "disk_bandwidth" "By/s" 1e4 1e12 "Bytes per second of the local disk."
    DiskLatency "disk_latency" "s" 1e-6 60.0 "Time of one request of the disk, without transfer."
    NetworkBandwidth "network_bandwidth" "By/s" 1e4 1e12 "Bytes per second of the front network."
    NetworkLoss "network_loss" "1" 0.0 0.5 "Share of packets that get lost."
    NetworkDelay "network_delay" "s" 0.0 10.0 "Round trip to clients."
    MemoryUsed "memory_used" "By" 0.0 1e14 "Memory of unrelated processes."
});

knobs!(LinkKnob LINK {
    Bandwidth "bandwidth" "By/s" 1e3 1e13 "Bytes per second of one port between nodes, one direction."
});

knobs!(RunKnob RUN {
    TokensPerRank "tokens_per_rank" "{token}" 1.0 1e7 "Tokens of one rank in one step."
    LoaderBytes "loader_bytes" "By" 0.0 1e12 "Bytes one rank reads from disk for one step."
    LoaderWorkers "loader_workers" "{process}" 1.0 1024.0 "Processes that read for one rank, one request each."
    CheckpointSteps "checkpoint_steps" "{step}" 1.0 1e7 "Steps between checkpoints."
    CheckpointBytes "checkpoint_bytes" "By" 0.0 1e14 "Bytes of a checkpoint, all ranks together."
    Overlap "overlap" "1" 0.0 1.0 "Share of the transfer of collectives that computing hides."
});

knobs!(BatchKnob BATCH {
    Rate "rate" "{job}/h" 0.0 1e5 "Jobs that come in an hour, each for one GPU."
    WorkSeconds "work_seconds" "s" 1.0 86400.0 "Mean time of a job at the full clock."
    FaultRate "fault_rate" "{fault}/h" 0.0 1e4 "Accesses of a job to memory that is not its own, per hour of running; each is an XID 31 and the job's end."
    Quota "quota" "{gpu}" 0.0 1e5 "GPUs of the jobs that are let in at once."
});

knobs!(RankKnob RANK {
    ComputeRatio "compute_ratio" "1" 0.1 100.0 "Its computing time over that of a sound rank."
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_is_told_and_bounded() {
        for kind in Kind::ALL {
            for knob in kind.knobs() {
                assert!(knob.bounds.0 < knob.bounds.1, "{} {}", kind.name(), knob.name);
                assert!(knob.about.ends_with('.'), "{} {}", kind.name(), knob.name);
            }
        }
    }
}
