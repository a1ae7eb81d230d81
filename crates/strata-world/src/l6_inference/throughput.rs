//! Tokens and requests per second, as the engine counts them.

use super::replica;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    replica(
        "l6.prompt_throughput",
        "{token}/s",
        "sum by (%) (rate<inference.prompt_tokens>) or sum by (%) (<inference.prompt_throughput>)",
    )
    .whole(Whole::Sum)
    .means(
        "Prompt tokens per second, cached ones included.",
        "rate of inference.prompt_tokens, else the engine's own rate; sum over the replicas",
    ),
    replica(
        "l6.computed_prompt_throughput",
        "{token}/s",
        "sum by (%) (rate<inference.prompt_tokens.computed>)",
    )
    .whole(Whole::Sum)
    .means(
        "Prompt tokens per second that were computed, not taken from a cache.",
        "rate of inference.prompt_tokens.computed; sum over the replicas",
    ),
    replica(
        "l6.generation_throughput",
        "{token}/s",
        "sum by (%) (rate<inference.generation_tokens>) \
         or sum by (%) (<inference.generation_throughput>)",
    )
    .whole(Whole::Sum)
    .means(
        "Output tokens per second, delivered or not (useful-token level U0).",
        "rate of inference.generation_tokens, else the engine's own rate; sum over the replicas",
    ),
    replica(
        "l6.requests",
        "{request}/s",
        "sum by (%) (rate<inference.requests.finished>) \
         or sum by (%) (rate<inference.request.duration:count>)",
    )
    .whole(Whole::Sum)
    .means(
        "Requests finished per second, whatever the reason.",
        "rate of inference.requests.finished; sum over the replicas",
    ),
    replica(
        "l6.failed",
        "{request}/s",
        "sum by (%) (rate<inference.requests.failed>) \
         or sum by (%) (rate<inference.requests.finished|reason=~\"error|abort\">)",
    )
    .whole(Whole::Sum)
    .means(
        "Requests per second that ended in an error or were aborted.",
        "rate of inference.requests.failed, else of finished with reason error or abort",
    ),
    replica(
        "l6.spec_acceptance",
        "1",
        "sum by (%) (rate<inference.spec_decode.accepted_tokens>) \
         / (sum by (%) (rate<inference.spec_decode.draft_tokens>) > 0) \
         or avg by (%) (<inference.spec_decode.acceptance_ratio>)",
    )
    .whole(Whole::Mean)
    .undefined("no token was drafted in the rate window")
    .means(
        "Share of drafted tokens that were accepted (speculative decoding).",
        "rate(accepted) / rate(drafted); mean over the replicas",
    ),
];
