//! Prices of GPUs over the steps of a period.

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::price::{PriceBook, Quote, Unpriced, Wanted};

/// The price of one kind of GPU over the period.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// What was priced.
    pub wanted: Wanted,
    /// Prices from their first instant on, in order; the first begins with the period.
    pub timeline: Vec<(i64, Result<Quote, Unpriced>)>,
}

impl Rate {
    /// Share of a step that has a price, and money per GPU second within that share.
    pub(super) fn of_step(&self, start_ms: i64, step_ms: i64) -> (f64, f64) {
        let per_second = |quote: &Result<Quote, Unpriced>| {
            quote.as_ref().ok().map(|quote| quote.per_gpu_hour / 3600.0)
        };
        if let [(_, only)] = self.timeline.as_slice() {
            return per_second(only).map_or((0.0, 0.0), |rate| (1.0, rate));
        }
        let end_ms = start_ms.saturating_add(step_ms);
        let (mut priced_ms, mut money) = (0.0, 0.0);
        for (at, (from, quote)) in self.timeline.iter().enumerate() {
            let until = self.timeline.get(at + 1).map_or(end_ms, |(next, _)| *next);
            let overlap = (until.min(end_ms) - (*from).max(start_ms)).max(0) as f64;
            if let (Some(rate), true) = (per_second(quote), overlap > 0.0) {
                priced_ms += overlap;
                money += rate * overlap;
            }
        }
        if priced_ms > 0.0 { (priced_ms / step_ms as f64, money / priced_ms) } else { (0.0, 0.0) }
    }
}

/// The rates of a period, and which of them each GPU has.
pub(super) fn find(facts: &Facts, book: &PriceBook, currency: &str) -> (Vec<Rate>, Vec<usize>) {
    let mut known: BTreeMap<&Wanted, usize> = BTreeMap::new();
    let mut rates = Vec::new();
    let mut of_gpu = Vec::with_capacity(facts.gpus.len());
    for gpu in &facts.gpus {
        let place = *known.entry(&gpu.wanted).or_insert_with(|| {
            let timeline = book.timeline(&gpu.wanted, currency, facts.start_ms, facts.end_ms());
            rates.push(Rate { wanted: gpu.wanted.clone(), timeline });
            rates.len() - 1
        });
        of_gpu.push(place);
    }
    (rates, of_gpu)
}
