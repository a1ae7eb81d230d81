//! A request as a row, and back.

use rusqlite::{Connection, Row, params_from_iter, types::Value};
use strata_model::record::{Door, Field, JoinKey, Outcome, RequestRecord, StoredRequest, merge};
use xxhash_rust::xxh3::xxh3_64;

use crate::metrics::day::calendar::digits;

/// Columns of `request` besides the id, in the order of [`values`].
const COLUMNS: [&str; 35] = [
    "start_us",
    "duration_us",
    "ttft_us",
    "first_visible_us",
    "queue_us",
    "prefill_us",
    "decode_us",
    "tenant",
    "team",
    "app",
    "session",
    "model",
    "model_requested",
    "provider",
    "replica",
    "route",
    "operation",
    "trace_id",
    "span_id",
    "response_id",
    "request_id",
    "conversation_id",
    "outcome",
    "error_code",
    "finish_reason",
    "streamed",
    "fresh_input",
    "cache_read",
    "cache_write",
    "output_text",
    "reasoning",
    "audio",
    "image",
    "count_source",
    "sightings",
];

/// The column of a field.
pub(super) fn column(field: Field) -> &'static str {
    field.name()
}

/// Number of a request within the whole store.
pub(super) fn uid(day: i64, id: i64) -> String {
    format!("{}-{id}", digits(day))
}

/// Write a request under `id`, or a new one.
pub(super) fn write(
    connection: &Connection,
    id: Option<i64>,
    merged: &RequestRecord,
    sightings: &[RequestRecord],
) -> rusqlite::Result<i64> {
    let marks = vec!["?"; COLUMNS.len() + 1].join(",");
    let sql = format!("INSERT OR REPLACE INTO request(id,{}) VALUES({marks})", COLUMNS.join(","));
    let id = id.map_or(Value::Null, Value::Integer);
    let all = std::iter::once(id).chain(values(merged, sightings));
    connection.prepare_cached(&sql)?.execute(params_from_iter(all))?;
    Ok(connection.last_insert_rowid())
}

fn values(one: &RequestRecord, sightings: &[RequestRecord]) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let integer = |value: Option<i64>| value.map_or(Value::Null, Value::Integer);
    let mut values = vec![Value::Integer(one.start_us)];
    let times = [one.duration_us(), one.ttft_us, one.first_visible_us, one.queue_us];
    values.extend(times.into_iter().chain([one.prefill_us, one.decode_us]).map(integer));
    let model = one.model().map(str::to_owned);
    let texts = [
        &one.tenant,
        &one.team,
        &one.app,
        &one.session,
        &model,
        &one.model_requested,
        &one.provider,
        &one.replica,
        &one.route,
        &one.operation,
        &one.trace_id,
        &one.span_id,
        &one.response_id,
        &one.request_id,
        &one.conversation_id,
    ];
    values.extend(texts.into_iter().map(text));
    let outcome = one.outcome.as_ref();
    values.push(text(&outcome.map(|outcome| outcome.kind().to_owned())));
    values.push(text(&outcome.and_then(Outcome::code).map(str::to_owned)));
    values.push(text(&one.finish_reason));
    values.push(integer(one.streamed.map(i64::from)));
    let count = |n: Option<u64>| integer(n.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
    values.extend(one.tokens.values().map(count));
    values.push(Value::Text(one.count_source.name().to_owned()));
    // Numbers and text of our own types always have a JSON form.
    values.push(Value::Text(serde_json::to_string(sightings).unwrap_or_default()));
    values
}

/// Sightings of a request; none when they cannot be read.
pub(super) fn sightings(text: &str) -> Vec<RequestRecord> {
    serde_json::from_str(text).unwrap_or_default()
}

/// A request from a row of `id, sightings`.
pub(super) fn stored(day: i64, row: &Row<'_>) -> rusqlite::Result<Option<StoredRequest>> {
    let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
    let sightings = sightings(&text);
    let mut doors: Vec<_> = sightings.iter().map(|one| one.door).collect();
    doors.sort_unstable();
    doors.dedup();
    let doors = doors.into_iter().map(Door::name).collect();
    Ok(merge(&sightings).map(|record| StoredRequest { uid: uid(day, id), doors, record }))
}

/// The hash under which an id is found.
pub(super) fn hash(text: &str) -> i64 {
    xxh3_64(text.as_bytes()) as i64
}

/// Texts of everything by which a sighting is found: its own keys, what is above it, its trace and
/// its conversation.
pub(super) fn idents(one: &RequestRecord) -> Vec<String> {
    let mut texts: Vec<String> = one.keys().iter().map(JoinKey::text).collect();
    texts.extend(one.parent_key().map(|key| format!("p{}", key.text())));
    // Some name a span without its trace.
    texts.extend(one.span_id.as_ref().map(|id| format!("n{id}")));
    texts.extend(one.trace_id.as_ref().map(|id| format!("t{id}")));
    texts.extend(one.conversation_id.as_ref().map(|id| format!("c{id}")));
    texts
}

/// The text under which those are found that hang below the same span; `None` where nothing is above.
///
/// A client's span, or that of a proxy that has one, is itself named by what is below it.
pub(super) fn beside(one: &RequestRecord) -> Option<String> {
    let asks = match one.door {
        Door::Proxy => one.span_id.is_none(),
        Door::Engine => true,
        Door::Client => false,
    };
    let above = if asks { one.parent_key() } else { None };
    above.map(|key| format!("p{}", key.text()))
}

/// Texts under which another sighting of the same request may be found.
pub(super) fn kin(one: &RequestRecord) -> Vec<String> {
    let own = one.keys();
    let children = own.iter().filter(|key| matches!(key, JoinKey::Span(_)));
    let children: Vec<_> = children.map(|key| format!("p{}", key.text())).collect();
    let parent = one.parent_key().map(|key| key.text());
    own.iter().map(JoinKey::text).chain(children).chain(parent).collect()
}
