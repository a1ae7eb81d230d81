//! Least squares under the condition that nothing costs less than nothing.

use super::{CLASSES, Quantities};

/// Sums over rows from which least squares follow: they add up, so that a bootstrap resamples
/// blocks instead of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    /// Number of rows.
    pub(super) rows: f64,
    /// Sum of the products of each two columns.
    pub(super) gram: [[f64; CLASSES]; CLASSES],
    /// Sum of the products of each column with the target.
    pub(super) cross: Quantities,
    /// Sum of the target.
    pub(super) target: f64,
    /// Sum of the target's squares.
    pub(super) squares: f64,
}

impl Moments {
    pub(super) fn add_row(&mut self, columns: &Quantities, target: f64) {
        self.rows += 1.0;
        for ((row, cross), left) in self.gram.iter_mut().zip(&mut self.cross).zip(columns) {
            for (cell, right) in row.iter_mut().zip(columns) {
                *cell += left * right;
            }
            *cross += left * target;
        }
        self.target += target;
        self.squares += target * target;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        for (row, others) in self.gram.iter_mut().zip(&other.gram) {
            for (cell, other) in row.iter_mut().zip(others) {
                *cell += other;
            }
        }
        for (cell, other) in self.cross.iter_mut().zip(&other.cross) {
            *cell += other;
        }
        self.target += other.target;
        self.squares += other.squares;
    }

    /// The sum of squared errors of coefficients.
    pub(super) fn error(&self, coefficients: &Quantities) -> f64 {
        let mut error = self.squares;
        for ((row, cross), left) in self.gram.iter().zip(&self.cross).zip(coefficients) {
            error -= 2.0 * left * cross;
            for (cell, right) in row.iter().zip(coefficients) {
                error += left * right * cell;
            }
        }
        error.max(0.0)
    }

    /// Lengths of the columns; a column of zeros has none.
    fn lengths(&self) -> Quantities {
        let mut lengths = [0.0; CLASSES];
        for (at, (length, row)) in lengths.iter_mut().zip(&self.gram).enumerate() {
            *length = row.get(at).copied().unwrap_or_default().max(0.0).sqrt();
        }
        lengths
    }

    /// The same with columns of length 1, so that tokens by the million and requests by the dozen
    /// weigh the same in the arithmetic.
    fn scaled(&self) -> (Self, Quantities) {
        let lengths = self.lengths();
        let mut scaled = *self;
        let cells = scaled.gram.iter_mut().zip(&mut scaled.cross).zip(&lengths);
        for ((row, cross), left) in cells {
            for (cell, right) in row.iter_mut().zip(&lengths) {
                *cell = if *left > 0.0 && *right > 0.0 { *cell / (left * right) } else { 0.0 };
            }
            *cross = if *left > 0.0 { *cross / left } else { 0.0 };
        }
        (scaled, lengths)
    }

    /// The coefficients that are not negative and err least. With four columns all sixteen sets of
    /// columns are tried, so the answer is exact and there is no iteration to fail.
    pub(super) fn solve(&self) -> Option<Quantities> {
        let (scaled, lengths) = self.scaled();
        let present =
            (0..CLASSES).filter(|at| lengths.get(*at).is_some_and(|length| *length > 0.0));
        let present = present.fold(0_usize, |set, at| set | 1 << at);
        let mut best: Option<(f64, Quantities)> = None;
        for set in 1..1_usize << CLASSES {
            if set & !present != 0 {
                continue;
            }
            let Some(found) = scaled.solve_set(set) else { continue };
            if found.iter().any(|coefficient| *coefficient < 0.0) {
                continue;
            }
            let error = scaled.error(&found);
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, found));
            }
        }
        let (_, mut found) = best?;
        for (coefficient, length) in found.iter_mut().zip(&lengths) {
            if *length > 0.0 {
                *coefficient /= length;
            }
        }
        Some(found)
    }

    /// Least squares over the columns of `set`, by Cholesky; None where they depend on each other.
    fn solve_set(&self, set: usize) -> Option<Quantities> {
        let places: Vec<usize> = (0..CLASSES).filter(|at| set & (1 << at) != 0).collect();
        let cell = |row: usize, column: usize| {
            Some(*self.gram.get(*places.get(row)?)?.get(*places.get(column)?)?)
        };
        let size = places.len();
        let mut lower = [[0.0; CLASSES]; CLASSES];
        for row in 0..size {
            for column in 0..=row {
                let mut rest = cell(row, column)?;
                for at in 0..column {
                    rest -= lower.get(row)?.get(at)? * lower.get(column)?.get(at)?;
                }
                let value = if row == column {
                    // Below this the column is the sum of others but for rounding.
                    if rest < 1e-10 {
                        return None;
                    }
                    rest.sqrt()
                } else {
                    rest / lower.get(column)?.get(column)?
                };
                *lower.get_mut(row)?.get_mut(column)? = value;
            }
        }
        let mut middle = [0.0; CLASSES];
        for row in 0..size {
            let mut rest = *self.cross.get(*places.get(row)?)?;
            for at in 0..row {
                rest -= lower.get(row)?.get(at)? * middle.get(at)?;
            }
            *middle.get_mut(row)? = rest / lower.get(row)?.get(row)?;
        }
        let mut found = [0.0; CLASSES];
        for row in (0..size).rev() {
            let mut rest = *middle.get(row)?;
            for at in row + 1..size {
                rest -= lower.get(at)?.get(row)? * found.get(*places.get(at)?)?;
            }
            *found.get_mut(*places.get(row)?)? = rest / lower.get(row)?.get(row)?;
        }
        Some(found)
    }

    /// Ratio of the largest to the smallest singular value of the columns at unit length, those of
    /// zeros left out. Infinite where a column is the sum of others.
    pub(super) fn condition(&self) -> f64 {
        let (scaled, lengths) = self.scaled();
        let mut values = eigenvalues(scaled.gram);
        // A column of zeros has the value zero for itself; what is left is of the others.
        values.sort_by(f64::total_cmp);
        let absent = lengths.iter().filter(|length| **length <= 0.0).count();
        let present = values.get(absent..).unwrap_or_default();
        match (present.first(), present.last()) {
            (Some(least), Some(most)) if *least > 1e-14 => (most / least).sqrt(),
            _ => f64::INFINITY,
        }
    }
}

/// Eigenvalues of a symmetric matrix by Jacobi's rotations; four columns need a handful of sweeps.
fn eigenvalues(mut matrix: [[f64; CLASSES]; CLASSES]) -> [f64; CLASSES] {
    const SWEEPS: usize = 30;
    for _ in 0..SWEEPS {
        for left in 0..CLASSES {
            for right in left + 1..CLASSES {
                rotate(&mut matrix, left, right);
            }
        }
    }
    let mut values = [0.0; CLASSES];
    for (at, (value, row)) in values.iter_mut().zip(&matrix).enumerate() {
        *value = row.get(at).copied().unwrap_or_default();
    }
    values
}

#[expect(clippy::indexing_slicing, reason = "both places are below CLASSES by the caller's loops")]
fn rotate(matrix: &mut [[f64; CLASSES]; CLASSES], left: usize, right: usize) {
    let off = matrix[left][right];
    if off.abs() < 1e-300 {
        return;
    }
    let ratio = (matrix[right][right] - matrix[left][left]) / (2.0 * off);
    let tangent = ratio.signum() / (ratio.abs() + (ratio * ratio + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        let (one, other) = (row[left], row[right]);
        row[left] = cosine * one - sine * other;
        row[right] = sine * one + cosine * other;
    }
    let (ones, others) = (matrix[left], matrix[right]);
    for (column, (one, other)) in ones.into_iter().zip(others).enumerate() {
        matrix[left][column] = cosine * one - sine * other;
        matrix[right][column] = sine * one + cosine * other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(rows: &[(Quantities, f64)]) -> Moments {
        let mut moments = Moments::default();
        for (columns, target) in rows {
            moments.add_row(columns, *target);
        }
        moments
    }

    #[test]
    fn exact_rows_give_exact_coefficients() {
        let rows: Vec<_> = [[1.0, 0.0, 2.0, 0.0], [0.0, 3.0, 1.0, 0.0], [5.0, 1.0, 0.0, 0.0]]
            .map(|columns: Quantities| {
                (columns, columns[0] * 2.0 + columns[1] * 0.5 + columns[2] * 7.0)
            })
            .into();
        let found = moments(&rows).solve().unwrap();
        for (found, expected) in found.iter().zip([2.0, 0.5, 7.0, 0.0]) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        assert!(moments(&rows).error(&found) < 1e-9);
    }

    #[test]
    fn what_would_be_negative_is_nothing() {
        // Free least squares give the second column -1.
        let rows = [([1.0, 0.0, 0.0, 0.0], 2.0), ([1.0, 1.0, 0.0, 0.0], 1.0)];
        let found = moments(&rows).solve().unwrap();
        assert!((found[0] - 1.5).abs() < 1e-12 && found[1] == 0.0, "{found:?}");
    }

    #[test]
    fn the_condition_tells_columns_that_move_together() {
        let square = moments(&[([1.0, 0.0, 0.0, 0.0], 1.0), ([0.0, 9.0, 0.0, 0.0], 1.0)]);
        assert!((square.condition() - 1.0).abs() < 1e-9);
        let same = moments(&[([1.0, 2.0, 0.0, 0.0], 1.0), ([2.0, 4.0, 0.0, 0.0], 2.0)]);
        assert!(same.condition() > 1e6);
        let near = moments(&[([1.0, 1.0, 0.0, 0.0], 1.0), ([1.0, 1.1, 0.0, 0.0], 2.0)]);
        assert!(near.condition() > 10.0 && near.condition() < 100.0, "{}", near.condition());
    }
}
