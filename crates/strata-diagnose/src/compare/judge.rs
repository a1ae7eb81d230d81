//! A verdict by the interval of a difference and the margin, as trials of non-inferiority are read
//! (Piaggio and others, JAMA 308:2594, 2012): worse is what is worse by more than the margin.

use super::interval::difference;
use super::{Better, Compared, LEAST, Measure, Measured, Verdict};

/// A verdict by the interval of the difference.
pub(super) fn judge(measure: Measure, [a, b]: [Measured; 2], margin: Option<f64>) -> Compared {
    let interval = a.value.zip(b.value).map(|(a, b)| difference(a, b));
    let least = a.count.min(b.count);
    let (verdict, why) = match interval.zip(margin) {
        _ if least == 0 => (Verdict::TooFew, "one of the two has none".to_owned()),
        None => (Verdict::TooFew, "too few for an interval".to_owned()),
        Some(_) if least < LEAST => {
            (Verdict::TooFew, format!("fewer than {LEAST} of one of the two"))
        }
        Some((found, margin)) => {
            // As a gain: positive is better.
            let (low, high) = match measure.better() {
                Better::More => (found.low, found.high),
                Better::Less => (-found.high, -found.low),
            };
            let (verdict, why) = of(low, high, margin);
            (verdict, why.to_owned())
        }
    };
    Compared { measure, a, b, difference: interval, margin, verdict, why }
}

/// Of a gain between `low` and `high`: what it shows, and what has to be said of it.
fn of(low: f64, high: f64, margin: f64) -> (Verdict, &'static str) {
    let is_shown = low > 0.0 || high < 0.0;
    if low >= -margin && high <= margin {
        // A model that is two points worse for certain, where five are not minded.
        let why = if is_shown { "there is one, and it is within the margin" } else { "" };
        return (Verdict::NoDifference, why);
    }
    if low > margin {
        return (Verdict::Better, "");
    }
    if high < -margin {
        return (Verdict::Worse, "");
    }
    let why = match (low > 0.0, high < 0.0) {
        (true, _) => "it is better; whether by more than the margin is open",
        (_, true) => "it is worse; whether by more than the margin is open",
        _ => "the difference may be none, or more than the margin",
    };
    (Verdict::TooFew, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_beyond_the_margin_is_better_or_worse() {
        let check = |low: f64, high: f64, expected: Verdict, words: &str| {
            let (verdict, why) = of(low, high, 0.05);
            assert_eq!(verdict, expected, "{low} to {high}");
            assert!(why.contains(words) && words.is_empty() == why.is_empty(), "{why}");
        };
        check(0.06, 0.10, Verdict::Better, "");
        check(-0.10, -0.06, Verdict::Worse, "");
        check(-0.04, 0.04, Verdict::NoDifference, "");
        check(-0.04, -0.01, Verdict::NoDifference, "within the margin");
        check(0.01, 0.05, Verdict::NoDifference, "within the margin");
        check(-0.09, -0.01, Verdict::TooFew, "it is worse");
        check(0.01, 0.09, Verdict::TooFew, "it is better");
        check(-0.09, 0.01, Verdict::TooFew, "may be none");
        check(-0.2, 0.2, Verdict::TooFew, "may be none");
    }
}
