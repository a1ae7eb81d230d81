//! Keeps a job's running targets equal to what its options, files and services list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use strata_model::{Clock, Fault, FaultCode, SourceKind, SourceState};
use tokio::task::JoinHandle;

use super::client::read_bounded;
use super::collector::Job;
use super::listing::{Group, Listed, parse, parse_file};
use super::target::Target;
use crate::book::{Outcome, SourceBook};
use crate::collector::CollectError;
use crate::exposition::Format;
use crate::schedule::Scheduler;

/// Files that list targets are looked at this often.
const FILE_POLL: Duration = Duration::from_secs(5);
/// No service is asked for its list more often than this.
const REFRESH_MIN: Duration = Duration::from_secs(1);
/// A list of targets is at most this long, like a page.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A place that lists targets, with what it said last. A list that cannot be read any more stays
/// as it was, as in Prometheus: losing sight of targets is worse than keeping a stale list.
#[derive(Debug)]
enum Place {
    File { path: PathBuf, seen: Option<(std::time::SystemTime, u64)> },
    Service { url: reqwest::Url, refresh: Duration, due: Duration },
}

struct Listing {
    place: Place,
    /// Name in the book of sources.
    id: String,
    groups: Vec<Group>,
}

/// Runs the targets of one job until it is dropped or stopped.
pub struct JobRunner {
    task: JoinHandle<()>,
}

impl JobRunner {
    /// Start the job: its targets run on `scheduler`, its lists appear in `book` as sources.
    pub fn start(job: Job, scheduler: Scheduler, book: SourceBook, clock: Arc<dyn Clock>) -> Self {
        let mut driver = Driver::new(job, scheduler, book, clock);
        Self { task: tokio::spawn(async move { driver.run().await }) }
    }

    /// Follow the lists no further. Targets that run go on running.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for JobRunner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Driver {
    job: Job,
    scheduler: Scheduler,
    book: SourceBook,
    clock: Arc<dyn Clock>,
    listings: Vec<Listing>,
    /// What runs now, by id.
    running: BTreeMap<String, Target>,
}

impl Driver {
    fn new(job: Job, scheduler: Scheduler, book: SourceBook, clock: Arc<dyn Clock>) -> Self {
        let settings = job.settings();
        let name = &settings.job;
        let files = settings.file_sd.iter().map(|path| Listing {
            id: format!("list/{name}/{}", path.display().to_string().trim_start_matches('/')),
            place: Place::File { path: path.clone(), seen: None },
            groups: Vec::new(),
        });
        let services = settings.http_sd.iter().filter_map(|(url, refresh)| {
            // `validate` has parsed it before.
            let url = reqwest::Url::parse(url).ok()?;
            let refresh = (*refresh).max(REFRESH_MIN);
            let id = format!("list/{name}/{url}");
            let place = Place::Service { url, refresh, due: Duration::ZERO };
            Some(Listing { id, place, groups: Vec::new() })
        });
        let listings: Vec<_> = files.chain(services).collect();
        for listing in &listings {
            book.register(&listing.id, SourceKind::Scrape, None);
        }
        Self { job, scheduler, book, clock, listings, running: BTreeMap::new() }
    }

    async fn run(&mut self) {
        loop {
            self.refresh().await;
            self.sync();
            if self.listings.is_empty() {
                return;
            }
            tokio::time::sleep(self.pause()).await;
        }
    }

    /// Until the next list is to be looked at.
    fn pause(&self) -> Duration {
        let now = self.clock.monotonic();
        let pauses = self.listings.iter().map(|listing| match &listing.place {
            Place::File { .. } => FILE_POLL,
            Place::Service { due, .. } => due.saturating_sub(now),
        });
        pauses.min().unwrap_or(FILE_POLL).max(Duration::from_millis(50))
    }

    async fn refresh(&mut self) {
        let now = self.clock.monotonic();
        for listing in &mut self.listings {
            let news = match &mut listing.place {
                Place::File { path, seen } => read_file(path, seen),
                Place::Service { due, .. } if *due > now => Ok(None),
                Place::Service { url, refresh, due } => {
                    *due = now + *refresh;
                    ask(&self.job, url).await.map(Some)
                }
            };
            let outcome = match news {
                Ok(None) => continue,
                Ok(Some(groups)) => {
                    listing.groups = groups;
                    let mut listed = Listed::default();
                    listed.add(self.job.settings(), &listing.groups);
                    told(&listed)
                }
                Err(error) => Outcome {
                    state: error.state,
                    at_ms: 0,
                    duration_seconds: 0.0,
                    samples: None,
                    faults: vec![error.fault],
                    hint: error.hint,
                },
            };
            let at_ms = self.clock.now_ms();
            self.book.record(&listing.id, Outcome { at_ms, ..outcome });
        }
    }

    /// Start targets that are new, end those that are gone, restart those that changed.
    fn sync(&mut self) {
        let settings = self.job.settings();
        let mut listed = Listed::default();
        listed.add_static(settings);
        for listing in &self.listings {
            listed.add(settings, &listing.groups);
        }
        let wanted = listed.targets;
        for (id, target) in &self.running {
            if wanted.get(id) != Some(target) {
                self.scheduler.remove(id);
            }
        }
        for (id, target) in &wanted {
            if self.running.get(id) != Some(target) {
                self.scheduler.add(Box::new(self.job.collector(target.clone(), None)));
            }
        }
        self.running = wanted;
    }
}

/// How a list that was read is recorded: its "samples" are its targets.
fn told(listed: &Listed) -> Outcome {
    let mut faults = Vec::new();
    if let Some(first) = listed.problems.first() {
        let count = listed.problems.len() as u64;
        faults.push(Fault { count, ..Fault::new(FaultCode::Malformed, first.clone()) });
    }
    Outcome {
        state: if faults.is_empty() { SourceState::Ok } else { SourceState::Partial },
        at_ms: 0,
        duration_seconds: 0.0,
        samples: Some(listed.targets.len() as u64),
        faults,
        hint: String::new(),
    }
}

/// The groups of a file when it has changed since `seen`.
fn read_file(
    path: &Path,
    seen: &mut Option<(std::time::SystemTime, u64)>,
) -> Result<Option<Vec<Group>>, CollectError> {
    let unreadable = |message: String| CollectError {
        fault: Fault::new(FaultCode::Io, message),
        state: SourceState::Failing,
        hint: "the targets of the last readable list go on".to_owned(),
    };
    let shown = path.display();
    let metadata =
        std::fs::metadata(path).map_err(|error| unreadable(format!("{shown}: {error}")))?;
    let version = metadata.modified().ok().map(|time| (time, metadata.len()));
    if version.is_some() && *seen == version {
        return Ok(None);
    }
    *seen = version;
    let bytes = read_bounded(&path.to_string_lossy(), LIST_BYTES_MAX)
        .map_err(|error| unreadable(format!("{shown}: {error}")))?;
    parse_file(path, &bytes).map(Some).map_err(|error| unreadable(format!("{shown}: {error}")))
}

/// The groups of a list file, whenever it was changed.
pub(super) fn read_list(path: &Path) -> Result<Vec<Group>, CollectError> {
    Ok(read_file(path, &mut None)?.unwrap_or_default())
}

/// The groups a service lists.
pub(super) async fn ask(job: &Job, url: &reqwest::Url) -> Result<Vec<Group>, CollectError> {
    let timeout = job.settings().timeout;
    let fetch = job.fetcher().fetch(url, timeout.as_secs_f64());
    let fetched = match tokio::time::timeout(timeout, fetch).await {
        Ok(fetched) => fetched?,
        Err(_elapsed) => return Err(crate::schedule::timed_out(timeout)),
    };
    // A metrics page here means that the address is that of a target.
    let wrong = Format::of_content_type(&fetched.content_type).is_some();
    parse(&fetched.body).map_err(|error| CollectError {
        fault: Fault::new(FaultCode::Malformed, error),
        state: SourceState::Failing,
        hint: if wrong { "this is a metrics page: put it into targets" } else { "" }.to_owned(),
    })
}
