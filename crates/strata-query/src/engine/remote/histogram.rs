//! Native histograms from the buckets of an answer: the API lists bounds and counts, not the layout.

use strata_model::NativeHistogram;
use strata_model::histogram::{CUSTOM_BUCKETS_SCHEMA, MAX_SCHEMA, MIN_SCHEMA, Span, upper_bound};

/// One bucket as listed. The rule says which bounds belong to it: 0 `(lower, upper]`,
/// 1 `[lower, upper)`, 2 neither, 3 both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BucketRow {
    pub(super) rule: u8,
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) count: f64,
}

/// Bounds are printed with all their digits; what differs more than this is another bound.
const TOLERANCE: f64 = 1e-12;
/// Empty buckets that may be filled in between two listed ones.
const GAP_MAX: i64 = 1 << 20;

/// The histogram with these buckets. Empty buckets are not listed, so of a histogram whose only
/// bucket is around zero the resolution is not known; any will do.
///
/// # Errors
/// The bounds fit no layout.
pub(super) fn from_rows(
    count: f64,
    sum: f64,
    rows: &[BucketRow],
) -> Result<NativeHistogram, &'static str> {
    let mut histogram = NativeHistogram { count, sum, ..NativeHistogram::default() };
    let spans_zero = |row: &&BucketRow| row.rule == 3 && row.lower == -row.upper;
    let sided: Vec<&BucketRow> = rows.iter().filter(|row| !spans_zero(row)).collect();
    if let Some(zero) = rows.iter().find(spans_zero) {
        histogram.zero_threshold = zero.upper;
        histogram.zero_count = zero.count;
    }
    let zero = histogram.zero_threshold;
    let Some(schema) = schema_of(&sided, zero) else { return custom(histogram, rows) };
    histogram.schema = schema;
    let mut positive = Vec::new();
    let mut negative = Vec::new();
    for row in sided {
        let (far, near, side) = if row.upper > 0.0 {
            (row.upper, row.lower, &mut positive)
        } else {
            (-row.lower, -row.upper, &mut negative)
        };
        let index = index_of(schema, (far, near), zero).ok_or("a bucket fits no schema")?;
        side.push((index, row.count));
    }
    (histogram.positive_spans, histogram.positive_buckets) = spans(positive)?;
    (histogram.negative_spans, histogram.negative_buckets) = spans(negative)?;
    Ok(histogram)
}

/// The schema that all buckets fit; `None` when they fit none.
fn schema_of(rows: &[&BucketRow], zero: f64) -> Option<i32> {
    let bounds = |row: &BucketRow| {
        if row.upper > 0.0 { (row.upper, row.lower) } else { (-row.lower, -row.upper) }
    };
    let clean = |(far, near): &(f64, f64)| far.is_finite() && *near > 0.0 && *near != zero;
    let whole = rows.iter().map(|row| bounds(row)).find(clean);
    let Some((far, near)) = whole else { return rows.is_empty().then_some(0) };
    let schema = (-(far / near).log2().log2()).round();
    if !(f64::from(MIN_SCHEMA)..=f64::from(MAX_SCHEMA)).contains(&schema) {
        return None;
    }
    let schema = schema as i32;
    let fits = |row: &&BucketRow| {
        let (far, near) = bounds(row);
        index_of(schema, (far, near), zero).is_some()
    };
    rows.iter().all(fits).then_some(schema)
}

/// The index of the bucket between two bounds (in absolute value). A bucket that the one around zero
/// reaches into is listed from where that ends.
fn index_of(schema: i32, (far, near): (f64, f64), zero: f64) -> Option<i32> {
    if near <= 0.0 || near.is_nan() {
        return None;
    }
    let per_octave = f64::from(schema).exp2();
    let index = if far.is_finite() {
        (far.log2() * per_octave).round() as i32
    } else {
        (near.log2() * per_octave).round() as i32 + 1
    };
    let close = |a: f64, b: f64| a == b || (a - b).abs() <= TOLERANCE * b.abs();
    let fits = close(far, upper_bound(schema, index, &[]))
        && (near == zero || close(near, upper_bound(schema, index.wrapping_sub(1), &[])));
    fits.then_some(index)
}

/// A histogram with the listed bounds as its custom ones.
fn custom(
    mut histogram: NativeHistogram,
    rows: &[BucketRow],
) -> Result<NativeHistogram, &'static str> {
    let bounds = rows.iter().flat_map(|row| [row.lower, row.upper]);
    let mut bounds: Vec<f64> = bounds.filter(|bound| bound.is_finite()).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let place = |row: &BucketRow| {
        let index = bounds.partition_point(|bound| *bound < row.upper);
        Some((i32::try_from(index).ok()?, row.count))
    };
    let buckets: Option<Vec<(i32, f64)>> = rows.iter().map(place).collect();
    let (spans, counts) = spans(buckets.ok_or("a histogram has too many buckets")?)?;
    histogram.schema = CUSTOM_BUCKETS_SCHEMA;
    histogram.positive_spans = spans;
    histogram.positive_buckets = counts;
    histogram.custom_values = bounds;
    Ok(histogram)
}

/// Runs of consecutive buckets.
fn spans(mut buckets: Vec<(i32, f64)>) -> Result<(Vec<Span>, Vec<f64>), &'static str> {
    buckets.sort_by_key(|(index, _)| *index);
    if buckets.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err("a bucket is listed twice");
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0_i64;
    for (index, _) in &buckets {
        let gap = i64::from(*index) - next;
        match spans.last_mut() {
            Some(last) if gap == 0 => last.length += 1,
            Some(_) if gap > GAP_MAX => return Err("the buckets lie too far apart"),
            _ => {
                let offset = i32::try_from(gap).map_err(|error| {
                    tracing::debug!(%error, "a bucket lies too far out");
                    "the buckets lie too far apart"
                })?;
                spans.push(Span { offset, length: 1 });
            }
        }
        next = i64::from(*index) + 1;
    }
    Ok((spans, buckets.into_iter().map(|(_, count)| count).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(histogram: &NativeHistogram) -> Vec<BucketRow> {
        let listed = histogram.api_buckets().into_iter();
        listed.map(|(rule, lower, upper, count)| BucketRow { rule, lower, upper, count }).collect()
    }

    #[test]
    fn every_layout_comes_back() {
        let check = |histogram: NativeHistogram| {
            let back = from_rows(histogram.count, histogram.sum, &rows(&histogram)).unwrap();
            assert_eq!(back, histogram);
        };
        let exponential = |schema: i32| NativeHistogram {
            schema,
            count: 14.0,
            sum: 18.4,
            zero_threshold: 1e-30,
            zero_count: 2.0,
            positive_spans: vec![Span { offset: -3, length: 2 }, Span { offset: 4, length: 1 }],
            positive_buckets: vec![1.0, 2.0, 3.0],
            negative_spans: vec![Span { offset: 1, length: 2 }],
            negative_buckets: vec![2.0, 4.0],
            ..NativeHistogram::default()
        };
        for schema in MIN_SCHEMA..=MAX_SCHEMA {
            check(exponential(schema));
        }
        check(NativeHistogram::default());
        check(NativeHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: 6.0,
            sum: 9.0,
            positive_spans: vec![Span { offset: 0, length: 3 }],
            positive_buckets: vec![1.0, 2.0, 3.0],
            custom_values: vec![0.1, 0.5],
            ..NativeHistogram::default()
        });
    }

    #[test]
    fn nonsense_is_refused() {
        let row = |lower: f64, upper: f64| BucketRow { rule: 0, lower, upper, count: 1.0 };
        assert!(from_rows(2.0, 1.0, &[row(1.0, 2.0), row(1.0, 2.0)]).is_err());
    }
}
