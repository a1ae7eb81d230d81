//! Two models by what their users got: quality, failures, times, cost. Each measure with an
//! interval, and a verdict only where the data carry one.

mod answer;
pub mod interval;
mod judge;
mod judged;
mod measure;
mod mix;
mod needed;
mod quality;
pub mod quantile;
mod signs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use strata_model::record::{Judgement, RequestSample};

pub use answer::{Answer, Move};
use interval::{Interval, share};
use judge::judge;
pub use judged::score_of;
pub use judged::{AGAINST, BAD as BAD_WORDS, GOOD as GOOD_WORDS};
pub use measure::{Better, Measure, Time};
pub use mix::{Mix, MixLine};
pub use signs::Sign;

/// Fewer observations of a side than this carry no verdict, whatever their interval says.
pub const LEAST: u64 = 10;

/// Quantiles of times that are compared: what most get, and what is complained of.
const QUANTILES: [(Time, f64); 6] = [
    (Time::Ttft, 0.5),
    (Time::Ttft, 0.95),
    (Time::Tpot, 0.5),
    (Time::Tpot, 0.95),
    (Time::Duration, 0.5),
    (Time::Duration, 0.95),
];

/// What is known of one model.
#[derive(Debug, Clone, Default)]
pub struct Side {
    pub model: String,
    pub samples: Vec<RequestSample>,
    /// Requests there are, of which the samples are a part.
    pub matching: u64,
    pub judgements: Vec<Judgement>,
    /// There are more judgements than these; they are the latest.
    pub judgements_cut: bool,
    /// Money for a useful token, or why nobody can say.
    pub cost: Option<Result<f64, String>>,
}

/// Differences that nobody would mind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Of shares: points of 1.
    pub share: f64,
    /// Of times, cost and scores: as a part of the first model's.
    pub relative: f64,
}

impl Default for Margins {
    /// Five points of a share, a tenth of anything else.
    fn default() -> Self {
        Self { share: 0.05, relative: 0.1 }
    }
}

/// What the one who asks knows of differences and scores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    pub margins: Margins,
    /// Names of scores and signs of which less is better, such as `hallucination`.
    pub less_is_better: BTreeSet<String>,
}

/// Whether the second model is better than the first, by more than anybody would mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of the interval of the difference lies beyond the margin.
    Better,
    /// The same, to the other side.
    Worse,
    /// None of the interval lies beyond the margin.
    NoDifference,
    /// The interval lies on both sides of the margin, or there is none.
    TooFew,
}

impl Verdict {
    /// `better`, `worse`, `no difference shown`, `too few data`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoDifference => "no difference shown",
            Self::TooFew => "too few data",
        }
    }
}

/// One value of one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// `None` where nothing was observed, or too little for an interval.
    pub value: Option<Interval>,
    /// Observations behind it.
    pub count: u64,
}

/// One measure of both models.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub measure: Measure,
    pub a: Measured,
    pub b: Measured,
    /// The second minus the first.
    pub difference: Option<Interval>,
    /// What is not minded, in the unit of the measure.
    pub margin: Option<f64>,
    pub verdict: Verdict,
    /// Why the verdict is not more; empty where it speaks for itself.
    pub why: String,
}

/// Two models side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub a: String,
    pub b: String,
    pub margins: Margins,
    pub measures: Vec<Compared>,
    /// Whether both got the same kind of requests.
    pub mix: Mix,
    pub answer: Answer,
    /// What must be said of the data.
    pub notes: Vec<String>,
}

/// Compare the second model with the first.
pub fn compare(a: &Side, b: &Side, terms: &Terms) -> Comparison {
    let mut notes = Vec::new();
    let margins = terms.margins;
    let mut measures = quality::measures(a, b, terms, &mut notes);
    measures.extend(signs::measures(a, b, margins));
    measures.extend(endings(a, b, margins));
    for (time, q) in QUANTILES {
        let [x, y] = [a, b].map(|side| times(&side.samples, time));
        measures.push(timed(Measure::Quantile { time, q }, [&x, &y], q, margins));
    }
    measures.push(cost(a, b, margins));
    for side in [a, b] {
        let taken = side.samples.len() as u64;
        if taken < side.matching {
            let words =
                format!("{taken} of {} requests of {} are in it", side.matching, side.model);
            notes.push(format!("{words}, taken evenly over the time"));
        }
        if side.judgements_cut {
            let count = side.judgements.len();
            let words = format!("only the latest {count} judgements on {} are in it", side.model);
            notes.push(format!("{words}: ask for a shorter time"));
        }
    }
    let mix = Mix::of(a, b);
    let answer = Answer::of(&measures, &mix);
    let (a, b) = (a.model.clone(), b.model.clone());
    Comparison { a, b, margins, measures, mix, answer, notes }
}

/// Shares of both sides: hits and trials.
fn shares(measure: Measure, counts: [(u64, u64); 2], margins: Margins) -> Compared {
    // More may be told to have happened than requests are known: then the share is not known.
    let values =
        counts.map(|(hits, trials)| Measured { value: share(hits, trials), count: trials });
    judge(measure, values, Some(margins.share))
}

/// How requests ended.
fn endings(a: &Side, b: &Side, margins: Margins) -> Vec<Compared> {
    let count = |kinds: &[&str]| {
        [a, b].map(|side| {
            let ended = side.samples.iter().filter_map(|one| one.outcome.as_deref());
            let hits = ended.clone().filter(|outcome| kinds.contains(outcome)).count();
            (hits as u64, ended.count() as u64)
        })
    };
    let failed = count(&["error", "error_in_200", "upstream_truncated"]);
    vec![
        shares(Measure::Failed, failed, margins),
        shares(Measure::Cancelled, count(&["client_cancel"]), margins),
    ]
}

/// A time of requests in rising order, seconds.
fn times(samples: &[RequestSample], time: Time) -> Vec<f64> {
    let seconds = |us: Option<i64>| us.map(|us| us as f64 / 1e6);
    let of = |one: &RequestSample| match time {
        Time::Ttft => seconds(one.ttft_us),
        Time::Tpot => one.tpot_s(),
        // A refusal is quick, and that is no merit.
        Time::Duration => seconds(one.duration_us)
            .filter(|_| one.outcome.as_deref().is_none_or(|kind| kind == "ok")),
    };
    let mut rising: Vec<f64> = samples.iter().filter_map(of).collect();
    rising.sort_by(f64::total_cmp);
    rising
}

fn timed(measure: Measure, rising: [&[f64]; 2], q: f64, margins: Margins) -> Compared {
    let values = rising.map(|values| Measured {
        value: quantile::quantile(values, q),
        count: values.len() as u64,
    });
    let margin = values[0].value.map(|value| value.estimate * margins.relative);
    judge(measure, values, margin)
}

/// Cost is counted, not sampled: it has no interval, and only a difference beyond the margin says
/// anything, as half an hour of idling moves it.
fn cost(a: &Side, b: &Side, margins: Margins) -> Compared {
    let known = |side: &Side| side.cost.as_ref().and_then(|cost| cost.as_ref().ok()).copied();
    let exact = |value: f64| Interval { estimate: value, low: value, high: value };
    let measured = |value: Option<f64>| Measured {
        value: value.map(exact),
        count: u64::from(value.is_some()),
    };
    let values = [known(a), known(b)];
    let gap = values[0].zip(values[1]).map(|(first, second)| second - first);
    let margin = values[0].map(|first| first * margins.relative);
    let (verdict, why) = match gap.zip(margin) {
        Some((gap, margin)) if gap > margin => (Verdict::Worse, String::new()),
        Some((gap, margin)) if gap < -margin => (Verdict::Better, String::new()),
        Some(_) => (Verdict::NoDifference, String::new()),
        None => (Verdict::TooFew, unpriced(a).or(unpriced(b)).unwrap_or_default()),
    };
    Compared {
        measure: Measure::Cost,
        a: measured(values[0]),
        b: measured(values[1]),
        difference: gap.map(exact),
        margin,
        verdict,
        why,
    }
}

/// Why there is no cost.
fn unpriced(side: &Side) -> Option<String> {
    match &side.cost {
        Some(Ok(_)) => None,
        Some(Err(why)) => Some(format!("{}: {why}", side.model)),
        None => Some("nothing here prices GPU time".to_owned()),
    }
}
