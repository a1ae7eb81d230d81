//! What the time of a request was made of: queue, prefill and decode as the engine tells them, and
//! what lies around them as the one who asked sees it.

use strata_model::record::{RequestRecord, RequestSample};

/// A part of a request's time, in the order in which they pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// To the engine's queue and the first token back: proxy, network, tokenizing. What is left of the
    /// time to the first token.
    WayIn,
    Queue,
    Prefill,
    Decode,
    /// After the engine's last token: detokenizing, network, a slow reader. What is left of the rest.
    WayOut,
    /// All of the time to the first token, where the engine tells nothing.
    FirstToken,
    /// All of the time after it, where the engine tells nothing.
    Generation,
    /// The whole, where nothing else is known.
    Whole,
}

impl Segment {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::WayIn,
        Self::Queue,
        Self::Prefill,
        Self::Decode,
        Self::WayOut,
        Self::FirstToken,
        Self::Generation,
        Self::Whole,
    ];

    /// `queue`, `prefill`, ..
    pub fn name(self) -> &'static str {
        match self {
            Self::WayIn => "way in",
            Self::Queue => "queue",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::WayOut => "way out",
            Self::FirstToken => "first token",
            Self::Generation => "generation",
            Self::Whole => "not told",
        }
    }

    /// What it is and how it is reckoned.
    pub fn definition(self) -> &'static str {
        match self {
            Self::WayIn => "proxy, network and tokenizing: TTFT - queue - prefill",
            Self::Queue => "waiting in the engine, as it tells",
            Self::Prefill => "computing the prompt, as the engine tells",
            Self::Decode => "first to last token, as the engine tells",
            Self::WayOut => "detokenizing, network, a slow reader: duration - TTFT - decode",
            Self::FirstToken => "all of TTFT: the engine tells nothing of it",
            Self::Generation => "all after the first token: the engine tells nothing of it",
            Self::Whole => "end to end: nobody tells of a first token or of the engine",
        }
    }
}

/// Times of a request, microseconds. What nobody told is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    pub duration_us: Option<i64>,
    pub ttft_us: Option<i64>,
    pub queue_us: Option<i64>,
    pub prefill_us: Option<i64>,
    pub decode_us: Option<i64>,
}

impl From<&RequestRecord> for Times {
    fn from(one: &RequestRecord) -> Self {
        Self {
            duration_us: one.duration_us(),
            ttft_us: one.ttft_us,
            queue_us: one.queue_us,
            prefill_us: one.prefill_us,
            decode_us: one.decode_us,
        }
    }
}

impl From<&RequestSample> for Times {
    fn from(one: &RequestSample) -> Self {
        Self {
            duration_us: one.duration_us,
            ttft_us: one.ttft_us,
            queue_us: one.queue_us,
            prefill_us: one.prefill_us,
            decode_us: one.decode_us,
        }
    }
}

/// Parts of a request in the order in which they passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anatomy {
    /// `None`: there was such a part, and nobody told how long it took.
    pub parts: Vec<(Segment, Option<i64>)>,
    /// What the engine tells together is longer than what was seen outside: two clocks, or a second
    /// try. The rest is then taken for nothing.
    pub contradicts: bool,
    /// The whole, where it is known: parts that nobody told are no longer than what is left of it.
    whole_us: Option<i64>,
}

impl Anatomy {
    /// Take a request apart.
    pub fn of(times: Times) -> Self {
        let Times { duration_us, ttft_us, queue_us, prefill_us, decode_us } = times;
        let engine = queue_us.is_some() || prefill_us.is_some() || decode_us.is_some();
        if !engine {
            let rest = duration_us.zip(ttft_us).map(|(all, first)| all.saturating_sub(first));
            let parts = match (duration_us, ttft_us) {
                (None, None) => Vec::new(),
                (Some(all), None) => vec![(Segment::Whole, Some(all))],
                (_, Some(first)) => {
                    vec![(Segment::FirstToken, Some(first)), (Segment::Generation, rest)]
                }
            };
            return Self::bounded(parts, duration_us);
        }
        let before = ttft_us.zip(queue_us.zip(prefill_us));
        let before = before.map(|(first, (queue, prefill))| first - queue - prefill);
        let after = duration_us.zip(ttft_us.zip(decode_us));
        let after = after.map(|(all, (first, decode))| all - first - decode);
        let parts = vec![
            (Segment::WayIn, before),
            (Segment::Queue, queue_us),
            (Segment::Prefill, prefill_us),
            (Segment::Decode, decode_us),
            (Segment::WayOut, after),
        ];
        Self::bounded(parts, duration_us)
    }

    fn bounded(mut parts: Vec<(Segment, Option<i64>)>, whole_us: Option<i64>) -> Self {
        let mut contradicts = false;
        for (_, took) in &mut parts {
            contradicts |= took.is_some_and(|took| took < -CLOCKS_APART_US);
            *took = took.map(|took| took.max(0));
        }
        Self { parts, contradicts, whole_us }
    }

    /// The longest part. None where only the whole is known, or where a part that nobody told may be
    /// longer than the longest that is.
    pub fn dominant(&self) -> Option<Segment> {
        let known = self.parts.iter().filter_map(|(segment, took)| Some((*segment, (*took)?)));
        let longest = known.filter(|(segment, _)| *segment != Segment::Whole);
        let (segment, took) =
            longest.max_by_key(|(segment, took)| (*took, std::cmp::Reverse(*segment)))?;
        if self.parts.iter().all(|(_, took)| took.is_some()) {
            return Some(segment);
        }
        let told: i64 = self.parts.iter().filter_map(|(_, took)| *took).sum();
        self.whole_us.is_some_and(|whole| whole - told <= took).then_some(segment)
    }
}

/// Two programs round their times, and tell a moment each for itself: so much is no contradiction.
const CLOCKS_APART_US: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(times: Times) -> Vec<(&'static str, Option<i64>)> {
        Anatomy::of(times).parts.into_iter().map(|(one, took)| (one.name(), took)).collect()
    }

    #[test]
    fn a_request_is_its_parts_and_they_add_up() {
        let all = Times {
            duration_us: Some(1_000),
            ttft_us: Some(400),
            queue_us: Some(100),
            prefill_us: Some(250),
            decode_us: Some(580),
        };
        let expected =
            [("way in", 50), ("queue", 100), ("prefill", 250), ("decode", 580), ("way out", 20)];
        assert_eq!(parts(all), expected.map(|(name, took)| (name, Some(took))));
        assert_eq!(expected.iter().map(|(_, took)| took).sum::<i64>(), 1_000);
        assert_eq!(Anatomy::of(all).dominant(), Some(Segment::Decode));
        let client = Times { queue_us: None, prefill_us: None, decode_us: None, ..all };
        assert_eq!(parts(client), [("first token", Some(400)), ("generation", Some(600))]);
        assert_eq!(parts(Times { ttft_us: None, ..client }), [("not told", Some(1_000))]);
        assert_eq!(Anatomy::of(Times { ttft_us: None, ..client }).dominant(), None);
        assert_eq!(parts(Times::default()), []);
    }

    #[test]
    fn what_is_not_told_is_not_nothing() {
        let engine = Times { queue_us: Some(7), decode_us: Some(9), ..Times::default() };
        let expected = [
            ("way in", None),
            ("queue", Some(7)),
            ("prefill", None),
            ("decode", Some(9)),
            ("way out", None),
        ];
        assert_eq!(parts(engine), expected);
        // Nor does it make another part the longest: prefill may have been.
        assert_eq!(Anatomy::of(engine).dominant(), None);
        let whole = |duration_us| Times { duration_us: Some(duration_us), ..engine };
        assert_eq!(Anatomy::of(whole(26)).dominant(), None);
        // Of 25, 9 are left for all that is not told: none of it is longer than decode.
        assert_eq!(Anatomy::of(whole(25)).dominant(), Some(Segment::Decode));
        let under_way = Times { ttft_us: Some(5), ..Times::default() };
        assert_eq!(Anatomy::of(under_way).dominant(), None);
    }

    #[test]
    fn an_engine_that_took_longer_than_the_answer_contradicts() {
        let times = |decode_us| Times {
            duration_us: Some(1_000_000),
            ttft_us: Some(400_000),
            queue_us: Some(0),
            prefill_us: Some(400_300),
            decode_us: Some(decode_us),
        };
        let rounded = Anatomy::of(times(600_000));
        assert_eq!((rounded.parts[0].1, rounded.contradicts), (Some(0), false));
        assert!(Anatomy::of(times(700_000)).contradicts);
    }
}
