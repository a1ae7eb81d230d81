//! L6: how much capacity is left?

use strata_model::Layer;

use super::Limit::{Above, Below};
use super::{Bench, broken, watch};

/// Pinned share of the KV cache from which a usual burst no longer fits.
const KV_FULL: f64 = 0.9;
/// A queue this long in seconds is what users call slow.
const QUEUE_SECONDS: f64 = 1.0;

pub(super) static BENCH: Bench = Bench {
    layer: Layer::L6Inference,
    on_hosts: true,
    eyes: &["l6.replicas", "l6.kv_pinned", "l6.running", "l6.generation_throughput"],
    rules: &[
        broken(
            &[("l6.kv_pinned", Above(KV_FULL)), ("l6.waiting", Above(0.0))],
            "the KV cache is full and requests wait",
        ),
        broken(
            &[("l6.queue_p95", Above(5.0 * QUEUE_SECONDS)), ("l6.waiting", Above(0.0))],
            "requests wait for seconds",
        ),
        // A preemption throws computed tokens away: any steady rate is work done twice.
        watch(&[("l6.preemption_rate", Above(0.0))], "requests are preempted and computed again"),
        watch(&[("l6.kv_pinned", Above(KV_FULL))], "the KV cache is nearly full"),
        watch(
            &[("l6.queue_p95", Above(QUEUE_SECONDS)), ("l6.waiting", Above(0.0))],
            "requests wait",
        ),
        watch(&[("l6.failed", Above(0.0))], "requests fail in the engine"),
        watch(&[("l6.spec_acceptance", Below(0.3))], "most speculative tokens are thrown away"),
    ],
    well: "there is room",
    expected: &[],
    absent: "no inference engine is seen: vLLM, SGLang, llama-server and others on this host are \
             found by themselves",
};
