//! How long requests are, and what follows for engines.

use std::ops::Range;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use strata_model::record::{Compare, Field, Filter, RequestSample, SampleQuery, SqlValue};
use strata_model::shape::shape_of;
use strata_serve::Report;
use strata_view::PageError;
use strata_view::rooms::LengthsTold;
use strata_world::capacity::bytes_per_token;
use strata_world::requests::lengths::{Lengths, QUANTILES, Spread, by_group, edge};
use strata_world::requests::split::{Advice, Given, Measured, advise};

use super::asked::{Asked, bad};
use super::story::SAMPLES_MAX;
use super::{RecordService, json as report};

/// The target of the gap between output tokens where none is given: that of the capacity card.
pub(crate) const ITL_TARGET_MS: f64 = 50.0;
/// Bytes of a number in the cache where nobody says otherwise: 16 bits.
const CACHE_BYTES: f64 = 2.0;

/// What requests can be told apart by.
pub(crate) const BY: [&str; 5] = ["model", "tenant", "team", "app", "hour"];

/// What is told apart, and what only the operator knows.
#[derive(Debug, Clone)]
pub(super) struct LengthQuestion {
    by: String,
    given: Given,
}

impl LengthQuestion {
    /// By one of [`BY`]; the app where nothing is said.
    pub(super) fn by(name: Option<&str>) -> Result<Self, PageError> {
        let by = name.unwrap_or("app");
        if !BY.contains(&by) {
            return Err(bad(format!("requests are not told apart by {by:?}"), &BY.join(", ")));
        }
        let itl_target_s = ITL_TARGET_MS / 1e3;
        let given = Given { itl_target_s, batch: None, bytes_per_token: None, transfer: None };
        Ok(Self { by: by.to_owned(), given })
    }

    fn read(asked: &Asked) -> Result<Self, PageError> {
        let mut question = Self::by(asked.text("by"))?;
        if let Some(ms) = asked.number("itl_target_ms", 1.0..60_000.0)? {
            question.given.itl_target_s = ms / 1e3;
        }
        question.given.batch = asked.number("batch", 1.0..100_000.0)?;
        // Links are sold in bits.
        let gbps = asked.number("transfer_gbps", 0.001..1e6)?;
        question.given.transfer = gbps.map(|gbps| gbps * 1e9 / 8.0);
        Ok(question)
    }
}

impl RecordService {
    /// Lengths of the requests of a time.
    pub(super) async fn lengths(
        &self,
        mut question: LengthQuestion,
        filters: Vec<Filter>,
        range_us: Range<i64>,
    ) -> Result<LengthsTold, PageError> {
        let by = if question.by == "hour" { None } else { Field::from_name(&question.by) };
        question.given.bytes_per_token = cache_bytes(&filters);
        self.ask(move |source| {
            let seconds = (range_us.end - range_us.start) as f64 / 1e6;
            let query = SampleQuery { range_us, filters, by, most: SAMPLES_MAX };
            let mut samples = source.samples(&query)?;
            if by.is_none() {
                samples.rows.iter_mut().for_each(|one| one.group = hour(one));
            }
            let all = Lengths::of(samples.rows.iter());
            let measured = Measured::of(&samples.rows, samples.matching, seconds);
            let advice = advise(&all, &measured, &question.given);
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
            "advice": found.advice.iter().map(advice).collect::<Vec<_>>(),
        })))
    }
}

/// The hour in which a request began.
fn hour(one: &RequestSample) -> Option<String> {
    let hour = one.start_us.div_euclid(3_600_000_000) * 3_600;
    Timestamp::from_second(hour).ok().map(|hour| hour.to_string())
}

/// Bytes that the cache keeps for a token, where one model is asked for and its shape is known.
fn cache_bytes(filters: &[Filter]) -> Option<f64> {
    let model =
        filters.iter().find_map(|filter| match (&filter.field, &filter.compare, &filter.value) {
            (Field::Model, Compare::Equal, SqlValue::Text(model)) => Some(model),
            _ => None,
        });
    shape_of(model?).map(|shape| bytes_per_token(shape, CACHE_BYTES, 1.0))
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
