//! How many judgements would tell: by the very intervals that the verdict is made of.

use super::interval::{difference, share_of};
use super::{Better, Compared, LEAST, Measure};

/// More than this nobody collects.
const MOST: u64 = 1_000_000_000;

/// Judgements of each side from which on, if shares stay as they are, the interval of the difference
/// (Wilson's of each, method 10 of Newcombe) lies wholly within a loss of the margin, or wholly beyond
/// it. An estimate, as shares move; `None` where it is told already, is no share, or would never be
/// told, as where the loss is the margin itself.
pub(super) fn needed(one: &Compared) -> Option<u64> {
    if !matches!(one.measure, Measure::Judged { is_share: true, .. }) {
        return None;
    }
    let (a, b, margin) = (one.a.value?, one.b.value?, one.margin?);
    let tells = |count: u64| {
        let sides = share_of(a.estimate, count as f64).zip(share_of(b.estimate, count as f64));
        sides.is_some_and(|(a, b)| {
            let found = difference(a, b);
            let (least, most) = match one.measure.better() {
                Better::More => (-found.high, -found.low),
                Better::Less => (found.low, found.high),
            };
            most <= margin || least > margin
        })
    };
    // Intervals narrow as counts grow, so the first count that tells can be halved for.
    let (mut below, mut enough) = (LEAST - 1, LEAST);
    while !tells(enough) {
        below = enough;
        enough = enough.saturating_mul(2);
        if enough > MOST {
            return None;
        }
    }
    while enough - below > 1 {
        let middle = u64::midpoint(below, enough);
        if tells(middle) { enough = middle } else { below = middle }
    }
    Some(enough)
}
