//! Checking records from outside, whether a process has them open or not.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use strata_model::record::RequestRecord;

use super::backup::day_files;
use super::error::RecordStoreError;
use super::files::{FORMAT, open_reader};

/// Findings of one file that are told.
const FINDINGS_MAX: usize = 10;

/// What a check of every file found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordsReport {
    /// Files that were read.
    pub files: u64,
    pub requests: u64,
    pub spans: u64,
    pub feedback: u64,
    /// What is damaged: file and finding.
    pub damage: Vec<(PathBuf, String)>,
}

pub(super) fn verify(dir: &Path) -> Result<RecordsReport, RecordStoreError> {
    let mut report = RecordsReport::default();
    for path in day_files(dir)? {
        report.files += 1;
        match open_reader(&path).and_then(|connection| check(&connection, &mut report)) {
            Ok(found) => report.damage.extend(found.into_iter().map(|what| (path.clone(), what))),
            // Its time was over while the others were checked.
            Err(_) if !path.exists() => report.files -= 1,
            Err(error) => report.damage.push((path, error.to_string())),
        }
    }
    Ok(report)
}

/// What is wrong with one file. The pages first: what is read of a file whose pages are damaged is
/// worth nothing.
fn check(connection: &Connection, report: &mut RecordsReport) -> rusqlite::Result<Vec<String>> {
    // All of it is seen at one moment: the program may be writing.
    let snapshot = connection.unchecked_transaction()?;
    let connection: &Connection = &snapshot;
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format > FORMAT {
        let words =
            format!("written by a newer version (format {format}, this one knows {FORMAT})");
        return Ok(vec![words]);
    }
    let mut pages = connection.prepare(&format!("PRAGMA integrity_check({FINDINGS_MAX})"))?;
    let pages: Vec<String> =
        pages.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut damage: Vec<String> = pages.into_iter().filter(|words| words != "ok").collect();
    if !damage.is_empty() {
        return Ok(damage);
    }
    let count = |table: &str| -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    let requests = count("request")?;
    report.requests += requests;
    report.spans += count("span")?;
    report.feedback += count("feedback")?;
    damage.extend(unreadable(connection)?);
    // Of the whole day's sums (a negative hour) requests from beyond midnight are left out.
    let sql = "SELECT coalesce(sum(requests), 0) FROM rollup WHERE hour >= 0";
    let summed: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    if u64::try_from(summed) != Ok(requests) {
        damage.push(format!("the sums count {summed} requests, and there are {requests}"));
    }
    Ok(damage)
}

/// Requests whose sightings cannot be read back.
fn unreadable(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT id, sightings FROM request")?;
    let mut rows = statement.query([])?;
    let (mut count, mut first) = (0_u64, None);
    while let Some(row) = rows.next()? {
        let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
        let sightings = serde_json::from_str::<Vec<RequestRecord>>(&text);
        if sightings.is_ok_and(|all| !all.is_empty()) {
            continue;
        }
        count += 1;
        first.get_or_insert(id);
    }
    Ok(first.map(|id| format!("{count} requests cannot be read back, number {id} among them")))
}

#[cfg(test)]
mod tests {
    use strata_model::record::Door;

    use super::super::RecordStore;
    use super::super::tests::{Bench, DAY, NOW_US, SECOND, seen};
    use super::*;

    /// Three requests over two days, one of them seen twice.
    fn filled() -> Bench {
        let bench = Bench::new();
        let mut old = seen(Door::Client, "old", None, SECOND);
        old.start_us = NOW_US - DAY;
        old.end_us = Some(old.start_us + SECOND);
        let client = seen(Door::Client, "a", None, 2 * SECOND);
        let engine = seen(Door::Engine, "b", Some("a"), SECOND);
        bench.requests(vec![old, client, engine, seen(Door::Client, "c", None, SECOND)]);
        bench
    }

    #[test]
    fn a_running_store_is_sound_and_so_is_its_backup() {
        let bench = filled();
        let report = RecordStore::verify(bench.dir()).unwrap();
        assert_eq!((report.files, report.requests, report.damage.len()), (2, 3, 0), "{report:?}");
        let place = tempfile::tempdir().unwrap();
        let copy = place.path().join("copy");
        RecordStore::backup_of(bench.dir(), &copy).unwrap();
        assert_eq!(RecordStore::verify(&copy).unwrap(), report);
        assert!(RecordStore::backup_of(bench.dir(), &copy).is_err(), "nothing is written over");
        assert!(
            RecordStore::backup_of(&place.path().join("none"), &place.path().join("x")).is_err()
        );
        assert!(!place.path().join("x").exists());
    }

    #[test]
    fn what_is_damaged_is_told_with_its_file() {
        let bench = filled();
        bench.store.close();
        let files = day_files(bench.dir()).unwrap();
        let change = |sql: &str| Connection::open(&files[1]).unwrap().execute_batch(sql).unwrap();
        change("UPDATE request SET sightings = '[' WHERE id = 1");
        change("UPDATE rollup SET requests = 7 WHERE hour >= 0");
        let report = RecordStore::verify(bench.dir()).unwrap();
        let words: Vec<_> = report.damage.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(
            words[0].contains("1 requests cannot be read back") && words[1].contains("count 7")
        );
        assert!(report.damage.iter().all(|(file, _)| *file == files[1]));
        std::fs::write(&files[0], b"this was a day of records, and is one no more").unwrap();
        let report = RecordStore::verify(bench.dir()).unwrap();
        assert_eq!((report.files, report.damage[0].0.as_path()), (2, files[0].as_path()));
        change("PRAGMA user_version = 99");
        let report = RecordStore::verify(bench.dir()).unwrap();
        assert!(report.damage[1].1.contains("newer version"), "{report:?}");
    }
}
