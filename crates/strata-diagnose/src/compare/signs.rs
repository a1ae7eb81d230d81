//! What users did next, as their requests show it: asked the same again, went on, went away. Nobody
//! said what they thought of an answer, so these never make an answer good.

use std::collections::BTreeMap;

use strata_model::record::RequestSample;

use super::{Compared, Margins, Measure, Side, shares};

/// What comes later than this after the answer has nothing to do with it, microseconds.
const SOON_US: i64 = 600_000_000;

/// What a user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The next request of the conversation had a prompt of the same length: the answer was made anew.
    AskedAgain,
    /// The next request of the conversation had a longer prompt: the answer is part of it.
    Continued,
    /// The caller went away after the first token and before the last.
    LeftReading,
}

impl Sign {
    /// `asked again`, ..
    pub fn name(self) -> &'static str {
        match self {
            Self::AskedAgain => "asked again",
            Self::Continued => "went on",
            Self::LeftReading => "left while reading",
        }
    }

    /// What it is and what it is a share of.
    pub fn definition(self) -> &'static str {
        match self {
            Self::AskedAgain => {
                "Share of answers in conversations that were followed within ten minutes by a \
                 prompt of the same length."
            }
            Self::Continued => {
                "Share of answers in conversations that were followed within ten minutes by a \
                 longer prompt."
            }
            Self::LeftReading => {
                "Share of requests with a first token whose caller went away before the last."
            }
        }
    }
}

/// Signs of both sides; of conversations only where all requests are known, since of every second
/// request none is followed by the next.
pub(super) fn measures(a: &Side, b: &Side, margins: Margins) -> Vec<Compared> {
    let of = |sign, count: fn(&[RequestSample]) -> (u64, u64)| {
        let [first, second] = [a, b].map(|side| count(&side.samples));
        (first.1 + second.1 > 0).then(|| shares(Measure::Sign(sign), [first, second], margins))
    };
    let mut found: Vec<Compared> = Vec::new();
    if [a, b].iter().all(|side| side.samples.len() as u64 >= side.matching) {
        found.extend(of(Sign::AskedAgain, |samples| followed(samples, |next, this| next == this)));
        found.extend(of(Sign::Continued, |samples| followed(samples, |next, this| next > this)));
    }
    found.extend(of(Sign::LeftReading, left));
    found
}

/// Answers in conversations that were soon followed by a prompt of such a length, and all of them.
fn followed(samples: &[RequestSample], is_such: fn(u64, u64) -> bool) -> (u64, u64) {
    let mut conversations: BTreeMap<&str, Vec<(i64, i64, u64)>> = BTreeMap::new();
    // After an error a client asks again whatever it thinks of the answer.
    for one in samples.iter().filter(|one| one.outcome.as_deref() == Some("ok")) {
        let known = one.conversation.as_deref().zip(one.input()).zip(one.duration_us);
        if let Some(((conversation, input), took)) = known {
            let asked = (one.start_us, one.start_us.saturating_add(took), input);
            conversations.entry(conversation).or_default().push(asked);
        }
    }
    let (mut hits, mut all) = (0, 0);
    for asked in conversations.values_mut() {
        asked.sort_unstable();
        all += asked.len() as u64;
        hits += asked
            .windows(2)
            .filter(|pair| match pair {
                [(_, ended, this), (began, _, next)] => {
                    // Asked before the answer was there is no answer to it.
                    let after = began.saturating_sub(*ended);
                    is_such(*next, *this) && (0..=SOON_US).contains(&after)
                }
                _ => false,
            })
            .count() as u64;
    }
    (hits, all)
}

/// Requests whose caller went away after the first token, and all with a first token and an end.
fn left(samples: &[RequestSample]) -> (u64, u64) {
    let begun = samples.iter().filter(|one| one.ttft_us.is_some());
    let ended: Vec<&str> = begun.filter_map(|one| one.outcome.as_deref()).collect();
    let gone = ended.iter().filter(|outcome| **outcome == "client_cancel").count();
    (gone as u64, ended.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(conversation: &str, at_s: i64, input: u64) -> RequestSample {
        let mut one = RequestSample {
            start_us: at_s * 1_000_000,
            duration_us: Some(1_000_000),
            outcome: Some("ok".to_owned()),
            conversation: Some(conversation.to_owned()),
            ..RequestSample::default()
        };
        one.tokens.fresh_input = Some(input);
        one
    }

    #[test]
    fn what_follows_in_a_conversation_says_what_became_of_an_answer() {
        let samples = [
            asked("a", 60, 100),
            asked("a", 0, 100),
            asked("a", 120, 250),
            // Days later, and in another conversation.
            asked("a", 90_000, 250),
            asked("b", 121, 250),
            RequestSample::default(),
        ];
        assert_eq!(followed(&samples, |next, this| next == this), (1, 5));
        assert_eq!(followed(&samples, |next, this| next > this), (1, 5));
        assert_eq!(followed(&[], |_, _| true), (0, 0));
        // Two asked at once, and one that is asked again because it failed.
        let mut failed = asked("f", 0, 100);
        failed.outcome = Some("error".to_owned());
        let samples = [asked("p", 0, 100), asked("p", 0, 100), failed, asked("f", 2, 100)];
        assert_eq!(followed(&samples, |next, this| next == this), (0, 3));
    }

    #[test]
    fn who_leaves_before_a_token_came_did_not_read() {
        let one = |ttft_us, outcome: Option<&str>| RequestSample {
            ttft_us,
            outcome: outcome.map(str::to_owned),
            ..RequestSample::default()
        };
        let samples = [
            one(Some(1), Some("client_cancel")),
            one(None, Some("client_cancel")),
            one(Some(1), Some("ok")),
            one(Some(1), None),
        ];
        assert_eq!(left(&samples), (1, 2));
    }

    #[test]
    fn of_a_part_of_the_requests_nothing_is_read_about_conversations() {
        let side = |matching| Side {
            samples: vec![asked("a", 0, 5), asked("a", 2, 5)],
            matching,
            ..Side::default()
        };
        let names = |matching| -> Vec<String> {
            let found = measures(&side(matching), &side(2), Margins::default());
            found.iter().map(|one| one.measure.name()).collect()
        };
        assert_eq!(names(2), ["asked again", "went on"]);
        assert_eq!(names(4), Vec::<String>::new());
    }
}
