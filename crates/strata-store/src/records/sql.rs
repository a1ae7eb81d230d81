//! Read-only questions in SQL, within bounds of time, rows, bytes and files.
//!
//! The files of the days are attached read-only to a database of its own, and seen through views
//! named `request`, `span`, `feedback` and `rollup`. Only reading is authorized.

use std::ops::Range;
use std::sync::Arc;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use strata_model::record::{RECORD_TABLES, RecordError, SQL_DAYS_MAX, SqlAnswer, SqlValue};

use super::files::Files;

/// Steps of SQLite's machine between two looks at the clock: about a millisecond.
const STEPS: i32 = 10_000;
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Bytes of one value or statement.
const VALUE_BYTES_MAX: i32 = 1 << 20;

/// Answer a question over the days that overlap a time.
pub(super) fn answer(
    files: &Files,
    text: &str,
    range_us: &Range<i64>,
) -> Result<SqlAnswer, RecordError> {
    let days = files.overlapping(range_us);
    if days.is_empty() {
        return Err(RecordError::BadQuery("there are no records of this time".to_owned()));
    }
    if days.len() > SQL_DAYS_MAX {
        let message = format!("{} days have records, SQL reads {SQL_DAYS_MAX} at once", days.len());
        return Err(RecordError::BadQuery(message));
    }
    let storage = |error: rusqlite::Error| RecordError::Storage(error.to_string());
    let mut connection = open(files, &days).map_err(storage)?;
    let clock = Arc::clone(&files.clock);
    let limit = files.settings.sql_timeout;
    let end = clock.monotonic() + limit;
    connection.progress_handler(STEPS, Some(move || clock.monotonic() > end)).map_err(storage)?;
    connection.authorizer(Some(authorize)).map_err(storage)?;
    run(&connection, text, files.settings.sql_rows_max).map_err(|error| {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => {
                RecordError::Timeout { seconds: limit.as_secs().max(1) }
            }
            _ => RecordError::BadQuery(error.to_string()),
        }
    })
}

fn open(files: &Files, days: &[i64]) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(":memory:", flags)?;
    for (index, day) in days.iter().enumerate() {
        let path = files.path(*day).to_string_lossy().into_owned();
        let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        connection.execute(&format!("ATTACH ? AS d{index}"), [format!("file:{path}?mode=ro")])?;
    }
    for table in RECORD_TABLES.map(|table| table.name) {
        let parts: Vec<String> =
            (0..days.len()).map(|index| format!("SELECT * FROM d{index}.{table}")).collect();
        connection
            .execute_batch(&format!("CREATE TEMP VIEW {table} AS {}", parts.join(" UNION ALL ")))?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, VALUE_BYTES_MAX)?;
    Ok(connection)
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        // Extensions are not loaded here, but the name need not be there either.
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn run(connection: &Connection, text: &str, rows_max: usize) -> rusqlite::Result<SqlAnswer> {
    let mut statement = connection.prepare(text)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = SqlAnswer { columns, ..SqlAnswer::default() };
    let mut bytes = 0;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if answer.rows.len() >= rows_max || bytes > ANSWER_BYTES_MAX {
            answer.cut = true;
            break;
        }
        let mut values = Vec::with_capacity(answer.columns.len());
        for column in 0..answer.columns.len() {
            let value = match row.get_ref(column)? {
                ValueRef::Null => SqlValue::Null,
                ValueRef::Integer(n) => SqlValue::Integer(n),
                ValueRef::Real(n) => SqlValue::Real(n),
                ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(blob) => SqlValue::Text(format!("({} bytes)", blob.len())),
            };
            bytes += size_of::<SqlValue>();
            if let SqlValue::Text(text) = &value {
                bytes += text.len();
            }
            values.push(value);
        }
        answer.rows.push(values);
    }
    Ok(answer)
}
