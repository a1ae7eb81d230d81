//! How good forecasts were: Brier score, area under the ROC curve, and the map that makes a
//! probability of a score.

/// Newton steps at most; the likelihood is concave and eight are usual.
const STEPS_MAX: usize = 60;
/// Scores beyond this are alike: the normal approximation says nothing about the eighth deviation.
const SCORE_MAX: f64 = 8.0;

/// A monotone map from scores to probabilities: `1 / (1 + exp(-(slope * score + offset)))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map {
    pub slope: f64,
    pub offset: f64,
}

impl Map {
    /// The probability that a score stands for.
    pub fn probability(&self, score: f64) -> f64 {
        let score = score.clamp(-SCORE_MAX, SCORE_MAX);
        1.0 / (1.0 + (-(self.slope * score + self.offset)).exp())
    }

    /// Fit to (score, whether it happened) by likelihood, with the targets of Platt ("Probabilistic
    /// outputs for support vector machines", 1999) that keep it off 0 and 1. None where one kind of
    /// outcome is missing, or where higher scores meant less: then it is no map upwards.
    pub fn fit(pairs: &[(f64, bool)]) -> Option<Self> {
        let yes = pairs.iter().filter(|(_, happened)| *happened).count() as f64;
        let no = pairs.len() as f64 - yes;
        if yes < 1.0 || no < 1.0 {
            return None;
        }
        let (high, low) = ((yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0));
        let mut map = Self { slope: 0.0, offset: ((yes + 1.0) / (no + 1.0)).ln() };
        for _ in 0..STEPS_MAX {
            let step = map.step(pairs, high, low)?;
            map = Self { slope: map.slope + step.0, offset: map.offset + step.1 };
            if step.0.abs() < 1e-9 && step.1.abs() < 1e-9 {
                break;
            }
        }
        (map.slope > 0.0 && map.slope.is_finite() && map.offset.is_finite()).then_some(map)
    }

    /// One Newton step, at most 1 long in each direction.
    fn step(&self, pairs: &[(f64, bool)], high: f64, low: f64) -> Option<(f64, f64)> {
        // Curvature of the likelihood and its slope, in the order (slope, offset); a little ridge
        // keeps it solvable where all scores are alike.
        let (mut squares, mut crossed, mut weights) = (1e-9, 0.0, 1e-9);
        let (mut of_slope, mut of_offset) = (0.0, 0.0);
        for (score, happened) in pairs {
            let score = score.clamp(-SCORE_MAX, SCORE_MAX);
            let probability = self.probability(score);
            let off = if *happened { high } else { low } - probability;
            let weight = (probability * (1.0 - probability)).max(1e-12);
            of_slope += off * score;
            of_offset += off;
            squares += weight * score * score;
            crossed += weight * score;
            weights += weight;
        }
        let determinant = squares * weights - crossed * crossed;
        if determinant <= 0.0 || !determinant.is_finite() {
            return None;
        }
        let bounded = |step: f64| (step / determinant).clamp(-1.0, 1.0);
        let slope = bounded(weights * of_slope - crossed * of_offset);
        Some((slope, bounded(squares * of_offset - crossed * of_slope)))
    }
}

/// Mean square distance of probabilities from what happened (Brier 1950): 0 is perfect. None of
/// nothing.
pub fn brier(pairs: &[(f64, bool)]) -> Option<f64> {
    let far = |(probability, happened): &(f64, bool)| {
        let happened = if *happened { 1.0 } else { 0.0 };
        (probability - happened) * (probability - happened)
    };
    let sum: f64 = pairs.iter().map(far).sum();
    (!pairs.is_empty()).then(|| sum / pairs.len() as f64)
}

/// Chance that of one moment before it happened and one before it did not, the first has the higher
/// score; equal scores count half (the Mann-Whitney statistic). None where one kind is missing.
pub fn auc(pairs: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let yes = pairs.iter().filter(|(_, happened)| *happened).count() as f64;
    let no = pairs.len() as f64 - yes;
    if yes < 1.0 || no < 1.0 {
        return None;
    }
    let (mut below, mut won) = (0.0, 0.0);
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let happened = same.iter().filter(|(_, happened)| *happened).count() as f64;
        let not = same.len() as f64 - happened;
        won += happened * (below + not / 2.0);
        below += not;
    }
    Some(won / (yes * no))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_what_the_curve_measures() {
        let check = |pairs: &[(f64, bool)], expected: Option<f64>| assert_eq!(auc(pairs), expected);
        check(&[(1.0, false), (2.0, true)], Some(1.0));
        check(&[(2.0, false), (1.0, true)], Some(0.0));
        check(&[(1.0, false), (1.0, true)], Some(0.5));
        check(&[(1.0, false), (2.0, true), (3.0, false), (4.0, true)], Some(0.75));
        check(&[(1.0, true)], None);
        check(&[], None);
    }

    #[test]
    fn distance_from_what_happened() {
        assert_eq!(brier(&[]), None);
        assert_eq!(brier(&[(1.0, true), (0.0, false)]), Some(0.0));
        assert_eq!(brier(&[(0.5, true), (0.5, false)]), Some(0.25));
    }

    #[test]
    fn the_map_finds_the_logistic_that_made_the_outcomes() {
        let mut random = fastrand::Rng::with_seed(7);
        let truth = Map { slope: 1.5, offset: -2.0 };
        let pairs: Vec<(f64, bool)> = (0..20_000)
            .map(|_| {
                let score = random.f64() * 6.0 - 3.0;
                (score, random.f64() < truth.probability(score))
            })
            .collect();
        let map = Map::fit(&pairs).unwrap();
        assert!((map.slope - 1.5).abs() < 0.1 && (map.offset + 2.0).abs() < 0.1, "{map:?}");
    }

    #[test]
    fn parted_outcomes_give_no_certainty_and_a_falling_map_is_none() {
        let parted: Vec<(f64, bool)> = (0..40).map(|n| (f64::from(n), n >= 20)).collect();
        let map = Map::fit(&parted).unwrap();
        assert!(map.probability(-8.0) > 0.0 && map.probability(8.0) < 1.0);
        let falling: Vec<(f64, bool)> = (-8..8).map(|n| (f64::from(n), n < 0)).collect();
        assert_eq!(Map::fit(&falling), None);
        assert_eq!(Map::fit(&[(1.0, true)]), None);
    }
}
