//! What a scenario expects of the capacity of a replica.

use strata_query::promql::syntax::parse_number;
use strata_world::World;
use strata_world::capacity::{Capacity, Limit};

/// `NAME = NUMBER`
pub(crate) fn known(world: &World, text: &str) -> Result<(), String> {
    let (name, expected) = text.split_once(" = ").ok_or("\" = \" is missing")?;
    let expected = parse_number(expected).ok_or("the value is no number")?;
    let found = find(world, name)?;
    let near = |found: f64| (found - expected).abs() <= 1e-9 + expected.abs() * 1e-6;
    if found.as_ref().is_ok_and(|found| near(*found)) { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `NAME because TEXT`
pub(crate) fn unknown(world: &World, text: &str) -> Result<(), String> {
    let (name, because) = text.split_once(" because ").ok_or("\" because \" is missing")?;
    match find(world, name)? {
        Err(why) if why.contains(because) => Ok(()),
        found => Err(format!("{found:?}")),
    }
}

/// The number of this name, or why there is none.
fn find(world: &World, name: &str) -> Result<Result<f64, String>, String> {
    let card: &Capacity = world.capacity.as_deref().ok_or("there is no card")?;
    let told = |value: Option<f64>| value.ok_or_else(|| "there is none".to_owned());
    let ceiling = |limit: Limit| {
        let found = card.ceilings.iter().find(|one| one.limit == limit);
        found.map_or_else(|| Err("there is none".to_owned()), |one| one.requests.clone())
    };
    let median = || card.fits.clone().and_then(|[median, ..]| median.ok_or("above".to_owned()));
    Ok(match name {
        "ranks" => Ok(card.ranks as f64),
        "capacity" => told(card.load.capacity),
        "pinned" => told(card.load.pinned),
        "running" => told(card.load.running),
        "requests" => told(card.load.requests),
        "output_each" => told(card.load.output_each),
        "shared" => told(card.shared),
        "kv_cache" => ceiling(Limit::KvCache),
        "prefill" => ceiling(Limit::Prefill),
        "decode" => ceiling(Limit::Decode),
        "sequences" => ceiling(Limit::Sequences),
        "front_end" => ceiling(Limit::FrontEnd),
        "headroom" => told(card.headroom()),
        "fit_all" => median().map(|fit| fit.all),
        "fit_more" => median().and_then(|fit| told(fit.more)),
        "saturation" => match card.saturation.first() {
            Some(first) => first.judged.clone().and_then(|judged| told(judged.probability)),
            None => told(None),
        },
        "bytes_shape" => card.bytes.shape.clone(),
        "bytes_engine" => card.bytes.engine.clone(),
        _ => return Err(format!("unknown number {name:?}")),
    })
}
