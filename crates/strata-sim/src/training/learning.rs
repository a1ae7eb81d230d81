//! What training learns: a loss that falls as a power of the tokens, and what goes with it.

use crate::rng::Rng;

/// Loss that no data removes, and the power law above it: the form and magnitude of Hoffmann et al.
/// (arXiv 2203.15556), eq. 10: L = E + B / D^beta, with E 1.69, B 410.7, beta 0.28.
const FLOOR: f64 = 1.69;
const SCALE: f64 = 410.7;
const POWER: f64 = 0.28;
/// Peak learning rate, warm-up and whole length in steps: linear, then a cosine to a tenth.
const PEAK_RATE: f64 = 3e-4;
const WARM_UP: f64 = 2_000.0;
const LENGTH: f64 = 200_000.0;

/// The state of learning after a step.
#[derive(Debug)]
pub(crate) struct Learning {
    rng: Rng,
    pub(crate) tokens: f64,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
    pub(crate) rate: f64,
}

impl Learning {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, tokens: 0.0, loss: f64::NAN, gradient_norm: f64::NAN, rate: 0.0 }
    }

    /// Learn from a step that ended: `step` of the run, on `tokens`.
    pub(super) fn step(&mut self, step: u64, tokens: f64) {
        // The run trained as many in each step before.
        self.tokens += tokens;
        let seen = step as f64 * tokens;
        let noise = 0.012 * self.rng.normal();
        self.loss = FLOOR + SCALE / seen.powf(POWER) + noise;
        self.gradient_norm = 0.32 * (0.18 * self.rng.normal()).exp();
        self.rate = rate(step as f64);
    }
}

/// The learning rate of a step.
fn rate(step: f64) -> f64 {
    if step < WARM_UP {
        return PEAK_RATE * step / WARM_UP;
    }
    let done = ((step - WARM_UP) / (LENGTH - WARM_UP)).min(1.0);
    PEAK_RATE * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * done).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_falls_and_the_rate_follows_its_schedule() {
        let mut learning = Learning::new(Rng::of(1, "learning"));
        learning.step(1_000, 131_072.0);
        let early = learning.loss;
        learning.step(100_000, 131_072.0);
        assert!(learning.loss < early && learning.loss > FLOOR);
        assert_eq!(rate(1_000.0), PEAK_RATE / 2.0);
        assert!((rate(LENGTH) - PEAK_RATE / 10.0).abs() < 1e-9);
    }
}
