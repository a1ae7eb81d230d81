//! Profiling counters of the GPU itself (GPM, Hopper and later): no other program is needed.

use std::sync::Arc;

use super::super::names;
use super::library::{Answer, GpmSample, Handle, Nvml};
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain, shape};

/// A metric's number, and the factor to the unit of its series.
struct Metric(u32, f64, Shape);

const PERCENT: f64 = 0.01;
/// NVML's header speaks of MiB per second.
const MIB: f64 = 1_048_576.0;

const METRICS: [Metric; 16] = [
    Metric(1, PERCENT, plain(names::ENGINE_ACTIVE)),
    Metric(2, PERCENT, plain(names::SM_ACTIVE)),
    Metric(3, PERCENT, plain(names::SM_OCCUPANCY)),
    Metric(5, PERCENT, shape(names::TENSOR_ACTIVE, &[("precision", "any")])),
    Metric(6, PERCENT, shape(names::TENSOR_ACTIVE, &[("precision", "fp64")])),
    Metric(7, PERCENT, shape(names::TENSOR_ACTIVE, &[("precision", "fp16")])),
    Metric(9, PERCENT, shape(names::TENSOR_ACTIVE, &[("precision", "int8")])),
    Metric(10, PERCENT, plain(names::DRAM_ACTIVE)),
    Metric(4, PERCENT, shape(names::PIPE_ACTIVE, &[("pipe", "int")])),
    Metric(11, PERCENT, shape(names::PIPE_ACTIVE, &[("pipe", "fp64")])),
    Metric(12, PERCENT, shape(names::PIPE_ACTIVE, &[("pipe", "fp32")])),
    Metric(13, PERCENT, shape(names::PIPE_ACTIVE, &[("pipe", "fp16")])),
    Metric(20, MIB, shape(names::PCIE_THROUGHPUT, &[("direction", "transmit")])),
    Metric(21, MIB, shape(names::PCIE_THROUGHPUT, &[("direction", "receive")])),
    Metric(60, MIB, shape(names::LINK_THROUGHPUT, &[("type", "nvlink"), ("direction", "receive")])),
    Metric(
        61,
        MIB,
        shape(names::LINK_THROUGHPUT, &[("type", "nvlink"), ("direction", "transmit")]),
    ),
];

/// Of one instance of MIG.
const MIG_METRICS: [Metric; 5] = [
    Metric(1, PERCENT, plain(names::MIG_ENGINE_ACTIVE)),
    Metric(2, PERCENT, plain(names::MIG_SM_ACTIVE)),
    Metric(3, PERCENT, plain(names::MIG_SM_OCCUPANCY)),
    Metric(5, PERCENT, plain(names::MIG_TENSOR_ACTIVE)),
    Metric(10, PERCENT, plain(names::MIG_DRAM_ACTIVE)),
];

const STUCK: Shape = plain(names::PROFILING_STUCK);

/// Busier than this by the driver's own account, a GPU cannot have idle SMs: half of the time some
/// kernel ran.
const BUSY_PERCENT: u32 = 50;
/// Rounds of contradiction until it is said: one may be the edge of a burst.
const STUCK_ROUNDS: u32 = 3;

/// Two samples in turn; what happened between them is the value.
#[derive(Default)]
struct Samples {
    before: Option<GpmSample>,
    spare: Option<GpmSample>,
}

impl Samples {
    /// What happened since the last call; nothing at the first.
    fn turn<const N: usize>(
        &mut self,
        nvml: &Arc<Nvml>,
        (device, instance): (Handle, Option<u32>),
        metrics: &[u32; N],
    ) -> Answer<Option<[Answer<f64>; N]>> {
        let mut now = match self.spare.take() {
            Some(sample) => sample,
            None => nvml.gpm_sample()?,
        };
        if let Err(code) = nvml.gpm_fill(device, instance, &mut now) {
            self.spare = Some(now);
            // A value over a gap would not be of this round.
            self.before = None;
            return Err(code);
        }
        let Some(before) = self.before.replace(now) else { return Ok(None) };
        let answers = match &self.before {
            Some(now) => nvml.gpm_metrics(&before, now, metrics).map(Some),
            None => Ok(None),
        };
        self.spare = Some(before);
        answers
    }
}

/// The profiling counters of one device, or of one instance of it.
pub(super) struct Gpm {
    samples: Samples,
    series: SeriesSet,
    /// Rounds in a row in which the counters stood still while the device worked.
    contradictions: u32,
}

impl Gpm {
    pub(super) fn of_device(node: &str, identity: &[(&str, &str)]) -> Self {
        let shapes = METRICS.iter().map(|Metric(_, _, shape)| shape).chain([&STUCK]);
        Self {
            samples: Samples::default(),
            series: SeriesSet::new(shapes, node, identity),
            contradictions: 0,
        }
    }

    pub(super) fn of_instance(node: &str, identity: &[(&str, &str)]) -> Self {
        let shapes = MIG_METRICS.iter().map(|Metric(_, _, shape)| shape);
        Self {
            samples: Samples::default(),
            series: SeriesSet::new(shapes, node, identity),
            contradictions: 0,
        }
    }

    /// The whole device. `busy_percent` is the driver's own account, where it has one.
    pub(super) fn read_device(
        &mut self,
        nvml: &Arc<Nvml>,
        device: Handle,
        busy_percent: Option<u32>,
        memo: &mut Memo,
        round: &mut Round,
    ) {
        let samples = &mut self.samples;
        let turn = memo.ask(round, ("profiling counters", 0), || {
            samples.turn(nvml, (device, None), &METRICS.map(|Metric(id, ..)| id))
        });
        let Some(values) = turn.flatten() else { return };
        let still = |answer: &Answer<f64>| matches!(answer, Ok(value) if *value == 0.0);
        let stands = values.iter().take(2).all(still);
        let contradicts = stands && busy_percent.is_some_and(|busy| busy >= BUSY_PERCENT);
        self.contradictions = if contradicts { self.contradictions.saturating_add(1) } else { 0 };
        let stuck = self.contradictions >= STUCK_ROUNDS;
        round.emit(self.series.get(METRICS.len()), f64::from(u8::from(stuck)));
        // Zeros of counters that stand still are no measurement.
        if !contradicts {
            tell(&METRICS, &values, &self.series, round);
        }
    }

    /// One instance of MIG.
    pub(super) fn read_instance(
        &mut self,
        nvml: &Arc<Nvml>,
        device: Handle,
        instance: u32,
        memo: &mut Memo,
        round: &mut Round,
    ) {
        let samples = &mut self.samples;
        let turn = memo.ask(round, ("profiling counters of an instance", instance), || {
            samples.turn(nvml, (device, Some(instance)), &MIG_METRICS.map(|Metric(id, ..)| id))
        });
        if let Some(values) = turn.flatten() {
            tell(&MIG_METRICS, &values, &self.series, round);
        }
    }
}

fn tell<const N: usize>(
    metrics: &[Metric; N],
    values: &[Answer<f64>; N],
    series: &SeriesSet,
    round: &mut Round,
) {
    for (index, (Metric(_, scale, _), value)) in metrics.iter().zip(values).enumerate() {
        // A metric that this chip does not have is answered one by one.
        let value = value.ok().filter(|value| value.is_finite() && *value >= 0.0);
        round.emit_known(series.get(index), value.map(|value| value * scale));
    }
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings as header;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_header() {
        assert_eq!(
            METRICS.map(|Metric(id, ..)| id),
            [
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_GRAPHICS_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_SM_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_SM_OCCUPANCY,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_ANY_TENSOR_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_DFMA_TENSOR_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_HMMA_TENSOR_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_IMMA_TENSOR_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_DRAM_BW_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_INTEGER_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_FP64_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_FP32_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_FP16_UTIL,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_PCIE_TX_PER_SEC,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_PCIE_RX_PER_SEC,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC,
                header::nvmlGpmMetricId_t_NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC,
            ]
        );
    }
}
