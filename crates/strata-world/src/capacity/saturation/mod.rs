//! How likely requests will have to wait, and how good such forecasts have been here.
//!
//! A linear time-to-full is not among it: on replays it ordered moments worse than the level of the
//! cache alone. The score is a mass balance ([`balances`]); a monotone map that was fitted to the
//! earlier part of the readings makes a probability of it, and the later part judges that: what was
//! said at each reading against what came within the horizon. Without enough of both outcomes there is no number.

mod balance;
mod skill;

pub use balance::{Balance, balances};
pub use skill::{Map, auc, brier};

use super::moment::{Moment, interval_s};

/// How far ahead, in seconds.
pub const HORIZONS_S: [f64; 3] = [10.0, 60.0, 600.0];
/// So many waiting requests are saturation: one or two wait in any busy engine for the next step.
pub const WAITING_MIN: f64 = 3.0;
/// Readings before this are not judged: the rates have no past yet, in seconds.
const WARM_UP_S: f64 = 60.0;
/// Part of the readings that the map is fitted to; the rest judges it.
const FIT_SHARE: f64 = 0.6;
/// Readings of each outcome in each part that a judgement takes.
const OUTCOMES_MIN: usize = 10;
/// Separate times that it came to saturation in each part: readings one after another see the same.
const ONSETS_MIN: usize = 3;
/// Usual distances between two readings from which on one is missing between them: halfway to two.
const GAP_INTERVALS: f64 = 1.5;

/// The forecast over one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Saturation {
    pub horizon_s: f64,
    /// What is expected; None where something that goes in is not known.
    pub balance: Option<Balance>,
    /// The probability with its record, or why there is none.
    pub judged: Result<Judged, String>,
}

/// A probability and how good such were in the later part of the readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// None while it is saturated: there is nothing to foresee.
    pub probability: Option<f64>,
    /// Mean square distance from what happened.
    pub brier: f64,
    /// The same of who always says the share of the earlier part.
    pub brier_base: f64,
    pub auc: f64,
    /// Readings that were judged, and those of them that it happened after.
    pub forecasts: usize,
    pub happened: usize,
}

/// A reading with nobody waiting, its score and what came of it.
struct Trial {
    score: f64,
    happened: bool,
    /// Which separate saturation it was that came.
    onset: usize,
}

/// The forecasts over [`HORIZONS_S`], from the newest reading on.
pub fn forecasts(moments: &[Moment], square_ratio: f64) -> Vec<Saturation> {
    let one = |horizon_s: f64| forecast(moments, horizon_s, square_ratio);
    HORIZONS_S.into_iter().map(one).collect()
}

fn forecast(moments: &[Moment], horizon_s: f64, square_ratio: f64) -> Saturation {
    let balances = balances(moments, horizon_s, square_ratio);
    let balance = balances.last().copied().flatten();
    let judged = judge(moments, &balances, horizon_s);
    Saturation { horizon_s, balance, judged }
}

fn judge(
    moments: &[Moment],
    balances: &[Option<Balance>],
    horizon_s: f64,
) -> Result<Judged, String> {
    let interval = interval_s(moments).ok_or("the engine was read less than twice")?;
    if horizon_s < interval {
        return Err(format!(
            "the engine is read every {interval:.0} s: what comes within {horizon_s:.0} s is not \
             seen; a shorter scrape interval would show it"
        ));
    }
    let newest = moments.last().and_then(|moment| moment.waiting);
    let newest = newest.ok_or("the engine does not say how many requests wait")?;
    let now = balances.last().copied().flatten().ok_or(
        "the balance needs running and waiting requests, pinned tokens and capacity, finished \
         requests, first tokens and tokens: one of them is not there",
    )?;
    let trials = trials(moments, balances, horizon_s, interval);
    let cut = (trials.len() as f64 * FIT_SHARE) as usize;
    let (earlier, later) = trials.split_at(cut);
    // What the last of the earlier readings saw coming lies in the later part: left out there.
    let apart = (horizon_s / interval).ceil() as usize;
    let later = later.get(apart.min(later.len())..).unwrap_or_default();
    for part in [earlier, later] {
        enough(part)?;
    }
    let pairs = |part: &[Trial]| -> Vec<(f64, bool)> {
        part.iter().map(|trial| (trial.score, trial.happened)).collect()
    };
    let map = Map::fit(&pairs(earlier)).ok_or(
        "in the earlier part of the readings a fuller balance did not mean more saturation: \
         something else than the KV cache makes requests wait",
    )?;
    let judged = pairs(later);
    let told: Vec<_> =
        judged.iter().map(|(score, came)| (map.probability(*score), *came)).collect();
    let share = earlier.iter().filter(|trial| trial.happened).count() as f64 / earlier.len() as f64;
    let base: Vec<_> = judged.iter().map(|(_, came)| (share, *came)).collect();
    let (Some(brier), Some(brier_base), Some(auc)) = (brier(&told), brier(&base), auc(&judged))
    else {
        return Err("not enough events to judge".to_owned());
    };
    Ok(Judged {
        probability: (newest < WAITING_MIN).then(|| map.probability(now.score)),
        brier,
        brier_base,
        auc,
        forecasts: judged.len(),
        happened: judged.iter().filter(|(_, came)| *came).count(),
    })
}

/// Whether a part has enough of both outcomes.
fn enough(part: &[Trial]) -> Result<(), String> {
    let happened = part.iter().filter(|trial| trial.happened).count();
    let mut onsets: Vec<usize> =
        part.iter().filter(|trial| trial.happened).map(|trial| trial.onset).collect();
    onsets.dedup();
    if happened < OUTCOMES_MIN || part.len() - happened < OUTCOMES_MIN || onsets.len() < ONSETS_MIN
    {
        return Err(format!(
            "not enough events to judge: {happened} of {} readings in one part of the time came \
             before a saturation, {} separate ones; it takes {OUTCOMES_MIN} of each outcome and \
             {ONSETS_MIN} separate ones",
            part.len(),
            onsets.len()
        ));
    }
    Ok(())
}

/// Readings at which nobody waited, with what came within the horizon. Left out are the newest, whose
/// horizon is not over, and those within whose horizon the engine was not read all the time: what came
/// in between is not known, and to keep those after which something was seen all the same would make
/// it look more usual than it is.
fn trials(
    moments: &[Moment],
    balances: &[Option<Balance>],
    horizon_s: f64,
    interval_s: f64,
) -> Vec<Trial> {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return Vec::new() };
    let (onsets, blind) = (next_onsets(moments), next_blind(moments, interval_s));
    let rows = moments.iter().zip(balances).zip(onsets.iter().zip(&blind));
    let found = rows.filter_map(|((moment, balance), ((next_s, onset), blind_s))| {
        let is_over = moment.at_s + horizon_s <= last.at_s + interval_s / 2.0;
        let is_seen = *blind_s > moment.at_s + horizon_s;
        let is_warm = moment.at_s >= first.at_s + WARM_UP_S;
        let is_calm = moment.waiting? < WAITING_MIN;
        let score = balance.as_ref()?.score;
        (is_over && is_seen && is_warm && is_calm && score.is_finite()).then_some(Trial {
            score,
            happened: *next_s <= moment.at_s + horizon_s,
            onset: *onset,
        })
    });
    found.collect()
}

/// For each reading the time of the next later one with saturation, infinite when there is none, and
/// the number of the run of such readings that it belongs to, counted from the end.
fn next_onsets(moments: &[Moment]) -> Vec<(f64, usize)> {
    let mut found = vec![(f64::INFINITY, 0); moments.len()];
    let (mut next_s, mut run, mut within) = (f64::INFINITY, 0, false);
    for (place, moment) in found.iter_mut().zip(moments).rev() {
        *place = (next_s, run);
        // A reading that does not tell parts no saturation in two.
        let Some(waiting) = moment.waiting else { continue };
        let is_saturated = waiting >= WAITING_MIN;
        if is_saturated {
            run += usize::from(!within);
            next_s = moment.at_s;
        }
        within = is_saturated;
    }
    found
}

/// For each reading the time of the next later one that is missing or does not tell who waits, infinite
/// when there is none.
fn next_blind(moments: &[Moment], interval_s: f64) -> Vec<f64> {
    let mut found = vec![f64::INFINITY; moments.len()];
    let (mut blind_s, mut later_s) = (f64::INFINITY, f64::INFINITY);
    for (place, moment) in found.iter_mut().zip(moments).rev() {
        if later_s.is_finite() && later_s - moment.at_s > GAP_INTERVALS * interval_s {
            // The missing one should have come at some time around the usual distance.
            blind_s = moment.at_s + interval_s / 2.0;
        }
        *place = blind_s;
        if moment.waiting.is_none() {
            blind_s = moment.at_s;
        }
        later_s = moment.at_s;
    }
    found
}

#[cfg(test)]
mod tests;
