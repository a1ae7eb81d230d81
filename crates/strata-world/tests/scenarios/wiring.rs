//! What a scenario expects of how devices are wired.

use strata_query::promql::syntax::parse_number;
use strata_world::{End, World};

use crate::expect::{identity, two};

/// An end as scenarios write it: `gpu:GPU-1`, `switch@0000:05:00.0`, `switch`, `processor`.
pub(crate) fn written(end: &End) -> String {
    match end {
        End::Gpu(gpu) => gpu.to_string(),
        End::Switch(Some(at)) | End::Unknown(Some(at)) => format!("{}@{at}", end.word()),
        End::Switch(None) | End::Processor | End::Unknown(None) => end.word().to_owned(),
    }
}

/// `FROM TO KIND LANES METHOD CONFIDENCE`, lanes `?` where nobody counts them
pub(crate) fn wire(world: &World, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [from, to, kind, lanes, method, confidence] = words[..] else {
        return Err("six words are needed".to_owned());
    };
    let from = identity(from)?;
    let confidence = parse_number(confidence).ok_or("the confidence is no number")?;
    let all = &world.wiring.wires;
    let found =
        all.iter().find(|wire| wire.from == from && written(&wire.to) == to && wire.kind == kind);
    let found = found.ok_or_else(|| format!("there are {all:?}"))?;
    let known = found.lanes.map_or_else(|| "?".to_owned(), |lanes| lanes.to_string());
    let same = known == lanes
        && format!("{:?}", found.method) == method
        && (found.confidence - confidence).abs() < 1e-9;
    if same { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `COUNT`
pub(crate) fn count(world: &World, text: &str) -> Result<(), String> {
    let all = &world.wiring.wires;
    if all.len().to_string() == text { Ok(()) } else { Err(format!("there are {all:?}")) }
}

/// `NODE KIND to END = GPUS LANES`
pub(crate) fn fabric(world: &World, text: &str) -> Result<(), String> {
    let (what, expected) = two(text, " = ")?;
    let found: Vec<String> = world
        .wiring
        .fabrics
        .iter()
        .filter(|one| format!("{} {} to {}", one.node, one.kind, one.to) == what)
        .map(|one| {
            let lanes = one.lanes.map_or_else(|| "?".to_owned(), |lanes| lanes.to_string());
            format!("{} {lanes}", one.gpus)
        })
        .collect();
    if found == [expected] { Ok(()) } else { Err(format!("there are {:?}", world.wiring.fabrics)) }
}

/// `DEVICE KIND = LINKS`
pub(crate) fn down(world: &World, text: &str) -> Result<(), String> {
    let (what, expected) = two(text, " = ")?;
    let (device, kind) = two(what, " ")?;
    let device = identity(device)?;
    let mut all = world.wiring.down.iter();
    let found = all.find(|one| one.device == device && one.kind == kind);
    match found {
        Some(one) if one.links.to_string() == expected => Ok(()),
        _ => Err(format!("there are {:?}", world.wiring.down)),
    }
}

/// `down NODE KIND = LINKS`
pub(crate) fn nodes_down(world: &World, text: &str) -> Result<(), String> {
    let all = world.wiring.nodes_down.iter();
    let all = all.map(|one| format!("down {} {} = {}", one.node, one.kind, one.links));
    let all: Vec<String> = all.collect();
    if all.iter().any(|one| one == text) { Ok(()) } else { Err(format!("there are {all:?}")) }
}

/// `FROM TO = WAY`
pub(crate) fn path(world: &World, text: &str) -> Result<(), String> {
    let all = world.wiring.paths.iter();
    let all = all.map(|one| format!("{} {} = {:?}", one.from, one.to, one.way));
    let all: Vec<String> = all.collect();
    if all.iter().any(|one| one == text) { Ok(()) } else { Err(format!("there are {all:?}")) }
}

/// `COUNT`
pub(crate) fn paths(world: &World, text: &str) -> Result<(), String> {
    let count = world.wiring.paths.len();
    if count.to_string() == text { Ok(()) } else { Err(format!("there are {count}")) }
}

/// `NODE WAY = PAIRS`
pub(crate) fn reach(world: &World, text: &str) -> Result<(), String> {
    let all = world.wiring.reaches.iter();
    let all = all.map(|one| format!("{} {:?} = {}", one.node, one.way, one.pairs));
    let all: Vec<String> = all.collect();
    if all.iter().any(|one| one == text) { Ok(()) } else { Err(format!("there are {all:?}")) }
}

/// `STATE [because REASON, REASON]`
pub(crate) fn condition(world: &World, text: &str) -> Result<(), String> {
    let found = world.condition.as_ref().map_or_else(
        || "none".to_owned(),
        |one| match one.reasons.as_slice() {
            [] => one.state.clone(),
            reasons => format!("{} because {}", one.state, reasons.join(", ")),
        },
    );
    if found == text { Ok(()) } else { Err(format!("it is {found:?}")) }
}
