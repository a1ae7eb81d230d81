//! How lengths and latencies are spread, as the engine's buckets tell.

use super::replica;
use crate::recipe::{Recipe, Whole};

const NONE_FINISHED: &str = "no request finished in the window";

macro_rules! spread {
    ($id:literal, $unit:literal, $metric:literal, $what:literal) => {
        replica($id, $unit, concat!("sum by (%, le) (window<", $metric, ":bucket>)"))
            .spread()
            .whole(Whole::Text(concat!("sum by (le) (window<", $metric, ":bucket>)")))
            .undefined(NONE_FINISHED)
            .means($what, concat!("increase of the buckets of ", $metric, " over the window"))
    };
}

pub(crate) const ALL: &[Recipe] = &[
    spread!(
        "l6.prompt_lengths",
        "{token}",
        "inference.request.prompt_tokens",
        "Prompt lengths of the requests that finished in the window."
    ),
    spread!(
        "l6.output_lengths",
        "{token}",
        "inference.request.generation_tokens",
        "Output lengths of the requests that finished in the window."
    ),
    spread!(
        "l6.ttft_spread",
        "s",
        "inference.ttft",
        "Times to first token of the requests in the window."
    ),
    spread!("l6.itl_spread", "s", "inference.itl", "Gaps between output tokens in the window."),
    spread!(
        "l6.e2e_spread",
        "s",
        "inference.request.duration",
        "Durations of the requests that finished in the window."
    ),
    spread!(
        "l6.queue_spread",
        "s",
        "inference.queue_wait",
        "Times before requests were scheduled in the window."
    ),
];
