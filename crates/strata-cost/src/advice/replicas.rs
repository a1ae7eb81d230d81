//! How many replicas a model should have now, for KEDA and the horizontal autoscaler.

/// What is known of a model now. What is None is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReplicaSignals {
    /// Replicas that are ready.
    pub ready: u32,
    /// Mean share of the KV cache that is used.
    pub kv_usage: Option<f64>,
    /// Time to the first token over its target, at the SLO's percentile.
    pub ttft_over_target: Option<f64>,
    /// Requests that wait, for each ready replica, over how many may.
    pub waiting_over_target: Option<f64>,
    /// Least number.
    pub least: u32,
    /// Largest number.
    pub most: u32,
}

/// Share of the KV cache to aim at: below the 0.85 from which on preemption is near.
pub const KV_TARGET: f64 = 0.75;
/// Change below which nothing is done, as the horizontal autoscaler has it.
pub const TOLERANCE: f64 = 0.1;
/// A time to the first token grows without bound in overload and says little of how much is missing.
const MOST_STEP: f64 = 2.0;

/// The number of replicas that brings the worst of the signals to its target, by the autoscaler's
/// rule `ceil(ready * signal / target)`. Latency only asks for more: it is low also where there is
/// work for every replica. None where nothing is known; that is no reason to scale down.
pub fn desired_replicas(signals: &ReplicaSignals) -> Option<u32> {
    let sound = |value: Option<f64>| value.filter(|value| value.is_finite() && *value >= 0.0);
    let kv = sound(signals.kv_usage).map(|usage| usage / KV_TARGET);
    let urgent = |value: Option<f64>| sound(value).filter(|value| *value > 1.0);
    let all = [kv, urgent(signals.ttft_over_target), urgent(signals.waiting_over_target)];
    let worst = all.into_iter().flatten().max_by(f64::total_cmp)?.min(MOST_STEP);
    let bounded = |count: f64| (count as u32).clamp(signals.least, signals.most.max(signals.least));
    let ready = f64::from(signals.ready);
    if (worst - 1.0).abs() <= TOLERANCE {
        return Some(bounded(ready));
    }
    Some(bounded((ready * worst).ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_signal_decides_and_latency_never_scales_down() {
        let check = |kv, ttft, expected| {
            let signals = ReplicaSignals {
                ready: 8,
                kv_usage: kv,
                ttft_over_target: ttft,
                waiting_over_target: None,
                least: 2,
                most: 20,
            };
            assert_eq!(desired_replicas(&signals), expected, "{kv:?} {ttft:?}");
        };
        check(Some(0.75), None, Some(8));
        check(Some(0.9), None, Some(10));
        check(Some(0.375), Some(0.1), Some(4));
        check(Some(0.375), Some(1.5), Some(12));
        check(None, Some(50.0), Some(16));
        check(None, Some(0.1), None);
        check(Some(0.0), None, Some(2));
        check(Some(f64::NAN), None, None);
    }
}
