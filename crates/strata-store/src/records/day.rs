//! One transaction on the file of one day: sightings join, sums follow.

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;
use strata_model::record::{RequestRecord, SpanRecord, joins, merge, siblings};

use super::rollup::{Deltas, hour_of_us};
use super::row;

/// Sightings kept of one request: three doors, and the same door again after a retry of its sender.
const SIGHTINGS_MAX: usize = 8;

/// What became of a sighting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Put {
    New(i64),
    Joined(i64),
}

/// A known request.
struct Known {
    id: i64,
    sightings: Vec<RequestRecord>,
}

/// Requests here that this sighting is of. Where no id says it, the one that hangs below the same span,
/// as long as it is the only one that fits.
fn known(connection: &Connection, one: &RequestRecord) -> rusqlite::Result<Vec<Known>> {
    let mut found: Vec<Known> = Vec::new();
    for text in row::kin(one) {
        // The hash of another text may be the same.
        let mut really = |other: &RequestRecord| row::idents(other).contains(&text);
        alike(connection, (one, &text), &mut really, &mut found)?;
    }
    if found.is_empty()
        && let Some(text) = row::beside(one)
    {
        alike(connection, (one, &text), &mut |other| siblings(other, one), &mut found)?;
        // Where this observer has told already, it was of another call.
        found.retain(|known| known.sightings.iter().all(|other| other.door != one.door));
        if found.len() > 1 {
            found.clear();
        }
    }
    found.sort_by_key(|known| known.id);
    Ok(found)
}

/// Requests looked at under one text, the newest first. An agent makes thousands of calls below one span,
/// one after the other.
const KIN_MAX: i64 = 256;

/// Requests found under a text, of which one sighting is `really` of the same.
fn alike(
    connection: &Connection,
    (one, text): (&RequestRecord, &str),
    really: &mut dyn FnMut(&RequestRecord) -> bool,
    found: &mut Vec<Known>,
) -> rusqlite::Result<()> {
    let mut rows = connection.prepare_cached(
        "SELECT r.id, r.sightings FROM ident i JOIN request r ON r.id = i.request WHERE i.key = ? \
         ORDER BY r.id DESC LIMIT ?",
    )?;
    let mut matches = rows.query((row::hash(text), KIN_MAX))?;
    while let Some(matched) = matches.next()? {
        let id = matched.get(0)?;
        if found.iter().any(|known| known.id == id) {
            continue;
        }
        let json: String = matched.get(1)?;
        let sightings = row::sightings(&json);
        if sightings.iter().any(&mut *really) && sightings.iter().all(|other| joins(other, one)) {
            found.push(Known { id, sightings });
        }
    }
    Ok(())
}

/// Whether this sighting is of a request here.
pub(super) fn knows(connection: &Connection, one: &RequestRecord) -> rusqlite::Result<bool> {
    Ok(!known(connection, one)?.is_empty())
}

/// Add a sighting to its request, or a new request.
pub(super) fn put(
    connection: &Connection,
    one: RequestRecord,
    deltas: &mut Deltas,
) -> rusqlite::Result<Put> {
    let mut found = known(connection, &one)?.into_iter();
    let Some(first) = found.next() else {
        let id = row::write(connection, None, &one, std::slice::from_ref(&one))?;
        identify(connection, id, &one)?;
        deltas.add(&one, 1);
        return Ok(Put::New(id));
    };
    let before = merge(&first.sightings);
    let mut sightings = first.sightings;
    // The new sighting may be what two rows had in common.
    for other in found {
        let apart = |a: &RequestRecord| other.sightings.iter().any(|b| !joins(a, b));
        if sightings.iter().any(apart) {
            continue;
        }
        if let Some(merged) = merge(&other.sightings) {
            deltas.add(&merged, -1);
        }
        connection.execute("DELETE FROM request WHERE id = ?", [other.id])?;
        connection.execute(
            "UPDATE OR IGNORE ident SET request = ? WHERE request = ? AND key IN (SELECT value \
             FROM json_each(?))",
            params![first.id, other.id, keys_json(&other.sightings)],
        )?;
        sightings.extend(other.sightings);
    }
    if !sightings.contains(&one) && sightings.len() < SIGHTINGS_MAX {
        identify(connection, first.id, &one)?;
        sightings.push(one);
    }
    if let (Some(before), Some(after)) = (before, merge(&sightings)) {
        deltas.add(&before, -1);
        deltas.add(&after, 1);
        row::write(connection, Some(first.id), &after, &sightings)?;
    }
    Ok(Put::Joined(first.id))
}

fn keys_json(sightings: &[RequestRecord]) -> String {
    let keys: Vec<i64> =
        sightings.iter().flat_map(row::idents).map(|text| row::hash(&text)).collect();
    serde_json::to_string(&keys).unwrap_or_default()
}

fn identify(connection: &Connection, id: i64, one: &RequestRecord) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO ident(key, request) VALUES(?, ?)")?;
    for text in row::idents(one) {
        insert.execute([row::hash(&text), id])?;
    }
    Ok(())
}

/// Store a span; the same one again replaces it. Whether it is new.
pub(super) fn put_span(connection: &Connection, span: &SpanRecord) -> rusqlite::Result<bool> {
    let known: Option<i64> = connection
        .prepare_cached("SELECT 1 FROM span WHERE trace_id = ? AND span_id = ?")?
        .query_row([&span.trace_id, &span.span_id], |row| row.get(0))
        .optional()?;
    connection.prepare_cached("INSERT OR REPLACE INTO span VALUES(?,?,?,?,?,?,?,?,?)")?.execute(
        params![
            span.trace_id,
            span.span_id,
            span.parent_span_id,
            span.name,
            span.service,
            span.start_us,
            span.end_us,
            span.failed,
            span.attributes,
        ],
    )?;
    Ok(known.is_none())
}

impl Deltas {
    /// Count a merged request in its hour.
    pub(super) fn add(&mut self, merged: &RequestRecord, times: i64) {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let key = (
            hour_of_us(merged.start_us),
            text(merged.tenant.as_deref()),
            text(merged.team.as_deref()),
            text(merged.app.as_deref()),
            text(merged.model()),
        );
        let sums: &mut FxHashMap<_, strata_model::record::Totals> = &mut self.0;
        sums.entry(key).or_default().add(merged, times);
    }
}
