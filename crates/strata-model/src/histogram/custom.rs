//! Histograms with custom bounds that differ: what two of them can still say together.

/// The bounds both lists have. Both must ascend.
pub(super) fn common_bounds(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut common = Vec::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
        if a == b {
            common.push(a);
        }
        if a <= b {
            left.next();
        }
        if b <= a {
            right.next();
        }
        if a.is_nan() || b.is_nan() {
            break;
        }
    }
    common
}

/// The bucket among `coarser` bounds that holds bucket `index` of `bounds`.
///
/// `coarser` is a subset of `bounds`, so a bucket is never split.
pub(super) fn rebucketed_index(index: i32, bounds: &[f64], coarser: &[f64]) -> i32 {
    let upper = usize::try_from(index).ok().and_then(|at| bounds.get(at));
    let position = match upper {
        Some(upper) => coarser.partition_point(|bound| bound < upper),
        None => coarser.len(),
    };
    position as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_bounds_remain() {
        assert_eq!(common_bounds(&[1.0, 2.0, 5.0], &[2.0, 3.0, 5.0, 9.0]), [2.0, 5.0]);
        assert!(common_bounds(&[1.0], &[2.0]).is_empty());
        assert!(common_bounds(&[f64::NAN, 1.0], &[1.0]).is_empty());
    }

    #[test]
    fn buckets_go_where_their_upper_bound_fits() {
        let at = |index| rebucketed_index(index, &[1.0, 2.0, 5.0], &[2.0]);
        assert_eq!([at(0), at(1), at(2), at(3)], [0, 0, 1, 1]);
    }
}
