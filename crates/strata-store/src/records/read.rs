//! Typed questions about single requests, turned into SQL.

use rusqlite::{params_from_iter, types::Value};
use strata_model::record::{
    Compare, Field, Filter, Order, RecordError, RecordQuery, SqlValue, StoredRequest,
};

use super::files::Files;
use super::row;

/// Requests of one answer.
const LIMIT_MAX: usize = 10_000;

/// Requests of a time that meet all conditions, in order.
pub(super) fn requests(
    files: &Files,
    query: &RecordQuery,
) -> Result<Vec<StoredRequest>, RecordError> {
    let limit = query.limit.min(LIMIT_MAX);
    let (sql, values) = compile(query, limit);
    let mut found: Vec<StoredRequest> = Vec::new();
    for day in files.days(&query.range_us) {
        // Days come newest first, so a full answer by time is final.
        if query.order == Order::Newest && found.len() >= limit {
            break;
        }
        found.extend(files.read(day, |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values.iter()))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.extend(row::stored(day, row)?);
            }
            Ok(found)
        })?);
    }
    found.sort_by_key(|one| std::cmp::Reverse(rank(query.order, one)));
    found.truncate(limit);
    Ok(found)
}

fn rank(order: Order, one: &StoredRequest) -> i64 {
    let value = match order {
        Order::Slowest => one.record.duration_us(),
        Order::SlowestFirstToken => one.record.ttft_us,
        Order::Newest => Some(one.record.start_us),
    };
    value.unwrap_or(-1)
}

/// The statement and its values. Names come from our own lists, values are bound.
fn compile(query: &RecordQuery, limit: usize) -> (String, Vec<Value>) {
    let mut conditions = vec!["start_us >= ?".to_owned(), "start_us < ?".to_owned()];
    let mut values = vec![Value::Integer(query.range_us.start), Value::Integer(query.range_us.end)];
    for filter in &query.filters {
        let (condition, more) = condition(filter);
        conditions.push(condition);
        values.extend(more);
    }
    let order = match query.order {
        Order::Slowest => "duration_us",
        Order::SlowestFirstToken => "ttft_us",
        Order::Newest => "start_us",
    };
    conditions.push(format!("{order} IS NOT NULL"));
    let sql = format!(
        "SELECT id, sightings FROM request WHERE {} ORDER BY {order} DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    (sql, values)
}

/// One condition. Ids go through the index of hashes.
pub(super) fn condition(filter: &Filter) -> (String, Vec<Value>) {
    let value = match &filter.value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(n) => Value::Integer(*n),
        SqlValue::Real(n) => Value::Real(*n),
        SqlValue::Text(text) => Value::Text(text.clone()),
    };
    let kind = match filter.field {
        Field::TraceId => Some('t'),
        Field::ResponseId => Some('r'),
        Field::RequestId => Some('q'),
        Field::ConversationId => Some('c'),
        _ => None,
    };
    let column = row::column(filter.field);
    if let (Some(kind), Compare::Equal, SqlValue::Text(id)) = (kind, filter.compare, &filter.value)
    {
        let key = row::hash(&format!("{kind}{id}"));
        let sql = "id IN (SELECT request FROM ident WHERE key = ?)".to_owned();
        return (sql, vec![Value::Integer(key)]);
    }
    let sign = match filter.compare {
        Compare::Equal => "=",
        Compare::NotEqual => "<>",
        Compare::AtLeast => ">=",
        Compare::AtMost => "<=",
    };
    (format!("{column} {sign} ?"), vec![value])
}
