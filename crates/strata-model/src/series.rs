//! Where samples come from when they are read: series selected by matchers over a time range.

use std::sync::Arc;

use crate::batch::Metadata;
use crate::histogram::NativeHistogram;
use crate::labels::Labels;
use crate::selector::Matcher;

/// The samples of one series in time order, staleness markers included.
///
/// A series may hold floats and native histograms, never both at one time.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// Times of the float samples in milliseconds, strictly increasing. Shared between the series
    /// of one source where they were sampled together.
    pub times: Arc<[i64]>,
    /// Values, as many as `times`.
    pub values: Vec<f64>,
    /// Native histograms with their times, strictly increasing. A stale marker for a histogram
    /// series is stored as a float marker in `values`.
    pub histograms: Vec<(i64, Arc<NativeHistogram>)>,
    /// Since when the samples count, where the source knows.
    pub starts: StartTimes,
}

/// Since when cumulative samples count, in milliseconds; 0 where that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartTimes {
    /// As many as the float samples, or none at all when no start is known.
    pub floats: Vec<i64>,
    /// As many as the native histograms, or none at all.
    pub histograms: Vec<i64>,
}

/// One series with the samples that were asked for.
#[derive(Debug, Clone)]
pub struct Series {
    pub labels: Labels,
    pub points: Points,
}

/// What the reader will do with the samples, so that a store may answer from a coarser tier.
#[derive(Debug, Clone, Default)]
pub struct SelectHints {
    /// Step of the range query in milliseconds; 0 for an instant query.
    pub step_ms: i64,
    /// Range of the matrix selector in milliseconds; 0 for an instant selector.
    pub range_ms: i64,
    /// Name of the function applied directly to the selector (`rate`, `max_over_time`), if any.
    pub func: Option<String>,
    /// Whether only the newest sample in the range is looked at.
    pub newest_only: bool,
    /// The aggregations that add the selected series up, outermost first.
    pub sums: Vec<Grouping>,
}

/// Which labels an aggregation keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    pub labels: Vec<String>,
    /// Whether `labels` are those that go, `without (..)`, rather than those that stay.
    pub without: bool,
}

impl Grouping {
    /// Whether series of the result still have this label.
    pub fn keeps(&self, label: &str) -> bool {
        self.labels.iter().any(|name| name == label) != self.without
    }
}

/// Which series, and which part of them.
#[derive(Debug, Clone)]
pub struct Selection {
    pub matchers: Vec<Matcher>,
    /// First time wanted, inclusive, in milliseconds.
    pub start_ms: i64,
    /// Last time wanted, inclusive, in milliseconds.
    pub end_ms: i64,
    pub hints: SelectHints,
}

/// Why a selection could not be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// A bound was exceeded; the message names the bound and how to narrow the question.
    #[error("{0}")]
    Limit(String),
    #[error("cannot read series: {0}")]
    Storage(String),
}

/// Takes series one after the other on one of the threads that read them; says whether it wants
/// more.
pub type TakeSeries<'a> = Box<dyn FnMut(Series) -> bool + 'a>;

/// Makes one [`TakeSeries`] for each thread that reads, which it is told the number of: 0, 1, ..
pub type SeriesTakers<'a> = dyn Fn(usize) -> TakeSeries<'a> + Sync + 'a;

/// A place series can be read from: the embedded store, a list in memory, or another of these seen
/// through the catalog.
pub trait SeriesSource: Send + Sync {
    /// The series that match and have at least one sample in the range, in any order.
    fn select(&self, selection: &Selection) -> Result<Vec<Series>, SelectError>;

    /// As [`Self::select`], telling through the notes what a reader must know about the series.
    ///
    /// # Errors
    /// Those of [`Self::select`].
    fn select_noting(
        &self,
        selection: &Selection,
        _notes: &mut Vec<String>,
    ) -> Result<Vec<Series>, SelectError> {
        self.select(selection)
    }

    /// Whether [`Self::visit`] hands these series over as they are read, on several threads.
    fn streams(&self, _selection: &Selection) -> bool {
        false
    }

    /// As [`Self::select_noting`], handing each series over as soon as it is read: the samples of a
    /// series are then used while they are at hand, and not all are in memory at one time.
    ///
    /// # Errors
    /// Those of [`Self::select`]; some series may have been handed over by then.
    fn visit<'a>(
        &self,
        selection: &Selection,
        takers: &'a SeriesTakers<'a>,
        notes: &mut Vec<String>,
    ) -> Result<(), SelectError> {
        let mut take = takers(0);
        self.select_noting(selection, notes)?.into_iter().all(&mut take);
        Ok(())
    }

    /// A number that rises with what is written; `None` where nobody counts. What is read after the
    /// number was asked for holds all that was written up to it.
    fn version(&self) -> Option<u64> {
        None
    }

    /// The earliest time to which anything was written after [`Self::version`] was this, in
    /// milliseconds: what was read of earlier times still holds. `i64::MAX` where nothing was.
    fn changed_since(&self, _version: u64) -> i64 {
        i64::MIN
    }

    /// Label sets of the series that match any of `sets` in the range; all series when empty.
    /// At most `limit` when it is not 0.
    fn series(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
        limit: usize,
    ) -> Result<Vec<Labels>, SelectError>;

    /// Sorted names of the labels of those series.
    fn label_names(
        &self,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError>;

    /// Sorted values of the label `name` of those series.
    fn label_values(
        &self,
        name: &str,
        sets: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, SelectError>;

    /// What sources have declared about families, in order of family name.
    fn metadata(&self) -> Result<Vec<Metadata>, SelectError>;
}
