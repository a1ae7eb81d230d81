//! What of a statement rests on no measurement.

use std::fmt;

use serde_json::{Value, json};

use super::statement::millionths;

/// GPU hours below this are the rounding of sums, and 0 in a statement.
const NOTHING_H: f64 = 0.5e-6;

/// What had to be assumed of a period, for want of measurements: whoever closes a statement accepts
/// it, and it stays written in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assumed {
    /// GPU hours of the customer that are equal parts of shared GPUs.
    pub equal_share_gpu_hours: f64,
    /// GPU hours of all GPUs of which nothing tells who had them: they are charged to nobody.
    pub unknown_gpu_hours: f64,
    /// Models of which some work of the customer was not counted or found no replica, so that its
    /// part is too small.
    pub uncounted_models: Vec<String>,
}

impl Assumed {
    /// Whether all was measured.
    pub fn is_nothing(&self) -> bool {
        self.equal_share_gpu_hours < NOTHING_H
            && self.unknown_gpu_hours < NOTHING_H
            && self.uncounted_models.is_empty()
    }

    pub(super) fn canonical(&self) -> Value {
        json!({
            "equal_share_gpu_hours": millionths(self.equal_share_gpu_hours),
            "uncounted_models": self.uncounted_models,
            "unknown_gpu_hours": millionths(self.unknown_gpu_hours),
        })
    }
}

impl fmt::Display for Assumed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = Vec::new();
        if self.equal_share_gpu_hours >= NOTHING_H {
            let hours = self.equal_share_gpu_hours;
            told.push(format!("{hours:.2} GPU hours are equal parts of shared GPUs"));
        }
        if self.unknown_gpu_hours >= NOTHING_H {
            let hours = self.unknown_gpu_hours;
            told.push(format!("of {hours:.2} GPU hours nothing tells who had them"));
        }
        if !self.uncounted_models.is_empty() {
            told.push(format!("not all work is counted of {}", self.uncounted_models.join(", ")));
        }
        out.write_str(&told.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_is_told_and_rounding_is_not() {
        let check = |assumed: Assumed, expected: &str| {
            assert_eq!(assumed.to_string(), expected);
            assert_eq!(assumed.is_nothing(), expected.is_empty(), "{assumed:?}");
        };
        check(Assumed { unknown_gpu_hours: 1e-12, ..Assumed::default() }, "");
        let both = Assumed {
            equal_share_gpu_hours: 1.5,
            uncounted_models: vec!["m".to_owned()],
            ..Assumed::default()
        };
        check(both, "1.50 GPU hours are equal parts of shared GPUs; not all work is counted of m");
    }
}
