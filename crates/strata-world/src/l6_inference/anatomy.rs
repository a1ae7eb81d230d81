//! Where the time of a request goes, in means: only means add up.

use super::{NO_REQUEST, replica};
use crate::recipe::{Recipe, Whole};

/// Mean of a histogram by replica; of all, over all requests.
macro_rules! mean {
    ($id:literal, $metric:literal, $what:literal) => {
        replica(
            $id,
            "s",
            concat!(
                "sum by (%) (rate<",
                $metric,
                ":sum>) / (sum by (%) (rate<",
                $metric,
                ":count>) > 0)"
            ),
        )
        .whole(Whole::Text(concat!(
            "sum(rate<",
            $metric,
            ":sum>) / (sum(rate<",
            $metric,
            ":count>) > 0)"
        )))
        .undefined(NO_REQUEST)
        .means(
            concat!("Mean ", $what),
            concat!("rate(sum) / rate(count) of ", $metric, " over all requests in scope"),
        )
    };
}

pub(crate) const ALL: &[Recipe] = &[
    mean!("l6.e2e_mean", "inference.request.duration", "time of a request in the engine."),
    mean!("l6.queue_mean", "inference.queue_wait", "time before a request was scheduled."),
    mean!("l6.prefill_mean", "inference.prefill_time", "time from scheduling to the first token."),
    mean!("l6.decode_mean", "inference.decode_time", "time from the first to the last token."),
    mean!("l6.ttft_mean", "inference.ttft", "time from receiving a request to its first token."),
    mean!("l6.itl_mean", "inference.itl", "gap between two output tokens."),
    // Rounding of four means may leave half a millisecond below nothing; more is a contradiction
    // and no number.
    replica(
        "l6.residual_mean",
        "s",
        "clamp_min((\
         sum by (%) (rate<inference.request.duration:sum>) \
         / (sum by (%) (rate<inference.request.duration:count>) > 0) \
         - sum by (%) (rate<inference.queue_wait:sum>) \
         / (sum by (%) (rate<inference.queue_wait:count>) > 0) \
         - sum by (%) (rate<inference.prefill_time:sum>) \
         / (sum by (%) (rate<inference.prefill_time:count>) > 0) \
         - sum by (%) (rate<inference.decode_time:sum>) \
         / (sum by (%) (rate<inference.decode_time:count>) > 0)\
         ) > -0.0005, 0)",
    )
    .whole(Whole::Text(
        "clamp_min((\
         sum(rate<inference.request.duration:sum>) \
         / (sum(rate<inference.request.duration:count>) > 0) \
         - sum(rate<inference.queue_wait:sum>) / (sum(rate<inference.queue_wait:count>) > 0) \
         - sum(rate<inference.prefill_time:sum>) / (sum(rate<inference.prefill_time:count>) > 0) \
         - sum(rate<inference.decode_time:sum>) / (sum(rate<inference.decode_time:count>) > 0)\
         ) > -0.0005, 0)",
    ))
    .undefined(
        "the parts add up to more than the whole, or no request finished in the rate window: the \
         parts were seen on other requests than the whole",
    )
    .means(
        "Mean time of a request that is neither queue, prefill nor decode: tokenizing, sending, \
         the front end's processor.",
        "mean end to end - mean queue - mean prefill - mean decode",
    ),
];
