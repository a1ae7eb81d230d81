//! Busy seconds explained by counters, with intervals.

use super::nnls::Moments;
use super::{CLASSES, Method, Observation, Quality, Quantities, Split, Totals};

/// Below this share of explained variance the counters do not explain busy time.
pub const MIN_R_SQUARED: f64 = 0.8;
/// Above this the classes move so closely together that their prices are a matter of chance: an
/// error of 1 % in busy time may be one of 100 % in a price.
pub const MAX_CONDITION: f64 = 100.0;
/// Fewer spans than this per class cannot be resampled to an honest interval.
pub const MIN_ROWS: usize = 40;
/// Resamples of the bootstrap: enough for the 2.5 % tails.
const RESAMPLES: usize = 400;
/// Spans at most; more are thinned evenly, which loses nothing that an interval would show.
const MAX_ROWS: usize = 100_000;

/// A fit that is good enough.
pub(super) struct Fit {
    pub(super) quality: Quality,
    coefficients: Quantities,
    interval: [(f64, f64); CLASSES],
}

/// A fit that is not.
pub(super) struct Refused {
    pub(super) reason: String,
    pub(super) quality: Option<Quality>,
}

pub(super) fn fit(observations: &[Observation]) -> Result<Fit, Refused> {
    let refuse = |reason: String, quality| Err(Refused { reason, quality });
    let usable = |row: &&Observation| {
        row.busy_s.is_finite() && row.quantities.iter().all(|amount| amount.is_finite())
    };
    let thin = observations.len() / MAX_ROWS + 1;
    let rows: Vec<&Observation> = observations.iter().filter(usable).step_by(thin).collect();
    if rows.len() < MIN_ROWS {
        let reason =
            format!("least squares need {MIN_ROWS} measured spans, there are {}", rows.len());
        return refuse(reason, None);
    }
    let blocks = blocks(&rows);
    let mut all = Moments::default();
    for block in &blocks {
        all.merge(block);
    }
    let variance = all.squares - all.target * all.target / all.rows;
    let Some(coefficients) = all.solve().filter(|_| variance > 0.0) else {
        return refuse("busy time or counters do not vary".to_owned(), None);
    };
    let quality = Quality {
        r_squared: 1.0 - all.error(&coefficients) / variance,
        condition: all.condition(),
        rows: rows.len(),
    };
    if quality.r_squared < MIN_R_SQUARED {
        let reason = format!(
            "least squares explain {:.2} of the variance of busy time, {MIN_R_SQUARED} are needed",
            quality.r_squared
        );
        return refuse(reason, Some(quality));
    }
    if quality.condition > MAX_CONDITION {
        let reason = format!(
            "prompt, cached and generated tokens move together (condition {:.0}, up to \
             {MAX_CONDITION} is usable): vary the mix, or run a calibration",
            quality.condition
        );
        return refuse(reason, Some(quality));
    }
    let interval = intervals(&blocks);
    Ok(Fit { quality, coefficients, interval })
}

/// Neighbouring spans resemble each other; blocks of the cube root of their number keep that in the
/// resamples (Kuensch 1989). More than some hundred blocks make no interval better.
fn blocks(rows: &[&Observation]) -> Vec<Moments> {
    const MOST_BLOCKS: usize = 256;
    let length = ((rows.len() as f64).cbrt().ceil() as usize).max(rows.len() / MOST_BLOCKS);
    let moments = |chunk: &[&Observation]| {
        let mut moments = Moments::default();
        for row in chunk {
            moments.add_row(&row.quantities, row.busy_s);
        }
        moments
    };
    rows.chunks(length.max(1)).map(moments).collect()
}

fn intervals(blocks: &[Moments]) -> [(f64, f64); CLASSES] {
    let mut dice = Dice(0x5742_4c4f_434b_0001);
    let mut drawn: [Vec<f64>; CLASSES] = Default::default();
    for _ in 0..RESAMPLES {
        let mut moments = Moments::default();
        for _ in 0..blocks.len() {
            if let Some(block) = blocks.get(dice.below(blocks.len())) {
                moments.merge(block);
            }
        }
        let Some(found) = moments.solve() else { continue };
        for (all, coefficient) in drawn.iter_mut().zip(found) {
            all.push(coefficient);
        }
    }
    drawn.map(|mut all| {
        all.sort_by(f64::total_cmp);
        (quantile(&all, 0.025), quantile(&all, 0.975))
    })
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// `SplitMix64` from a fixed start: the same facts give the same interval.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }
}

impl Fit {
    /// The split, scaled so that the classes are the busy time of the period. None where no class
    /// of the period has a cost.
    pub(super) fn scaled(&self, totals: &Totals) -> Option<Split> {
        let pairs = self.coefficients.iter().zip(&totals.quantities);
        let explained = crate::sum::sum(pairs.map(|(price, amount)| price * amount));
        if explained <= 0.0 {
            return None;
        }
        let scale = totals.busy_s / explained;
        let mut split = Split {
            method: Method::LeastSquares,
            per_unit: [None; CLASSES],
            interval: [None; CLASSES],
            quality: Some(self.quality),
            instead_of: Vec::new(),
            quantities: totals.quantities,
            busy_s: totals.busy_s,
        };
        let fitted = self.coefficients.iter().zip(&self.interval).zip(&totals.quantities);
        let cells = split.per_unit.iter_mut().zip(&mut split.interval);
        for (((price, (low, high)), amount), (per_unit, interval)) in fitted.zip(cells) {
            if *amount > 0.0 {
                *per_unit = Some(price * scale);
                *interval = Some((low * scale, high * scale));
            }
        }
        Some(split)
    }
}
