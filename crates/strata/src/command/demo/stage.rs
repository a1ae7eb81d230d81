//! The cluster shared by its exporters: whoever asks brings it up to the time of the clock first.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use strata_model::Clock;
use strata_sim::{Endpoint, Sim, TraceError, TraceReader, TraceRow, TraceRows};

/// The simulation and the clock it follows.
pub(super) struct Stage {
    sim: Mutex<Sim>,
    clock: Arc<dyn Clock>,
}

impl Stage {
    pub(super) fn new(sim: Sim, clock: Arc<dyn Clock>) -> Self {
        Self { sim: Mutex::new(sim), clock }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The page of an exporter at this moment.
    pub(super) fn page(&self, endpoint: &Endpoint) -> String {
        self.at(self.clock.now_ms(), |sim| sim.page(endpoint))
    }

    /// Look at the cluster at a time; it never goes back.
    pub(super) fn at<T>(&self, at_ms: i64, look: impl FnOnce(&Sim) -> T) -> T {
        self.change(at_ms, |sim| look(sim))
    }

    /// As [`Self::at`], and take something from it.
    pub(super) fn change<T>(&self, at_ms: i64, take: impl FnOnce(&mut Sim) -> T) -> T {
        // A panic while it moved leaves a cluster that is still a cluster.
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        sim.advance_to(at_ms);
        if let Some(error) = sim.take_trace_error() {
            let error = anyhow::Error::new(error);
            tracing::error!(error = format!("{error:#}"), "the trace is replayed no further");
        }
        take(&mut sim)
    }
}

/// The rows of a trace file, again and again: when it ends it begins anew.
pub(super) fn trace(file: &Path) -> Result<TraceRows> {
    let mut first = open(file).with_context(|| format!("cannot read {}", file.display()))?;
    match first.next() {
        None => bail!("{} has no row", file.display()),
        Some(Err(error)) => Err(error).with_context(|| format!("cannot replay {}", file.display())),
        Some(Ok(_)) => {
            Ok(Box::new(Again { file: file.to_owned(), rows: None, begun: 0.0, last: 0.0 }))
        }
    }
}

fn open(file: &Path) -> std::io::Result<TraceReader<BufReader<File>>> {
    Ok(TraceReader::new(BufReader::new(File::open(file)?)))
}

/// A file read from its beginning whenever its end is reached.
struct Again {
    file: PathBuf,
    rows: Option<TraceReader<BufReader<File>>>,
    /// Time of the first row of this round, and of the last row so far.
    begun: f64,
    last: f64,
}

impl Iterator for Again {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Once more at most: a file that became empty ends the trace.
        for _ in 0..2 {
            if let Some(rows) = &mut self.rows
                && let Some(row) = rows.next()
            {
                return Some(row.map(|row| {
                    self.last = self.begun + row.at;
                    TraceRow { at: self.last, ..row }
                }));
            }
            self.begun = self.last;
            match open(&self.file) {
                Ok(rows) => self.rows = Some(rows),
                Err(source) => return Some(Err(TraceError::Read { line: 0, source })),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    #[test]
    fn a_trace_begins_anew_at_its_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "10,5,1\n13,6,2\n").unwrap();
        let rows = super::trace(file.path()).unwrap();
        let times: Vec<f64> = rows.take(4).map(|row| row.unwrap().at).collect();
        assert_eq!(times, [0.0, 3.0, 3.0, 6.0]);
    }

    #[test]
    fn what_is_no_trace_is_refused_at_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        assert!(super::trace(file.path()).is_err(), "empty");
        writeln!(file, "no,trace,here").unwrap();
        assert!(super::trace(file.path()).is_err());
        assert!(super::trace(std::path::Path::new("/does/not/exist")).is_err());
    }
}
