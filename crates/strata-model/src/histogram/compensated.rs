//! A running sum that remembers what rounding took from it.

/// A sum and the part of it that did not fit (Neumaier's variant of Kahan summation).
///
/// The true sum is close to `value + lost`, with an error that does not grow with the number of
/// terms. Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
/// Summen", 1974.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Compensated {
    pub value: f64,
    pub lost: f64,
}

impl Compensated {
    /// A sum of one term.
    pub fn new(value: f64) -> Self {
        Self { value, lost: 0.0 }
    }

    /// Add one term. Once the sum is infinite nothing is compensated any more.
    pub fn add(&mut self, term: f64) {
        let sum = self.value + term;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.value.abs() >= term.abs() {
            self.lost += (self.value - sum) + term;
        } else {
            self.lost += (term - sum) + self.value;
        }
        self.value = sum;
    }

    /// Add another sum with what that one lost.
    pub fn absorb(&mut self, other: Self) {
        self.add(other.value);
        if other.lost != 0.0 {
            self.add(other.lost);
        }
    }

    /// The sum, rounded once.
    pub fn total(self) -> f64 {
        self.value + self.lost
    }

    /// Apply a linear function, such as a product, to the sum.
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self { value: f(self.value), lost: f(self.lost) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_a_large_one() {
        let mut sum = Compensated::default();
        for term in [1.0, 1e100, 1.0, -1e100] {
            sum.add(term);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn infinity_is_not_turned_into_nan() {
        let mut sum = Compensated::new(f64::MAX);
        sum.add(f64::MAX);
        sum.add(1.0);
        assert_eq!(sum.total(), f64::INFINITY);
    }
}
