//! `strata content`: what is kept of what was said, and forgetting it.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json;
use strata_store::{ContentStore, Exchange, RecordReader, RouteContent};

use crate::cli::{ContentCommand, ContentPlace, ForgetArgs};
use crate::clock::SystemClock;
use crate::config::RECORDS_DIR;
use crate::content::CONTENT_DIR;
use crate::export::{Chosen, record_of};
use crate::out::{Out, complain};

/// The directory of captured content.
pub(in crate::command) fn dir_of(place: &ContentPlace) -> std::path::PathBuf {
    place.content_dir.clone().unwrap_or_else(|| place.data_dir.join(CONTENT_DIR))
}

fn store(place: &ContentPlace) -> ContentStore {
    ContentStore::at(&dir_of(place), Arc::new(SystemClock::new()))
}

/// Do what is asked. Blocks on the disk.
pub(crate) fn run(command: ContentCommand, out: Out) -> Result<()> {
    match command {
        ContentCommand::Status(place) => status(&place, out),
        ContentCommand::Forget(arguments) => forget(&arguments, out),
    }
}

fn status(place: &ContentPlace, out: Out) -> Result<()> {
    let routes = store(place).status()?;
    if out.json {
        let routes: Vec<_> = routes.iter().map(document).collect();
        return Ok(out.document(&json!({ "dir": dir_of(place), "routes": routes }))?);
    }
    if routes.is_empty() {
        complain(format!("no content is kept in {}", dir_of(place).display()));
        return Ok(());
    }
    let header = ["ROUTE", "CALLS", "FIRST", "LAST", "KEPT FOR", "BYTES", "NOT KEPT"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(routes.iter().map(row));
    Ok(out.table(&rows)?)
}

fn moment(us: Option<i64>) -> Option<String> {
    let at = Timestamp::from_millisecond(us?.div_euclid(1_000)).ok()?;
    Some(format!("{at:.0}"))
}

fn document(one: &RouteContent) -> serde_json::Value {
    json!({
        "route": one.route,
        "calls": one.calls,
        "first": moment(one.first_us),
        "last": moment(one.last_us),
        "retention_seconds": one.keep_ms / 1_000,
        "segments": one.segments,
        "bytes": one.bytes,
        "left_out": one.gaps,
        "torn_segments": one.torn,
    })
}

fn row(one: &RouteContent) -> Vec<String> {
    let gaps: Vec<String> =
        one.gaps.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    vec![
        one.route.clone(),
        one.calls.to_string(),
        moment(one.first_us).unwrap_or_else(|| "-".to_owned()),
        moment(one.last_us).unwrap_or_else(|| "-".to_owned()),
        format!("{:.1} d", one.keep_ms as f64 / 86_400_000.0),
        one.bytes.to_string(),
        if gaps.is_empty() { "-".to_owned() } else { gaps.join(", ") },
    ]
}

fn forget(arguments: &ForgetArgs, out: Out) -> Result<()> {
    let place = &arguments.place;
    let records =
        RecordReader::open(&place.data_dir.join(RECORDS_DIR), Arc::new(SystemClock::new()))?;
    let chosen = Chosen {
        request: arguments.request.clone(),
        conversation: arguments.conversation.clone(),
        tenant: arguments.tenant.clone(),
        route: arguments.route.clone(),
        ..Chosen::default()
    };
    let dir = dir_of(place);
    if !dir.is_dir() {
        bail!("no content is kept in {}; --content-dir names another place", dir.display());
    }
    let by_record = chosen.request.is_some() || chosen.conversation.is_some();
    let failed = RefCell::new(None);
    let record = |one: &Exchange| match record_of(&records, one) {
        Ok(record) => record,
        Err(error) => {
            failed.borrow_mut().get_or_insert(error);
            None
        }
    };
    let forgotten = store(place)
        .forget(&|one| chosen.names(one, by_record.then(|| record(one)).flatten().as_ref()))?;
    if let Some(error) = failed.into_inner() {
        let done = format!("{} calls are forgotten, and there may be others", forgotten.calls);
        return Err(error.context(done));
    }
    if out.json {
        let document = json!({ "calls": forgotten.calls, "segments": forgotten.segments,
            "torn_segments": forgotten.torn });
        return Ok(out.document(&document)?);
    }
    if forgotten.torn > 0 {
        complain(format!(
            "{} segments have an end that cannot be read: what is in it is not forgotten before it is too old",
            forgotten.torn
        ));
    }
    let plural = if forgotten.calls == 1 { "" } else { "s" };
    out.line(format!("{} call{plural} forgotten", forgotten.calls))?;
    if arguments.request.is_some() && forgotten.calls > 0 {
        complain(
            "later calls of the same conversation repeat its words: --conversation or --tenant \
             forgets them too",
        );
    }
    Ok(())
}
