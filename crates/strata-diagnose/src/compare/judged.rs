//! Judgements into shares and means: which of them say "good".

use std::collections::{BTreeMap, BTreeSet};

use strata_model::record::{FeedbackSource, Judgement};

/// Labels that say "good" without a number; compared without case, `-` and `_` alike.
pub const GOOD: [&str; 12] = [
    "thumbs_up",
    "up",
    "like",
    "liked",
    "good",
    "positive",
    "pass",
    "passed",
    "correct",
    "accepted",
    "yes",
    "true",
];
/// Labels that say "bad".
pub const BAD: [&str; 12] = [
    "thumbs_down",
    "down",
    "dislike",
    "disliked",
    "bad",
    "negative",
    "fail",
    "failed",
    "incorrect",
    "rejected",
    "no",
    "false",
];

/// What people do with an answer that does not serve them, as names of judgements. Whoever did it judged
/// the answer bad; that somebody did not makes it no good one.
pub const AGAINST: [&str; 3] = ["regenerated", "abandoned", "edited"];

/// What is judged, and by whom: only the like is compared with the like.
pub(super) type Topic = (String, FeedbackSource);

/// Judgements of one topic on the requests of one model, one a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    /// Yes or no: how many are good, of how many.
    Share { good: u64, of: u64 },
    /// Scores.
    Scores(Vec<f64>),
}

/// Judgements of a model by topic. Of several on one request the latest stands: a person who thinks
/// again has one opinion, and a form that is sent twice is no second person. The second value counts
/// those that are neither a number nor a word that is known.
pub(super) fn by_topic(judgements: &[Judgement]) -> (BTreeMap<Topic, Vec<f64>>, u64) {
    let mut latest: BTreeMap<(Topic, &str), &Judgement> = BTreeMap::new();
    for one in judgements {
        let key = ((one.name.clone(), one.source), one.request.as_str());
        let known = latest.entry(key).or_insert(one);
        if known.at_us < one.at_us {
            *known = one;
        }
    }
    let (mut topics, mut unread) = (BTreeMap::<Topic, Vec<f64>>::new(), 0);
    for ((topic, _), one) in latest {
        match score(one) {
            Some(score) => topics.entry(topic).or_default().push(score),
            None => unread += 1,
        }
    }
    (topics, unread)
}

/// The number of a judgement: its value, else 1 or 0 for a word that is known.
fn score(one: &Judgement) -> Option<f64> {
    score_of(one.value, one.label.as_deref())
}

/// The number of a judgement that consists of these: its value, else 1 or 0 for a word that is known.
pub fn score_of(value: Option<f64>, label: Option<&str>) -> Option<f64> {
    if let Some(value) = value {
        return value.is_finite().then_some(value);
    }
    let word = label?.to_ascii_lowercase().replace(['-', ' '], "_");
    let says = |words: &[&str]| words.contains(&word.as_str());
    if says(&GOOD) {
        return Some(1.0);
    }
    says(&BAD).then_some(0.0)
}

/// Shares where all scores of both models are yes or no (0 and 1, or -1 and 1), else the scores.
pub(super) fn read(a: &[f64], b: &[f64]) -> [Judged; 2] {
    // Finite, so that equal bits are equal numbers, but for the two zeros.
    let kinds: BTreeSet<u64> = a.iter().chain(b).map(|score| (score + 0.0).to_bits()).collect();
    let within = |two: [f64; 2]| kinds.iter().all(|bits| two.map(f64::to_bits).contains(bits));
    let is_share = within([0.0, 1.0]) || within([-1.0, 1.0]);
    [a, b].map(|scores| {
        if is_share {
            let good = scores.iter().filter(|score| **score > 0.0).count();
            Judged::Share { good: good as u64, of: scores.len() as u64 }
        } else {
            Judged::Scores(scores.to_vec())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(request: &str, at_us: i64, value: Option<f64>, label: Option<&str>) -> Judgement {
        Judgement {
            at_us,
            name: "user_feedback".to_owned(),
            value,
            label: label.map(str::to_owned),
            source: FeedbackSource::Human,
            request: request.to_owned(),
        }
    }

    #[test]
    fn of_two_judgements_on_one_request_the_latest_stands() {
        let all = [
            judged("a", 2, Some(1.0), None),
            judged("a", 1, Some(0.0), None),
            judged("b", 1, None, Some("Thumbs-Down")),
            judged("c", 1, None, Some("so so")),
            judged("d", 1, Some(f64::NAN), Some("good")),
        ];
        let (topics, unread) = by_topic(&all);
        let topic = ("user_feedback".to_owned(), FeedbackSource::Human);
        assert_eq!(topics[&topic], [1.0, 0.0]);
        assert_eq!(unread, 2);
        let mut model = all[0].clone();
        model.source = FeedbackSource::Model;
        assert_eq!(by_topic(&[all[0].clone(), model]).0.len(), 2);
    }

    #[test]
    fn two_values_are_yes_and_no_and_more_are_scores() {
        let share = |good, of| Judged::Share { good, of };
        assert_eq!(read(&[1.0, 0.0, 1.0], &[-0.0]), [share(2, 3), share(0, 1)]);
        assert_eq!(read(&[1.0, -1.0], &[1.0]), [share(1, 2), share(1, 1)]);
        // A three of five is no thumb, also where only the other model has one.
        let scores = |scores: &[f64]| Judged::Scores(scores.to_vec());
        assert_eq!(read(&[1.0, 0.0], &[3.0]), [scores(&[1.0, 0.0]), scores(&[3.0])]);
        assert_eq!(read(&[], &[]), [share(0, 0), share(0, 0)]);
    }
}
