//! Latencies as distributions. A quantile below the first edge of an engine's buckets is only
//! known to be at most that edge: the inputs then carry the quality `bucket_floor`.

use super::{NO_REQUEST, replica};
use crate::recipe::{Recipe, Whole};

/// Median and 95th percentile of a histogram by replica; of all, over all requests.
macro_rules! quantiles {
    ($p50:literal, $p95:literal, $metric:literal, $what:literal) => {
        [
            quantile!($p50, "0.5", "Median", $metric, $what),
            quantile!($p95, "0.95", "95th percentile", $metric, $what),
        ]
    };
}

macro_rules! quantile {
    ($id:literal, $q:literal, $word:literal, $metric:literal, $what:literal) => {
        replica(
            $id,
            "s",
            concat!("histogram_quantile(", $q, ", sum by (%, le) (rate<", $metric, ":bucket>))"),
        )
        .whole(Whole::Text(concat!(
            "histogram_quantile(",
            $q,
            ", sum by (le) (rate<",
            $metric,
            ":bucket>))"
        )))
        .undefined(NO_REQUEST)
        .means(
            concat!($word, " of the ", $what),
            concat!("histogram quantile of ", $metric, " over all requests in scope"),
        )
    };
}

const TTFT: [Recipe; 2] = quantiles!(
    "l6.ttft_p50",
    "l6.ttft_p95",
    "inference.ttft",
    "time from receiving a request to its first output token, queue included, in the engine's \
     front end."
);
const ITL: [Recipe; 2] = quantiles!(
    "l6.itl_p50",
    "l6.itl_p95",
    "inference.itl",
    "gap between two output tokens of a request. Engines differ: vLLM observes per step, SGLang \
     divides a step by its tokens."
);
const TPOT: [Recipe; 2] = quantiles!(
    "l6.tpot_p50",
    "l6.tpot_p95",
    "inference.tpot",
    "mean time per output token after the first, one value per request."
);
const QUEUE: [Recipe; 2] = quantiles!(
    "l6.queue_p50",
    "l6.queue_p95",
    "inference.queue_wait",
    "time a request waited before it was scheduled."
);
const PREFILL: [Recipe; 2] = quantiles!(
    "l6.prefill_p50",
    "l6.prefill_p95",
    "inference.prefill_time",
    "time from scheduling a request to its first token."
);
const DECODE: [Recipe; 2] = quantiles!(
    "l6.decode_p50",
    "l6.decode_p95",
    "inference.decode_time",
    "time from the first to the last token of a request."
);
const DURATION: [Recipe; 2] = quantiles!(
    "l6.e2e_p50",
    "l6.e2e_p95",
    "inference.request.duration",
    "time from receiving a request to its last output token, in the engine."
);

pub(crate) const ALL: &[Recipe] = &[
    TTFT[0],
    TTFT[1],
    ITL[0],
    ITL[1],
    TPOT[0],
    TPOT[1],
    QUEUE[0],
    QUEUE[1],
    PREFILL[0],
    PREFILL[1],
    DECODE[0],
    DECODE[1],
    DURATION[0],
    DURATION[1],
];
