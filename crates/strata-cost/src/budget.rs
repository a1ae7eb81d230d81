//! Budgets: what is left, when it is used up, whether it burns too fast.

use crate::facts::{MAX_START_MS, MAX_STEP_MS, MAX_STEPS};

/// A budget for a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Whose.
    pub owner: String,
    /// Money for the whole span.
    pub amount: f64,
    /// First instant, ms since 1970.
    pub start_ms: i64,
    /// First instant no longer in it.
    pub end_ms: i64,
}

/// Money spent in equal steps, the oldest first. A step whose cost is not known is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spending<'a> {
    /// Start of the first step, ms since 1970.
    pub start_ms: i64,
    /// Length of a step, ms.
    pub step_ms: i64,
    /// Money of each step.
    pub steps: &'a [f64],
    /// Of how many of the first steps only a part was counted, as where counting began within one:
    /// they are spent, and tell no rate.
    pub begun: usize,
}

/// Shares of a budget at which to say so.
pub const ALERTS: [f64; 3] = [0.5, 0.8, 1.0];

/// Rates of burning at which to page or to write a ticket, as those for error budgets: over a long
/// window to be sure, and a short one to stop when it is over (SRE workbook, chapter 5).
pub const BURNS: [BurnRule; 3] = [
    BurnRule {
        name: "fast_burn",
        factor: 14.4,
        long_ms: 3_600_000,
        short_ms: 300_000,
        is_urgent: true,
    },
    BurnRule {
        name: "steady_burn",
        factor: 6.0,
        long_ms: 21_600_000,
        short_ms: 1_800_000,
        is_urgent: true,
    },
    BurnRule {
        name: "slow_burn",
        factor: 1.0,
        long_ms: 259_200_000,
        short_ms: 21_600_000,
        is_urgent: false,
    },
];

/// One rule of burning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BurnRule {
    /// Its name in answers.
    pub name: &'static str,
    /// How many times the even rate.
    pub factor: f64,
    /// Window that must burn, ms.
    pub long_ms: i64,
    /// Window that must still burn, ms.
    pub short_ms: i64,
    /// Whether a person should be woken.
    pub is_urgent: bool,
}

/// How one rule of burning stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burn {
    /// The rule.
    pub rule: BurnRule,
    /// How many times the even rate (the budget spread over its span) the long window burned. None
    /// where the cost of more than half of the window is not known.
    pub rate: Option<f64>,
    /// Whether both windows burn faster than the rule allows.
    pub is_firing: bool,
}

/// How a budget stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Money spent within the budget's span, as far as it is known.
    pub spent: f64,
    /// Share of the budget.
    pub used: f64,
    /// Share of the steps so far whose cost is not known; `spent` is then a lower bound.
    pub unknown: f64,
    /// Alerts that were reached.
    pub reached: Vec<f64>,
    /// Money at the end of the span if it goes on like the last week, hour by hour of the week
    /// where there are two weeks to learn from. None without a whole step of known cost.
    pub forecast: Option<f64>,
    /// When it is used up at that rate, ms since 1970; None if it lasts, or nobody knows.
    pub exhausted_ms: Option<i64>,
    /// Every rule of burning, in the order of [`BURNS`].
    pub burns: [Burn; 3],
}

impl Standing {
    /// Rules of burning that fire now.
    pub fn firing(&self) -> impl Iterator<Item = &BurnRule> {
        self.burns.iter().filter(|burn| burn.is_firing).map(|burn| &burn.rule)
    }
}

/// Span of a budget at most: ten years, walked hour by hour.
const MAX_SPAN_MS: i64 = 10 * 366 * 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
const WEEK_HOURS: usize = 168;

impl Budget {
    /// How it stands after `spending`, whose end is now. None for a budget or steps without length, or
    /// longer than ten years and [`MAX_STEPS`].
    pub fn standing(&self, spending: Spending<'_>) -> Option<Standing> {
        let bounded = |at: i64| (-MAX_START_MS..=MAX_START_MS).contains(&at);
        let sound = self.end_ms > self.start_ms
            && self.end_ms.saturating_sub(self.start_ms) <= MAX_SPAN_MS
            && (1..=MAX_STEP_MS).contains(&spending.step_ms)
            && spending.steps.len() <= MAX_STEPS
            && [self.start_ms, self.end_ms, spending.start_ms].into_iter().all(bounded);
        if !(sound && self.amount > 0.0 && self.amount.is_finite()) {
            return None;
        }
        let now_ms = spending.end_ms();
        let window = spending.between(self.start_ms, self.end_ms);
        let used = window.money / self.amount;
        let (forecast, exhausted_ms) = self.forecast(spending, window.money, now_ms);
        let burns = BURNS.map(|rule| self.burn(spending, rule));
        Some(Standing {
            spent: window.money,
            used,
            unknown: window.unknown,
            reached: ALERTS.into_iter().filter(|share| used >= *share).collect(),
            forecast,
            exhausted_ms,
            burns,
        })
    }

    fn burn(&self, spending: Spending<'_>, rule: BurnRule) -> Burn {
        let spending = spending.whole();
        let even = self.amount / (self.end_ms - self.start_ms) as f64;
        let now_ms = spending.end_ms();
        let rate = |window_ms: i64| {
            // A step longer than the window stands for it: hourly costs cannot tell five minutes.
            let window_ms = window_ms.max(spending.step_ms);
            let window = spending.between(now_ms - window_ms, now_ms);
            let is_known = window.known_ms >= 0.5 * window_ms as f64;
            is_known.then(|| window.money / window.known_ms / even)
        };
        let (long, short) = (rate(rule.long_ms), rate(rule.short_ms));
        let is_above = |rate: Option<f64>| rate.is_some_and(|rate| rate > rule.factor);
        Burn { rule, rate: long, is_firing: is_above(long) && is_above(short) }
    }

    fn forecast(
        &self,
        spending: Spending<'_>,
        spent: f64,
        now_ms: i64,
    ) -> (Option<f64>, Option<i64>) {
        let mut exhausted_ms = (spent >= self.amount).then_some(now_ms);
        let Some(rates) = Rates::learn(spending.whole()) else { return (None, exhausted_ms) };
        let mut total = spent;
        let mut at = now_ms.max(self.start_ms);
        while at < self.end_ms {
            let until = (at - at.rem_euclid(HOUR_MS) + HOUR_MS).min(self.end_ms);
            let rate = rates.at(at);
            let more = rate * (until - at) as f64;
            // What is used up with the last instant has lasted; rounding must not end it before.
            if exhausted_ms.is_none() && total + more > self.amount * (1.0 + 1e-9) && rate > 0.0 {
                exhausted_ms = Some(at + ((self.amount - total) / rate) as i64);
            }
            total += more;
            at = until;
        }
        (Some(total), exhausted_ms)
    }
}

/// What was spent in a window.
struct Window {
    money: f64,
    known_ms: f64,
    unknown: f64,
}

impl Spending<'_> {
    /// The steps that were counted from their beginning on.
    fn whole(self) -> Self {
        let begun = self.begun.min(self.steps.len());
        Self {
            start_ms: self.start_ms + self.step_ms * begun as i64,
            steps: self.steps.get(begun..).unwrap_or_default(),
            begun: 0,
            ..self
        }
    }

    fn end_ms(&self) -> i64 {
        self.start_ms + self.step_ms * self.steps.len() as i64
    }

    /// Steps cut by the window's edges count by their part.
    fn between(&self, from_ms: i64, until_ms: i64) -> Window {
        let (mut money, mut known_ms, mut unknown_ms) = (0.0, 0.0, 0.0);
        for (start, cost) in self.timed() {
            let overlap = ((start + self.step_ms).min(until_ms) - start.max(from_ms)).max(0) as f64;
            if cost.is_finite() {
                money += cost * overlap / self.step_ms as f64;
                known_ms += overlap;
            } else {
                unknown_ms += overlap;
            }
        }
        let whole = known_ms + unknown_ms;
        Window { money, known_ms, unknown: if whole > 0.0 { unknown_ms / whole } else { 0.0 } }
    }

    fn timed(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let start = |(at, cost): (usize, &f64)| (self.start_ms + self.step_ms * at as i64, *cost);
        self.steps.iter().enumerate().map(start)
    }
}

/// Money per ms, for each hour of the week where that can be learned.
struct Rates {
    mean: f64,
    hours: Option<Vec<f64>>,
}

impl Rates {
    fn learn(spending: Spending<'_>) -> Option<Self> {
        let now_ms = spending.end_ms();
        let week = spending.between(now_ms - HOUR_MS * WEEK_HOURS as i64, now_ms);
        if week.known_ms <= 0.0 {
            return None;
        }
        let mean = week.money / week.known_ms;
        let mut sums = vec![(0.0, 0.0_f64); WEEK_HOURS];
        for (start, cost) in spending.timed().filter(|(_, cost)| cost.is_finite()) {
            let hour = (start.div_euclid(HOUR_MS)).rem_euclid(WEEK_HOURS as i64) as usize;
            if let Some((money, ms)) = sums.get_mut(hour) {
                *money += cost;
                *ms += spending.step_ms as f64;
            }
        }
        // Two weeks of hourly steps: each hour of the week was seen twice.
        let seen_twice = |(_, ms): &(f64, f64)| *ms >= 2.0 * HOUR_MS as f64;
        let seasonal = spending.step_ms <= HOUR_MS && sums.iter().all(seen_twice);
        let whole: (f64, f64) =
            sums.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        let level = if whole.0 > 0.0 { mean / (whole.0 / whole.1) } else { 0.0 };
        // The pattern of all weeks at the level of the last one.
        let hours = seasonal.then(|| sums.iter().map(|(money, ms)| money / ms * level).collect());
        Some(Self { mean, hours })
    }

    fn at(&self, at_ms: i64) -> f64 {
        let hour = (at_ms.div_euclid(HOUR_MS)).rem_euclid(WEEK_HOURS as i64) as usize;
        let seasonal = self.hours.as_ref().and_then(|hours| hours.get(hour)).copied();
        seasonal.unwrap_or(self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(days: i64) -> Budget {
        Budget { owner: "t".into(), amount: 720.0, start_ms: 0, end_ms: days * 24 * HOUR_MS }
    }

    fn hourly(steps: &[f64]) -> Spending<'_> {
        Spending { start_ms: 0, step_ms: HOUR_MS, steps, begun: 0 }
    }

    #[test]
    fn an_even_rate_lasts_and_twice_of_it_half_as_long() {
        let even = budget(30).standing(hourly(&[1.0; 240])).unwrap();
        assert_eq!((even.spent, even.exhausted_ms), (240.0, None));
        assert!((even.forecast.unwrap() - 720.0).abs() < 1e-6);
        let fast = budget(30).standing(hourly(&[2.0; 240])).unwrap();
        assert!((fast.exhausted_ms.unwrap() - 360 * HOUR_MS).abs() < 1000);
        assert_eq!(fast.reached, [0.5]);
        let slow = budget(30).standing(hourly(&[0.5; 240])).unwrap();
        assert_eq!((slow.exhausted_ms, slow.reached.len()), (None, 0));
    }

    #[test]
    fn nights_are_cheap_where_two_weeks_show_it() {
        let day = |hour: usize| if hour % 24 < 12 { 2.0 } else { 0.0 };
        let steps: Vec<f64> = (0..14 * 24).map(day).collect();
        let standing = Budget { amount: 719.0, ..budget(30) }.standing(hourly(&steps)).unwrap();
        // 336 are spent after 14 days; 383 are left, at 24 a day: used up before noon of day 30.
        let at = standing.exhausted_ms.unwrap();
        assert_eq!(at / HOUR_MS, 29 * 24 + 11, "{at}");
    }

    #[test]
    fn a_fire_is_urgent_only_while_it_burns() {
        let mut steps = vec![1.0; 100];
        steps.extend([20.0; 2]);
        let standing = budget(30).standing(hourly(&steps)).unwrap();
        // One of money an hour is even: the last hour burned 20 times that, the last six 7.3 times.
        let names: Vec<_> = standing.firing().map(|rule| rule.name).collect();
        assert_eq!(names, ["fast_burn", "steady_burn", "slow_burn"], "{standing:?}");
        assert!((standing.burns[0].rate.unwrap() - 20.0).abs() < 1e-9, "{standing:?}");
        assert!((standing.burns[1].rate.unwrap() - 44.0 / 6.0).abs() < 1e-9, "{standing:?}");
        steps.extend([1.0; 2]);
        let standing = budget(30).standing(hourly(&steps)).unwrap();
        assert!(standing.firing().all(|rule| rule.name == "slow_burn"), "{standing:?}");
    }

    #[test]
    fn a_window_that_is_mostly_unknown_has_no_rate() {
        let standing = budget(30).standing(hourly(&[1.0, 1.0])).unwrap();
        let rates = standing.burns.map(|burn| burn.rate.is_some());
        assert_eq!(rates, [true, false, false], "two of six hours and of three days: {standing:?}");
    }

    #[test]
    fn an_hour_that_was_counted_in_part_is_spent_and_tells_no_rate() {
        let steps = [0.1, 1.0, 1.0];
        let standing = budget(30).standing(Spending { begun: 1, ..hourly(&steps) }).unwrap();
        assert_eq!((standing.spent, standing.exhausted_ms), (2.1, None));
        assert!((standing.forecast.unwrap() - (2.1 + 717.0)).abs() < 1e-6, "{standing:?}");
        assert_eq!(standing.burns[0].rate, Some(1.0));
        let standing = budget(30).standing(Spending { begun: 1, ..hourly(&[0.1]) }).unwrap();
        assert_eq!((standing.spent, standing.forecast), (0.1, None));
        assert_eq!(standing.burns.map(|burn| burn.rate), [None; 3]);
    }

    #[test]
    fn what_was_spent_before_the_span_teaches_and_is_not_of_it() {
        let span = Budget { start_ms: 24 * HOUR_MS, end_ms: 48 * HOUR_MS, ..budget(1) };
        let standing = span.standing(hourly(&[60.0; 26])).unwrap();
        assert_eq!(standing.spent, 120.0);
        let rate = standing.burns[1].rate.unwrap();
        assert!((rate - 2.0).abs() < 1e-9, "of six hours of which four are before: {rate}");
        assert_eq!(standing.exhausted_ms, Some(36 * HOUR_MS));
    }

    #[test]
    fn a_step_of_unknown_cost_is_told_and_not_free() {
        let steps = [1.0, f64::NAN, 1.0, f64::NAN];
        let standing = budget(30).standing(hourly(&steps)).unwrap();
        assert_eq!((standing.spent, standing.unknown), (2.0, 0.5));
        assert!((standing.forecast.unwrap() - (2.0 + 716.0)).abs() < 1e-6);
        let nothing = budget(30).standing(hourly(&[f64::NAN])).unwrap();
        assert_eq!((nothing.forecast, nothing.exhausted_ms), (None, None));
        assert_eq!(Budget { amount: 0.0, ..budget(30) }.standing(hourly(&[1.0])), None);
    }
}
