//! How useful a token was: five levels, each a part of the one before.

use crate::facts::{Column, Replica, Role};
use crate::split::{Class, Quantities, Split};

/// Levels of usefulness. A cost per useful token always says its level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// U0: generated.
    Generated,
    /// U1: delivered to a client who was still there.
    #[default]
    Delivered,
    /// U2: of a request within its SLO.
    WithinSlo,
    /// U3: of a request that was no retry, hedge or duplicate.
    FirstSuccess,
    /// U4: of an answer that was accepted.
    Accepted,
}

/// Number of levels.
pub const LEVELS: usize = 5;

impl Level {
    /// All levels in their order.
    pub const ALL: [Self; LEVELS] =
        [Self::Generated, Self::Delivered, Self::WithinSlo, Self::FirstSuccess, Self::Accepted];

    /// Its place in arrays over all levels.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its short name: `U0` to `U4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generated => "U0",
            Self::Delivered => "U1",
            Self::WithinSlo => "U2",
            Self::FirstSuccess => "U3",
            Self::Accepted => "U4",
        }
    }

    /// The levels up to this one, the first left out: each step down from one to the next is a
    /// cause of waste.
    fn steps(self) -> impl Iterator<Item = (Self, Self)> {
        let pairs = Self::ALL.into_iter().zip(Self::ALL.into_iter().skip(1));
        pairs.take(self.place())
    }
}

/// Why work was for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Computed again after a preemption threw it away.
    Recomputed,
    /// The client was gone, or the request failed after work.
    Undelivered,
    /// Too late for its SLO.
    BeyondSlo,
    /// A retry, hedge or duplicate of what was already answered.
    Repeated,
    /// Nobody accepted the answer.
    NotAccepted,
}

/// Number of causes.
pub const CAUSES: usize = 5;

impl Cause {
    /// All causes.
    pub const ALL: [Self; CAUSES] =
        [Self::Recomputed, Self::Undelivered, Self::BeyondSlo, Self::Repeated, Self::NotAccepted];

    /// Its place in arrays over all causes.
    pub fn place(self) -> usize {
        self as usize
    }

    /// Its name in answers and exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recomputed => "recomputed",
            Self::Undelivered => "undelivered",
            Self::BeyondSlo => "beyond_slo",
            Self::Repeated => "repeated",
            Self::NotAccepted => "not_accepted",
        }
    }

    /// The cause of what is of one level and not of the next.
    fn below(level: Level) -> Self {
        match level {
            Level::Generated | Level::Delivered => Self::Undelivered,
            Level::WithinSlo => Self::BeyondSlo,
            Level::FirstSuccess => Self::Repeated,
            Level::Accepted => Self::NotAccepted,
        }
    }
}

/// What a prefill replica generates.
static NOTHING: Column = Column::Constant(0.0);

impl Replica {
    /// Tokens of a level that this replica generated. In a pool that only prefills it is none: such
    /// a replica may repeat the counts of its requests, which tell how useful its work was, but the
    /// tokens are those of the other pool.
    pub fn generated_at(&self, level: Level) -> &Column {
        if self.role == Role::Prefill { &NOTHING } else { self.tokens_at(level) }
    }

    fn tokens_at(&self, level: Level) -> &Column {
        match level {
            Level::Generated => &self.generated,
            Level::Delivered => &self.delivered,
            Level::WithinSlo => &self.within_slo,
            Level::FirstSuccess => &self.first_success,
            Level::Accepted => &self.accepted,
        }
    }

    /// What it worked on in a step, as far as its role computes it. None where a counter that it
    /// should have was not measured; without a prefix cache `cached` is `Constant(0.0)`.
    pub fn quantities(&self, step: usize) -> Option<Quantities> {
        let prompt = match self.role {
            Role::Decode => Some((0.0, 0.0)),
            Role::Whole | Role::Prefill => self.prompt_parts(step),
        };
        let (fresh, cached) = prompt?;
        let generated = if self.role == Role::Prefill { 0.0 } else { self.generated.get(step)? };
        let requests = self.requests.get(step).unwrap_or_default();
        // A request passes through both pools and is counted where it ends.
        let requests = if self.role == Role::Prefill { 0.0 } else { requests };
        Some([fresh, cached, generated, requests])
    }

    fn prompt_parts(&self, step: usize) -> Option<(f64, f64)> {
        let prompt = self.prompt.get(step)?;
        // Hits are counted when a prompt is scheduled, prompts when they are done: at a step's edge
        // there can be more hits than prompt.
        let cached = self.cached.get(step)?.min(prompt);
        Some((prompt - cached, cached))
    }
}

/// Shares of a replica's busy time in one step that nobody could use, by cause. None where what is
/// needed to tell was not measured. A request's prompt is as useful as its answer, so the work of a
/// step is wasted in the ratio of its tokens that fell through; what was computed twice comes on top.
pub fn waste(replica: &Replica, split: &Split, level: Level, step: usize) -> Option<[f64; CAUSES]> {
    let mut causes = [0.0; CAUSES];
    let recomputed = replica.recomputed.get(step)?;
    let work = split.work(&replica.quantities(step)?);
    // Where no prompt token was ever computed there is nothing that could be computed again.
    let again =
        if recomputed > 0.0 { recomputed * split.price(Class::UncachedPrompt)? } else { 0.0 };
    if work + again <= 0.0 {
        return None;
    }
    let generated = replica.generated.get(step)?;
    let kept = 1.0 - again / (work + again);
    let mut set = |cause: Cause, share: f64| {
        if let Some(place) = causes.get_mut(cause.place()) {
            *place = share;
        }
    };
    set(Cause::Recomputed, 1.0 - kept);
    let mut before = generated;
    for (_, next) in level.steps() {
        // Tokens are delivered after they are generated, in the next step at worst.
        let tokens = replica.tokens_at(next).get(step)?.min(before);
        let lost = if generated > 0.0 { (before - tokens) / generated } else { 0.0 };
        set(Cause::below(next), lost * kept);
        before = tokens;
    }
    Some(causes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Totals;

    fn replica() -> Replica {
        Replica {
            prompt: Column::Constant(1000.0),
            cached: Column::Constant(0.0),
            generated: Column::Constant(100.0),
            requests: Column::Constant(1.0),
            recomputed: Column::Constant(0.0),
            delivered: Column::Constant(80.0),
            within_slo: Column::Constant(60.0),
            ..Replica::default()
        }
    }

    fn split() -> Split {
        let quantities = replica().quantities(0).unwrap();
        let pools = Some((10.0, 40.0));
        Split::find(&[], &Totals { busy_s: 50.0, quantities, pools, request_s: None }).unwrap()
    }

    #[test]
    fn each_level_adds_its_cause() {
        let check = |level, expected: [f64; CAUSES]| {
            let found = waste(&replica(), &split(), level, 0).unwrap();
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{level:?} {found} {expected}");
            }
        };
        check(Level::Generated, [0.0; CAUSES]);
        check(Level::Delivered, [0.0, 0.2, 0.0, 0.0, 0.0]);
        check(Level::WithinSlo, [0.0, 0.2, 0.2, 0.0, 0.0]);
        assert_eq!(waste(&replica(), &split(), Level::FirstSuccess, 0), None);
    }

    #[test]
    fn what_is_computed_twice_is_wasted_once() {
        // 1000 tokens again at 0.01 s beside 50 s of work.
        let again = Replica { recomputed: Column::Constant(1000.0), ..replica() };
        let found = waste(&again, &split(), Level::Delivered, 0).unwrap();
        assert!((found[0] - 10.0 / 60.0).abs() < 1e-12);
        assert!((found[1] - 0.2 * 50.0 / 60.0).abs() < 1e-12);
        let unknown = Replica { recomputed: Column::Missing, ..replica() };
        assert_eq!(waste(&unknown, &split(), Level::Generated, 0), None);
    }
}
