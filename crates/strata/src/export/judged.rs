//! What was thought of each answer, in the terms asked for.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use strata_diagnose::compare::{AGAINST, score_of};
use strata_model::Clock;
use strata_model::record::{Feedback, FeedbackSource};
use strata_store::RecordReader;

use crate::out::complain;

/// Judgements read at most; the latest.
const JUDGEMENTS_MAX: usize = 2_000_000;

/// Which judgements count, and what is good by them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Terms {
    pub(crate) name: Option<String>,
    pub(crate) source: Option<FeedbackSource>,
    /// A score of at least this is good, one below is bad.
    pub(crate) min_value: Option<f64>,
    /// A score of at most this is bad; between the two it says nothing.
    pub(crate) max_value: Option<f64>,
    pub(crate) labels: Vec<String>,
    pub(crate) bad_labels: Vec<String>,
    /// Names of scores of which less is better.
    pub(crate) less_is_better: Vec<String>,
}

/// What all judgements of an answer say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Some say good and some bad.
    Disputed,
    Unjudged,
}

/// Judgements by the number of their request.
pub(super) struct Judged(HashMap<String, Vec<Feedback>>);

impl Judged {
    /// All that were given since calls of the time began: people judge later.
    pub(super) fn load(records: &RecordReader, start_us: i64, clock: &dyn Clock) -> Result<Self> {
        let day_us = 86_400_000_000;
        let now_us = clock.now_ms().saturating_mul(1_000);
        let found = records.feedback(start_us..now_us.saturating_add(day_us), JUDGEMENTS_MAX)?;
        if found.len() >= JUDGEMENTS_MAX {
            complain(format!(
                "more than {JUDGEMENTS_MAX} judgements: only the latest are looked at"
            ));
        }
        let mut judged: HashMap<String, Vec<Feedback>> = HashMap::new();
        for one in found {
            if let Some(request) = one.request {
                judged.entry(request).or_default().push(one.feedback);
            }
        }
        Ok(Self(judged))
    }

    /// What was thought of a request.
    pub(super) fn of(&self, uid: &str, terms: &Terms) -> Verdict {
        self.0.get(uid).map_or(Verdict::Unjudged, |all| terms.verdict(all))
    }
}

impl Terms {
    /// Of several judgements of one name and source the latest stands.
    fn verdict(&self, all: &[Feedback]) -> Verdict {
        let mut latest: BTreeMap<(&str, FeedbackSource), &Feedback> = BTreeMap::new();
        for one in all {
            let other = self.name.as_ref().is_some_and(|name| *name != one.name)
                || self.source.is_some_and(|source| source != one.source);
            if other {
                continue;
            }
            let known = latest.entry((&one.name, one.source)).or_insert(one);
            if known.at_us < one.at_us {
                *known = one;
            }
        }
        let says: Vec<bool> = latest.values().filter_map(|one| self.is_good(one)).collect();
        match (says.contains(&true), says.contains(&false)) {
            (true, false) => Verdict::Good,
            (false, true) => Verdict::Bad,
            (true, true) => Verdict::Disputed,
            (false, false) => Verdict::Unjudged,
        }
    }

    /// Whether a judgement says good or bad; `None` where it says neither.
    fn is_good(&self, one: &Feedback) -> Option<bool> {
        if !self.labels.is_empty() || !self.bad_labels.is_empty() {
            let label = plain(one.label.as_ref()?);
            let among = |labels: &[String]| labels.iter().any(|known| plain(known) == label);
            return match (among(&self.labels), among(&self.bad_labels)) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                // Where nobody said which labels are bad, those that are not good are.
                (false, false) => self.bad_labels.is_empty().then_some(false),
            };
        }
        let score = score_of(one.value, one.label.as_deref())?;
        // Whatever scores are good: that somebody did not do it does not make an answer good.
        if AGAINST.contains(&one.name.as_str()) {
            return (score > 0.0).then_some(false);
        }
        if self.min_value.is_some() || self.max_value.is_some() {
            let good = self.min_value.is_some_and(|least| score >= least);
            let bad = match (self.max_value, self.min_value) {
                (Some(most), _) => score <= most,
                (None, least) => least.is_some_and(|least| score < least),
            };
            return (good || bad).then_some(good);
        }
        let less = self.less_is_better.contains(&one.name);
        // Of other numbers nobody knows where good begins unless it is said.
        let yes = match score {
            1.0 => true,
            0.0 | -1.0 => false,
            _ => return None,
        };
        Some(yes != less)
    }
}

/// A label without case, `-` and `_` alike.
fn plain(label: &str) -> String {
    label.to_ascii_lowercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use strata_model::record::FeedbackTarget;

    use super::*;

    fn said(at_us: i64, name: &str, value: Option<f64>, label: Option<&str>) -> Feedback {
        Feedback {
            at_us,
            target: FeedbackTarget::default(),
            name: name.to_owned(),
            value,
            label: label.map(str::to_owned),
            comment: None,
            source: FeedbackSource::Human,
            idempotency_key: None,
        }
    }

    #[test]
    fn judgements_say_good_or_bad_in_the_terms_asked_for() {
        let check = |terms: &Terms, all: &[Feedback], expected: Verdict| {
            assert_eq!(terms.verdict(all), expected, "{terms:?} {all:?}");
        };
        let plain = Terms::default();
        let thumb = |at, label| said(at, "user", None, Some(label));
        check(&plain, &[], Verdict::Unjudged);
        check(&plain, &[thumb(1, "thumbs-up")], Verdict::Good);
        check(&plain, &[thumb(1, "thumbs_up"), thumb(2, "thumbs_down")], Verdict::Bad);
        check(&plain, &[thumb(2, "up"), thumb(1, "down")], Verdict::Good);
        check(&plain, &[said(1, "stars", Some(4.0), None)], Verdict::Unjudged);
        check(&plain, &[said(1, "regenerated", Some(1.0), None)], Verdict::Bad);
        check(&plain, &[said(1, "regenerated", Some(0.0), None)], Verdict::Unjudged);
        let both = [thumb(1, "up"), said(1, "regenerated", Some(1.0), None)];
        check(&plain, &both, Verdict::Disputed);
        let named = Terms { name: Some("user".to_owned()), ..Terms::default() };
        check(&named, &both, Verdict::Good);
        let stars = Terms { min_value: Some(4.0), max_value: Some(2.0), ..Terms::default() };
        check(&stars, &[said(1, "stars", Some(5.0), None)], Verdict::Good);
        check(&stars, &[said(1, "stars", Some(3.0), None)], Verdict::Unjudged);
        check(&stars, &[said(1, "stars", Some(2.0), None)], Verdict::Bad);
        // Whatever scores are good, what people do against an answer is not.
        check(&stars, &[said(1, "regenerated", Some(1.0), None)], Verdict::Bad);
        let most = Terms { min_value: Some(0.8), ..Terms::default() };
        check(&most, &[said(1, "edited", Some(1.0), None)], Verdict::Bad);
        check(&most, &[said(1, "edited", Some(0.0), None)], Verdict::Unjudged);
        let labels = Terms { labels: vec!["Great".to_owned()], ..Terms::default() };
        check(&labels, &[thumb(1, "great")], Verdict::Good);
        check(&labels, &[thumb(1, "up")], Verdict::Bad);
        let less = Terms { less_is_better: vec!["toxic".to_owned()], ..Terms::default() };
        check(&less, &[said(1, "toxic", Some(0.0), None)], Verdict::Good);
    }
}
