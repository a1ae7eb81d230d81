//! Who asks: a stream of conversations, each of one turn or more.
//!
//! Conversations begin as a Poisson process whose rate goes with the hour and with bursts (a
//! two-state Markov-modulated process). The rate is constant within a tick, so an arrival is where
//! the summed rate passes an exponential number (time-rescaling theorem; Lewis and Shedler, 1979,
//! treat the same process by thinning).

use crate::engine::{Ask, Ended, Reason};
use crate::knob::{Knobs, TenantKnob};
use crate::rng::Rng;

/// A day, seconds.
const DAY: f64 = 86_400.0;
/// The busiest hour: 15:00 UTC.
const PEAK: f64 = 15.0 * 3600.0;
/// Room a conversation leaves for the next answer.
const MARGIN: u64 = 2048;

/// A turn that a user will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    pub(crate) at: f64,
    pub(crate) conversation: u64,
    /// Tokens of what was said before; 0 for a new conversation.
    pub(crate) context: u64,
}

/// One tenant's users.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) number: usize,
    pub(crate) knobs: Knobs,
    rng: Rng,
    /// Expected arrivals still to pass before the next one.
    credit: f64,
    in_burst: bool,
    burst_left: f64,
    next_conversation: u64,
    /// Whether a trace speaks in its place.
    pub(crate) is_replaced: bool,
}

impl Tenant {
    pub(crate) fn new(number: usize, knobs: Knobs, mut rng: Rng) -> Self {
        let credit = rng.exponential(1.0);
        let burst_left = rng.exponential(knobs.get(TenantKnob::BurstGapSeconds));
        // Conversations of tenants never share a number.
        let next_conversation = (number as u64) << 40;
        let in_burst = false;
        Self {
            number,
            knobs,
            rng,
            credit,
            in_burst,
            burst_left,
            next_conversation,
            is_replaced: false,
        }
    }

    /// Conversations per second at this time of day (seconds since midnight UTC).
    fn rate(&self, second_of_day: f64) -> f64 {
        let phase = std::f64::consts::TAU * (second_of_day - PEAK) / DAY;
        let day = 1.0 + self.knobs.get(TenantKnob::Diurnal) * phase.cos();
        let burst = if self.in_burst { self.knobs.get(TenantKnob::BurstFactor) } else { 1.0 };
        self.knobs.get(TenantKnob::Rate) * day * burst
    }

    /// New conversations between `from` and `from + seconds`.
    pub(crate) fn arrivals(&mut self, from: f64, seconds: f64, second_of_day: f64) -> Vec<Turn> {
        self.burst_left -= seconds;
        if self.burst_left <= 0.0 {
            self.in_burst = !self.in_burst;
            let mean = if self.in_burst {
                self.knobs.get(TenantKnob::BurstSeconds)
            } else {
                self.knobs.get(TenantKnob::BurstGapSeconds)
            };
            self.burst_left = self.rng.exponential(mean);
        }
        let mut turns = Vec::new();
        if self.is_replaced {
            return turns;
        }
        let rate = self.rate(second_of_day);
        let mut at = from;
        while rate > 0.0 && at + self.credit / rate < from + seconds {
            at += self.credit / rate;
            self.credit = self.rng.exponential(1.0);
            turns.push(Turn { at, conversation: self.conversation(), context: 0 });
        }
        self.credit -= rate * (from + seconds - at);
        turns
    }

    /// A number no other conversation has.
    pub(crate) fn conversation(&mut self) -> u64 {
        self.next_conversation += 1;
        self.next_conversation
    }

    /// What is asked in a turn, for a model that takes `length_max` tokens.
    pub(crate) fn ask(&mut self, turn: Turn, length_max: u64) -> Ask {
        let knobs = &self.knobs;
        let rng = &mut self.rng;
        let system = knobs.get(TenantKnob::SystemTokens) as u64;
        let said =
            rng.log_normal(knobs.get(TenantKnob::PromptTokens), knobs.get(TenantKnob::PromptSigma));
        let natural =
            rng.log_normal(knobs.get(TenantKnob::OutputTokens), knobs.get(TenantKnob::OutputSigma));
        let wide = if rng.chance(0.5) { 1.0 } else { 2.0 };
        let max_tokens = (knobs.get(TenantKnob::MaxTokens) * wide) as u64;
        let patience = rng.exponential(knobs.get(TenantKnob::PatienceSeconds));
        // Nobody hangs up in less than a tenth of the usual time.
        let patience = patience.max(0.1 * knobs.get(TenantKnob::PatienceSeconds));
        let begun = if turn.context > 0 { turn.context } else { system };
        // What does not fit the model is cut by the client, answer included.
        let room = length_max.saturating_sub(begun + max_tokens + 1).max(1);
        Ask {
            tenant: self.number,
            conversation: turn.conversation,
            arrival: turn.at,
            deadline: turn.at + patience,
            prompt: begun + (said.ceil() as u64).clamp(1, room),
            system,
            natural: (natural.ceil() as u64).max(1),
            max_tokens: max_tokens.max(1),
        }
    }

    /// Whether and when the user goes on after an answer. Never within `least` seconds.
    pub(crate) fn next_turn(&mut self, ended: &Ended, length_max: u64, least: f64) -> Option<Turn> {
        let answered = matches!(ended.reason, Reason::Stop | Reason::Length);
        let context = ended.ask.prompt + ended.delivered;
        let goes_on = self.rng.chance(self.knobs.get(TenantKnob::TurnProbability));
        if !answered || !goes_on || context + MARGIN > length_max {
            return None;
        }
        let pause = least + self.rng.exponential(self.knobs.get(TenantKnob::ThinkSeconds));
        Some(Turn { at: ended.end + pause, conversation: ended.ask.conversation, context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(change: &[(TenantKnob, f64)]) -> Tenant {
        let mut knobs =
            Knobs::new(crate::workload::tenant_defaults(&crate::workload::TENANTS[0], 1));
        for (knob, value) in change {
            knobs.set((*knob).into(), *value);
        }
        Tenant::new(0, knobs, Rng::of(5, "tenant"))
    }

    fn count(tenant: &mut Tenant, seconds: u32, second_of_day: f64) -> usize {
        (0..seconds).map(|at| tenant.arrivals(f64::from(at), 1.0, second_of_day).len()).sum()
    }

    #[test]
    fn arrivals_follow_the_rate_the_day_and_bursts() {
        let plain = [(TenantKnob::Rate, 5.0), (TenantKnob::BurstFactor, 1.0)];
        let mut noon = tenant(&plain);
        // A quarter of a day from the peak the day does nothing.
        let usual = count(&mut noon, 20_000, PEAK + DAY / 4.0) as f64 / 100_000.0;
        assert!((usual - 1.0).abs() < 0.02, "{usual}");
        let peak = count(&mut tenant(&plain), 20_000, PEAK) as f64 / 100_000.0;
        assert!((peak - 1.25).abs() < 0.02, "{peak}");
        let bursts = [
            (TenantKnob::Rate, 5.0),
            (TenantKnob::BurstFactor, 3.0),
            (TenantKnob::BurstSeconds, 100.0),
            (TenantKnob::BurstGapSeconds, 100.0),
        ];
        let bursty = count(&mut tenant(&bursts), 60_000, PEAK + DAY / 4.0) as f64 / 300_000.0;
        assert!((bursty - 2.0).abs() < 0.2, "half of the time at three times the rate: {bursty}");
    }

    #[test]
    fn gaps_are_exponential() {
        let mut tenant = tenant(&[(TenantKnob::Rate, 2.0), (TenantKnob::BurstFactor, 1.0)]);
        let quarter = PEAK + DAY / 4.0;
        let mut times = Vec::new();
        for at in 0..20_000 {
            times.extend(tenant.arrivals(f64::from(at), 1.0, quarter).iter().map(|turn| turn.at));
        }
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let long = gaps.iter().filter(|gap| **gap > 0.5).count() as f64 / gaps.len() as f64;
        assert!((long - (-1.0f64).exp()).abs() < 0.01, "{long}");
    }

    #[test]
    fn asks_fit_the_model() {
        let mut tenant = tenant(&[(TenantKnob::PromptTokens, 20_000.0)]);
        for _ in 0..1000 {
            let turn = Turn { at: 0.0, conversation: 1, context: 30_000 };
            let ask = tenant.ask(turn, 32_768);
            assert!(ask.prompt + ask.output() <= 32_768, "{ask:?}");
            assert!(ask.prompt > ask.system);
        }
    }
}
