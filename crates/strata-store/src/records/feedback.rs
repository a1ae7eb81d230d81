//! Judgements, joined to requests whichever comes first.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, Row, params};
use rustc_hash::FxHashMap;
use strata_model::record::{
    Feedback, FeedbackSource, FeedbackTarget, RecordError, RequestRecord, StoredFeedback,
};

use super::error::RecordStoreError;
use super::files::Files;
use super::row;

/// Judgements that wait for their request and are looked for when one comes. Beyond it they are
/// kept and joined no more.
const OPEN_MAX: usize = 100_000;

/// Judgements without a request: the days of their files, by the hash of their target.
#[derive(Debug, Default)]
pub(super) struct Open(FxHashMap<i64, Vec<i64>>);

/// The request that a judgement is about, as far as groups of answers need it.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) uid: String,
    model: Option<String>,
    team: Option<String>,
    app: Option<String>,
    tenant: Option<String>,
}

impl Open {
    /// Of all files.
    pub(super) fn load(files: &Files) -> Result<Self, RecordStoreError> {
        let mut open = Self::default();
        for day in files.days(&(0..i64::MAX)) {
            let keys: Vec<i64> = files.read(day, |connection| {
                let mut rows = connection.prepare(&format!(
                    "SELECT key FROM feedback WHERE request IS NULL LIMIT {OPEN_MAX}"
                ))?;
                rows.query_map([], |row| row.get(0))?.collect()
            })?;
            for key in keys {
                open.add(key, day);
            }
        }
        Ok(open)
    }

    fn add(&mut self, key: i64, day: i64) {
        if self.0.len() < OPEN_MAX || self.0.contains_key(&key) {
            let days = self.0.entry(key).or_default();
            if !days.contains(&day) {
                days.push(day);
            }
        }
    }

    /// Days with judgements that wait for this request, with their hashes.
    pub(super) fn waiting(&self, one: &RequestRecord) -> Vec<(i64, i64)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let keys = row::idents(one).into_iter().map(|text| row::hash(&text));
        let days = keys.filter_map(|key| self.0.get(&key).map(|days| (key, days)));
        days.flat_map(|(key, days)| days.iter().map(move |day| (*day, key))).collect()
    }

    /// They wait no more.
    pub(super) fn joined(&mut self, key: i64, day: i64) {
        if let Some(days) = self.0.get_mut(&key) {
            days.retain(|one| *one != day);
            if days.is_empty() {
                self.0.remove(&key);
            }
        }
    }
}

/// The text under which the request is found; the most exact id that was given.
pub(super) fn key_of(target: &FeedbackTarget) -> Option<String> {
    if let Some(id) = &target.request_id {
        return Some(format!("q{id}"));
    }
    if let Some(id) = &target.response_id {
        return Some(format!("r{id}"));
    }
    match (&target.trace_id, &target.span_id) {
        (Some(trace), Some(span)) => return Some(format!("s{trace}{span}")),
        (Some(trace), None) => return Some(format!("t{trace}")),
        (None, Some(span)) => return Some(format!("n{span}")),
        (None, None) => {}
    }
    target.conversation_id.as_ref().map(|id| format!("c{id}"))
}

/// The latest request under this hash in the file of a day.
pub(super) fn about(
    connection: &Connection,
    day: i64,
    key: i64,
) -> rusqlite::Result<Option<About>> {
    let sql = "SELECT r.id, r.model, r.team, r.app, r.tenant FROM ident i \
               JOIN request r ON r.id = i.request WHERE i.key = ? ORDER BY r.start_us DESC LIMIT 1";
    let read = |row: &Row<'_>| {
        Ok(About {
            uid: row::uid(day, row.get(0)?),
            model: row.get(1)?,
            team: row.get(2)?,
            app: row.get(3)?,
            tenant: row.get(4)?,
        })
    };
    connection.prepare_cached(sql)?.query_row([key], read).optional()
}

/// The request that a judgement is about, in the file of a day.
pub(super) fn about_target(
    connection: &Connection,
    day: i64,
    one: &Feedback,
) -> rusqlite::Result<Option<About>> {
    let Some(text) = key_of(&one.target) else { return Ok(None) };
    about(connection, day, row::hash(&text))
}

/// Store a judgement. Whether it is new.
pub(super) fn put(
    connection: &Connection,
    day: i64,
    one: &Feedback,
    about: Option<&About>,
    open: &mut Open,
) -> rusqlite::Result<bool> {
    let key = row::hash(&key_of(&one.target).unwrap_or_default());
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM feedback WHERE idempotency_key = ?")?
        .query_row([&one.idempotency_key], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO feedback(id, at_us, name, value, label, comment, source, \
             idempotency_key, key, target, request, model, team, app, tenant) \
             VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        )?
        .execute(params![
            known,
            one.at_us,
            one.name,
            one.value,
            one.label,
            one.comment,
            one.source.name(),
            one.idempotency_key,
            key,
            serde_json::to_string(&one.target).unwrap_or_default(),
            about.map(|about| &about.uid),
            about.and_then(|about| about.model.as_ref()),
            about.and_then(|about| about.team.as_ref()),
            about.and_then(|about| about.app.as_ref()),
            about.and_then(|about| about.tenant.as_ref()),
        ])?;
    if about.is_none() {
        open.add(key, day);
    }
    Ok(known.is_none())
}

/// Tell waiting judgements of a file what they are about.
pub(super) fn join(connection: &Connection, key: i64, about: &About) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE feedback SET request = ?, model = ?, team = ?, app = ?, tenant = ? \
             WHERE request IS NULL AND key = ?",
        )?
        .execute(params![about.uid, about.model, about.team, about.app, about.tenant, key])
}

/// Judgements given within a time, newest first.
pub(super) fn read(
    files: &Files,
    range_us: &Range<i64>,
    limit: usize,
) -> Result<Vec<StoredFeedback>, RecordError> {
    let mut found = Vec::new();
    for day in files.days(range_us) {
        let left = limit.saturating_sub(found.len());
        let more: Vec<StoredFeedback> = files.read(day, |connection| {
            let mut rows = connection.prepare_cached(
                "SELECT at_us, target, name, value, label, comment, source, idempotency_key, \
                 request FROM feedback WHERE at_us >= ? AND at_us < ? ORDER BY at_us DESC LIMIT ?",
            )?;
            let left = i64::try_from(left).unwrap_or(i64::MAX);
            rows.query_map(params![range_us.start, range_us.end, left], one)?.collect()
        })?;
        found.extend(more);
    }
    Ok(found)
}

fn one(row: &Row<'_>) -> rusqlite::Result<StoredFeedback> {
    let (target, source): (String, String) = (row.get(1)?, row.get(6)?);
    let feedback = Feedback {
        at_us: row.get(0)?,
        target: serde_json::from_str(&target).unwrap_or_default(),
        name: row.get(2)?,
        value: row.get(3)?,
        label: row.get(4)?,
        comment: row.get(5)?,
        source: FeedbackSource::from_name(&source).unwrap_or(FeedbackSource::Human),
        idempotency_key: row.get(7)?,
    };
    Ok(StoredFeedback { feedback, request: row.get(8)? })
}
