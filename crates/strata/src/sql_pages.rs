//! The reader's own SQL on the Explore page, or why there are no records to ask.

use std::sync::Arc;

use strata_model::record::{RecordError, RecordSource, SqlAnswer};
use strata_store::RecordSettings;
use strata_view::rooms::RecordDoor;
use strata_world::Window;
use tokio::sync::Semaphore;

/// Questions under way at once: each may read whole days of files for seconds.
const AT_ONCE: usize = 2;

/// Where questions in SQL go.
#[derive(Clone)]
pub(crate) enum SqlDoor {
    /// Nowhere: why, and what to do about it.
    Shut { why: &'static str, hint: &'static str },
    Open {
        source: Arc<dyn RecordSource>,
        /// How long a question may take; the source ends it.
        seconds: u64,
        /// Rows of an answer at most; the source cuts it.
        rows_max: usize,
        turns: Arc<Semaphore>,
    },
}

impl SqlDoor {
    /// The way to a source with its settings.
    pub(crate) fn open(source: Arc<dyn RecordSource>, settings: &RecordSettings) -> Self {
        Self::Open {
            source,
            seconds: settings.sql_timeout.as_secs().max(1),
            rows_max: settings.sql_rows_max,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Why nothing can be asked, and what to do about it.
    pub(crate) fn shut(&self) -> (&'static str, &'static str) {
        match self {
            Self::Shut { why, hint } => (why, hint),
            Self::Open { .. } => ("nobody asks them here", "ask a strata run"),
        }
    }

    /// What the page tells: the bounds, and the answer when something is asked.
    pub(crate) async fn answer(&self, query: Option<&str>, window: Window) -> RecordDoor {
        match self {
            Self::Shut { why, hint } => {
                RecordDoor::Shut { why: (*why).to_owned(), hint: (*hint).to_owned() }
            }
            Self::Open { source, seconds, rows_max, turns } => {
                let answer = match query.filter(|query| !query.trim().is_empty()) {
                    Some(query) => Some(ask(source, turns, query.to_owned(), window).await),
                    None => None,
                };
                RecordDoor::Open { seconds: *seconds, rows_max: *rows_max, answer }
            }
        }
    }
}

/// Ask off the threads that serve connections.
async fn ask(
    source: &Arc<dyn RecordSource>,
    turns: &Arc<Semaphore>,
    text: String,
    window: Window,
) -> Result<SqlAnswer, String> {
    let source = Arc::clone(source);
    let micros = |ms: i64| ms.saturating_mul(1_000);
    let range_us = micros(window.start_ms)..micros(window.moment_ms);
    let turn = Arc::clone(turns).acquire_owned().await.map_err(|error| error.to_string())?;
    // The turn is over when the question is, not when its reader goes away.
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        source.sql(&text, range_us)
    });
    let asked = asked.await;
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(words(&error)),
        Err(error) => Err(format!("the question could not be asked: {error}")),
    }
}

fn words(error: &RecordError) -> String {
    match error {
        RecordError::BadQuery(words) => words.clone(),
        RecordError::Timeout { .. } => {
            format!("{error}: narrow it, shorten the range, or see records.sql_timeout")
        }
        RecordError::Storage(_) => error.to_string(),
    }
}
