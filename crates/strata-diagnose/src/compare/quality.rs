//! What was thought of the answers: measures of quality, one a topic.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::record::FeedbackSource;

use super::interval::mean;
use super::judge::judge;
use super::judged::{self, Judged, Topic};
use super::{Better, Compared, Measure, Measured, Side, Terms, shares};

/// Every topic that is judged on either side.
pub(super) fn measures(
    a: &Side,
    b: &Side,
    terms: &Terms,
    notes: &mut Vec<String>,
) -> Vec<Compared> {
    let [(first, unread_a), (second, unread_b)] =
        [a, b].map(|side| judged::by_topic(&side.judgements));
    if unread_a + unread_b > 0 {
        notes.push(format!(
            "{} judgements are neither a number nor a word that is known, and are left out",
            unread_a + unread_b
        ));
    }
    let topics: BTreeSet<&Topic> = first.keys().chain(second.keys()).collect();
    for name in &terms.less_is_better {
        if !topics.iter().any(|(known, _)| known == name) {
            notes.push(format!("nothing of these requests is judged by {name:?}"));
        }
    }
    let scores = |topic: &Topic| {
        [&first, &second].map(|side| side.get(topic).map_or(&[][..], Vec::as_slice))
    };
    // A side of which no sign was ever told has a client that does not watch for any: that nothing
    // is known of it is not that nothing happened.
    let watches = |topics: &BTreeMap<Topic, Vec<f64>>| {
        topics.keys().any(|(_, source)| *source == FeedbackSource::Implicit)
    };
    let requests = [(a, &first), (b, &second)]
        .map(|(side, topics)| if watches(topics) { side.matching } else { 0 });
    topics.into_iter().map(|topic| measure(topic, scores(topic), requests, terms)).collect()
}

fn measure(topic: &Topic, scores: [&[f64]; 2], requests: [u64; 2], terms: &Terms) -> Compared {
    let (name, source) = topic.clone();
    let (margins, less) = (terms.margins, &terms.less_is_better);
    if source == FeedbackSource::Implicit {
        // That nothing was seen after a request is not told; it is what all others have.
        let [first, second] =
            scores.map(|scores| scores.iter().filter(|score| **score > 0.0).count() as u64);
        let counts = [(first, requests[0]), (second, requests[1])];
        let better = Better::of_sign(&name, less);
        return shares(Measure::Happened { name, better }, counts, margins);
    }
    let better = Better::of_score(&name, less);
    if let [Judged::Share { good, of }, Judged::Share { good: others, of: all }] =
        judged::read(scores[0], scores[1])
    {
        let measure = Measure::Judged { name, source, is_share: true, better };
        return shares(measure, [(good, of), (others, all)], margins);
    }
    let values = scores.map(|scores| Measured { value: mean(scores), count: scores.len() as u64 });
    let margin = values[0].value.map(|value| value.estimate.abs() * margins.relative);
    judge(Measure::Judged { name, source, is_share: false, better }, values, margin)
}
