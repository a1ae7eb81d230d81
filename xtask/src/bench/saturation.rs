//! `cargo xtask bench saturation --trace FILE`: how well the forecast of saturation orders moments.
//!
//! The first hour of a trace runs through the simulator's engine; once a second its page is read, as
//! a scrape would, and each score says how near it thinks three waiting requests are. Against it:
//! the level of the cache, and its linear trend.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use strata_sim::{Replay, ReplayLimits, ReplaySecond, TraceReader};
use strata_world::capacity::{Moment, WAITING_MIN, auc, balances, forecasts};

use super::Row;
use crate::out;

/// The first hour.
const SECONDS: usize = 3500;
/// Seconds without a judgement: rates have no past yet.
const WARM_UP: usize = 60;
/// Seconds that a trend is drawn through.
const TREND: usize = 10;
/// Sizes of the cache in tokens: from one that is often full to one that seldom is.
const CACHES: [u64; 3] = [30_000, 35_000, 40_000];
const HORIZONS: [f64; 3] = [10.0, 20.0, 60.0];
/// Mean square over square of the mean of a prompt's length: 2 where nothing is known of it.
const SQUARE_RATIO: f64 = 2.0;

/// Replay, score and print; the row is of the middle cache at 20 s.
pub(crate) fn measure(trace: &Path) -> Result<Row> {
    out::line(
        "| cache, tokens | horizon | readings | before saturation | level | trend | balance |",
    );
    out::line("|---|---|---|---|---|---|---|");
    let mut worst = f64::INFINITY;
    for cache in CACHES {
        let moments = replay(trace, cache)?;
        for horizon in HORIZONS {
            let row = score(&moments, horizon);
            let figure = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
            let [level, trend, balance] = row.auc;
            out::line(format!(
                "| {cache} | {horizon:.0} s | {} | {} | {} | {} | **{}** |",
                row.readings,
                row.happened,
                figure(level),
                figure(trend),
                figure(balance)
            ));
            if (horizon - 20.0).abs() < 0.5 {
                worst = worst.min(balance.unwrap_or(0.0));
            }
        }
        for told in forecasts(&moments, SQUARE_RATIO) {
            let words = match told.judged {
                Ok(judged) => format!(
                    "Brier {:.3} against {:.3} of the base rate, AUC {:.3}, {} of {} readings",
                    judged.brier, judged.brier_base, judged.auc, judged.happened, judged.forecasts
                ),
                Err(why) => why,
            };
            out::line(format!(
                "cache {cache}, {:.0} s, judged on the later part: {words}",
                told.horizon_s
            ));
        }
    }
    Ok(Row {
        what: "saturation within 20 s, AUC, the worst of three caches",
        must: "0.65",
        aim: "0.75",
        values: format!("{worst:.3}"),
        verdict: format!("{worst:.2}"),
    })
}

fn replay(trace: &Path, kv_tokens: u64) -> Result<Vec<Moment>> {
    let file = File::open(trace).with_context(|| format!("cannot open {}", trace.display()))?;
    let limits = ReplayLimits { kv_tokens, sequences: 256, batch_tokens: 2048 };
    let mut replay = Replay::new(limits, TraceReader::new(BufReader::new(file)));
    let mut moments = Vec::with_capacity(SECONDS);
    let mut before = ReplaySecond::default();
    for _ in 0..SECONDS {
        let now = replay.second()?;
        moments.push(moment(before, now));
        before = now;
    }
    Ok(moments)
}

/// What one reading after another gives.
fn moment(before: ReplaySecond, now: ReplaySecond) -> Moment {
    let inside = |one: ReplaySecond| one.finished + one.running + one.waiting;
    Moment {
        at_s: now.at,
        running: Some(now.running),
        waiting: Some(now.waiting),
        pinned: Some(now.pinned),
        capacity: Some(now.capacity),
        arrived: Some(inside(now) - inside(before)),
        started: Some(now.started - before.started),
        prompt: Some(now.prompt_tokens - before.prompt_tokens),
        finished: Some(now.finished - before.finished),
        generated: Some(now.generated - before.generated),
        gap_seconds: Some(now.gap_seconds - before.gap_seconds),
        gaps: Some(now.gaps - before.gaps),
        ..Moment::default()
    }
}

struct Scored {
    readings: usize,
    happened: usize,
    /// Of the level, the trend and the balance.
    auc: [Option<f64>; 3],
}

fn score(moments: &[Moment], horizon: f64) -> Scored {
    let balances = balances(moments, horizon, SQUARE_RATIO);
    let ahead = horizon as usize;
    let mut pairs: [Vec<(f64, bool)>; 3] = Default::default();
    for at in WARM_UP..moments.len().saturating_sub(ahead) {
        let (now, later) = (&moments[at], &moments[at + 1..=at + ahead]);
        let is_full = |one: &Moment| one.waiting.is_some_and(|waiting| waiting >= WAITING_MIN);
        let Some(balance) = balances[at].filter(|_| !is_full(now)) else { continue };
        let happened = later.iter().any(is_full);
        let level = level(now);
        let slope = slope(&moments[at + 1 - TREND..=at]);
        for (list, score) in pairs.iter_mut().zip([level, level + slope * horizon, balance.score]) {
            list.push((score, happened));
        }
    }
    Scored {
        readings: pairs[0].len(),
        happened: pairs[0].iter().filter(|(_, happened)| *happened).count(),
        auc: pairs.map(|list| auc(&list)),
    }
}

/// Part of the cache that is held.
fn level(moment: &Moment) -> f64 {
    moment.pinned.zip(moment.capacity).map_or(0.0, |(held, all)| held / all)
}

/// Rise of the level per second, by least squares.
fn slope(moments: &[Moment]) -> f64 {
    let count = moments.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = moments.iter().map(level).sum::<f64>() / count;
    let (mut top, mut bottom) = (0.0, 0.0);
    for (at, moment) in moments.iter().enumerate() {
        let off = at as f64 - middle;
        top += off * (level(moment) - mean);
        bottom += off * off;
    }
    top / bottom
}
