//! Fewer buckets for the same observations: dropping empty ones and lowering the resolution.

use super::buckets::{cells, pack};
use super::{MAX_SCHEMA, MIN_SCHEMA, NativeHistogram, Span};

/// Longest gap that [`NativeHistogram::compact`] fills, whatever it is asked for: the number of
/// buckets of schema 8 from the smallest positive number to the largest, rounded up.
const MAX_FILLED_GAP: u32 = 1 << 20;

impl NativeHistogram {
    /// The same histogram without empty buckets, except runs of at most `max_empty` of them between
    /// populated ones, which are kept (or made) to save a span.
    pub fn compact(&self, max_empty: u32) -> Self {
        let mut compacted = self.clone();
        compacted.compact_in_place(max_empty);
        compacted
    }

    /// As [`Self::compact`], without the copy.
    pub fn compact_in_place(&mut self, max_empty: u32) {
        let max_gap = max_empty.min(MAX_FILLED_GAP);
        for (spans, buckets) in [
            (&mut self.positive_spans, &mut self.positive_buckets),
            (&mut self.negative_spans, &mut self.negative_buckets),
        ] {
            if is_compact(spans, buckets, max_gap) {
                continue;
            }
            let populated = cells(spans, buckets).filter(|&(_, count)| count != 0.0);
            (*spans, *buckets) = pack(populated, max_gap);
        }
    }

    /// The same observations in the coarser schema `target`.
    ///
    /// Unchanged when there is nothing to reduce: custom bounds, a schema as coarse already, or a
    /// target that is not a schema.
    pub fn reduce_resolution(&self, target: i32) -> Self {
        let mut reduced = self.clone();
        if self.is_custom() || target >= self.schema || !(MIN_SCHEMA..=MAX_SCHEMA).contains(&target)
        {
            return reduced;
        }
        let steps = (self.schema - target) as u32;
        let merge = |spans: &[Span], buckets: &[f64]| {
            let mut merged: Vec<(i32, f64)> = Vec::with_capacity(buckets.len());
            for (index, count) in cells(spans, buckets) {
                let index = coarser_index(index, steps);
                match merged.last_mut() {
                    Some(last) if last.0 == index => last.1 += count,
                    _ => merged.push((index, count)),
                }
            }
            pack(merged, 0)
        };
        (reduced.positive_spans, reduced.positive_buckets) =
            merge(&self.positive_spans, &self.positive_buckets);
        (reduced.negative_spans, reduced.negative_buckets) =
            merge(&self.negative_spans, &self.negative_buckets);
        reduced.schema = target;
        reduced
    }
}

/// Index of the bucket, `steps` schemas coarser, that holds bucket `index`.
pub(super) fn coarser_index(index: i32, steps: u32) -> i32 {
    // Indices count upper bounds, hence the shift by one; shifts past the sign bit all mean "sign".
    (index.wrapping_sub(1) >> steps.min(31)).wrapping_add(1)
}

/// Whether compacting would change nothing, which is the ordinary case.
fn is_compact(spans: &[Span], buckets: &[f64], max_gap: u32) -> bool {
    let gaps_are_wide =
        spans.iter().skip(1).all(|s| u32::try_from(s.offset).is_ok_and(|gap| gap > max_gap));
    let promised: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    gaps_are_wide
        && promised == buckets.len() as u64
        && spans.iter().all(|span| span.length > 0)
        && buckets.iter().all(|&count| count != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(spans: &[(i32, u32)], buckets: &[f64]) -> NativeHistogram {
        NativeHistogram {
            positive_spans: spans.iter().map(|&(offset, length)| Span { offset, length }).collect(),
            positive_buckets: buckets.to_vec(),
            ..NativeHistogram::default()
        }
    }

    #[test]
    fn compacting_drops_empty_buckets_and_spans() {
        let check = |from: &NativeHistogram, max_empty, spans: &[(i32, u32)], buckets: &[f64]| {
            assert_eq!(from.compact(max_empty), histogram(spans, buckets));
        };
        let sparse = histogram(
            &[(-2, 3), (0, 2), (3, 0), (2, 3)],
            &[0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0],
        );
        check(&sparse, 0, &[(-1, 1), (1, 1), (8, 1)], &[1.0, 2.0, 3.0]);
        check(&sparse, 1, &[(-1, 3), (8, 1)], &[1.0, 0.0, 2.0, 3.0]);
        check(&histogram(&[(1, 2)], &[0.0, 0.0]), 0, &[], &[]);
        check(&histogram(&[(0, 1), (0, 1)], &[1.0, 2.0]), 0, &[(0, 2)], &[1.0, 2.0]);
    }

    #[test]
    fn a_coarser_schema_merges_neighbours() {
        let mut fine = histogram(&[(-1, 4), (3, 1)], &[1.0, 2.0, 3.0, 4.0, 5.0]);
        fine.schema = 1;
        let coarse = fine.reduce_resolution(0);
        // Upper bounds 2^-0.5, 1 | 2^0.5, 2 | then index 6, that is 8.
        assert_eq!(coarse, histogram(&[(0, 2), (1, 1)], &[3.0, 7.0, 5.0]));
        assert_eq!(fine.reduce_resolution(1), fine);
        assert_eq!(fine.reduce_resolution(-9), fine);
    }
}
