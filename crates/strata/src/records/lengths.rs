//! How long requests are, and what follows for engines.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use strata_model::record::{Field, Filter, RecordError, RecordSource, RequestSample, SampleQuery};
use strata_model::shape::shape_of;
use strata_serve::Report;
use strata_view::PageError;
use strata_view::rooms::{LENGTHS_BY, LengthsTold};
use strata_world::capacity::bytes_per_token;
use strata_world::requests::lengths::{Lengths, QUANTILES, Spread, by_group, edge};
use strata_world::requests::split::{Advice, Advised, Given, ReplayLine, Replayed};

use super::asked::{Asked, bad};
use super::replay::{Setup, replay};
use super::story::SAMPLES_MAX;
use super::{RecordService, json as report};

/// The target of the gap between output tokens where none is given: that of the capacity card.
pub(crate) const ITL_TARGET_MS: f64 = 50.0;
/// Models that are advised about.
const ADVISED_MAX: usize = 5;
/// Bytes of a number in the cache where nobody says otherwise: 16 bits.
const CACHE_BYTES: f64 = 2.0;

/// What is told apart, and what only the operator knows.
#[derive(Debug, Clone)]
pub(super) struct LengthQuestion {
    by: String,
    given: Given,
    /// Tokens of a step as the engines are set up now.
    batched_tokens: Option<u64>,
}

impl LengthQuestion {
    /// By one of [`LENGTHS_BY`]; the app where nothing is said.
    pub(super) fn by(name: Option<&str>) -> Result<Self, PageError> {
        let by = name.unwrap_or("app");
        if !LENGTHS_BY.contains(&by) {
            return Err(bad(
                format!("requests are not told apart by {by:?}"),
                &LENGTHS_BY.join(", "),
            ));
        }
        let itl_target_s = ITL_TARGET_MS / 1e3;
        let given = Given { itl_target_s, batch: None, bytes_per_token: None, transfer: None };
        Ok(Self { by: by.to_owned(), given, batched_tokens: None })
    }

    fn read(asked: &Asked) -> Result<Self, PageError> {
        let mut question = Self::by(asked.text("by"))?;
        if let Some(ms) = asked.number("itl_target_ms", 1.0..=60_000.0)? {
            question.given.itl_target_s = ms / 1e3;
        }
        question.given.batch = asked.number("batch", 1.0..=100_000.0)?;
        let batched = asked.number("batched_tokens", 16.0..=1e6)?;
        question.batched_tokens = batched.map(|tokens| tokens as u64);
        // Links are sold in bits.
        let gbps = asked.number("transfer_gbps", 0.001..=1e6)?;
        question.given.transfer = gbps.map(|gbps| gbps * 1e9 / 8.0);
        Ok(question)
    }
}

impl RecordService {
    /// Lengths of the requests of a time.
    pub(super) async fn lengths(
        &self,
        question: LengthQuestion,
        filters: Vec<Filter>,
        range_us: Range<i64>,
    ) -> Result<LengthsTold, PageError> {
        let by = if question.by == "hour" { None } else { Field::from_name(&question.by) };
        self.ask(move |source| {
            let query = SampleQuery { range_us, filters, by, most: SAMPLES_MAX };
            let (advice, more_models) = advised(source, &query, &question)?;
            let mut samples = source.samples(&query)?;
            if by.is_none() {
                samples.rows.iter_mut().for_each(|one| one.group = hour(one));
            }
            let all = Lengths::of(samples.rows.iter());
            let mut groups = by_group(&samples.rows);
            if by.is_none() {
                groups.sort_by(|(first, _), (second, _)| first.cmp(second));
            }
            let taken = samples.rows.len() as u64;
            Ok(LengthsTold {
                all,
                by: question.by,
                groups,
                advice,
                more_models,
                matching: samples.matching,
                taken,
            })
        })
        .await
    }

    /// `GET /api/v1/requests/lengths`
    pub(super) async fn measured(&self, asked: &Asked) -> Result<Report, PageError> {
        let question = LengthQuestion::read(asked)?;
        let found = self.lengths(question, asked.filters()?, asked.range_us.clone()).await?;
        let groups = found.groups.iter().map(|(name, lengths)| {
            let name = Some(name).filter(|name| !name.is_empty());
            json!({ "name": name, "lengths": document(lengths) })
        });
        Ok(report(&json!({
            "start_us": asked.range_us.start,
            "end_us": asked.range_us.end,
            "matching": found.matching,
            "taken": found.taken,
            "all": document(&found.all),
            "by": found.by,
            "groups": groups.collect::<Vec<_>>(),
            "models": found.advice.iter().map(of_model).collect::<Vec<_>>(),
            "more_models": found.more_models,
        })))
    }
}

/// The hour in which a request began.
fn hour(one: &RequestSample) -> Option<String> {
    let hour = one.start_us.div_euclid(3_600_000_000) * 3_600;
    Timestamp::from_second(hour).ok().map(|hour| hour.to_string())
}

/// The advice for each model of the requests, the most asked first, and how many are left out.
fn advised(
    source: &dyn RecordSource,
    query: &SampleQuery,
    question: &LengthQuestion,
) -> Result<(Vec<Advised>, u64), RecordError> {
    let samples = source.samples(&SampleQuery { by: Some(Field::Model), ..query.clone() })?;
    let mut models: BTreeMap<&str, Vec<&RequestSample>> = BTreeMap::new();
    for one in &samples.rows {
        if let Some(model) = one.group.as_deref() {
            models.entry(model).or_default().push(one);
        }
    }
    let mut models: Vec<(&str, Vec<&RequestSample>)> = models.into_iter().collect();
    models.sort_by_key(|(_, requests)| std::cmp::Reverse(requests.len()));
    let more = models.len().saturating_sub(ADVISED_MAX) as u64;
    let advised = models.into_iter().take(ADVISED_MAX).map(|(model, requests)| {
        // Of many every so many-th was read, whatever its model.
        let matching = (requests.len() as u64).saturating_mul(samples.one_in);
        let bytes_per_token = shape_of(model).map(|shape| bytes_per_token(shape, CACHE_BYTES, 1.0));
        let given = Given { bytes_per_token, ..question.given };
        let mut advised =
            Advised::of(model.to_owned(), &requests, matching, &query.range_us, &given);
        let setup = Setup { given: &given, batched_tokens: question.batched_tokens };
        advised.replay = Some(replay(source, query, &advised, &requests, &setup)?);
        Ok(advised)
    });
    Ok((advised.collect::<Result<_, RecordError>>()?, more))
}

fn of_model(one: &Advised) -> Json {
    json!({
        "model": one.model,
        "requests": one.measured.matching,
        "requests_per_second": one.measured.rate,
        "busiest_hour_us": one.measured.busiest_from_us,
        "advice": one.advice.iter().map(advice).collect::<Vec<_>>(),
        "simulated": one.replay.as_ref().map(simulated),
    })
}

fn simulated(replay: &Replayed) -> Json {
    let line = |line: &ReplayLine| {
        json!({
            "setting": line.setting,
            "ended": line.ended,
            "ttft_p50_seconds": line.ttft_s[0],
            "ttft_p99_seconds": line.ttft_s[1],
            "itl_p50_seconds": line.itl_s.map(|itl| itl[0]),
            "itl_p99_seconds": line.itl_s.map(|itl| itl[1]),
        })
    };
    json!({
        "from_us": replay.from_us,
        "seconds": replay.seconds,
        "requests": replay.requests,
        "settings": replay.lines.iter().map(line).collect::<Vec<_>>(),
        "why": replay.why,
    })
}

fn document(lengths: &Lengths) -> Json {
    let cells = lengths.cells.iter().map(|((input, output), cell)| {
        json!({
            "input_at_most": edge(*input),
            "output_at_most": edge(*output),
            "requests": cell.requests,
            "input_tokens": cell.input,
            "cached_tokens": (cell.cache_told > 0).then_some(cell.cached),
            "cached_share": cell.cached_share(),
        })
    });
    let spread = |spread: &Spread| {
        let known = spread.told > 0;
        let quantiles = QUANTILES
            .iter()
            .zip(spread.quantiles)
            .map(|(q, tokens)| (format!("p{:.0}", q * 100.0), json!(known.then_some(tokens))));
        let mut object: serde_json::Map<String, Json> = quantiles.collect();
        object.insert("told_by".to_owned(), json!(spread.told));
        object.insert("mean".to_owned(), json!(known.then_some(spread.mean)));
        object.insert("longest".to_owned(), json!(known.then_some(spread.longest)));
        Json::Object(object)
    };
    json!({
        "cells": cells.collect::<Vec<_>>(),
        "input": spread(&lengths.input),
        "computed": spread(&lengths.computed),
        "cached": spread(&lengths.cached),
        "output": spread(&lengths.output),
        "whole": spread(&lengths.whole),
    })
}

fn advice(one: &Advice) -> Json {
    let inputs = one
        .inputs
        .iter()
        .map(|(name, value, unit)| json!({ "name": name, "value": value, "unit": unit }));
    json!({
        "about": one.about,
        "setting": one.setting,
        "says": one.says,
        "formula": one.formula,
        "inputs": inputs.collect::<Vec<_>>(),
        "missing": one.missing,
    })
}
