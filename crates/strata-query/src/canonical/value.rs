//! From the source's values to canonical ones.

use strata_model::catalog::{Expansion, ValueRule};
use strata_model::{
    METRIC_NAME, Matcher, Points, STALE_NAN, SelectError, Selection, Series, SeriesSource,
    StartTimes, is_stale,
};

use crate::projected::{Counting, Order, Projections, project};

/// Apply the mapping's value rules, left to right, to the series it selected.
pub(super) fn apply(
    source: &dyn SeriesSource,
    mut found: Vec<Series>,
    expansion: &Expansion,
    (selection, memo): (&Selection, &Projections),
) -> Result<Vec<Series>, SelectError> {
    let source = (source, selection, memo);
    for rule in &expansion.value {
        match rule {
            ValueRule::Scale(scale) => {
                for series in &mut found {
                    scale_points(&mut series.points, *scale);
                }
            }
            ValueRule::Invert => {
                for series in &mut found {
                    invert(&mut series.points);
                }
            }
            ValueRule::Label(name) => found.retain_mut(|series| number_of_label(series, name)),
            ValueRule::Multiply(family) => {
                found = combine(source, found, family, |a, b| Some(a * b))?;
            }
            ValueRule::Divide(family) => {
                found = combine(source, found, family, |a, b| (b != 0.0).then(|| a / b))?;
            }
            ValueRule::Plus(family) => {
                found = combine(source, found, family, |a, b| Some(a + b))?;
            }
            ValueRule::Minus(family) => {
                found = combine(source, found, family, |a, b| Some(a - b))?;
            }
        }
    }
    Ok(found)
}

/// Whether the value rules only stretch the source's values, so that a function of the canonical
/// value can be had from the same function of the source's.
pub(super) fn keeps_order(expansion: &Expansion) -> bool {
    expansion.value.iter().all(|rule| matches!(rule, ValueRule::Scale(scale) if *scale > 0.0))
}

/// Whether the canonical value of a sample needs no other sample: not one of another family at the
/// same time, and not an earlier one where this one has no value.
pub(super) fn stands_alone(expansion: &Expansion) -> bool {
    let alone = |rule: &ValueRule| matches!(rule, ValueRule::Scale(_) | ValueRule::Label(_));
    expansion.value.iter().all(alone)
}

/// Whether the series keep the labels of the source's through the value rules.
pub(super) fn keeps_labels(expansion: &Expansion) -> bool {
    !expansion.value.iter().any(|rule| matches!(rule, ValueRule::Label(_)))
}

/// Whether the canonical samples of a series are made of its own samples, each of one.
pub(super) fn is_by_sample(expansion: &Expansion) -> bool {
    let own = |rule: &ValueRule| matches!(rule, ValueRule::Scale(_) | ValueRule::Invert);
    expansion.value.iter().all(own)
}

/// Apply the value rules of a mapping that [`is_by_sample`].
pub(super) fn by_sample(points: &mut Points, expansion: &Expansion) {
    for rule in &expansion.value {
        match rule {
            ValueRule::Scale(scale) => scale_points(points, *scale),
            ValueRule::Invert => invert(points),
            // Made of more than one series, or of labels.
            ValueRule::Label(_)
            | ValueRule::Multiply(_)
            | ValueRule::Divide(_)
            | ValueRule::Plus(_)
            | ValueRule::Minus(_) => {}
        }
    }
}

fn invert(points: &mut Points) {
    filter_map_values(points, |_, value| (value != 0.0).then(|| value.recip()));
}

fn scale_points(points: &mut Points, scale: f64) {
    for value in points.values.iter_mut().filter(|value| !is_stale(**value)) {
        *value *= scale;
    }
    // The buckets of an exponential histogram cannot be moved by an arbitrary factor.
    points.histograms.clear();
    // A number made of others has no start of its own.
    points.starts = StartTimes::default();
}

/// Replace every value that is not a staleness marker, dropping samples for which there is none.
fn filter_map_values(points: &mut Points, change: impl Fn(i64, f64) -> Option<f64>) {
    let pairs = points.times.iter().copied().zip(points.values.iter().copied());
    let changed: Vec<(i64, f64)> = pairs
        .filter_map(|(at, value)| {
            if is_stale(value) { Some((at, STALE_NAN)) } else { Some((at, change(at, value)?)) }
        })
        .collect();
    points.histograms.clear();
    if changed.len() == points.times.len() {
        points.values = changed.into_iter().map(|(_, value)| value).collect();
    } else {
        points.times = changed.iter().map(|(at, _)| *at).collect();
        points.values = changed.into_iter().map(|(_, value)| value).collect();
    }
}

/// Multiply by the number in a label of an info series; `false` when it holds none (`None`).
fn number_of_label(series: &mut Series, name: &str) -> bool {
    let number = series.labels.get(name).and_then(|text| text.trim().parse::<f64>().ok());
    let Some(number) = number.filter(|number| number.is_finite()) else { return false };
    filter_map_values(&mut series.points, |_, value| Some(value * number));
    series.labels = series.labels.filtered(|label| label != name);
    true
}

/// Join with the series of another family that has the same other labels, sample by sample.
fn combine(
    (source, selection, memo): (&dyn SeriesSource, &Selection, &Projections),
    found: Vec<Series>,
    family: &str,
    operation: impl Fn(f64, f64) -> Option<f64>,
) -> Result<Vec<Series>, SelectError> {
    let others = selection.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME).cloned();
    let mut matchers = vec![Matcher::equal(METRIC_NAME, family)];
    matchers.extend(others);
    let other = source.select(&Selection { matchers, ..selection.clone() })?;
    let labels = found.iter().chain(&other).map(|series| &series.labels);
    let nameless = Counting { labels: &[], only: false };
    let count = found.len() + other.len();
    let signatures = project(Some(memo), (labels, count), nameless, Order::Met);
    let mut partners: Vec<Option<&Points>> = vec![None; signatures.labels.len()];
    let (of_found, of_other) = signatures.of_row.split_at(found.len());
    for (series, signature) in other.iter().zip(of_other) {
        partners[*signature] = Some(&series.points);
    }
    let joined = found.into_iter().zip(of_found).filter_map(|(mut series, signature)| {
        let partner = partners[*signature]?;
        filter_map_values(&mut series.points, |at, value| {
            let index = partner.times.binary_search(&at).ok()?;
            let other = *partner.values.get(index)?;
            if is_stale(other) { None } else { operation(value, other) }
        });
        Some(series)
    });
    Ok(joined.collect())
}
