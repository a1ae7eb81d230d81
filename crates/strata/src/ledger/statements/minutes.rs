//! A period billed minute by minute, a stretch at a time, and added up for one customer.

use std::collections::{BTreeMap, BTreeSet};

use strata_cost::ledger::{Dimension, Ledger, Line, Payer, State};
use strata_cost::split::{CLASSES, Class};
use strata_cost::sum::{Sum, sum};
use strata_cost::tariff::{Assumed, STANDARD, Usage};
use strata_cost::time::rfc3339;
use strata_cost::unit::{Amounts, amounts, by_tenant, tenants};
use strata_view::PageError;
use strata_world::bill::{BillTenant, BillWorld, Period, statement_plan};

use super::Span;
use super::tokens::{Counters, Whole};
use crate::ledger::asked::bad;
use crate::ledger::{LedgerService, STEP_MS};

/// Steps that are billed at once, six hours: the columns of ten thousand GPUs are then some hundred
/// megabytes, and a busy GPU has the dozens of steps that the split between token classes needs.
const STRETCH_STEPS: usize = 360;

/// What a customer had in the minutes of a period.
#[derive(Debug)]
pub(super) struct Tally {
    by: Dimension,
    name: String,
    /// Time and money by model, a line for each stretch, in their order.
    lines: BTreeMap<String, Vec<Line>>,
    used: BTreeMap<String, Used>,
    /// Models of which some work was not counted or found no replica.
    uncounted: BTreeSet<String>,
    /// Tokens of a tenant as they were counted.
    counters: Counters,
    /// Models of which a token class was counted in a part of the period only.
    partly: BTreeSet<String>,
    /// GPU seconds whose holder nothing names, the GPU being there.
    unattributed_s: Sum,
    sights: Sights,
}

/// What is sold of one model.
#[derive(Debug, Default)]
struct Used {
    quantities: [Option<Sum>; CLASSES],
    reserved_gpu_hours: Sum,
}

/// When each GPU was seen, in steps of the whole period: before its first and after its last sight it
/// was not there, in between nobody watched.
#[derive(Debug, Default)]
struct Sights {
    /// First and last step, and how many there were.
    gpus: BTreeMap<String, (usize, usize, usize)>,
    steps: usize,
}

impl Sights {
    fn add(&mut self, world: &BillWorld, first: usize, steps: usize) {
        self.steps = first + steps;
        for gpu in &world.gpus {
            for (at, _) in gpu.seen.iter().enumerate().filter(|(_, seen)| **seen) {
                let at = first + at;
                let (_, last, count) = self.gpus.entry(gpu.id.clone()).or_insert((at, at, 0));
                *last = at;
                *count += 1;
            }
        }
    }

    /// The first step in which anything was seen.
    fn first(&self) -> Option<usize> {
        self.gpus.values().map(|(first, ..)| *first).min()
    }

    /// Steps of all GPUs in which nobody watched them. Where none was seen to the end, those that were
    /// seen last are taken to be there.
    fn missed(&self) -> usize {
        let end = self.gpus.values().map(|(_, last, _)| *last).max();
        let missed = self.gpus.values().map(|(first, last, count)| {
            let after = if Some(*last) == end { self.steps - 1 - last } else { 0 };
            last + 1 - first - count + after
        });
        missed.sum()
    }
}

/// Stretches of which nothing is stored, where the first is one: a month that nobody watched would be asked
/// about minute by minute otherwise. None where that is not certain.
async fn blanks(service: &LedgerService, span: Span) -> Vec<bool> {
    let step_ms = STEP_MS * STRETCH_STEPS as i64;
    let steps =
        usize::try_from((span.until_ms - span.from_ms).div_euclid(step_ms)).unwrap_or(0) + 1;
    let period = Period { start_ms: span.from_ms, step_ms, steps };
    let world = service.asked(&period, statement_plan(&period)).await;
    if !world.notes.is_empty() || world.counting.is_some() {
        return Vec::new();
    }
    let seen = |step: usize| world.gpus.iter().any(|gpu| gpu.seen.get(step) == Some(&true));
    (0..steps).map(|step| !seen(step)).collect()
}

impl Tally {
    /// The minutes of a period, of the customer of that name.
    ///
    /// # Errors
    /// Where a question fails, or where nothing was seen at the beginning.
    pub(super) async fn of(
        service: &LedgerService,
        by: Dimension,
        name: &str,
        span: Span,
    ) -> Result<Self, PageError> {
        let mut tally = Self::new(by, name);
        let sells_tokens = service.tariff.is_some() && by == Dimension::Tenant;
        let whole = if sells_tokens { Some(Whole::ask(service, name, span).await?) } else { None };
        let mut blank: Vec<bool> = Vec::new();
        let mut start_ms = span.from_ms;
        for number in 0.. {
            if start_ms >= span.until_ms {
                break;
            }
            let left = usize::try_from((span.until_ms - start_ms) / STEP_MS).unwrap_or(0);
            let period = Period { start_ms, step_ms: STEP_MS, steps: left.min(STRETCH_STEPS) };
            let first = tally.sights.steps;
            if blank.get(number) == Some(&true) {
                tally.sights.steps = first + period.steps;
                start_ms = period.end_ms();
                continue;
            }
            let world = service.asked(&period, statement_plan(&period)).await;
            tally.sights.add(&world, first, period.steps);
            if number == 0 && world.gpus.is_empty() && world.counting.is_none() {
                blank = blanks(service, span).await;
            }
            if by == Dimension::Tenant {
                tally.counters.see(&world, name, period.steps);
            }
            if let Some(step) = tally.sights.first().filter(|step| *step > 0) {
                let begin_ms = span.from_ms + STEP_MS * step as i64;
                let told = format!("nothing was seen before {}", rfc3339(begin_ms));
                return Err(bad(told, "begin the period there"));
            }
            let account = service.built(&period, world).await;
            if let Some(note) = account.notes.first() {
                let told = format!(
                    "not all is known from {} until {}: {note}",
                    rfc3339(start_ms),
                    rfc3339(period.end_ms())
                );
                return Err(bad(told, "ask again"));
            }
            tally.add(&account.ledger);
            start_ms = period.end_ms();
        }
        if tally.sights.first().is_none() && tally.used.is_empty() {
            // A bill of nothing would be closed for good, over a month that nobody watched.
            return Err(bad(
                format!(
                    "nothing was seen from {} until {}",
                    rfc3339(span.from_ms),
                    rfc3339(span.until_ms)
                ),
                "another period: --from and --until",
            ));
        }
        if let Some(whole) = whole {
            tally.count_whole(&whole);
        }
        Ok(tally)
    }

    /// Put what the counters rose by from the beginning to the end of the period in the place of what
    /// its stretches add up to.
    fn count_whole(&mut self, whole: &Whole) {
        self.partly = self.counters.partly_counted();
        for whole in self.counters.whole(whole) {
            let used = self.used.entry(whole.model.clone()).or_default();
            let amounts = whole_amounts(&whole, used.hits());
            used.quantities = [None; CLASSES];
            used.count(&amounts);
        }
    }

    fn new(by: Dimension, name: &str) -> Self {
        Self {
            by,
            name: name.to_owned(),
            lines: BTreeMap::new(),
            used: BTreeMap::new(),
            uncounted: BTreeSet::new(),
            counters: Counters::default(),
            partly: BTreeSet::new(),
            unattributed_s: Sum::default(),
            sights: Sights::default(),
        }
    }

    fn add(&mut self, ledger: &Ledger) {
        let lines = match self.by {
            Dimension::Tenant => by_tenant(ledger),
            by => ledger.by_two(by, Dimension::Model),
        };
        for ((_, model), line) in lines.into_iter().filter(|((name, _), _)| *name == self.name) {
            self.lines.entry(model).or_default().push(line);
        }
        if self.by == Dimension::Tenant {
            for one in tenants(ledger).into_iter().filter(|one| one.tenant == self.name) {
                if one.is_partial {
                    self.uncounted.insert(one.model.clone());
                }
                self.used.entry(one.model).or_default().count(&one.quantities);
            }
        } else {
            // Who holds GPUs pays for what he reserved; who sends requests, for their tokens.
            for (model, hours) in ledger.reserved_hours(self.by, &self.name) {
                let used = self.used.entry(model).or_default();
                used.count(&[Some(0.0); CLASSES]);
                used.reserved_gpu_hours.add(hours);
            }
        }
        for cell in ledger.cells.iter().filter(|cell| cell.payer == Payer::Unattributed) {
            let states = State::ALL.into_iter().zip(cell.seconds);
            // What nobody watched is counted by sights, over all stretches.
            let there = states.filter(|(state, _)| *state != State::UnknownPresence);
            self.unattributed_s.add(sum(there.map(|(_, seconds)| seconds)));
        }
    }

    /// Time and money by model.
    pub(super) fn spent(&self) -> Vec<(String, Line)> {
        let merged = |(model, lines): (&String, &Vec<Line>)| {
            (model.clone(), Line::merged(model, lines.iter()))
        };
        self.lines.iter().map(merged).collect()
    }

    /// What a tariff is applied to.
    pub(super) fn used(&self) -> Vec<Usage> {
        let usage = |(model, used): (&String, &Used)| Usage {
            model: model.clone(),
            tier: STANDARD.to_owned(),
            quantities: used.quantities.map(|sum| sum.map(Sum::value)),
            reserved_gpu_hours: used.reserved_gpu_hours.value(),
        };
        self.used.iter().map(usage).collect()
    }

    /// What of the amounts rests on no measurement. Tokens that are sold by a tariff are counted
    /// whatever they cost and whoever holds GPUs, as long as somebody counts.
    pub(super) fn assumed(&self, has_tariff: bool) -> Assumed {
        let sells_tokens = has_tariff && self.by == Dimension::Tenant;
        let lines = self.lines.values().flatten();
        let equal_s = sum(lines.map(|line| line.assumed_s));
        let missed_s = self.sights.missed() as f64 * STEP_MS as f64 / 1000.0;
        let unknown_s = if sells_tokens { 0.0 } else { self.unattributed_s.value() };
        let uncounted = if sells_tokens { &self.partly } else { &self.uncounted };
        Assumed {
            equal_share_gpu_hours: if sells_tokens { 0.0 } else { equal_s / 3600.0 },
            unknown_gpu_hours: (missed_s + unknown_s) / 3600.0,
            uncounted_models: uncounted.iter().cloned().collect(),
        }
    }
}

impl Used {
    fn count(&mut self, amounts: &Amounts) {
        for (all, one) in self.quantities.iter_mut().zip(amounts) {
            if let Some(one) = one {
                all.get_or_insert_default().add(*one);
            }
        }
    }

    /// Share of prompt tokens that were cached, as the replicas had them in the stretches.
    fn hits(&self) -> Option<f64> {
        let of = |class: Class| Some(self.quantities.get(class.place())?.as_ref()?.value());
        let (uncached, cached) = (of(Class::UncachedPrompt)?, of(Class::CachedPrompt)?);
        (uncached + cached > 0.0).then(|| cached / (uncached + cached))
    }
}

/// What a tenant had of a model, by class. Where nobody counts what of his prompts was cached, it is the
/// replicas' share.
fn whole_amounts(whole: &BillTenant, hits: Option<f64>) -> Amounts {
    let cached = whole.cached.or_else(|| Some(whole.prompt? * hits?));
    amounts([whole.prompt, cached, whole.generated, whole.requests])
}

#[cfg(test)]
mod tests {
    use strata_world::bill::BillGpu;

    use super::*;

    #[test]
    fn a_gpu_is_missed_between_its_first_and_its_last_sight() {
        let check = |stretches: &[&[(&str, &[bool])]], missed: usize| {
            let mut sights = Sights::default();
            for (at, gpus) in stretches.iter().enumerate() {
                let gpus = gpus.iter().map(|(id, seen)| BillGpu {
                    id: (*id).to_owned(),
                    seen: seen.to_vec(),
                    ..BillGpu::default()
                });
                let world = BillWorld { gpus: gpus.collect(), ..BillWorld::default() };
                sights.add(&world, at * 3, 3);
            }
            assert_eq!(sights.missed(), missed, "{stretches:?}");
        };
        let (all, late) = (&[true; 3][..], &[false, true, true][..]);
        check(&[&[("a", all)], &[("a", all), ("new", late)]], 0);
        check(&[&[("a", all), ("old", all)], &[("a", all)]], 0);
        check(&[&[("a", all), ("b", all)], &[("b", all)], &[("a", late), ("b", all)]], 4);
        check(&[&[("a", all), ("old", late)], &[("a", all)], &[], &[]], 6);
        check(&[&[], &[]], 0);
    }
}
