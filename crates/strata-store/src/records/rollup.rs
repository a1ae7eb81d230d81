//! Sums of an hour: kept in the transaction that changes the requests, read without touching them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;
use strata_model::record::{
    DurationHistogram, RecordError, RollupDimension, RollupQuery, RollupRow, Totals,
};

use super::files::Files;

const HOUR_US: i64 = 3_600_000_000;
/// Groups of one answer.
const GROUPS_MAX: usize = 100_000;

/// Hour, tenant, team, app, model; what is not known is the empty text.
type Key = (i64, String, String, String, String);

/// Changes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Deltas(pub(super) FxHashMap<Key, Totals>);

/// Hours since the Unix epoch.
pub(super) fn hour_of_us(us: i64) -> i64 {
    us.div_euclid(HOUR_US)
}

/// Sums without the number of requests, little-endian: a fixed row of numbers is a quarter of the
/// time of so many columns.
fn pack(totals: &Totals) -> Vec<u8> {
    let fixed = [totals.duration_sum_us, totals.ttft_sum_us];
    let all = totals.tokens.iter().chain(&totals.counted).chain(&totals.outcomes).chain(&fixed);
    let all = all.chain(&totals.duration.0).chain(&totals.ttft.0);
    all.flat_map(|number| number.to_le_bytes()).collect()
}

/// `None` when the bytes are of another format.
fn unpack(requests: i64, bytes: &[u8]) -> Option<Totals> {
    if bytes.len() != 8 * (7 + 7 + 5 + 2 + 2 * DurationHistogram::BUCKETS) {
        return None;
    }
    let (words, _) = bytes.as_chunks::<8>();
    let mut numbers = words.iter().map(|word| i64::from_le_bytes(*word));
    let mut totals = Totals { requests, ..Totals::default() };
    let mut fill =
        |slots: &mut [i64]| slots.iter_mut().for_each(|slot| *slot = numbers.next().unwrap_or(0));
    fill(&mut totals.tokens);
    fill(&mut totals.counted);
    fill(&mut totals.outcomes);
    fill(std::slice::from_mut(&mut totals.duration_sum_us));
    fill(std::slice::from_mut(&mut totals.ttft_sum_us));
    fill(&mut totals.duration.0);
    fill(&mut totals.ttft.0);
    Some(totals)
}

/// Write the changes into the file of the day, in the caller's transaction.
pub(super) fn apply(connection: &Connection, deltas: Deltas) -> rusqlite::Result<()> {
    let mut read = connection.prepare_cached(
        "SELECT requests, sums FROM rollup \
         WHERE hour = ? AND tenant = ? AND team = ? AND app = ? AND model = ?",
    )?;
    let mut write =
        connection.prepare_cached("INSERT OR REPLACE INTO rollup VALUES(?, ?, ?, ?, ?, ?, ?)")?;
    let sorted: BTreeMap<Key, Totals> = deltas.0.into_iter().collect();
    for ((hour, tenant, team, app, model), mut totals) in sorted {
        let before = read
            .query_row(params![hour, tenant, team, app, model], |row| {
                Ok(unpack(row.get(0)?, row.get_ref(1)?.as_blob()?))
            })
            .optional()?
            .flatten();
        if let Some(before) = before {
            totals.merge(&before);
        }
        write.execute(params![hour, tenant, team, app, model, totals.requests, pack(&totals)])?;
    }
    Ok(())
}

/// Answer a question from the sums.
pub(super) fn read(files: &Files, query: &RollupQuery) -> Result<Vec<RollupRow>, RecordError> {
    let first = hour_of_us(query.range_us.start);
    let last = hour_of_us(query.range_us.end.saturating_sub(1));
    let mut groups: BTreeMap<Vec<Option<String>>, Totals> = BTreeMap::new();
    for day in files.days(&(query.range_us.start..query.range_us.end)) {
        let rows = files.read(day, |connection| {
            let mut rows = connection.prepare_cached(
                "SELECT * FROM rollup WHERE hour BETWEEN ? AND ? AND requests > 0",
            )?;
            let mut rows = rows.query([first, last])?;
            while let Some(row) = rows.next()? {
                let value = |dimension: RollupDimension| match dimension {
                    RollupDimension::Hour => row.get(0).map(|hour: i64| (hour * 3_600).to_string()),
                    RollupDimension::Tenant => row.get(1),
                    RollupDimension::Team => row.get(2),
                    RollupDimension::App => row.get(3),
                    RollupDimension::Model => row.get(4),
                };
                let mut wanted = true;
                for (dimension, text) in &query.filters {
                    wanted &= value(*dimension)? == *text;
                }
                if !wanted {
                    continue;
                }
                let mut keys = Vec::with_capacity(query.by.len());
                for dimension in &query.by {
                    keys.push(Some(value(*dimension)?).filter(|text| !text.is_empty()));
                }
                if let Some(totals) = unpack(row.get(5)?, row.get_ref(6)?.as_blob()?)
                    && (groups.len() < GROUPS_MAX || groups.contains_key(&keys))
                {
                    groups.entry(keys).or_default().merge(&totals);
                }
            }
            Ok(())
        });
        rows?;
    }
    let mut rows: Vec<RollupRow> =
        groups.into_iter().map(|(keys, totals)| RollupRow { keys, totals }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.totals.requests));
    rows.truncate(query.limit.min(GROUPS_MAX));
    Ok(rows)
}
