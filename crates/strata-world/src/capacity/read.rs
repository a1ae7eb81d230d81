//! The answers about one replica, read: moments, and what it says of itself.

use std::collections::{BTreeMap, BTreeSet};

use strata_query::promql::syntax::parse_number;

use super::lengths::Lengths;
use super::moment::Moment;
use super::plan::{COUNTERS, GAUGES, PREFIX};
use crate::assemble::rows::{Book, Outcome, Row};

/// What the queries of [`super::plan`] say.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    pub(super) moments: Vec<Moment>,
    /// Data-parallel ranks that were added together.
    pub(super) ranks: usize,
    pub(super) prompt: Option<Lengths>,
    pub(super) output: Option<Lengths>,
    pub(super) reasons: Vec<(String, f64)>,
    pub(super) limit: Option<f64>,
    pub(super) context: Option<f64>,
    pub(super) bytes: Option<f64>,
    pub(super) dtype: Option<String>,
    pub(super) gpus: Option<f64>,
    pub(super) model: Option<String>,
    pub(super) engine: Option<String>,
}

/// Values by time in milliseconds.
type Series = BTreeMap<i64, f64>;

pub(super) fn read(book: &Book<'_>) -> Read {
    let rows = |key: &str| match book.by_key(&format!("{PREFIX}{key}")) {
        Outcome::Rows(rows) => rows,
        Outcome::Failed(_) | Outcome::NotAsked => Vec::new(),
    };
    let one = |key: &str| rows(key).first().and_then(last);
    let label = |key: &str, name: &str| {
        let found = rows(key);
        let mut values: Vec<String> =
            found.iter().filter_map(|row| row.labels.get(name)).map(str::to_owned).collect();
        values.retain(|value| !value.is_empty());
        values.dedup();
        // Two models behind one address have no shape in common.
        if values.len() == 1 { values.pop() } else { None }
    };
    let lengths = |key: &str| {
        let found = rows(key);
        let edges =
            found.iter().filter_map(|row| Some((parse_number(row.labels.get("le")?)?, last(row)?)));
        Lengths::of_cumulative(edges.collect())
    };
    let reasons = rows("reasons");
    let reasons =
        reasons.iter().filter_map(|row| Some((row.labels.get("reason")?.to_owned(), last(row)?)));
    Read {
        moments: moments(&rows),
        ranks: ranks(&rows("running")),
        prompt: lengths("prompt_lengths"),
        output: lengths("output_lengths"),
        reasons: reasons.collect(),
        limit: one("limit"),
        context: one("context"),
        bytes: one("bytes"),
        dtype: label("config", "cache_dtype"),
        gpus: one("gpus"),
        model: label("who", "model"),
        engine: label("who", "inference_engine"),
    }
}

fn last(row: &Row<'_>) -> Option<f64> {
    row.points.last().map(|(_, value)| *value).filter(|value| value.is_finite())
}

/// The rank that a row is about; none for what is of all ranks, under whichever of them it is told.
fn rank<'a>(row: &Row<'a>) -> &'a str {
    let is_of_all = row.labels.get("ranks") == Some("all");
    row.labels.get("dp_rank").filter(|_| !is_of_all).unwrap_or("")
}

fn ranks(rows: &[Row<'_>]) -> usize {
    rows.iter().map(rank).collect::<BTreeSet<_>>().len()
}

/// A gauge by rank and time. Several processes of one server tell of the same thing: the greatest.
fn by_rank<'a>(rows: &[Row<'a>]) -> BTreeMap<&'a str, Series> {
    let mut found: BTreeMap<&'a str, Series> = BTreeMap::new();
    for row in rows {
        let series = found.entry(rank(row)).or_default();
        for (at, value) in row.points.iter().filter(|(_, value)| value.is_finite()) {
            let known = series.entry(*at).or_insert(*value);
            *known = known.max(*value);
        }
    }
    found
}

/// Ranks added together, at times at which all of them are there.
fn sum(ranks: &BTreeMap<&str, Series>) -> Series {
    let mut found: BTreeMap<i64, (usize, f64)> = BTreeMap::new();
    for (at, value) in ranks.values().flatten() {
        let (count, sum) = found.entry(*at).or_default();
        (*count, *sum) = (*count + 1, *sum + value);
    }
    let whole = found.into_iter().filter(|(_, (count, _))| *count == ranks.len());
    whole.map(|(at, (_, sum))| (at, sum)).collect()
}

/// What all series of a counter rose by since the reading before; nothing where one began anew.
fn increases(rows: &[Row<'_>]) -> Series {
    let mut found: BTreeMap<i64, Option<f64>> = BTreeMap::new();
    for row in rows {
        for pair in row.points.windows(2) {
            let [(_, before), (at, after)] = pair else { continue };
            let rise = (after >= before).then_some(after - before);
            let known = found.entry(*at).or_insert(Some(0.0));
            *known = known.zip(rise).map(|(known, rise)| known + rise);
        }
    }
    found.into_iter().filter_map(|(at, rise)| Some((at, rise?))).collect()
}

/// Tokens held: as the engine says, else share times capacity of each rank. A capacity without a rank
/// is that of the whole replica, as [`Read::moments`] take it too: the front end that tells it has
/// added up what its ranks told it (vLLM does so with their blocks). Each rank then has an equal part
/// of it, since all of them are started with the same settings.
fn pinned(
    told: &BTreeMap<&str, Series>,
    shares_of_all: &BTreeMap<&str, Series>,
    capacities: &BTreeMap<&str, Series>,
) -> Series {
    if !told.is_empty() {
        return sum(told);
    }
    let mut products: BTreeMap<&str, Series> = BTreeMap::new();
    for (rank, shares) in shares_of_all {
        let own = capacities.get(rank).map(|own| (own, 1.0));
        let part = || Some((capacities.get("")?, shares_of_all.len() as f64));
        let Some((capacity, parts)) = own.or_else(part) else { continue };
        let at = |at: &i64, share: &f64| {
            Some((*at, share * capacity.range(..=*at).next_back()?.1 / parts))
        };
        products.insert(rank, shares.iter().filter_map(|(time, share)| at(time, share)).collect());
    }
    // One rank without a capacity leaves the whole unknown.
    if products.len() == shares_of_all.len() { sum(&products) } else { Series::new() }
}

fn moments<'a>(rows: &impl Fn(&str) -> Vec<Row<'a>>) -> Vec<Moment> {
    let [running, waiting, shares, told, mut capacities] =
        GAUGES.map(|(key, _)| by_rank(&rows(key)));
    if capacities.len() > 1 {
        // Beside what the ranks tell, the whole of it would be there twice.
        capacities.remove("");
    }
    let pinned = pinned(&told, &shares, &capacities);
    let (running, waiting, capacity) = (sum(&running), sum(&waiting), sum(&capacities));
    let counted: BTreeMap<&str, Series> =
        COUNTERS.iter().map(|(key, _)| (*key, increases(&rows(key)))).collect();
    let rise = |key: &str, at: i64| counted.get(key).and_then(|series| series.get(&at)).copied();
    let finished_key = if counted.get("finished").is_some_and(|series| !series.is_empty()) {
        "finished"
    } else {
        "durations"
    };
    let mut found: Vec<Moment> = Vec::with_capacity(running.len());
    for (&at, &requests) in &running {
        let waits = waiting.get(&at).copied();
        let finished = rise(finished_key, at);
        let inside =
            found.last().and_then(|before: &Moment| Some(before.running? + before.waiting?));
        let arrived = || Some((finished? + requests + waits? - inside?).max(0.0));
        found.push(Moment {
            at_s: at as f64 / 1000.0,
            running: Some(requests),
            waiting: waits,
            pinned: pinned.get(&at).copied(),
            capacity: capacity.range(..=at).next_back().map(|(_, tokens)| *tokens),
            arrived: arrived(),
            started: rise("started", at),
            prompt: rise("prompt", at),
            cached: rise("cached", at),
            finished,
            generated: rise("generated", at),
            gap_seconds: rise("gap_seconds", at),
            gaps: rise("gaps", at),
            prefill_seconds: rise("prefill_seconds", at),
            decode_seconds: rise("decode_seconds", at),
            cpu_seconds: rise("cpu_seconds", at),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(ranks: &[(&'static str, f64)]) -> BTreeMap<&'static str, Series> {
        ranks.iter().map(|(rank, value)| (*rank, Series::from([(1000, *value)]))).collect()
    }

    #[test]
    fn tokens_held_never_pass_the_capacity_of_the_replica() {
        let check =
            |shares: &[(&'static str, f64)], capacities: &[(&'static str, f64)], expected| {
                let found = pinned(&BTreeMap::new(), &series(shares), &series(capacities));
                assert_eq!(found.get(&1000).copied(), expected, "{shares:?} of {capacities:?}");
            };
        let ranks = [("0", 0.2), ("1", 0.6)];
        check(&ranks, &[("0", 1000.0), ("1", 2000.0)], Some(1400.0));
        // Both ranks together have 3000 tokens.
        check(&ranks, &[("", 3000.0)], Some(1200.0));
        check(&[("0", 1.0), ("1", 1.0)], &[("", 3000.0)], Some(3000.0));
        check(&[("", 0.5)], &[("", 3000.0)], Some(1500.0));
        check(&ranks, &[("0", 1000.0)], None);
        check(&ranks, &[], None);
    }
}
