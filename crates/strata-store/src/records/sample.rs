//! Many requests as numbers, and what lies around a single one.

use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use strata_model::record::{
    FeedbackSource, Filter, Judgement, RecordError, RequestSample, RequestSightings, SampleQuery,
    Samples, TokenBuckets,
};

use super::files::Files;
use super::{read, row};
use crate::metrics::day::calendar::from_digits;

/// A request that began longer ago is not looked for among those under way: engines end them.
const LONGEST_US: i64 = 3_600_000_000;

/// Columns of a sample, in the order of [`sample`].
const COLUMNS: &str = "start_us, duration_us, ttft_us, queue_us, prefill_us, decode_us, \
    fresh_input, cache_read, cache_write, output_text, reasoning, audio, image, outcome, \
    conversation_id";

/// One request by its number.
pub(super) fn request(files: &Files, uid: &str) -> Result<Option<RequestSightings>, RecordError> {
    let parts = uid.split_once('-');
    let number = parts.and_then(|(day, id)| Some((from_digits(day)?, id.parse::<i64>().ok()?)));
    let Some((day, id)) = number else {
        let message = format!("{uid:?} is no number of a request, as 20261122-5 is");
        return Err(RecordError::BadQuery(message));
    };
    if !files.has(day) {
        return Ok(None);
    }
    let found = files.read(day, |connection| {
        let sql = "SELECT id, sightings FROM request WHERE id = ?";
        let read = |found: &Row<'_>| {
            let text: String = found.get(1)?;
            let stored = row::stored(day, found)?;
            let sightings = row::sightings(&text);
            Ok(stored.map(|stored| RequestSightings { stored, sightings }))
        };
        connection.prepare_cached(sql)?.query_row([id], read).optional()
    })?;
    Ok(found.flatten())
}

/// Requests that a replica had under way at some time within a range.
pub(super) fn under_way(
    files: &Files,
    replica: &str,
    range_us: &Range<i64>,
) -> Result<u64, RecordError> {
    let earliest = range_us.start.saturating_sub(LONGEST_US);
    let mut all = 0;
    for day in files.days(&(earliest..range_us.end)) {
        all += files.read(day, |connection| {
            let sql = "SELECT count(*) FROM request WHERE start_us >= ? AND start_us < ? \
                       AND start_us + duration_us > ? AND replica = ?";
            let values = params![earliest, range_us.end, range_us.start, replica];
            let count: i64 = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or_default())
        })?;
    }
    Ok(all)
}

/// The numbers of many requests.
pub(super) fn samples(files: &Files, query: &SampleQuery) -> Result<Samples, RecordError> {
    let (conditions, values) = conditions(query);
    let days = files.days(&query.range_us);
    let mut matching = 0_u64;
    for day in &days {
        let sql = format!("SELECT count(*) FROM request WHERE {conditions}");
        matching += files.read(*day, |connection| {
            let mut counted = connection.prepare_cached(&sql)?;
            let count: i64 =
                counted.query_row(params_from_iter(values.iter()), |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or_default())
        })?;
    }
    // By a hash of the number (Knuth's multiplicative one): models that are asked in turn have every
    // second number each, and every so many-th would be of one of them.
    let one_in = matching.div_ceil(query.most.max(1) as u64).max(1);
    let group = query.by.map_or("NULL", row::column);
    let sql = format!(
        "SELECT {COLUMNS}, {group} FROM request WHERE {conditions} AND {HASH} % {one_in} = 0"
    );
    let mut rows = Vec::new();
    for day in days {
        let more: Vec<RequestSample> = files.read(day, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(values.iter()), sample)?.collect()
        })?;
        rows.extend(more);
    }
    Ok(Samples { rows, matching, one_in })
}

/// Twenty bits of a request's number that have nothing to do with its last ones.
const HASH: &str = "(((id * 2654435761) & 4294967295) >> 12)";

fn conditions(query: &SampleQuery) -> (String, Vec<Value>) {
    let mut conditions = vec!["start_us >= ?".to_owned(), "start_us < ?".to_owned()];
    let mut values = vec![Value::Integer(query.range_us.start), Value::Integer(query.range_us.end)];
    for (condition, more) in query.filters.iter().map(|filter: &Filter| read::condition(filter)) {
        conditions.push(condition);
        values.extend(more);
    }
    (conditions.join(" AND "), values)
}

fn sample(row: &Row<'_>) -> rusqlite::Result<RequestSample> {
    let count = |at: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(at)?.and_then(|count| u64::try_from(count).ok()))
    };
    // As everywhere: an end before the start is no duration.
    let took = |at: usize| -> rusqlite::Result<Option<i64>> {
        Ok(row.get::<_, Option<i64>>(at)?.filter(|took| *took >= 0))
    };
    Ok(RequestSample {
        start_us: row.get(0)?,
        duration_us: took(1)?,
        ttft_us: took(2)?,
        queue_us: took(3)?,
        prefill_us: took(4)?,
        decode_us: took(5)?,
        tokens: TokenBuckets {
            fresh_input: count(6)?,
            cache_read: count(7)?,
            cache_write: count(8)?,
            output_text: count(9)?,
            reasoning: count(10)?,
            audio: count(11)?,
            image: count(12)?,
        },
        outcome: row.get(13)?,
        conversation: row.get(14)?,
        group: row.get(15)?,
    })
}

/// Judgements given within a time on requests of a model, the latest first.
pub(super) fn judgements(
    files: &Files,
    model: &str,
    range_us: &Range<i64>,
    limit: usize,
) -> Result<Vec<Judgement>, RecordError> {
    let mut found = Vec::new();
    for day in files.days(range_us) {
        let left = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let values = params![range_us.start, range_us.end, model, left];
        let read = |connection: &Connection| {
            let sql = "SELECT at_us, name, value, label, source, request FROM feedback \
                       WHERE at_us >= ? AND at_us < ? AND model = ? AND request IS NOT NULL \
                       ORDER BY at_us DESC LIMIT ?";
            connection.prepare_cached(sql)?.query_map(values, judgement)?.collect()
        };
        let more: Vec<Judgement> = files.read(day, read)?;
        found.extend(more);
    }
    Ok(found)
}

fn judgement(row: &Row<'_>) -> rusqlite::Result<Judgement> {
    let source: String = row.get(4)?;
    Ok(Judgement {
        at_us: row.get(0)?,
        name: row.get(1)?,
        value: row.get(2)?,
        label: row.get(3)?,
        source: FeedbackSource::from_name(&source).unwrap_or(FeedbackSource::Human),
        request: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use strata_model::record::{Door, FeedbackTarget, Field, RecordSource, RequestRecord};

    use super::super::tests::{Bench, DAY, NOW_US, SECOND, judged, seen};
    use super::*;

    /// 400 requests over two days, one in four to the model `small`.
    fn filled() -> Bench {
        let bench = Bench::new();
        let one = |n: i64| -> RequestRecord {
            let mut one = seen(Door::Engine, &format!("s{n}"), None, SECOND);
            one.start_us = NOW_US - n * 400 * SECOND;
            one.end_us = Some(one.start_us + (n + 1) * SECOND);
            one.model_served = Some(if n % 4 == 0 { "small" } else { "big" }.to_owned());
            one.app = (n % 8 == 0).then(|| "chat".to_owned());
            one.response_id = Some(format!("r{n}"));
            one.replica = Some("10.0.0.1:8000".to_owned());
            one.tokens.fresh_input = Some(n as u64);
            one
        };
        bench.requests((0..400).map(one).collect());
        bench
    }

    fn ask(bench: &Bench, model: &str, most: usize) -> Samples {
        let filters = vec![Filter::parse(&format!("model={model}")).unwrap()];
        let range_us = NOW_US - 3 * DAY..NOW_US + DAY;
        let query = SampleQuery { range_us, filters, by: Some(Field::App), most };
        bench.store.samples(&query).unwrap()
    }

    #[test]
    fn samples_are_the_numbers_of_the_requests() {
        let bench = filled();
        let all = ask(&bench, "small", 1_000);
        assert_eq!((all.matching, all.one_in, all.rows.len()), (100, 1, 100));
        let chat = all.rows.iter().filter(|one| one.group.as_deref() == Some("chat"));
        assert_eq!(chat.count(), 50);
        let mut inputs: Vec<_> = all.rows.iter().filter_map(RequestSample::input).collect();
        inputs.sort_unstable();
        assert_eq!(inputs, (0..100).map(|n| n * 4).collect::<Vec<u64>>());
        assert!(all.rows.iter().all(|one| one.ttft_us.is_none() && one.duration_us.is_some()));
    }

    #[test]
    fn of_too_many_requests_every_so_many_th_is_taken_over_all_days() {
        let bench = filled();
        let some = ask(&bench, "big", 100);
        assert_eq!((some.matching, some.one_in), (300, 3));
        assert!((90..=110).contains(&some.rows.len()), "{}", some.rows.len());
        let old = some.rows.iter().filter(|one| one.start_us < NOW_US - DAY).count();
        assert!((40..=60).contains(&old), "{old} of the day before");
        // Every fourth request is to this model: every fourth number would be all of them or none.
        let some = ask(&bench, "small", 25);
        assert_eq!((some.matching, some.one_in), (100, 4));
        assert!((12..=40).contains(&some.rows.len()), "{}", some.rows.len());
    }

    #[test]
    fn judgements_are_found_by_the_model_of_their_request() {
        let bench = filled();
        for n in 0..8 {
            let response_id = Some(format!("r{n}"));
            bench.put(judged(FeedbackTarget { response_id, ..FeedbackTarget::default() }, None));
        }
        let unknown = FeedbackTarget { response_id: Some("x".into()), ..FeedbackTarget::default() };
        bench.put(judged(unknown, None));
        let range = NOW_US - DAY..NOW_US + DAY;
        let count =
            |model: &str, limit| bench.store.judgements(model, range.clone(), limit).unwrap().len();
        assert_eq!((count("big", 10), count("small", 10), count("other", 10)), (6, 2, 0));
        assert_eq!(count("big", 4), 4);
    }

    #[test]
    fn one_request_comes_with_every_sighting() {
        let bench = Bench::new();
        let client = seen(Door::Client, "a", None, 2 * SECOND);
        let engine = seen(Door::Engine, "b", Some("a"), SECOND);
        bench.requests(vec![client.clone(), engine.clone()]);
        let found = bench.store.request("20261126-1").unwrap().unwrap();
        assert_eq!(found.sightings, [client, engine]);
        assert_eq!(found.stored.doors, ["client", "engine"]);
        assert_eq!(bench.store.request("20261126-2"), Ok(None));
        assert_eq!(bench.store.request("20200101-1"), Ok(None));
        for bad in ["", "7", "20261126-x", "2026-11-26", "20261126-1; DROP TABLE request"] {
            let refused = bench.store.request(bad);
            assert!(matches!(refused, Err(RecordError::BadQuery(_))), "{bad:?}");
        }
    }

    #[test]
    fn requests_under_way_are_those_whose_time_overlaps() {
        let bench = filled();
        // Number 200 began 80,000 s ago and took 201 s; its neighbors began 400 s apart.
        let start = NOW_US - 200 * 400 * SECOND;
        let count = |replica: &str, range| bench.store.under_way(replica, range).unwrap();
        assert_eq!(count("10.0.0.1:8000", start..start + 201 * SECOND), 1);
        assert_eq!(count("10.0.0.1:8000", start..start + 401 * SECOND), 2);
        assert_eq!(count("10.0.0.1:8000", start + 300 * SECOND..start + 301 * SECOND), 0);
        assert_eq!(count("10.0.0.2:8000", start..start + SECOND), 0);
    }
}
