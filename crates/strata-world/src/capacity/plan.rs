//! The queries about one replica: its readings as they were stored, one by one, and what it says of
//! itself.
//!
//! Readings are asked for as range vectors at one moment (`metric[2h]`), so that they come at the
//! engine's own pace: ten seconds ahead cannot be seen on the steps of a chart.

use crate::ask::{Ask, Planned, Scope};
use crate::entity::EntityKind;
use crate::plan::scope::Narrowing;
use crate::template::{self, Filling};
use crate::window::Window;

/// How far back readings are looked at: at least long enough to see some bursts, at most what stays
/// quick at a reading a second (7200 of each series).
const LOOK_MIN_MS: i64 = 30 * 60_000;
const LOOK_MAX_MS: i64 = 2 * 3_600_000;

/// How keys of these questions begin.
pub(super) const PREFIX: &str = "capacity/";

/// Gauges that are read one by one: key and metric.
pub(super) const GAUGES: [(&str, &str); 5] = [
    ("running", "<inference.requests.running>"),
    ("waiting", "<inference.requests.waiting>"),
    ("utilization", "<inference.kv_cache.utilization>"),
    ("pinned", "<inference.kv_cache.pinned>"),
    ("capacity", "<inference.kv_cache.capacity>"),
];

/// Counters that are read one by one.
pub(super) const COUNTERS: [(&str, &str); 11] = [
    ("gap_seconds", "<inference.itl:sum>"),
    ("gaps", "<inference.itl:count>"),
    ("started", "<inference.ttft:count>"),
    ("prompt", "<inference.prompt_tokens>"),
    ("cached", "<inference.prompt_tokens.cached>"),
    ("generated", "<inference.generation_tokens>"),
    ("finished", "<inference.requests.finished>"),
    ("durations", "<inference.request.duration:count>"),
    ("prefill_seconds", "<inference.prefill_time:sum>"),
    ("decode_seconds", "<inference.decode_time:sum>"),
    ("cpu_seconds", "<process.cpu.time>"),
];

/// What holds at the end of the window.
const NOW: [(&str, &str); 7] = [
    ("reasons", "sum by (reason) (<inference.requests.waiting_by_reason>)"),
    ("limit", "sum(max by (dp_rank) (<inference.requests.limit>))"),
    ("context", "max(<inference.context.limit>)"),
    ("bytes", "max(<inference.memory.usage|component=\"kv_cache\">)"),
    ("config", "count by (cache_dtype) (<inference.engine.config|cache_dtype!=\"\">)"),
    ("who", "count by (model, inference_engine) (<inference.requests.running>)"),
    // The GPUs of its pod, as allocated, else as an exporter labels them.
    (
        "gpus",
        "(count by (namespace, pod) (count by (namespace, pod, gpu_uuid) \
         (<!gpu.allocation|pod!=\"\">)) \
         or count by (namespace, pod) (count by (namespace, pod, gpu_uuid) \
         (<!hw.gpu.memory.usage|pod!=\"\">))) \
         and on (namespace, pod) count by (namespace, pod) \
         (<inference.requests.running|pod!=\"\">)",
    ),
];

/// Buckets of lengths over the readings.
pub(super) const LENGTHS: [(&str, &str); 2] = [
    ("prompt_lengths", "<inference.request.prompt_tokens:bucket>"),
    ("output_lengths", "<inference.request.generation_tokens:bucket>"),
];

/// How far back readings are asked for, in milliseconds.
pub(super) fn look_ms(window: Window) -> i64 {
    (window.end_ms - window.start_ms).clamp(LOOK_MIN_MS, LOOK_MAX_MS)
}

/// The queries of an ask about one replica; none of any other.
pub(crate) fn queries(ask: &Ask) -> Vec<Planned> {
    let Scope::Entity(id) = &ask.scope else { return Vec::new() };
    if id.kind != EntityKind::Replica {
        return Vec::new();
    }
    let narrowing = Narrowing::of(&ask.scope);
    let filling = Filling {
        entity: EntityKind::Replica,
        narrowing: &narrowing,
        window: ask.window,
        per_step: false,
    };
    let seconds = look_ms(ask.window) / 1000;
    let asked =
        |key: &str, text: String| Planned { key: format!("{PREFIX}{key}"), text, range: false };
    let read = GAUGES.iter().chain(&COUNTERS).map(|(key, metric)| {
        asked(key, format!("{}[{seconds}s]", template::fill(metric, filling)))
    });
    let lengths = LENGTHS.iter().map(|(key, metric)| {
        let buckets = template::fill(metric, filling);
        asked(key, format!("sum by (le) (increase({buckets}[{seconds}s]))"))
    });
    let now = NOW.iter().map(|(key, text)| asked(key, template::fill(text, filling)));
    read.chain(lengths).chain(now).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Targets;
    use crate::entity::EntityId;

    fn of(scope: Scope, minutes: i64) -> Vec<Planned> {
        let end_ms = 86_400_000;
        let start_ms = end_ms - minutes * 60_000;
        let window =
            Window { start_ms, end_ms, step_ms: 60_000, moment_ms: end_ms, now_ms: end_ms };
        let targets = Targets::default();
        queries(&Ask {
            window,
            scope,
            wants: Vec::new(),
            entities: true,
            who: false,
            wires: false,
            coverage: false,
            targets,
        })
    }

    #[test]
    fn only_a_replica_is_read_one_by_one() {
        assert!(of(Scope::Fleet, 60).is_empty());
        assert!(of(Scope::Entity(EntityId::new(EntityKind::Node, "a")), 60).is_empty());
        let asked = of(Scope::Entity(EntityId::new(EntityKind::Replica, "h:1")), 60);
        let text = |key: &str| {
            asked.iter().find(|one| one.key == key).map_or("", |one| one.text.as_str()).to_owned()
        };
        assert_eq!(
            text("capacity/gap_seconds"),
            "inference_itl_seconds_sum{instance=\"h:1\"}[3600s]"
        );
        assert!(text("capacity/prompt_lengths").contains("sum by (le) (increase("));
        assert!(text("capacity/gpus").contains("{pod!=\"\",instance=\"h:1\"}"));
        assert!(asked.iter().all(|one| !one.range));
    }

    #[test]
    fn the_look_back_is_bounded() {
        let check = |minutes: i64, expected: &str| {
            let asked = of(Scope::Entity(EntityId::new(EntityKind::Replica, "h:1")), minutes);
            assert!(asked[0].text.ends_with(expected), "{}", asked[0].text);
        };
        check(5, "[1800s]");
        check(60, "[3600s]");
        check(1440, "[7200s]");
    }
}
