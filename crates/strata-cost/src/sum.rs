//! Sums that keep what plain addition of floats loses.

/// A compensated sum after Neumaier: the error stays at one rounding whatever the number of terms,
/// so that a million cells add up to the bill.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds one term.
    pub fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost += if self.total.abs() >= term.abs() {
            (self.total - total) + term
        } else {
            (term - total) + self.total
        };
        self.total = total;
    }

    /// Adds another sum with what it has kept.
    pub fn merge(&mut self, other: Self) {
        self.add(other.total);
        self.add(other.lost);
    }

    /// The sum.
    pub fn value(self) -> f64 {
        self.total + self.lost
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<T: IntoIterator<Item = f64>>(terms: T) -> Self {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum
    }
}

/// The compensated sum of `terms`.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().collect::<Sum>().value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        assert_eq!(sum([1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 1_000_000)), 100_000.0);
    }

    #[test]
    fn merged_sums_are_the_sum_of_all() {
        let mut left: Sum = [1e16, 1.0].into_iter().collect();
        left.merge([-1e16, 1.0].into_iter().collect());
        assert_eq!(left.value(), 2.0);
    }
}
