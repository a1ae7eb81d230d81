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

/// Sums without the number of requests, as zigzag varints: most counts of a histogram are zero,
/// and a byte each is what makes weeks of hours small enough to read at once.
fn pack(totals: &Totals) -> Vec<u8> {
    let fixed = [totals.duration_sum_us, totals.ttft_sum_us];
    let all = totals.tokens.iter().chain(&totals.counted).chain(&totals.outcomes).chain(&fixed);
    let all = all.chain(&totals.duration.0).chain(&totals.ttft.0);
    let mut bytes = Vec::with_capacity(2 * NUMBERS);
    for number in all {
        let mut rest = (number << 1 ^ number >> 63) as u64;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// Numbers of one [`Totals`].
const NUMBERS: usize = 7 + 7 + 5 + 2 + 2 * DurationHistogram::BUCKETS;

/// `None` when the bytes are of another format.
fn unpack(requests: i64, bytes: &[u8]) -> Option<Totals> {
    let mut numbers = [0_i64; NUMBERS];
    let mut rest = bytes.iter();
    for number in &mut numbers {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = *rest.next()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        *number = (value >> 1) as i64 ^ -((value & 1) as i64);
    }
    if rest.next().is_some() {
        return None;
    }
    let mut numbers = numbers.into_iter();
    let mut totals = Totals { requests, ..Totals::default() };
    let mut fill = |slots: &mut [i64]| slots.iter_mut().zip(&mut numbers).for_each(|(s, n)| *s = n);
    fill(&mut totals.tokens);
    fill(&mut totals.counted);
    fill(&mut totals.outcomes);
    fill(std::slice::from_mut(&mut totals.duration_sum_us));
    fill(std::slice::from_mut(&mut totals.ttft_sum_us));
    fill(&mut totals.duration.0);
    fill(&mut totals.ttft.0);
    Some(totals)
}

/// The "hour" of the sums of the whole day of a file.
const WHOLE_DAY: i64 = -1;

/// The hours of a day.
fn hours_of(day: i64) -> std::ops::RangeInclusive<i64> {
    day * 24..=day * 24 + 23
}

/// Write the changes into the file of the day, in the caller's transaction: those of its hours,
/// and of all its hours together.
pub(super) fn apply(connection: &Connection, day: i64, deltas: Deltas) -> rusqlite::Result<()> {
    let mut read = connection.prepare_cached(
        "SELECT requests, sums FROM rollup \
         WHERE hour = ? AND tenant = ? AND team = ? AND app = ? AND model = ?",
    )?;
    let mut write =
        connection.prepare_cached("INSERT OR REPLACE INTO rollup VALUES(?, ?, ?, ?, ?, ?, ?)")?;
    let mut sorted: BTreeMap<Key, Totals> = deltas.0.into_iter().collect();
    let hours: Vec<(Key, Totals)> =
        sorted.iter().map(|(key, totals)| (key.clone(), totals.clone())).collect();
    for ((hour, tenant, team, app, model), totals) in hours {
        // A request from beyond midnight counts in its own hour only.
        if hours_of(day).contains(&hour) {
            let key = (WHOLE_DAY, tenant, team, app, model);
            sorted.entry(key).or_default().merge(&totals);
        }
    }
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
        let hours = hours_of(day);
        let mut asked = query.by.iter().chain(query.filters.iter().map(|(dimension, _)| dimension));
        let by_hour = asked.any(|dimension| *dimension == RollupDimension::Hour);
        let whole = !by_hour && first <= *hours.start() && last >= *hours.end();
        let rows = files.read(day, |connection| {
            // Of a whole day its own sums, and the hours beyond midnight one by one.
            let sql = if whole {
                "SELECT * FROM rollup WHERE requests > 0 AND (hour = -1 \
                 OR hour BETWEEN ?1 AND ?3 - 1 OR hour BETWEEN ?4 + 1 AND ?2)"
            } else {
                "SELECT * FROM rollup WHERE requests > 0 AND hour BETWEEN ?1 AND ?2 AND ?3 <= ?4"
            };
            let mut rows = connection.prepare_cached(sql)?;
            let mut rows = rows.query([first.max(0), last, *hours.start(), *hours.end()])?;
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
