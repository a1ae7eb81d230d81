//! The capacity card of one replica: how much its KV cache holds, which resource gives out first,
//! what still fits, how long a step takes, and how likely requests will have to wait.
//!
//! As the World a pair of pure functions: `plan::queries` lists what is asked of one replica (of a
//! fleet only the signals are asked), `card` reads the answers. What is not known is an error in
//! words, never a number.

mod ceilings;
mod front_end;
mod kv_bytes;
mod lengths;
mod moment;
pub(crate) mod plan;
mod read;
mod saturation;
mod step_time;
#[cfg(test)]
mod tests;
mod waste;

use strata_model::catalog::{Catalog, Quality};
use strata_model::shape::shape_of;

use crate::ask::{Ask, Scope};
use crate::assemble::rows::Book;
use crate::entity::EntityKind;
pub use ceilings::{Ceiling, LIMITS, Limit, Load, Targets, binding, ceilings};
pub use front_end::{FrontEnd, front_end};
pub use kv_bytes::{bytes_of_type, bytes_per_token, copies};
pub use lengths::{Fit, Lengths, Room, SHAPES, fits};
pub use moment::{Moment, interval_s};
pub use saturation::{
    Balance, HORIZONS_S, Judged, Map, Saturation, WAITING_MIN, auc, balances, brier, forecasts,
};
pub use step_time::{R2_MIN, StepTime, step_time};
pub use waste::{Cache, TokenBytes, Waste, token_bytes, wastes};

/// What an engine's number for the held part of its cache means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// Held by running requests; reusable prefixes count as free.
    Pinned,
    /// Reusable prefixes count as used: never compared with [`Semantics::Pinned`].
    Resident,
    /// The source does not say.
    Unknown,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    pub targets: Targets,
    /// Seconds that the readings reach back.
    pub look_s: f64,
    pub readings: usize,
    /// Usual time between two readings.
    pub interval_s: Option<f64>,
    /// Data-parallel ranks, added together here.
    pub ranks: usize,
    pub semantics: Semantics,
    pub load: Load,
    /// Part of the prompts that came from the prefix cache.
    pub shared: Option<f64>,
    /// Waiting requests by what they wait for.
    pub reasons: Vec<(String, f64)>,
    pub step: Result<StepTime, String>,
    pub ceilings: [Ceiling; LIMITS],
    pub fits: Result<[Option<Fit>; SHAPES], String>,
    pub saturation: Vec<Saturation>,
    pub bytes: TokenBytes,
    pub wastes: Vec<Waste>,
}

impl Capacity {
    /// The resource that gives out first of those that are known, and its requests per second.
    pub fn binding(&self) -> Option<(Limit, f64)> {
        binding(&self.ceilings)
    }

    /// Requests per second until that resource gives out; below zero when it has.
    pub fn headroom(&self) -> Option<f64> {
        Some(self.binding()?.1 - self.load.requests?)
    }
}

/// The card of the replica that an ask is about; none of any other scope.
pub(crate) fn card(ask: &Ask, book: &Book<'_>) -> Option<Capacity> {
    let is_replica = matches!(&ask.scope, Scope::Entity(id) if id.kind == EntityKind::Replica);
    (is_replica && ask.entities).then(|| {
        let look_s = plan::look_ms(ask.window) as f64 / 1000.0;
        of(read::read(book), look_s, ask.targets)
    })
}

fn of(mut read: read::Read, look_s: f64, targets: Targets) -> Capacity {
    let semantics = read.engine.as_deref().map_or(Semantics::Unknown, semantics);
    // What is kept for reuse is no load: neither Little's law nor a balance holds of it.
    read.moments = balanced(&read.moments, semantics);
    let load = load(&read);
    let shared = shared(&read.moments);
    let step = step_time(&read.moments);
    let front = front_end(&read.moments, read.engine.as_deref());
    let ceilings = ceilings(
        &load,
        step.as_ref().map_err(String::as_str),
        front.as_ref().map_err(String::as_str),
        targets,
    );
    let ratio = read.prompt.as_ref().and_then(Lengths::square_ratio).unwrap_or(2.0);
    let saturation = forecasts(&read.moments, ratio);
    let most = read.moments.iter().filter_map(|one| Some(one.pinned? / one.capacity?));
    let most = most.fold(0.0, f64::max);
    let binds = binding(&ceilings).is_some_and(|(limit, _)| limit == Limit::KvCache);
    let both = read.prompt.as_ref().zip(read.output.as_ref());
    let length_p99 = both.map(|(prompt, output)| prompt.plus(output).quantile(0.99));
    let cache = Cache {
        shape: read.model.as_deref().and_then(shape_of),
        dtype: read.dtype.as_deref(),
        gpus: read.gpus,
        ranks: read.ranks.max(1) as f64,
        capacity: load.capacity,
        bytes_each_gpu: read.bytes,
        length_limit: read.context.or_else(|| longest(&read, load.capacity)),
        length_p99: length_p99.filter(|length| length.is_finite()),
        tokens_each: load.pinned.zip(load.running).map(|(pinned, running)| pinned / running),
        scarce: binds || most > targets.fill,
    };
    Capacity {
        targets,
        look_s,
        readings: read.moments.len(),
        interval_s: interval_s(&read.moments),
        ranks: read.ranks,
        semantics,
        load,
        shared,
        step,
        ceilings,
        fits: shapes_that_fit(&read, targets),
        saturation,
        bytes: token_bytes(&cache),
        wastes: wastes(&cache),
        reasons: read.reasons,
    }
}

/// What the catalog says of an engine's gauge for the held part of its cache.
pub fn semantics(engine: &str) -> Semantics {
    let named =
        |metric: &str| Catalog::builtin().metric(metric).map(|metric| metric.prometheus.clone());
    let names = ["inference.kv_cache.utilization", "inference.kv_cache.pinned"];
    let mut found = Semantics::Unknown;
    for name in names.into_iter().filter_map(named) {
        for expansion in Catalog::builtin().expansions(&name).unwrap_or_default() {
            let is_its =
                |(label, value): &(String, String)| label == "inference_engine" && value == engine;
            if !expansion.constants.iter().any(is_its) {
                continue;
            }
            if expansion.quality == Quality::ResidentSemantics {
                return Semantics::Resident;
            }
            found = Semantics::Pinned;
        }
    }
    found
}

/// vLLM's limit of requests is how many of the longest fit, which tells the longest; of others it is
/// how many may run.
fn is_of_longest(read: &read::Read) -> bool {
    read.engine.as_deref() == Some("vllm")
}

fn longest(read: &read::Read, capacity: Option<f64>) -> Option<f64> {
    let limit = read.limit.filter(|limit| *limit > 0.0 && is_of_longest(read))?;
    Some(capacity? / limit)
}

/// Without the tokens where they count reusable prefixes.
fn balanced(moments: &[Moment], semantics: Semantics) -> Vec<Moment> {
    let is_resident = semantics == Semantics::Resident;
    let kept =
        |moment: &Moment| Moment { pinned: moment.pinned.filter(|_| !is_resident), ..*moment };
    moments.iter().map(kept).collect()
}

/// Means over the readings.
fn load(read: &read::Read) -> Load {
    let moments = &read.moments;
    // Time in which nobody looked says nothing of the requests in it.
    let counted = moments.windows(2).filter_map(|pair| match pair {
        [before, one] if one.finished.is_some() => Some(one.at_s - before.at_s),
        _ => None,
    });
    let seconds = Some(counted.sum::<f64>()).filter(|seconds| *seconds > 0.0);
    let finished = total(moments, |one| one.finished);
    let each = |of: fn(&Moment) -> Option<f64>, count| ratio(moments, of, count);
    let prefill = each(|one| one.prefill_seconds, |one| one.started);
    Load {
        requests: finished.zip(seconds).map(|(finished, seconds)| finished / seconds),
        capacity: moments.last().and_then(|one| one.capacity),
        pinned: mean(moments, |one| one.pinned),
        running: mean(moments, |one| one.running),
        output_each: each(|one| one.generated, |one| one.finished),
        prefill_s: prefill.or_else(|| each(|one| one.prefill_seconds, |one| one.finished)),
        decode_s: each(|one| one.decode_seconds, |one| one.finished),
        sequences: read.limit.filter(|_| !is_of_longest(read)),
    }
}

/// Part of the prompt tokens that was cached.
fn shared(moments: &[Moment]) -> Option<f64> {
    Some(ratio(moments, |one| one.cached, |one| one.prompt)?.clamp(0.0, 1.0))
}

/// What there is of one for each of the other, over the readings that tell both: a counter that began
/// anew leaves its own reading out, and the other counter's of that reading must not stay in.
fn ratio(
    moments: &[Moment],
    of: fn(&Moment) -> Option<f64>,
    each: fn(&Moment) -> Option<f64>,
) -> Option<f64> {
    let both = moments.iter().filter_map(|one| of(one).zip(each(one)));
    let (whole, count) =
        both.fold((0.0, 0.0), |(whole, count), (of, each)| (whole + of, count + each));
    (count > 0.0).then(|| whole / count)
}

/// Sum of what is known; none when nothing is.
fn total(moments: &[Moment], get: fn(&Moment) -> Option<f64>) -> Option<f64> {
    moments.iter().filter_map(get).fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

fn mean(moments: &[Moment], get: fn(&Moment) -> Option<f64>) -> Option<f64> {
    let count = moments.iter().filter_map(get).count();
    total(moments, get).map(|sum| sum / count as f64)
}

fn shapes_that_fit(read: &read::Read, targets: Targets) -> Result<[Option<Fit>; SHAPES], String> {
    let prompt = read.prompt.as_ref().ok_or("lengths of prompts are not on the engine's page")?;
    let output = read.output.as_ref().ok_or("lengths of answers are not on the engine's page")?;
    let newest = read.moments.last();
    let capacity = newest.and_then(|one| one.capacity);
    let capacity = capacity.ok_or("the KV capacity in tokens is not on the engine's page")?;
    let pinned = newest.and_then(|one| one.pinned);
    // What hits the cache may be the request's own earlier turns, which only it holds: no part of a
    // prompt is known to be held by others.
    let ranks = read.ranks.max(1) as f64;
    Ok(fits(prompt, output, targets.shapes, Room { fill: targets.fill, capacity, pinned, ranks }))
}
