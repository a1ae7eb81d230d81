//! Randomness by seed: each entity draws from a stream of its own, so that one more draw of one
//! entity changes nothing in the life of the others.

/// A stream of random numbers that seed and name decide.
#[derive(Debug, Clone)]
pub(crate) struct Rng(fastrand::Rng);

impl Rng {
    /// The stream of `name` in the simulation of `seed`.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        Self(fastrand::Rng::with_seed(hash(name) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// All 64 bits: for ids.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        -mean * (1.0 - self.uniform()).ln()
    }

    /// Standard normal, by Box and Muller (1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Log-normal with this mean; `sigma` is the deviation of the logarithm. Lengths of prompts and
    /// answers have such long tails (Azure LLM inference traces: the mean lies well above the
    /// median).
    pub(crate) fn log_normal(&mut self, mean: f64, sigma: f64) -> f64 {
        let mu = mean.max(f64::MIN_POSITIVE).ln() - sigma * sigma / 2.0;
        (mu + sigma * self.normal()).exp()
    }

    /// Poisson with this mean, by Knuth's product for small means and the normal limit for large.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.uniform(), 0);
        while product > limit {
            product *= self.uniform();
            count += 1;
        }
        count
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

/// FNV-1a over the bytes of a name.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_as_asked() {
        let check = |name: &str, expected: f64, draw: &dyn Fn(&mut Rng) -> f64| {
            let mut rng = Rng::of(7, name);
            let mean = (0..40_000).map(|_| draw(&mut rng)).sum::<f64>() / 40_000.0;
            assert!((mean / expected - 1.0).abs() < 0.04, "{name}: {mean} for {expected}");
        };
        check("exponential", 3.0, &|rng| rng.exponential(3.0));
        check("log normal", 1200.0, &|rng| rng.log_normal(1200.0, 0.8));
        check("poisson", 2.5, &|rng| rng.poisson(2.5) as f64);
        check("poisson of many", 80.0, &|rng| rng.poisson(80.0) as f64);
        check("chance", 0.3, &|rng| f64::from(u8::from(rng.chance(0.3))));
    }

    #[test]
    fn streams_differ_by_name_and_seed() {
        let first = |seed, name| Rng::of(seed, name).uniform();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
