//! Lines drawn with braille dots, two by four to a cell; with letters where there is only ASCII.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::look::Look;

/// A drawing of `width` x `height` cells.
pub(crate) struct Drawing {
    width: usize,
    height: usize,
    dots: Vec<u8>,
    /// Index of the series that drew last into a cell, and its style.
    styles: Vec<Style>,
    letters: Vec<char>,
    look: Look,
}

impl Drawing {
    pub(crate) fn new(width: usize, height: usize, look: Look) -> Self {
        let cells = width * height;
        Self {
            width,
            height,
            dots: vec![0; cells],
            styles: vec![Style::new(); cells],
            letters: vec![' '; cells],
            look,
        }
    }

    /// Draw values (0..1, bottom to top) over the whole width; `None` leaves a gap.
    pub(crate) fn series(&mut self, values: &[Option<f64>], letter: char, style: Style) {
        let columns = self.width * 2;
        let mut before: Option<usize> = None;
        for column in 0..columns {
            let share = column_value(values, column, columns);
            let row = share.map(|share| self.row_of(share));
            if let Some(row) = row {
                let (low, high) = match before {
                    Some(before) => (row.min(before), row.max(before)),
                    None => (row, row),
                };
                for y in low..=high {
                    self.dot(column, y, letter, style);
                }
            }
            before = row;
        }
    }

    /// Draw a horizontal line at a share of the height.
    pub(crate) fn mark(&mut self, share: f64, style: Style) {
        if !(0.0..=1.0).contains(&share) {
            return;
        }
        let y = self.row_of(share);
        for column in (0..self.width * 2).step_by(4) {
            self.dot(column, y, '-', style);
        }
    }

    fn row_of(&self, share: f64) -> usize {
        let rows = self.height * 4;
        let from_bottom = (share.clamp(0.0, 1.0) * (rows - 1) as f64).round() as usize;
        rows - 1 - from_bottom
    }

    fn dot(&mut self, column: usize, row: usize, letter: char, style: Style) {
        /// Bits of the dots of a braille cell by (column, row).
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        let cell = (row / 4) * self.width + column / 2;
        if let Some(dots) = self.dots.get_mut(cell) {
            *dots |= BITS[column % 2][row % 4];
            self.styles[cell] = style;
            self.letters[cell] = letter;
        }
    }

    /// The drawing as lines, top first.
    pub(crate) fn lines(&self) -> Vec<Line<'static>> {
        (0..self.height)
            .map(|row| {
                let cells = row * self.width..(row + 1) * self.width;
                let spans = cells.map(|cell| {
                    let character = match (self.look.unicode, self.dots[cell]) {
                        (_, 0) => ' ',
                        (true, dots) => {
                            char::from_u32(0x2800 + u32::from(dots)).unwrap_or('\u{2800}')
                        }
                        (false, _) => self.letters[cell],
                    };
                    Span::styled(character.to_string(), self.styles[cell])
                });
                Line::from(spans.collect::<Vec<_>>())
            })
            .collect()
    }
}

/// The value at one of `columns` columns: the mean of those that fall on it, the nearest where
/// there are fewer values than columns.
pub(crate) fn column_value(values: &[Option<f64>], column: usize, columns: usize) -> Option<f64> {
    if values.is_empty() || columns == 0 {
        return None;
    }
    let from = column * values.len() / columns;
    let until = ((column + 1) * values.len() / columns).max(from + 1).min(values.len());
    let known: Vec<f64> = values[from..until].iter().copied().flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}
