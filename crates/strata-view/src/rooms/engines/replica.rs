//! L6: one replica: what it could sustain, what is near, and what it gives away.

use strata_world::World;
use strata_world::capacity::{Capacity, Semantics, Waste};

use super::fact::{Made, fact};
use super::{ceilings, outlook};
use crate::page::block::{Block, Card, Section};
use crate::page::status::Status;
use crate::rooms::pieces::section;
use crate::words;

const SHAPE_BYTES: Made = Made {
    unit: "By",
    definition: "Bytes of the KV cache that one token takes on all GPUs together, by the published \
                 shape of the model, with the copies that more GPUs than heads of keys and values \
                 keep.",
    formula: "2 L H d b; L (kv_lora_rank + qk_rope_head_dim) b for latent attention",
    inputs: &["inference.engine.config"],
};

const ENGINE_BYTES: Made = Made {
    unit: "By",
    definition: "The same by what the engine says of its cache.",
    formula: "bytes of the cache on a GPU x GPUs / capacity in tokens",
    inputs: &["inference.memory.usage", "inference.kv_cache.capacity"],
};

/// The sections that only one replica has; none where it was not asked for.
pub(super) fn sections(world: &World) -> Vec<Section> {
    let Some(capacity) = world.capacity.as_deref() else { return Vec::new() };
    let readings = readings(capacity);
    vec![
        section(
            "ceilings",
            "What gives out first",
            &readings,
            vec![ceilings::card(capacity), Block::Table(ceilings::table(capacity))],
        ),
        section(
            "shapes",
            "What still fits",
            &counted(capacity),
            vec![Block::Table(ceilings::shapes(capacity))],
        ),
        section(
            "saturation",
            "How likely requests will wait",
            "Three or more waiting are a saturation. A probability is told only with its record over \
             the later part of the readings.",
            vec![Block::Table(outlook::table(capacity))],
        ),
        section(
            "step",
            "How long a step takes",
            "Fitted to the readings, without a run of its own.",
            vec![outlook::step(capacity)],
        ),
        section("bytes", "Bytes of a token", "", bytes(capacity)),
    ]
}

fn readings(capacity: &Capacity) -> String {
    let look = words::length(capacity.look_s as u64);
    let every = capacity.interval_s.map_or(String::new(), |interval| {
        format!(", one every {}", words::text(Some(interval), "s"))
    });
    format!("From {} readings of the last {look}{every}.", capacity.readings)
}

/// What the engine counts as held.
fn counted(capacity: &Capacity) -> String {
    let semantics = match capacity.semantics {
        Semantics::Pinned => "This engine counts only what running requests hold.",
        Semantics::Resident => {
            "This engine counts reusable prefixes as used: do not compare it with others."
        }
        Semantics::Unknown => "Whether this engine counts reusable prefixes as used is not known.",
    };
    let shared = match capacity.shared {
        Some(shared) => format!(
            "{} of the prompt tokens came from the cache and are counted once",
            words::text(Some(shared), "1")
        ),
        None => "nobody says what prompts share, so each is counted in full".to_owned(),
    };
    format!("By lengths in the readings; {shared}. {semantics}")
}

fn bytes(capacity: &Capacity) -> Vec<Block> {
    let of = |value: &Result<f64, String>| value.as_ref().copied().map_err(String::clone);
    let (shape, engine) = (of(&capacity.bytes.shape), of(&capacity.bytes.engine));
    let numbers = vec![
        fact("by the model's shape", shape.as_ref().copied().map_err(String::as_str), SHAPE_BYTES),
        fact("by the engine", engine.as_ref().copied().map_err(String::as_str), ENGINE_BYTES),
    ];
    let cards = capacity.wastes.iter().map(waste);
    std::iter::once(Block::Numbers { numbers }).chain(cards).collect()
}

fn waste(waste: &Waste) -> Block {
    Block::Card(Card {
        status: Status::Watch,
        title: waste.title.to_owned(),
        text: waste.text.clone(),
        steps: Vec::new(),
        numbers: Vec::new(),
        commands: Vec::new(),
        link: None,
    })
}
