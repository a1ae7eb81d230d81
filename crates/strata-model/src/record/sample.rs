//! Requests and judgements as statistics want them: many, with numbers and little text.

use std::ops::Range;

use super::feedback::FeedbackSource;
use super::query::{Field, Filter};
use super::tokens::TokenBuckets;

/// The numbers of one request. What nobody told is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestSample {
    /// When it began, microseconds since the Unix epoch.
    pub start_us: i64,
    pub duration_us: Option<i64>,
    /// From the start to the first token of any kind, microseconds.
    pub ttft_us: Option<i64>,
    /// In the engine's queue, microseconds.
    pub queue_us: Option<i64>,
    /// Prefill in the engine, microseconds.
    pub prefill_us: Option<i64>,
    /// Decode in the engine, microseconds.
    pub decode_us: Option<i64>,
    pub tokens: TokenBuckets,
    /// `ok`, `client_cancel`, ..; see [`super::Outcome::kind`].
    pub outcome: Option<String>,
    pub conversation: Option<String>,
    /// Value of the field that samples are told apart by.
    pub group: Option<String>,
}

impl RequestSample {
    /// Mean gap between output tokens, seconds: (last - first token) / (tokens - 1). The last token is
    /// where the decoding of the engine ended, else where the answer did. `None` below two tokens.
    pub fn tpot_s(&self) -> Option<f64> {
        let tokens = self.output()?;
        let decode = self.decode_us.or_else(|| {
            Some(self.duration_us?.saturating_sub(self.ttft_us?)).filter(|took| *took >= 0)
        })?;
        (tokens >= 2).then(|| decode as f64 / 1e6 / (tokens - 1) as f64)
    }

    /// Tokens of the prompt: computed, from the cache, written to it, pictures. `None` where the
    /// computed ones are not known.
    pub fn input(&self) -> Option<u64> {
        let TokenBuckets { fresh_input, cache_read, cache_write, image, .. } = self.tokens;
        let parts = [cache_read, cache_write, image].map(Option::unwrap_or_default);
        fresh_input.map(|fresh| parts.iter().fold(fresh, |sum, part| sum.saturating_add(*part)))
    }

    /// Tokens of the prompt that had to be computed, the ones written to a cache among them.
    pub fn computed(&self) -> Option<u64> {
        let written = self.tokens.cache_write.unwrap_or(0);
        self.tokens.fresh_input.map(|fresh| fresh.saturating_add(written))
    }

    /// Tokens generated, reasoning included. `None` where the text is not known.
    pub fn output(&self) -> Option<u64> {
        let thought = self.tokens.reasoning.unwrap_or(0);
        self.tokens.output_text.map(|text| text.saturating_add(thought))
    }
}

/// Requests that began within a time and meet all conditions, for statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleQuery {
    /// Microseconds since the Unix epoch.
    pub range_us: Range<i64>,
    pub filters: Vec<Filter>,
    /// What samples are told apart by.
    pub by: Option<Field>,
    /// Samples at most; of more requests every second, third, .. is taken.
    pub most: usize,
}

/// Samples of requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    pub rows: Vec<RequestSample>,
    /// Requests that meet the conditions.
    pub matching: u64,
    /// Of how many of them one was taken.
    pub one_in: u64,
}

/// One judgement on a request of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// When it was given, microseconds since the Unix epoch.
    pub at_us: i64,
    /// What is judged: `user_feedback`, ..
    pub name: String,
    pub value: Option<f64>,
    pub label: Option<String>,
    pub source: FeedbackSource,
    /// The request, by the store's number.
    pub request: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_is_unknown_where_its_parts_are() {
        let mut one = RequestSample { duration_us: Some(2_100_000), ..RequestSample::default() };
        assert_eq!((one.tpot_s(), one.input(), one.output()), (None, None, None));
        one.ttft_us = Some(100_000);
        one.tokens.output_text = Some(100);
        one.tokens.reasoning = Some(101);
        assert_eq!((one.output(), one.tpot_s()), (Some(201), Some(0.01)));
        one.decode_us = Some(4_000_000);
        assert_eq!(one.tpot_s(), Some(0.02));
        one.tokens.output_text = Some(1);
        one.tokens.reasoning = None;
        assert_eq!(one.tpot_s(), None);
        one.tokens.cache_read = Some(60);
        assert_eq!(one.input(), None);
        one.tokens.fresh_input = Some(40);
        assert_eq!((one.input(), one.computed()), (Some(100), Some(40)));
    }
}
