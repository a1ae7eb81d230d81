//! The eight layers at a glance, highest first.

use strata_diagnose::{Standing, Verdict, verdicts};
use strata_model::Layer;
use strata_world::{Want, World, signals};

use super::pieces::{axis, first_known, padded, section, status};
use super::{code, page_of, tracks, words as layer_words};
use crate::page::Link;
use crate::page::block::{Block, Card, Section};
use crate::page::chart::Strip;
use crate::page::number::{Explanation, Number};
use crate::page::strata::Stratum;
use crate::request::PageId;
use crate::words;

/// Three numbers of a layer, each with fallbacks: (label, signal).
type Three = [&'static [(&'static str, &'static str)]; 3];

/// Commands on a card of a blind spot at most; the Doctor page has all.
const MENDS_MAX: usize = 1;

fn numbers_of(layer: Layer) -> Three {
    match layer {
        Layer::L1Gpu => [
            &[
                ("tensor active", "l1.tensor_active"),
                ("SM active", "l1.sm_active"),
                ("utilization", "l1.utilization"),
            ],
            &[("power", "l1.power"), ("power", "l1.energy_rate")],
            &[("faults, 10 min", "l1.fault_events"), ("hottest", "l1.temperature")],
        ],
        Layer::L2Cuda => [
            &[("bus bandwidth", "l2.bus_bandwidth"), ("collectives", "l2.collective_rate")],
            &[("rank skew p95", "l2.skew_p95"), ("collective p95", "l2.collective_p95")],
            &[("communication", "l2.communication_share"), ("in flight", "l2.inflight_age")],
        ],
        Layer::L3Host => [
            &[("CPU", "l3.cpu_utilization")],
            &[("I/O wait", "l3.iowait"), ("memory", "l3.memory_utilization")],
            &[("retransmits", "l3.tcp_retransmit_ratio"), ("fullest disk", "l3.filesystem_fill")],
        ],
        Layer::L4Sched => [
            &[("GPUs allocated", "l4.gpus_allocated"), ("GPUs", "l4.gpus_present")],
            &[("held idle", "l4.gpus_held_idle")],
            &[("pods pending", "l4.pods_pending"), ("queue pending", "l4.queue_pending")],
        ],
        Layer::L5Training => [
            &[("MFU", "l5.mfu"), ("throughput", "l5.tokens_per_second")],
            &[("step", "l5.step_time"), ("steps", "l5.step")],
            &[("useful run time", "l5.goodput"), ("loss", "l5.loss")],
        ],
        Layer::L6Inference => [
            &[("KV pinned, fullest", "l6.kv_pinned"), ("running", "l6.running")],
            &[("waiting", "l6.waiting")],
            &[("prefix hits", "l6.prefix_hit_ratio"), ("generated", "l6.generation_throughput")],
        ],
        Layer::L7Genai => [
            &[("TTFT p95", "l7.ttft_p95"), ("duration p95", "l7.duration_p95")],
            &[("requests", "l7.requests")],
            &[("output", "l7.output_tokens"), ("errors", "l7.error_ratio")],
        ],
        Layer::L8Cost => [
            &[("per useful token", "l8.cost_per_useful_token")],
            &[("power", "l8.power")],
            &[("tokens per joule", "l8.tokens_per_joule")],
        ],
    }
}

/// The line of a layer's strip, with fallbacks.
fn strip_of(layer: Layer) -> &'static [(&'static str, &'static str)] {
    match layer {
        Layer::L1Gpu => &[
            ("tensor active, mean", "l1.tensor_active"),
            ("utilization, mean", "l1.utilization"),
            ("power, sum", "l1.power"),
        ],
        Layer::L2Cuda => {
            &[("rank skew p95", "l2.skew_p95"), ("bus bandwidth, mean", "l2.bus_bandwidth")]
        }
        Layer::L3Host => &[("CPU, mean", "l3.cpu_utilization")],
        Layer::L4Sched => &[
            ("GPUs allocated", "l4.gpus_allocated"),
            ("GPUs", "l4.gpus_present"),
            ("pods running", "l4.pods_running"),
        ],
        Layer::L5Training => &[("step time", "l5.step_time"), ("loss", "l5.loss")],
        Layer::L6Inference => &[("KV pinned, fullest", "l6.kv_pinned"), ("running", "l6.running")],
        Layer::L7Genai => &[("TTFT p95", "l7.ttft_p95"), ("requests", "l7.requests")],
        Layer::L8Cost => &[("tokens per joule", "l8.tokens_per_joule"), ("power, sum", "l8.power")],
    }
}

pub(super) fn wants() -> Vec<Want> {
    let mut all = Vec::new();
    for layer in Layer::ALL {
        let numbers = numbers_of(layer).into_iter().flatten();
        all.extend(numbers.chain(strip_of(layer)).map(|(_, signal)| *signal));
    }
    tracks(&all)
}

pub(super) fn sections(world: &World) -> Vec<Section> {
    let judged = verdicts(world);
    let strata = judged.iter().rev().map(|verdict| stratum(world, verdict)).collect();
    let mut sections = vec![section("strata", "", "", vec![Block::Strata { strata }])];
    let mut hurting: Vec<&Verdict> =
        judged.iter().rev().filter(|verdict| verdict.standing >= Standing::Blind).collect();
    // The worst first; among equals the highest layer, as above.
    hurting.sort_by_key(|verdict| std::cmp::Reverse(verdict.standing));
    let cards: Vec<Block> =
        hurting.into_iter().map(|verdict| Block::Card(card(world, verdict))).collect();
    if !cards.is_empty() {
        let brief = "Layers that hurt, worth a look, or not seen.";
        sections.push(section("attention", "Worth a look", brief, cards));
    }
    sections
}

fn stratum(world: &World, verdict: &Verdict) -> Stratum {
    let layer = verdict.layer;
    let (title, question) = layer_words(layer);
    let seen = !matches!(verdict.standing, Standing::Blind | Standing::Absent);
    let numbers: Vec<Number> = numbers_of(layer).map(|choices| first_known(world, choices)).into();
    let any_known = numbers.iter().any(|number| number.value.is_some());
    Stratum {
        code: code(layer).to_owned(),
        title: title.to_owned(),
        question: question.to_owned(),
        verdict: status(verdict.standing),
        reason: reason(world, verdict),
        numbers: if seen || any_known { numbers } else { Vec::new() },
        strip: strip(world, verdict),
        coverage: coverage(world, layer),
        link: Link { page: page_of(layer).name().to_owned(), params: Vec::new() },
    }
}

/// What a verdict says, with the values it rests on.
fn reason(world: &World, verdict: &Verdict) -> String {
    let values = verdict.by.iter().map(|(id, value)| {
        let def = strata_world::signal_def(id);
        let unit = def.map_or("1", |def| def.unit);
        let name = id.split_once('.').map_or(*id, |(_, name)| name).replace('_', " ");
        if def.is_some_and(strata_world::SignalDef::counts_events) {
            // An increase is extrapolated to the window's edges; what happened is whole.
            let whole = value.round().max(1.0);
            let window = u64::try_from(strata_world::event_window_ms(world.window) / 1000);
            let window = words::length(window.unwrap_or_default());
            return format!("{name} {} in {window}", words::text(Some(whole), unit));
        }
        format!("{name} {}", words::text(Some(*value), unit))
    });
    let values: Vec<String> = values.collect();
    if values.is_empty() {
        return verdict.says.to_owned();
    }
    format!("{} ({})", verdict.says, values.join(", "))
}

fn strip(world: &World, verdict: &Verdict) -> Strip {
    let tracked = |id: &str| {
        let signal = world.signal(id, None)?;
        signal.track.iter().any(Option::is_some).then_some(signal)
    };
    let choices = strip_of(verdict.layer);
    let found = choices.iter().find_map(|(title, id)| Some((*title, tracked(id)?)));
    let title = found.map_or(choices[0].0, |(title, _)| title);
    let signal = found.map(|(_, signal)| signal);
    let values = padded(world, signal.map(|signal| signal.track.as_slice()));
    let unit = world.unit(signal.map_or("1", |signal| signal.def.unit));
    let blank = values.iter().all(Option::is_none);
    Strip {
        title: title.to_owned(),
        axis: axis(world),
        scale: words::shared(&unit, values.iter().copied().flatten()),
        statuses: verdict.steps.iter().map(|standing| status(*standing)).collect(),
        values,
        missing: blank.then(|| verdict.says.to_owned()),
    }
}

/// How many of a layer's signals can be known from what is collected now.
fn coverage(world: &World, layer: Layer) -> Number {
    // As the Doctor counts them.
    let told = world.coverage.layers.iter().find(|one| one.layer == layer);
    let link = Link { page: PageId::Doctor.name().to_owned(), params: Vec::new() };
    Number {
        label: "coverage".to_owned(),
        text: told.map_or_else(
            || words::UNKNOWN.to_owned(),
            |one| format!("{} of {} signals", one.fed, one.signals),
        ),
        value: told.map(|one| one.fed as f64),
        unit: "{signal}".to_owned(),
        note: None,
        status: None,
        link: Some(link),
        explain: Explanation {
            definition: "Signals of the layer at least one of whose inputs is collected now. The \
                         Doctor page lists the others, with what would make them known."
                .to_owned(),
            formula: "signals with an input that is seen / signals of the layer".to_owned(),
            unknown: told.is_none().then(|| "nobody tells which metrics are there".to_owned()),
            ..Explanation::default()
        },
    }
}

fn card(world: &World, verdict: &Verdict) -> Card {
    let layer = verdict.layer;
    let (title, _) = layer_words(layer);
    let blind = verdict.standing == Standing::Blind;
    // What the first of the layer's signals lacks is what opens the most.
    let inputs = signals().iter().filter(|def| def.layer == layer).flat_map(|def| def.inputs);
    let mut mends: Vec<String> = Vec::new();
    // No exporter mends a missing price.
    if blind && layer != Layer::L8Cost {
        for input in inputs {
            let known = world.coverage.metrics.iter().find(|one| one.metric == *input);
            let mend = known.and_then(|one| one.mend.clone());
            if let Some(mend) = mend.filter(|mend| !mends.contains(mend)) {
                mends.push(mend);
            }
            if mends.len() == MENDS_MAX {
                break;
            }
        }
    }
    let page = if blind { PageId::Doctor } else { page_of(layer) };
    Card {
        status: status(verdict.standing),
        title: if blind {
            format!("Blind spot: {} {title}", code(layer))
        } else {
            format!("{} {title}", code(layer))
        },
        text: reason(world, verdict),
        steps: Vec::new(),
        numbers: Vec::new(),
        commands: mends,
        link: Some(Link { page: page.name().to_owned(), params: Vec::new() }),
    }
}

/// The verdict of a layer as a line of another page.
pub(super) fn line(world: &World, layer: Layer) -> Block {
    let verdict = strata_diagnose::verdict(world, layer);
    Block::Text {
        text: format!("{}: {}", status(verdict.standing).word(), reason(world, &verdict)),
    }
}
