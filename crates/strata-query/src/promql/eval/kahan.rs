//! Compensated summation (Kahan, in Neumaier's form), as Prometheus sums.

/// A running sum and what rounding took from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KahanSum {
    pub(super) sum: f64,
    pub(super) lost: f64,
}

impl KahanSum {
    pub(super) fn starting_at(sum: f64) -> Self {
        Self { sum, lost: 0.0 }
    }

    /// The sum with `value` added.
    #[must_use]
    pub(super) fn plus(self, value: f64) -> Self {
        let total = self.sum + value;
        let lost = if total.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.lost + ((self.sum - total) + value)
        } else {
            self.lost + ((value - total) + self.sum)
        };
        Self { sum: total, lost }
    }

    pub(super) fn add(&mut self, value: f64) {
        *self = self.plus(value);
    }

    pub(super) fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.lost }
    }
}

/// A mean that sums as long as the sum is finite and goes on incrementally after that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    total: KahanSum,
    pub(super) count: f64,
    incremental: bool,
}

impl Mean {
    pub(super) fn starting_at(value: f64) -> Self {
        Self { total: KahanSum::starting_at(value), count: 1.0, incremental: false }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let next = self.total.plus(value);
            if !next.sum.is_infinite() {
                self.total = next;
                return;
            }
            self.incremental = true;
            self.total.sum /= self.count - 1.0;
            self.total.lost /= self.count - 1.0;
        }
        let keep = (self.count - 1.0) / self.count;
        let kept = KahanSum { sum: keep * self.total.sum, lost: keep * self.total.lost };
        self.total = kept.plus(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.incremental {
            self.total.sum + self.total.lost
        } else {
            self.total.sum / self.count + self.total.lost / self.count
        }
    }
}
