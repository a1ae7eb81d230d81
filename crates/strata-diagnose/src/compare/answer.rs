//! Can we move from the first model to the second?

use super::needed::needed;
use super::{Better, Compared, Measure, Mix, Verdict};

/// What the measures say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Quality and failures are shown not to be worse beyond the margin, and nothing else is worse.
    Yes,
    /// Quality holds, but something else is worse.
    AtAPrice,
    /// Quality is worse, or more requests fail.
    No,
    /// Nothing is said of quality, or too little.
    NotYet,
}

impl Move {
    /// `yes`, `at_a_price`, `no`, `not_yet`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::AtAPrice => "at_a_price",
            Self::No => "no",
            Self::NotYet => "not_yet",
        }
    }
}

/// The answer with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub can: Move,
    pub reasons: Vec<String>,
    /// Judgements that each model would need for a verdict within the margin, by today's share.
    pub judgements_needed: Option<u64>,
}

impl Answer {
    pub(super) fn of(measures: &[Compared], mix: &Mix) -> Self {
        // Only what somebody judged proves; what was seen after a request can tell against a model.
        let judged = |one: &&Compared| matches!(one.measure, Measure::Judged { .. });
        let quality: Vec<&Compared> = measures.iter().filter(judged).collect();
        let decides = |one: &&Compared| one.measure.is_quality() || one.measure == Measure::Failed;
        let named = |verdict: Verdict, all: bool| -> Vec<String> {
            let found = measures.iter().filter(|one| one.verdict == verdict);
            let found = found.filter(|one| decides(one) != all);
            found.map(|one| format!("{}: {}", one.measure.name(), verdict.words())).collect()
        };
        let (worse, dearer) = (named(Verdict::Worse, false), named(Verdict::Worse, true));
        // Judgements are of answers: that as many come has to be shown as well.
        let failed = measures.iter().filter(|one| one.measure == Measure::Failed);
        let open: Vec<&Compared> =
            quality.iter().copied().chain(failed).filter(|one| !is_no_worse(one)).collect();
        let needed = open.iter().filter_map(|one| needed(one)).max();
        let (can, mut reasons) = if !worse.is_empty() {
            (Move::No, worse)
        } else if quality.is_empty() {
            let words = "no request of either model was judged; send feedback, see docs/records.md";
            (Move::NotYet, vec![words.to_owned()])
        } else if !open.is_empty() {
            (Move::NotYet, open.into_iter().map(doubt).collect())
        } else {
            let held = quality.iter().map(|one| bound(one)).collect();
            (if dearer.is_empty() { Move::Yes } else { Move::AtAPrice }, held)
        };
        if matches!(can, Move::AtAPrice | Move::No) {
            reasons.extend(dearer);
        }
        reasons.extend(mix.doubts());
        let judgements_needed = needed.filter(|_| can == Move::NotYet);
        Self { can, reasons, judgements_needed }
    }
}

/// Whether the interval leaves no room for being worse by more than the margin.
fn is_no_worse(one: &Compared) -> bool {
    let (Some(found), Some(margin)) = (one.difference, one.margin) else { return false };
    let enough = one.verdict != Verdict::TooFew || one.a.count.min(one.b.count) >= super::LEAST;
    let worst = match one.measure.better() {
        Better::More => -found.low,
        Better::Less => found.high,
    };
    enough && worst <= margin
}

/// How much worse it may still be.
fn bound(one: &Compared) -> String {
    let name = one.measure.name();
    let Some(found) = one.difference else { return format!("{name}: {}", one.verdict.words()) };
    let worst = match one.measure.better() {
        Better::More => -found.low,
        Better::Less => found.high,
    };
    let size = if one.measure.unit() == "1" {
        format!("{:.1} points", worst.max(0.0) * 100.0)
    } else {
        format!("{:.3}", worst.max(0.0))
    };
    if worst < 0.0 {
        format!("{name}: better")
    } else {
        format!("{name}: worse by {size} at most, with 95 %")
    }
}

fn doubt(one: &Compared) -> String {
    match one.difference {
        Some(_) if one.a.count.min(one.b.count) >= super::LEAST => {
            bound(one).replace("worse by", "may be worse by")
        }
        _ => format!("{}: {}", one.measure.name(), one.why),
    }
}
