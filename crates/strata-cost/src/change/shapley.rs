//! Shapley values: the one fair division that adds up and knows no order (Shapley 1953).

/// Factors at most: each more doubles the evaluations.
const MAX_FACTORS: usize = 16;

/// What each of `count` factors contributes to `value(all) - value(none)`, where `value` is given
/// the set of factors that have moved, a bit for each. The parts add up to the difference. More than
/// sixteen factors are not divided.
pub fn shapley(count: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
    if count == 0 || count > MAX_FACTORS {
        return Vec::new();
    }
    let values: Vec<f64> = (0..1_usize << count).map(value).collect();
    let weights = weights(count);
    let part = |factor: usize| {
        let bit = 1_usize << factor;
        let gain = |set: usize| {
            let with = values.get(set | bit).copied().unwrap_or_default();
            let without = values.get(set).copied().unwrap_or_default();
            let weight = weights.get(set.count_ones() as usize).copied().unwrap_or_default();
            (with - without) * weight
        };
        crate::sum::sum((0..values.len()).filter(|set| set & bit == 0).map(gain))
    };
    (0..count).map(part).collect()
}

/// Share of the orders in which exactly a given set of `size` comes before a factor:
/// `size! (count - size - 1)! / count!`.
fn weights(count: usize) -> Vec<f64> {
    let mut choose = 1.0;
    let mut weights = Vec::with_capacity(count);
    for size in 0..count {
        weights.push(1.0 / (count as f64 * choose));
        choose = choose * (count - 1 - size) as f64 / (size + 1) as f64;
    }
    weights
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_product_is_divided_by_halves() {
        // Price 2 to 3, hours 10 to 20: 30 and 20 in one order, 10 and 40 in the other.
        let cost = |moved: usize| {
            let price = if moved & 1 == 0 { 2.0 } else { 3.0 };
            price * if moved & 2 == 0 { 10.0 } else { 20.0 }
        };
        assert_eq!(shapley(2, cost), [15.0, 25.0]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_difference(values in prop::collection::vec(-1e6..1e6_f64, 32)) {
            let parts = shapley(5, |moved| values[moved]);
            let difference = values[31] - values[0];
            prop_assert!((parts.iter().sum::<f64>() - difference).abs() < 1e-6);
        }
    }
}
