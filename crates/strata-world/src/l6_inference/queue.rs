//! Requests in the engine: running, waiting, thrown out and taken in again.

use super::replica;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    replica("l6.running", "{request}", "sum by (%) (max by (%, model, dp_rank) (<inference.requests.running>))")
        .whole(Whole::Sum)
        .means(
            "Requests being processed at this moment.",
            "inference.requests.running; sum over ranks and replicas",
        ),
    replica("l6.waiting", "{request}", "sum by (%) (max by (%, model, dp_rank) (<inference.requests.waiting>))")
        .whole(Whole::Sum)
        .means(
            "Requests that wait to be scheduled for the first time or again.",
            "inference.requests.waiting; sum over ranks and replicas",
        ),
    replica(
        "l6.waiting_capacity",
        "{request}",
        "sum by (%) (max by (%, model, dp_rank, reason) \
         (<inference.requests.waiting_by_reason|reason=\"capacity\">))",
    )
    .whole(Whole::Sum)
    .means(
        "Waiting requests for which there is no room: no KV cache, or no place in the batch.",
        "inference.requests.waiting_by_reason with reason capacity; sum over ranks and replicas",
    ),
    replica(
        "l6.waiting_other",
        "{request}",
        "sum by (%) (max by (%, model, dp_rank, reason) \
         (<inference.requests.waiting_by_reason|reason!=\"capacity\">))",
    )
    .whole(Whole::Sum)
    .means(
        "Waiting requests that wait for something else than room: a LoRA adapter, a grammar, keys \
         and values from another engine.",
        "inference.requests.waiting_by_reason with any other reason; sum over ranks and replicas",
    ),
    replica(
        "l6.recomputed",
        "{token}/s",
        "sum by (%) (rate<inference.prompt_tokens.recomputed>) \
         or sum by (%) (rate<inference.retracted_tokens>)",
    )
    .whole(Whole::Sum)
    .means(
        "Tokens per second that were computed before and thrown away with a preemption.",
        "rate of inference.prompt_tokens.recomputed, else of inference.retracted_tokens; sum over \
         the replicas",
    ),
    replica("l6.request_limit", "{request}", "sum by (%) (<inference.requests.limit>)")
        .whole(Whole::Sum)
        .unlike()
        .means(
            "Most requests the engine would run at once, as configured or computed.",
            "inference.requests.limit; sum over ranks and replicas",
        ),
    replica("l6.preemption_rate", "{preemption}/s", "sum by (%) (rate<inference.preemptions>)")
        .whole(Whole::Sum)
        .means(
            "Running requests thrown out of the KV cache per second, to be computed again (vLLM) \
             or retracted (SGLang).",
            "rate of inference.preemptions; sum over the replicas",
        ),
    replica("l6.batch_size", "{request}", "max by (%) (<inference.requests.running>) \
         or max by (%) (<inference.step.mean_requests>)")
        .means(
            "Requests in the batch of a step: those running on one rank.",
            "inference.requests.running of a rank; the greatest",
        ),
    replica(
        "l6.step_tokens_mean",
        "{token}",
        "sum by (%) (rate<inference.step.tokens:sum>) / sum by (%) (rate<inference.step.tokens:count>)",
    )
    .whole(Whole::Mean)
    .undefined("the engine made no step in the rate window")
    .means(
        "Mean tokens of a step, prompt and output: what one pass over the weights is shared by.",
        "rate(sum) / rate(count); mean over the replicas",
    ),
    Recipe::new(
        crate::entity::EntityKind::Model,
        "l6.replicas",
        "{replica}",
        "count by (%) (count by (%, instance) (<inference.requests.running>)) \
         or count by (%) (count by (%, instance) (<inference.generation_tokens>))",
    )
    .unlike()
    .whole(Whole::Text(
        "count(count by (instance) (<inference.requests.running>)) \
         or count(count by (instance) (<inference.generation_tokens>))",
    ))
    .means(
        "Replicas of engines that are seen.",
        "number of different instances with a reading of running requests",
    ),
];
