//! Evidence for advice: the recorded requests of a busy stretch, served by simulated engines as they
//! are set up now and as is advised.

use std::collections::BTreeSet;
use std::ops::Range;

use strata_model::record::{
    Compare, Field, Filter, RecordError, RecordSource, RequestSample, SampleQuery, SqlValue,
};
use strata_sim::{TraceRow, TrialLayout, TrialSpeed, trial};
use strata_world::requests::lengths::Lengths;
use strata_world::requests::split::{Advised, Given, ReplayLine, Replayed, busiest_from};

/// How long the stretch is, microseconds: longer than most answers, short enough to be tried in a
/// moment.
const STRETCH_US: i64 = 600_000_000;
/// Requests that are replayed; of a busier model a shorter stretch.
const REQUESTS_MAX: usize = 3_000;
/// Fewer say nothing of a tail.
const REQUESTS_LEAST: usize = 30;
/// Engines that are simulated.
const ENGINES_MAX: u64 = 64;
/// Tokens of a step where nobody says: vLLM's default on large GPUs.
pub(super) const BATCHED_TOKENS: u64 = 8_192;

/// What is known besides the records.
pub(super) struct Setup<'a> {
    pub(super) given: &'a Given,
    pub(super) batched_tokens: Option<u64>,
}

/// Try the advice on the requests of the busiest ten minutes of these.
pub(super) fn replay(
    source: &dyn RecordSource,
    query: &SampleQuery,
    advised: &Advised,
    samples: &[&RequestSample],
    setup: &Setup<'_>,
) -> Result<Replayed, RecordError> {
    let why = |why: &str| Ok(Replayed { why: why.to_owned(), ..Replayed::default() });
    let measured = &advised.measured;
    let (Some(prompt_tokens), Some((gap_s, _)), Some(decode_s)) =
        (measured.prefill_speed, measured.tpot_s, measured.decode_s)
    else {
        return why("prefill and decode times of the engine, and first tokens, are not told");
    };
    let (range_us, rows) = stretch(source, query, advised, samples)?;
    if rows.len() < REQUESTS_LEAST {
        return why("fewer than 30 requests in the busiest ten minutes");
    }
    let replicas: BTreeSet<&str> = rows.iter().filter_map(|one| one.group.as_deref()).collect();
    if replicas.is_empty() {
        return why("no request tells which replica served it");
    }
    if replicas.len() as u64 > ENGINES_MAX {
        return why("more than 64 replicas served them, which are not simulated");
    }
    let told = trace(&rows, range_us.start);
    if told.len() * 10 < rows.len() * 9 {
        return why("of more than one request in ten the lengths are not told");
    }
    let lengths = Lengths::of(rows.iter());
    let seconds = (range_us.end - range_us.start) as f64 / 1e6;
    // Little's law: as many decode at once as come in the time that one takes.
    let decoding = rows.len() as f64 / seconds * decode_s / replicas.len() as f64;
    let seen = lengths.input.mean + lengths.output.mean / 2.0;
    let speed = TrialSpeed {
        prompt_tokens,
        prompt: lengths.computed.mean,
        gap_s,
        decoding: decoding.max(1.0),
        looked_back: decoding.max(1.0) * seen,
    };
    let layouts = layouts(advised, replicas.len(), &lengths, setup);
    let lines = layouts.into_iter().filter_map(|(setting, layout)| {
        let found = trial(layout, speed, &told)?;
        Some(ReplayLine { setting, ended: found.ended, ttft_s: found.ttft, itl_s: found.itl })
    });
    let lines: Vec<ReplayLine> = lines.collect();
    if lines.is_empty() {
        return why("no request got its first token in the simulation");
    }
    let (from_us, requests) = (range_us.start, told.len() as u64);
    Ok(Replayed { from_us, seconds, requests, lines, why: String::new() })
}

/// All requests of the busiest stretch, each with its replica.
fn stretch(
    source: &dyn RecordSource,
    query: &SampleQuery,
    advised: &Advised,
    samples: &[&RequestSample],
) -> Result<(Range<i64>, Vec<RequestSample>), RecordError> {
    let (from, _) = busiest_from(samples, &query.range_us, STRETCH_US);
    let value = SqlValue::Text(advised.model.clone());
    let mut filters = query.filters.clone();
    filters.push(Filter { field: Field::Model, compare: Compare::Equal, value });
    let mut range_us = from..from.saturating_add(STRETCH_US).min(query.range_us.end);
    let ask = |range_us: &Range<i64>, most: usize| {
        let (range_us, filters) = (range_us.clone(), filters.clone());
        source.samples(&SampleQuery { range_us, filters, by: Some(Field::Replica), most })
    };
    let mut found = ask(&range_us, REQUESTS_MAX)?;
    // A part of the requests would be a part of the load: all of a shorter stretch.
    while found.one_in > 1 && range_us.end - range_us.start > 1 {
        let whole = range_us.end - range_us.start;
        let fits = (whole as f64 * REQUESTS_MAX as f64 / found.matching as f64) as i64;
        range_us.end = range_us.start + fits.clamp(1, whole / 2);
        found = ask(&range_us, REQUESTS_MAX)?;
    }
    found.rows.sort_by_key(|one| one.start_us);
    Ok((range_us, found.rows))
}

/// What the engine had to compute of each request, and what it answered.
fn trace(rows: &[RequestSample], from_us: i64) -> Vec<TraceRow> {
    let row = |one: &RequestSample| {
        Some(TraceRow {
            at: (one.start_us - from_us) as f64 / 1e6,
            prompt_tokens: one.computed()?,
            output_tokens: one.output()?,
        })
    };
    rows.iter().filter_map(row).collect()
}

/// As it is, and as is advised.
fn layouts(
    advised: &Advised,
    replicas: usize,
    lengths: &Lengths,
    setup: &Setup<'_>,
) -> Vec<(String, TrialLayout)> {
    let numbers = |about: &str| {
        let advice = advised.advice.iter().find(|one| one.about == about);
        advice.map_or(&[][..], |advice| advice.numbers.as_slice())
    };
    let together = |batch_tokens: u64, word: &str| {
        let setting = format!("{replicas} together, --max-num-batched-tokens {batch_tokens}{word}");
        (setting, TrialLayout::Together { replicas, batch_tokens })
    };
    let now = setup.batched_tokens.unwrap_or(BATCHED_TOKENS);
    let assumed = if setup.batched_tokens.is_none() { ", assumed" } else { "" };
    let mut layouts = vec![together(now, &format!(" (now{assumed})"))];
    if let [tokens] = numbers("chunked-prefill budget")
        && *tokens != now
    {
        layouts.push(together(*tokens, ""));
    }
    if let [prefill, decode] = numbers("prefill to decode replicas")
        && prefill + decode <= ENGINES_MAX
    {
        let Given { bytes_per_token, transfer, .. } = setup.given;
        let moved = bytes_per_token.zip(*transfer);
        let moved = moved.map(|(bytes, speed)| lengths.input.mean * bytes / speed.max(1.0));
        let word = if moved.is_some() { "" } else { ", the transfer left out" };
        let layout = TrialLayout::Apart {
            prefill: *prefill as usize,
            decode: *decode as usize,
            transfer_s: moved.unwrap_or(0.0),
        };
        layouts.push((format!("prefill {prefill} : decode {decode}{word}"), layout));
    }
    layouts
}
