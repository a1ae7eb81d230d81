//! How many requests a second each resource of an engine could sustain, and which gives out first.
//!
//! With a target `u` for how far a resource is used, capacity `C` in tokens and requests of the kind
//! that came in the readings:
//!
//! - KV cache: `u C / S`, with `S` the token-seconds that a request holds of the cache. By Little's
//!   law (1961) that is the mean of the tokens held over the requests that ended per second, measured
//!   and so with long requests at their weight. Where steps get longer with the batch, the decoding
//!   part of it is stretched to the batch at which the cache is full.
//! - prefill: `u X / E[I]`, with `X` the prompt tokens that are computed per second of prefill and `I`
//!   those of a request, which is `u l / b` for `l` requests a second and `b` the part of the time in
//!   which somebody is prefilled. Requests are side by side, so that is `1 - exp(-n)` for a mean of
//!   `n` at once.
//! - decode: the batch at which the step time meets the target of the gap between tokens, over that
//!   gap and the tokens of an answer.
//! - sequences: `u M / T`, with `M` requests at once and `T` seconds of each inside (Little).
//! - CPU front end: `(u - a) / (b O)`, with the line of [`FrontEnd`] and `O` tokens of an answer: one
//!   core used to the target.

use super::front_end::FrontEnd;
use super::lengths::SHAPES;
use super::step_time::StepTime;

/// What limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    KvCache,
    Prefill,
    Decode,
    Sequences,
    FrontEnd,
}

/// How many kinds of limits there are.
pub const LIMITS: usize = 5;

impl Limit {
    /// In the field's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::KvCache => "KV cache",
            Self::Prefill => "prefill",
            Self::Decode => "decode under the ITL target",
            Self::Sequences => "max sequences",
            Self::FrontEnd => "CPU front end",
        }
    }

    /// Formula in words and symbols.
    pub fn formula(self) -> &'static str {
        match self {
            Self::KvCache => "u x capacity / (KV token-seconds of a request)",
            Self::Prefill => {
                "u x (prompt tokens computed per second of prefill) / E[those of a request]"
            }
            Self::Decode => "B / (ITL target x E[output tokens]), with ITL(B) = the target",
            Self::Sequences => "u x max sequences / E[seconds in the engine]",
            Self::FrontEnd => "(u x one core - idle) / (CPU seconds per token x E[output tokens])",
        }
    }
}

/// What may be used and what is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// Part of a resource that may be used: 0.8 to 0.9 is where queues begin to grow; the autoscaler
    /// of llm-d calls 0.8 of the KV cache saturated.
    pub fill: f64,
    /// Seconds between two output tokens: 50 ms are 20 tokens a second, twice what people read.
    pub itl_s: f64,
    /// Seconds to the first token that are promised.
    pub ttft_s: f64,
    /// Shapes of requests that are told of, as the shares of the requests that are at most so long;
    /// rising.
    pub shapes: [f64; SHAPES],
}

impl Default for Targets {
    fn default() -> Self {
        Self { fill: 0.85, itl_s: 0.05, ttft_s: 1.0, shapes: [0.5, 0.9, 0.99] }
    }
}

/// Means over the readings; None where a page does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// Requests that ended per second.
    pub requests: Option<f64>,
    /// Tokens that the KV cache can hold, and that running requests held.
    pub capacity: Option<f64>,
    pub pinned: Option<f64>,
    /// Requests at once.
    pub running: Option<f64>,
    /// Tokens of an answer.
    pub output_each: Option<f64>,
    /// Seconds of a request from being scheduled to its first token, and from there to its last.
    pub prefill_s: Option<f64>,
    pub decode_s: Option<f64>,
    /// Requests that may run at once, where the engine says it.
    pub sequences: Option<f64>,
}

/// One ceiling: requests per second, or why it is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceiling {
    pub limit: Limit,
    pub requests: Result<f64, String>,
}

/// All of them, in the order of [`Limit`].
pub fn ceilings(
    load: &Load,
    step: Result<&StepTime, &str>,
    front: Result<&FrontEnd, &str>,
    targets: Targets,
) -> [Ceiling; LIMITS] {
    let of = |limit, requests| Ceiling { limit, requests };
    [
        of(Limit::KvCache, kv_cache(load, step.ok(), targets)),
        of(Limit::Prefill, prefill(load, targets)),
        of(Limit::Decode, decode(load, step, targets)),
        of(Limit::Sequences, sequences(load, step.ok(), targets)),
        of(Limit::FrontEnd, front_end(load, front, targets)),
    ]
}

/// The lowest that is known.
pub fn binding(ceilings: &[Ceiling]) -> Option<(Limit, f64)> {
    let known = ceilings.iter().filter_map(|one| Some((one.limit, *one.requests.as_ref().ok()?)));
    known.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// A value that must be there and above zero.
fn need(value: Option<f64>, what: &str) -> Result<f64, String> {
    match value {
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        Some(_) => Err(format!("there was no {what} in this time")),
        None => Err(format!("{what} is not on the engine's page")),
    }
}

/// How many times longer decoding takes with `batch` requests than with those that run.
fn stretch(load: &Load, step: Option<&StepTime>, batch: f64) -> f64 {
    let (Some(step), Some(running)) = (step, load.running) else { return 1.0 };
    let now = step.itl_s(running);
    if now > 0.0 { (step.itl_s(batch) / now).max(1.0) } else { 1.0 }
}

fn kv_cache(load: &Load, step: Option<&StepTime>, targets: Targets) -> Result<f64, String> {
    let capacity = need(load.capacity, "KV capacity in tokens")?;
    let pinned = need(load.pinned, "held part of the KV cache")?;
    let requests = need(load.requests, "finished request")?;
    let each = pinned / requests;
    let tokens_each = load.running.filter(|running| *running > 0.0).map(|running| pinned / running);
    let batch = tokens_each.map_or(0.0, |tokens| targets.fill * capacity / tokens);
    let decode_part = match (load.prefill_s, load.decode_s) {
        (Some(prefill), Some(decode)) if prefill + decode > 0.0 => decode / (prefill + decode),
        _ => 1.0,
    };
    let longer = 1.0 + decode_part * (stretch(load, step, batch) - 1.0);
    Ok(targets.fill * capacity / (each * longer))
}

fn prefill(load: &Load, targets: Targets) -> Result<f64, String> {
    let requests = need(load.requests, "finished request")?;
    let seconds = need(load.prefill_s, "prefill time of a request")?;
    // Mean requests in prefill at once, and the part of the time with at least one.
    let at_once = requests * seconds;
    let busy = -(-at_once).exp_m1();
    Ok(targets.fill * requests / busy)
}

fn decode(load: &Load, step: Result<&StepTime, &str>, targets: Targets) -> Result<f64, String> {
    let step = step.map_err(|why| format!("how long a step takes is not known: {why}"))?;
    let output = need(load.output_each, "output token")?;
    let batch = step.batch_at(targets.itl_s).ok_or_else(|| {
        format!(
            "a single request already takes {:.1} ms a token, more than the target of {:.0} ms",
            step.itl_s(1.0) * 1e3,
            targets.itl_s * 1e3
        )
    })?;
    Ok(batch / (targets.itl_s * output))
}

fn sequences(load: &Load, step: Option<&StepTime>, targets: Targets) -> Result<f64, String> {
    let sequences = load.sequences.ok_or(
        "how many requests may run at once is not on the engine's page (vLLM's max_num_seqs is \
         not)",
    )?;
    let requests = need(load.requests, "finished request")?;
    let running = need(load.running, "running request")?;
    let seconds = running / requests;
    Ok(targets.fill * sequences / (seconds * stretch(load, step, sequences)))
}

fn front_end(load: &Load, front: Result<&FrontEnd, &str>, targets: Targets) -> Result<f64, String> {
    let front = front?;
    let output = need(load.output_each, "output token")?;
    let tokens = front
        .tokens_at(targets.fill)
        .ok_or_else(|| format!("it takes {:.2} of a core without any request", front.idle_cores))?;
    Ok(tokens / output)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two requests a second, each five seconds inside with a thousand tokens.
    const LOAD: Load = Load {
        requests: Some(2.0),
        capacity: Some(100_000.0),
        pinned: Some(10_000.0),
        running: Some(10.0),
        output_each: Some(200.0),
        prefill_s: Some(0.05),
        decode_s: Some(4.95),
        sequences: Some(64.0),
    };
    const STEP: StepTime = StepTime {
        base_s: 0.02,
        per_request_s: 0.0005,
        per_token_s: None,
        r2: 0.9,
        condition: 100.0,
        points: 100,
        batch_seen: 20.0,
        tokens_each: 1000.0,
    };
    const TARGETS: Targets =
        Targets { fill: 0.8, itl_s: 0.05, ttft_s: 1.0, shapes: [0.5, 0.9, 0.99] };

    const NO_FRONT: Result<&FrontEnd, &str> = Err("another engine");

    fn rates(load: &Load, step: Result<&StepTime, &str>) -> [Option<f64>; 4] {
        let [kv, prefill, decode, sequences, front] =
            ceilings(load, step, NO_FRONT, TARGETS).map(|one| one.requests.ok());
        assert_eq!(front, None);
        [kv, prefill, decode, sequences]
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() / expected - 1.0).abs() < 1e-3, "{found:?}, not {expected}");
    }

    #[test]
    fn ceilings_without_a_model_of_steps_take_times_as_they_are() {
        let [kv, prefill, decode, sequences] = rates(&LOAD, Err("too few readings"));
        // 5000 token-seconds each; 10 % of the time in prefill, by overlap a little less.
        near(kv, 16.0);
        near(prefill, 0.8 * 2.0 / (1.0 - (-0.1_f64).exp()));
        assert_eq!(decode, None);
        near(sequences, 0.8 * 64.0 / 5.0);
        let all = ceilings(&LOAD, Err("too few readings"), NO_FRONT, TARGETS);
        assert_eq!(binding(&all).unwrap().0, Limit::Sequences);
    }

    #[test]
    fn longer_steps_lower_what_the_cache_sustains() {
        let [kv, _, decode, sequences] = rates(&LOAD, Ok(&STEP));
        // At 80 requests a step takes 60 ms instead of 25; 99 % of the time is decoding.
        near(kv, 16.0 / (1.0 + 0.99 * 1.4));
        // 60 requests at 50 ms, 200 tokens each.
        near(decode, 60.0 / (0.05 * 200.0));
        near(sequences, 0.8 * 64.0 / (5.0 * 52.0 / 25.0));
    }

    #[test]
    fn a_front_end_ends_at_its_core() {
        let front = FrontEnd { idle_cores: 0.05, per_token_s: 0.0005, r2: 0.9 };
        let of = |load: &Load, front: &FrontEnd| {
            let [.., last] = ceilings(load, Ok(&STEP), Ok(front), TARGETS);
            assert_eq!(last.limit, Limit::FrontEnd);
            last.requests
        };
        // 1500 tokens a second, 200 to an answer.
        near(of(&LOAD, &front).ok(), 7.5);
        let busy = FrontEnd { idle_cores: 0.9, ..front };
        assert!(of(&LOAD, &busy).is_err_and(|why| why.contains("0.90 of a core")));
        assert!(of(&Load { output_each: None, ..LOAD }, &front).is_err());
    }

    #[test]
    fn each_missing_input_leaves_its_own_ceiling_unknown() {
        let check = |load: Load, limit: Limit, because: &str| {
            let all = ceilings(&load, Ok(&STEP), NO_FRONT, TARGETS);
            let unknown: Vec<_> = all
                .iter()
                .filter_map(|one| Some((one.limit, one.requests.as_ref().err()?)))
                .collect();
            let told = unknown.iter().find(|(found, _)| *found == limit);
            assert!(told.is_some_and(|(_, why)| why.contains(because)), "{unknown:?}");
        };
        check(Load { capacity: None, ..LOAD }, Limit::KvCache, "KV capacity");
        check(Load { requests: Some(0.0), ..LOAD }, Limit::KvCache, "no finished request");
        check(Load { prefill_s: None, ..LOAD }, Limit::Prefill, "prefill time");
        check(Load { output_each: None, ..LOAD }, Limit::Decode, "output token");
        check(Load { sequences: None, ..LOAD }, Limit::Sequences, "max_num_seqs");
        let slow = StepTime { base_s: 0.06, ..STEP };
        let told = ceilings(&LOAD, Ok(&slow), NO_FRONT, TARGETS);
        assert!(told[2].requests.as_ref().is_err_and(|why| why.contains("more than the target")));
        let none = Load::default();
        assert_eq!(binding(&ceilings(&none, Err("nothing"), NO_FRONT, TARGETS)), None);
    }
}
