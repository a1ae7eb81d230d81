//! One value for each step, or the admission that there is none.

/// A column over the steps of a period. NaN within `Steps` is a step that nobody measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Column {
    /// Nothing is known.
    #[default]
    Missing,
    /// The same in every step.
    Constant(f64),
    /// One value for each step.
    Steps(Vec<f64>),
}

impl Column {
    /// A column of values of which some are missing.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Self::Steps(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    /// Increases between readings of a counter, one reading at each edge of a step, so one more
    /// than there are steps. Where the counter went back, its program was restarted and what it had
    /// counted before is lost: the increase of that step is unknown, not what the new one shows.
    pub fn increases(readings: &[Option<f64>]) -> Self {
        let increase = |pair: &[Option<f64>]| match pair {
            [Some(before), Some(after)] if after >= before => Some(after - before),
            _ => None,
        };
        Self::of(readings.windows(2).map(increase))
    }

    /// The value of a step. What is not finite or negative was not measured.
    pub fn get(&self, step: usize) -> Option<f64> {
        let value = match self {
            Self::Missing => return None,
            Self::Constant(value) => *value,
            Self::Steps(values) => *values.get(step)?,
        };
        (0.0..f64::INFINITY).contains(&value).then_some(value)
    }

    /// The value of a step as a share: what is above 1 by the noise of sampling is 1.
    pub fn share(&self, step: usize) -> Option<f64> {
        self.get(step).map(|value| value.min(1.0))
    }

    /// Number of steps, where the column has a number of its own.
    pub fn own_len(&self) -> Option<usize> {
        match self {
            Self::Steps(values) => Some(values.len()),
            Self::Missing | Self::Constant(_) => None,
        }
    }

    /// Whether nothing is known.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Constant(_) => self.get(0).is_none(),
            Self::Steps(values) => (0..values.len()).all(|step| self.get(step).is_none()),
        }
    }

    /// The sum over the steps that were measured, and how many of `steps` were. None where none was.
    pub fn total(&self, steps: usize) -> Option<Total> {
        let mut sum = crate::sum::Sum::default();
        let mut measured = 0;
        for value in (0..steps).filter_map(|step| self.get(step)) {
            sum.add(value);
            measured += 1;
        }
        (measured > 0).then(|| Total { value: sum.value(), measured, steps })
    }
}

/// A sum of what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total {
    /// The sum.
    pub value: f64,
    /// Steps that were measured.
    pub measured: usize,
    /// Steps that there were.
    pub steps: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_restarts_leaves_an_unknown_not_a_zero() {
        let column =
            Column::increases(&[Some(10.0), Some(30.0), Some(5.0), None, Some(9.0), Some(9.0)]);
        let values: Vec<_> = (0..5).map(|step| column.get(step)).collect();
        assert_eq!(values, [Some(20.0), None, None, None, Some(0.0)]);
        let total = column.total(5).unwrap();
        assert_eq!((total.value, total.measured), (20.0, 2));
    }

    #[test]
    fn what_cannot_be_measured_is_missing() {
        let column = Column::Steps(vec![-1.0, f64::INFINITY, f64::NAN, 1.0001]);
        assert_eq!((0..5).filter_map(|step| column.share(step)).collect::<Vec<_>>(), [1.0]);
        assert_eq!(Column::Missing.total(3), None);
        assert!(Column::Steps(vec![f64::NAN]).is_missing());
    }
}
