//! The model of an engine whose page does not name it, joined on when its series are read.
//!
//! The collector asks the engine and writes the answer as an info series of the same target
//! ([`MODEL_INFO`]), beside the page's samples and at their times. A sample belongs to the model that
//! was known last when it was taken; where none was known lately it has no model, which is not the
//! same as a wrong one.

use std::collections::BTreeMap;
use std::sync::Arc;

use strata_model::catalog::MODEL_INFO;
use strata_model::{
    Labels, METRIC_NAME, MatchOp, Matcher, Points, SelectError, SelectHints, Selection, Series,
    SeriesSource, is_stale,
};

use super::labels::MODEL;

/// An answer is believed this long, as an instant selector does.
const BELIEVED_MS: i64 = 300_000;

/// What a target is known by.
const TARGET: [&str; 3] = ["job", "instance", "node"];

/// The models of one target: when each was said, in order.
type Said = Vec<(i64, Option<String>)>;

/// Give each series without a model those that its target served, a series for each.
pub(super) fn attach(
    source: &dyn SeriesSource,
    found: Vec<Series>,
    selection: &Selection,
) -> Result<Vec<Series>, SelectError> {
    if found.iter().all(|one| one.labels.get(MODEL).is_some()) {
        return Ok(found);
    }
    let said = said(source, selection)?;
    let mut all = Vec::with_capacity(found.len());
    for one in found {
        let target = one.labels.filtered(|name| TARGET.contains(&name));
        match said.get(&target).filter(|_| one.labels.get(MODEL).is_none()) {
            Some(said) => split(&one, said, &mut all),
            None => all.push(one),
        }
    }
    Ok(all)
}

/// The labels a series can have once the models of its target are known.
pub(super) fn possible(labels: &Labels, infos: &[Labels]) -> Vec<Labels> {
    if labels.get(MODEL).is_some() {
        return vec![labels.clone()];
    }
    let target = labels.filtered(|name| TARGET.contains(&name));
    let of_target =
        infos.iter().filter(|info| info.filtered(|name| TARGET.contains(&name)) == target);
    let models: Vec<Labels> = of_target
        .filter_map(|info| {
            let mut builder = labels.to_builder();
            builder.set(MODEL, info.get(MODEL)?);
            Some(builder.build())
        })
        .collect();
    if models.is_empty() { vec![labels.clone()] } else { models }
}

/// The matchers that select every answer.
pub(super) fn infos() -> Vec<Matcher> {
    let named = Matcher::equal(METRIC_NAME, MODEL_INFO);
    let model = Matcher::new(MatchOp::NotEqual, MODEL, "");
    [Some(named), model.ok()].into_iter().flatten().collect()
}

fn said(
    source: &dyn SeriesSource,
    selection: &Selection,
) -> Result<BTreeMap<Labels, Said>, SelectError> {
    let selection = Selection {
        matchers: infos(),
        start_ms: selection.start_ms.saturating_sub(BELIEVED_MS),
        end_ms: selection.end_ms,
        hints: SelectHints { step_ms: selection.hints.step_ms, ..SelectHints::default() },
    };
    let mut said: BTreeMap<Labels, Said> = BTreeMap::new();
    for info in source.select(&selection)? {
        let target = info.labels.filtered(|name| TARGET.contains(&name));
        let model = info.labels.get(MODEL).map(str::to_owned);
        let pairs = info.points.times.iter().zip(&info.points.values);
        let samples = pairs.map(|(at, value)| (*at, model.clone().filter(|_| !is_stale(*value))));
        said.entry(target).or_default().extend(samples);
    }
    for said in said.values_mut() {
        // At one time the end of one model comes before the beginning of the next.
        said.sort_by_key(|(at, model)| (*at, model.is_some()));
    }
    Ok(said)
}

/// Share the samples of a series out between the models that were served at their times.
fn split(series: &Series, said: &Said, into: &mut Vec<Series>) {
    let model_at = |time: i64| {
        let known = said.partition_point(|(at, _)| *at <= time).checked_sub(1)?;
        let (at, model) = &said[known];
        model.as_deref().filter(|_| *at > time.saturating_sub(BELIEVED_MS))
    };
    let mut parts: Vec<(Option<&str>, Vec<i64>, Points)> = Vec::new();
    let mut last: Option<usize> = None;
    let part_of = |model: Option<&'_ str>, parts: &mut Vec<(Option<_>, Vec<i64>, Points)>| {
        parts.iter().position(|part| part.0 == model).unwrap_or(parts.len())
    };
    for (&time, &value) in series.points.times.iter().zip(&series.points.values) {
        // The end of a series belongs to the model it had, whatever became of the target.
        let at = match last.filter(|_| is_stale(value)) {
            Some(last) => last,
            None => part_of(model_at(time), &mut parts),
        };
        if at == parts.len() {
            parts.push((model_at(time), Vec::new(), Points::default()));
        }
        parts[at].1.push(time);
        parts[at].2.values.push(value);
        last = Some(at);
    }
    for (time, histogram) in &series.points.histograms {
        let at = part_of(model_at(*time), &mut parts);
        if at == parts.len() {
            parts.push((model_at(*time), Vec::new(), Points::default()));
        }
        parts[at].2.histograms.push((*time, Arc::clone(histogram)));
    }
    for (model, times, mut points) in parts {
        points.times = times.into();
        let mut builder = series.labels.to_builder();
        if let Some(model) = model {
            builder.set(MODEL, model);
        }
        into.push(Series { labels: builder.build(), points });
    }
}
