//! The KV cache: pinned is held by running requests, resident adds reusable prefixes, capacity is
//! all there is. Ranks are looked at one by one, since a mean hides a saturated one.

use super::replica;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    replica(
        "l6.kv_pinned",
        "1",
        "max by (%) (<inference.kv_cache.utilization>) \
         or max by (%) (max by (%, dp_rank) (<inference.kv_cache.pinned>) \
         / (max by (%, dp_rank) (<inference.kv_cache.capacity>) > 0))",
    )
    .means(
        "Share of the KV cache held by running requests; reusable prefixes count as free. Engines \
         that count them as used carry the quality resident_semantics and must not be compared \
         with the others.",
        "pinned / capacity; worst rank of the worst replica",
    ),
    replica(
        "l6.kv_pinned_tokens",
        "{token}",
        "sum by (%) (max by (%, dp_rank) (<inference.kv_cache.pinned>)) \
         or sum by (%) (max by (%, dp_rank) (<inference.kv_cache.utilization>) \
         * max by (%, dp_rank) (<inference.kv_cache.capacity|ranks=\"\">)) \
         or avg by (%) (max by (%, dp_rank) (<inference.kv_cache.utilization>)) \
         * max by (%) (<inference.kv_cache.capacity|ranks=\"all\">)",
    )
    .whole(Whole::Sum)
    .means(
        "Tokens of the KV cache held by running requests, as the engine says, else share times \
         capacity.",
        "pinned, else utilization x capacity; sum over ranks and replicas",
    ),
    replica(
        "l6.kv_resident_tokens",
        "{token}",
        "sum by (%) (max by (%, dp_rank) (<inference.kv_cache.resident>)) \
         or sum by (%) (max by (%, dp_rank) (<inference.kv_cache.pinned>) \
         + max by (%, dp_rank) (<inference.kv_cache.reusable>))",
    )
    .whole(Whole::Sum)
    .means(
        "Tokens in the KV cache, reusable prefixes included.",
        "resident, else pinned + reusable; sum over ranks and replicas",
    ),
    replica(
        "l6.kv_capacity_tokens",
        "{token}",
        "sum by (%) (max by (%, dp_rank) (<inference.kv_cache.capacity|ranks=\"\">)) \
         or max by (%) (<inference.kv_cache.capacity|ranks=\"all\">)",
    )
    .whole(Whole::Sum)
    .unlike()
    .means(
        "Tokens the KV cache can hold; blocks times block size overstates hybrid and \
         sliding-window models.",
        "inference.kv_cache.capacity; sum over ranks and replicas",
    ),
    replica(
        "l6.prefix_hit_ratio",
        "1",
        "sum by (%) (rate<inference.prompt_tokens.cached>) \
         / (sum by (%) (rate<inference.prompt_tokens>) > 0) \
         or sum by (%) (rate<inference.prefix_cache.hits>) \
         / (sum by (%) (rate<inference.prefix_cache.queries>) > 0) \
         or max by (%) (<inference.prefix_cache.hit_ratio>)",
    )
    .whole(Whole::Text(
        "sum(rate<inference.prompt_tokens.cached>) / (sum(rate<inference.prompt_tokens>) > 0) \
         or sum(rate<inference.prefix_cache.hits>) \
         / (sum(rate<inference.prefix_cache.queries>) > 0) \
         or avg(<inference.prefix_cache.hit_ratio>)",
    ))
    .undefined("no prompt was processed in the rate window")
    .means(
        "Share of prompt tokens taken from the prefix cache, weighted by tokens. Cached over all \
         prompt tokens where the engine counts them, since vLLM's hits and queries count \
         scheduling retries again (vllm issue 43736); else hits over queries.",
        "rate(cached prompt tokens) / rate(prompt tokens)",
    ),
    replica("l6.kv_evicted", "{token}/s", "sum by (%) (rate<inference.kv_cache.evicted_tokens>)")
        .whole(Whole::Sum)
        .means(
            "Tokens of reusable prefixes per second that were thrown out for others: with many of \
             them the cache is too small for what is asked again.",
            "rate of inference.kv_cache.evicted_tokens; sum over the replicas",
        ),
    replica("l6.kv_host_utilization", "1", "max by (%) (<inference.kv_cache.host.utilization>)")
        .means(
            "Share of the KV cache's tier in host memory in use.",
            "inference.kv_cache.host.utilization; the fullest replica",
        ),
];
