//! L6: replicas, their capacity and what their latency is made of.

mod ceilings;
mod fact;
mod fits;
mod outlook;
mod replica;

use strata_world::capacity::{Semantics, semantics};
use strata_world::{Entity, EntityKind, Grain, Scope, Want, World};

use super::pieces::{Show, chart, distribution, fact_of, link_to, number, numbers, section, table};
use super::{each, each_tracks, tracks};
use crate::page::block::{Block, Section};
use crate::page::chart::{Anatomy, Bar, Chart};
use crate::request::PageId;
use crate::words;

const FLEET: [(&str, &str); 16] = [
    ("replicas", "l6.replicas"),
    ("KV pinned, fullest", "l6.kv_pinned"),
    ("KV pinned", "l6.kv_pinned_tokens"),
    ("KV resident", "l6.kv_resident_tokens"),
    ("KV capacity", "l6.kv_capacity_tokens"),
    ("running", "l6.running"),
    ("waiting", "l6.waiting"),
    ("waiting for room", "l6.waiting_capacity"),
    ("waiting for others", "l6.waiting_other"),
    ("preemptions", "l6.preemption_rate"),
    ("recomputed", "l6.recomputed"),
    ("evicted", "l6.kv_evicted"),
    ("prefix hits", "l6.prefix_hit_ratio"),
    ("prompt in", "l6.prompt_throughput"),
    ("generated", "l6.generation_throughput"),
    ("requests", "l6.requests"),
];

const LATENCY: [(&str, &str); 14] = [
    ("TTFT p50", "l6.ttft_p50"),
    ("TTFT p95", "l6.ttft_p95"),
    ("ITL p50", "l6.itl_p50"),
    ("ITL p95", "l6.itl_p95"),
    ("TPOT p50", "l6.tpot_p50"),
    ("TPOT p95", "l6.tpot_p95"),
    ("queue p50", "l6.queue_p50"),
    ("queue p95", "l6.queue_p95"),
    ("prefill p50", "l6.prefill_p50"),
    ("prefill p95", "l6.prefill_p95"),
    ("decode p50", "l6.decode_p50"),
    ("decode p95", "l6.decode_p95"),
    ("e2e p50", "l6.e2e_p50"),
    ("e2e p95", "l6.e2e_p95"),
];

const CHARTS: [(&str, &[(&str, &str)]); 6] = [
    ("KV cache pinned, fullest replica", &[("pinned", "l6.kv_pinned")]),
    ("Requests in the engine", &[("running", "l6.running"), ("waiting", "l6.waiting")]),
    ("Tokens", &[("prompt", "l6.prompt_throughput"), ("generated", "l6.generation_throughput")]),
    ("TTFT", &[("p50", "l6.ttft_p50"), ("p95", "l6.ttft_p95")]),
    ("ITL", &[("p50", "l6.itl_p50"), ("p95", "l6.itl_p95")]),
    ("Preemptions", &[("rate", "l6.preemption_rate")]),
];

/// What the mean latency is made of, in order.
const SEGMENTS: [(&str, &str); 4] = [
    ("queue", "l6.queue_mean"),
    ("prefill", "l6.prefill_mean"),
    ("decode", "l6.decode_mean"),
    ("residual", "l6.residual_mean"),
];
const TOTAL: &str = "l6.e2e_mean";

/// Bars of the anatomy at most: a screen.
const BARS_MAX: usize = 24;

/// Replicas that have charts of their own: two rows of them on a wide screen.
const MULTIPLES_MAX: usize = 12;

const SPREADS: [(&str, &str); 4] = [
    ("Prompt length", "l6.prompt_lengths"),
    ("Output length", "l6.output_lengths"),
    ("TTFT", "l6.ttft_spread"),
    ("ITL", "l6.itl_spread"),
];

pub(super) fn wants(fleet: bool) -> Vec<Want> {
    let numbers = FLEET.iter().chain(&LATENCY);
    let now =
        |(_, signal): &(&str, &'static str)| Want { signal, grain: Grain::Whole, track: false };
    let mut wants: Vec<Want> = numbers.map(now).collect();
    for (_, lines) in CHARTS {
        let signals: Vec<&'static str> = lines.iter().map(|(_, signal)| *signal).collect();
        wants.extend(tracks(&signals));
    }
    wants.extend(tracks(&SPREADS.map(|(_, signal)| signal)));
    wants.extend(each(&SEGMENTS.map(|(_, signal)| signal)));
    wants.extend(each(&[TOTAL, "l6.waiting", "l6.running", "l6.prefix_hit_ratio", "l6.ttft_p95"]));
    wants.extend(each_tracks(&["l6.kv_pinned", "l6.generation_throughput"]));
    wants.extend(each(&fits::EACH));
    if !fleet {
        wants.extend(each_tracks(&["l6.running", "l6.waiting"]));
    }
    wants
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let charts = CHARTS.map(|(title, lines)| chart(world, title, lines, None)).to_vec();
    let latency = section(
        "latency",
        "Latency",
        "Quantiles over all requests of the rate window.",
        vec![numbers(world, &LATENCY, None), Block::Anatomy(anatomy(world))],
    );
    let time = section("time", "Over time", "", vec![Block::Multiples { charts }]);
    let mut sections = vec![capacity(world)];
    if world.capacity.is_some() {
        sections.extend(replica::sections(world));
        sections.extend([latency, time]);
    } else {
        sections.extend([replicas(world), latency, time, multiples(world)]);
    }
    let spreads = SPREADS.iter().filter_map(|(title, id)| distribution(world, title, id, None));
    let brief = "Of the whole range; a quantile is told by the edge of its bucket.";
    let spreads = spreads.map(Block::Distribution).collect();
    sections.push(section("lengths", "Lengths and times", brief, spreads));
    if let Scope::Entity(id) = &world.scope {
        sections.push(section(
            "identity",
            "Identity",
            "",
            vec![
                Block::Table(super::gpus::facts(world, id)),
                Block::Table(super::gpus::edges(world, id)),
            ],
        ));
    }
    sections
}

fn capacity(world: &World) -> Section {
    let mut shown = FLEET.to_vec();
    // One replica is one.
    shown.retain(|(label, _)| world.capacity.is_none() || *label != "replicas");
    let mut blocks = vec![numbers(world, &shown, None)];
    blocks.extend(fits::of_all(world));
    section("capacity", "Capacity", &brief(world), blocks)
}

fn replicas(world: &World) -> Section {
    let columns = [
        ("model", 1, Show::Fact("model")),
        ("engine", 2, Show::Fact("engine")),
        ("KV pinned", 0, Show::Signal("l6.kv_pinned")),
        ("KV counts", 3, Show::Word(counts)),
        ("over time", 3, Show::Curve("l6.kv_pinned")),
        ("running", 0, Show::Signal("l6.running")),
        ("waiting", 0, Show::Signal("l6.waiting")),
        ("prefix hits", 2, Show::Signal("l6.prefix_hit_ratio")),
        ("TTFT p95", 1, Show::Signal("l6.ttft_p95")),
        ("generated", 1, Show::Signal("l6.generation_throughput")),
    ];
    let empty = "no inference engine is seen: vLLM, SGLang, llama-server and others on this host \
                 are found by themselves; name others under [[scrape]]";
    let list = table(world, "", (EntityKind::Replica, Some(PageId::Engines)), &columns, empty);
    section("replicas", "Replicas", "", vec![Block::Table(list)])
}

/// A chart a replica, all on one scale, those with the fullest caches first.
fn multiples(world: &World) -> Section {
    let mut replicas: Vec<&Entity> = world.of_kind(EntityKind::Replica).collect();
    let pinned = |replica: &Entity| {
        let signal = world.signal("l6.kv_pinned", Some(&replica.id));
        signal.and_then(|signal| signal.now.known()).unwrap_or(f64::NEG_INFINITY)
    };
    replicas.sort_by(|a, b| pinned(b).total_cmp(&pinned(a)).then(a.id.cmp(&b.id)));
    let all = replicas.len();
    replicas.truncate(MULTIPLES_MAX);
    let drawn = |id: &str, replica: &Entity| {
        let signal = world.signal(id, Some(&replica.id));
        signal.is_some_and(|signal| signal.track.iter().any(Option::is_some))
    };
    let any = |replica: &&Entity| {
        ["l6.kv_pinned", "l6.generation_throughput"].iter().any(|id| drawn(id, replica))
    };
    if !replicas.is_empty() && !replicas.iter().any(any) {
        // Of each of hundreds no course is asked.
        let text = "No course over time of single replicas is known here, or there are too many of \
                    them: choose a model or a replica.";
        let blocks = vec![Block::Text { text: text.to_owned() }];
        return section("multiples", "Replica by replica", "", blocks);
    }
    let order = "On one scale, the fullest cache first";
    let brief = if all > MULTIPLES_MAX {
        format!("{order}: {MULTIPLES_MAX} of {all} replicas; the table above has more.")
    } else {
        format!("{order}.")
    };
    let of_each = |what: &str, line: &'static str, signal: &'static str| {
        let charts = replicas.iter().map(|replica| {
            let title = format!("{what}, {}", replica.name);
            let mut chart = chart(world, &title, &[(line, signal)], Some(&replica.id));
            chart.link = Some(link_to(PageId::Engines, &replica.id));
            chart
        });
        let mut charts: Vec<Chart> = charts.collect();
        let lines = charts.iter().flat_map(|chart| &chart.lines);
        let values = lines.flat_map(|line| &line.values).copied().flatten();
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let most = values.iter().copied().filter(|value| *value > 0.0).reduce(f64::max);
        for chart in &mut charts {
            chart.max = most;
            chart.scale = words::shared(&chart.scale.unit, values.iter().copied());
        }
        Block::Multiples { charts }
    };
    let blocks = vec![
        of_each("KV pinned", "pinned", "l6.kv_pinned"),
        of_each("Generated", "generated", "l6.generation_throughput"),
    ];
    section("multiples", "Replica by replica", &brief, blocks)
}

/// What an engine counts as held of its cache.
fn counts(replica: &Entity) -> &'static str {
    match semantics(fact_of(replica, "engine")) {
        Semantics::Pinned => "pinned",
        Semantics::Resident => "resident",
        Semantics::Unknown => "not said",
    }
}

/// Engines that count differently stand on one page: that must be said before they are compared.
fn brief(world: &World) -> String {
    let capacity = "KV cache is the true capacity of an engine.";
    let mut engines: Vec<&str> = world
        .of_kind(EntityKind::Replica)
        .filter(|replica| counts(replica) == "resident")
        .map(|replica| fact_of(replica, "engine"))
        .collect();
    engines.sort_unstable();
    engines.dedup();
    if engines.is_empty() {
        return capacity.to_owned();
    }
    let engines = engines.join(", ");
    format!(
        "{capacity} {engines} counts reusable prefixes as used: its share is not comparable with \
         that of the others."
    )
}

fn anatomy(world: &World) -> Anatomy {
    let mut replicas: Vec<&Entity> = world.of_kind(EntityKind::Replica).collect();
    let total = |replica: &Entity| {
        let signal = world.signal(TOTAL, Some(&replica.id));
        signal.and_then(|signal| signal.now.known()).unwrap_or(f64::NEG_INFINITY)
    };
    // The slowest first: they are looked for.
    replicas.sort_by(|a, b| total(b).total_cmp(&total(a)).then(a.id.cmp(&b.id)));
    let bars = replicas.iter().take(BARS_MAX).map(|replica| Bar {
        name: replica.name.clone(),
        values: SEGMENTS
            .iter()
            .map(|(_, id)| world.signal(id, Some(&replica.id)).and_then(|s| s.now.known()))
            .collect(),
        total: number(world, "request duration", TOTAL, Some(&replica.id)),
        link: Some(link_to(PageId::Engines, &replica.id)),
    });
    let bars: Vec<Bar> = bars.collect();
    let known = bars.iter().flat_map(|bar| bar.values.iter().chain([&bar.total.value])).flatten();
    let scale = words::shared("s", known.copied());
    Anatomy {
        title: "What a request's duration is made of, mean".to_owned(),
        scale,
        segments: SEGMENTS.map(|(name, _)| name.to_owned()).to_vec(),
        bars,
        explain: number(world, "residual", "l6.residual_mean", None).explain,
    }
}
