//! Sums over an hour of requests: what group-bys of weeks are answered from.

use super::request::{Outcome, RequestRecord};

/// What requests of an hour are summed up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RollupDimension {
    Tenant,
    Team,
    App,
    Model,
    /// The hour itself, as seconds since the Unix epoch.
    Hour,
}

impl RollupDimension {
    /// `tenant`, `team`, `app`, `model`, `hour`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Team => "team",
            Self::App => "app",
            Self::Model => "model",
            Self::Hour => "hour",
        }
    }

    /// The dimension of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tenant, Self::Team, Self::App, Self::Model, Self::Hour]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// Counts of durations between fixed edges: 1 ms times the powers of the square root of two, up to
/// 17 minutes. A quantile is known to within a factor of 1.41.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationHistogram(pub [i64; Self::BUCKETS]);

impl Default for DurationHistogram {
    fn default() -> Self {
        Self([0; Self::BUCKETS])
    }
}

impl DurationHistogram {
    /// Edges 2^0 .. 2^20 ms in half steps, and what lies beyond.
    pub const BUCKETS: usize = 42;

    /// Upper edge of a bucket in microseconds; infinite for the last.
    pub fn edge_us(bucket: usize) -> f64 {
        if bucket + 1 >= Self::BUCKETS {
            return f64::INFINITY;
        }
        1e3 * (bucket as f64 / 2.0).exp2()
    }

    /// Count a duration `times` times; negative takes it away again.
    pub fn add(&mut self, us: i64, times: i64) {
        let bucket = (0..Self::BUCKETS).find(|b| us as f64 <= Self::edge_us(*b));
        if let Some(count) = bucket.and_then(|bucket| self.0.get_mut(bucket)) {
            *count += times;
        }
    }

    /// Add another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Durations counted.
    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// An upper bound of the quantile `q` (0 to 1) in microseconds: the edge above it. `None` when
    /// nothing was counted; infinite when it lies beyond the last edge.
    pub fn quantile_at_most_us(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0 {
            return None;
        }
        let rank = (q.clamp(0.0, 1.0) * count as f64).ceil().max(1.0) as i64;
        let mut seen = 0;
        for (bucket, n) in self.0.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return Some(Self::edge_us(bucket));
            }
        }
        None
    }
}

/// Sums over requests. Signed, because a request that is seen by a second door is taken out and
/// added again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub requests: i64,
    /// Tokens by bucket, in the order of `TokenBuckets::NAMES`.
    pub tokens: [i64; 7],
    /// Requests of which the bucket is known.
    pub counted: [i64; 7],
    /// `ok`, `client_cancel`, `upstream_truncated`, `error`, `error_in_200`.
    pub outcomes: [i64; 5],
    pub duration_sum_us: i64,
    pub duration: DurationHistogram,
    pub ttft_sum_us: i64,
    pub ttft: DurationHistogram,
}

impl Totals {
    /// Names of [`Self::outcomes`].
    pub const OUTCOMES: [&'static str; 5] =
        ["ok", "client_cancel", "upstream_truncated", "error", "error_in_200"];

    /// Add a request `times` times; -1 takes it away.
    pub fn add(&mut self, record: &RequestRecord, times: i64) {
        self.requests += times;
        for (bucket, value) in record.tokens.values().into_iter().enumerate() {
            let Some(value) = value else { continue };
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            if let (Some(sum), Some(count)) =
                (self.tokens.get_mut(bucket), self.counted.get_mut(bucket))
            {
                *sum = sum.saturating_add(value.saturating_mul(times));
                *count += times;
            }
        }
        let kind = record.outcome.as_ref().map(Outcome::kind);
        let outcome = kind.and_then(|kind| Self::OUTCOMES.iter().position(|one| *one == kind));
        if let Some(count) = outcome.and_then(|at| self.outcomes.get_mut(at)) {
            *count += times;
        }
        if let Some(us) = record.duration_us() {
            self.duration_sum_us = self.duration_sum_us.saturating_add(us.saturating_mul(times));
            self.duration.add(us, times);
        }
        if let Some(us) = record.ttft_us {
            self.ttft_sum_us = self.ttft_sum_us.saturating_add(us.saturating_mul(times));
            self.ttft.add(us, times);
        }
    }

    /// Add other sums.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        for (mine, theirs) in self.tokens.iter_mut().zip(other.tokens) {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.counted.iter_mut().zip(other.counted) {
            *mine += theirs;
        }
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
        self.duration_sum_us = self.duration_sum_us.saturating_add(other.duration_sum_us);
        self.duration.merge(&other.duration);
        self.ttft_sum_us = self.ttft_sum_us.saturating_add(other.ttft_sum_us);
        self.ttft.merge(&other.ttft);
    }
}

/// One group of a rollup question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupRow {
    /// Values of the dimensions that were asked for; `None`: not known of these requests.
    pub keys: Vec<Option<String>>,
    pub totals: Totals,
}
