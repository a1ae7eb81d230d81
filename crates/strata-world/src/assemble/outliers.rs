//! Which things stand apart from their peers.

use std::collections::BTreeMap;

use crate::entity::{Entity, EntityId, EntityKind};
use crate::signal::Signal;

/// Distance from the median, in robust standard deviations, beyond which a thing stands apart.
const APART: f64 = 3.0;

/// Standard deviation of a normal distribution over its median absolute deviation.
const SIGMA_OF_MAD: f64 = 1.4826;

/// Fewest peers that a median can be trusted of.
const FEWEST: usize = 5;

/// A spread below this share of the median is the rounding of sensors, not a difference.
const LEAST_SPREAD: f64 = 0.01;

/// Mark the outliers among signals of one definition, each of another thing. Both are in order of id.
pub(crate) fn mark(signals: &mut [Signal], entities: &[Entity]) {
    let mut cohorts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut rest = entities;
    for (index, signal) in signals.iter().enumerate() {
        if let (Some(id), Some(_)) = (&signal.entity, signal.now.known()) {
            rest = from(rest, id);
            let cohort = rest.first().filter(|entity| entity.id == *id).map_or("", cohort);
            cohorts.entry(cohort).or_default().push(index);
        }
    }
    let mut apart = Vec::new();
    for members in cohorts.into_values().filter(|members| members.len() >= FEWEST) {
        let value = |index: usize| signals.get(index).and_then(|signal| signal.now.known());
        let values: Vec<f64> = members.iter().filter_map(|index| value(*index)).collect();
        let middle = median(values.clone());
        let spread = median(values.iter().map(|value| (value - middle).abs()).collect());
        let sigma = (spread * SIGMA_OF_MAD).max(middle.abs() * LEAST_SPREAD);
        apart.extend(members.into_iter().filter(|index| {
            let distance = value(*index).map_or(0.0, |value| (value - middle).abs());
            distance > APART * sigma && distance > 0.0
        }));
    }
    for index in apart {
        if let Some(signal) = signals.get_mut(index) {
            signal.outlier = true;
        }
    }
}

/// What is left of things in order of id from a thing on. The next one is near, so that a fleet is gone
/// through once.
fn from<'e>(entities: &'e [Entity], id: &EntityId) -> &'e [Entity] {
    const NEAR: usize = 8;
    let first = match entities.iter().take(NEAR).position(|entity| entity.id >= *id) {
        Some(near) => near,
        None => entities.partition_point(|entity| entity.id < *id),
    };
    entities.get(first..).unwrap_or_default()
}

/// Things of one cohort are expected to be alike: GPUs of a model, replicas of a served model.
fn cohort(entity: &Entity) -> &str {
    let fact = match entity.id.kind {
        EntityKind::Gpu | EntityKind::Slice => "gpu_model",
        EntityKind::Replica => "model",
        _ => return "",
    };
    entity.facts.iter().find(|(name, _)| name == fact).map_or("", |(_, value)| value.as_str())
}

/// The median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => {
            f64::midpoint(*lower, *upper)
        }
        (Some(value), _) => *value,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let check = |values: &[f64], expected: f64| assert_eq!(median(values.to_vec()), expected);
        check(&[], 0.0);
        check(&[3.0], 3.0);
        check(&[3.0, 1.0], 2.0);
        check(&[9.0, 1.0, 2.0], 2.0);
    }
}
