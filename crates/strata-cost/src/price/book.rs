//! The book: all rows, and how it is put together.

use std::collections::BTreeMap;

use strata_model::Problem;

use super::lookup::{self, Quote, Unpriced, Wanted};
use super::{Origin, Price, embedded, parse, validate};

/// All prices that are known. The operator's rows are asked first, then a cloud's file, then the
/// published figures that are built in.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    rows: Vec<Price>,
    by_sku: BTreeMap<String, Vec<usize>>,
    /// Rows that name no GPU: they price nodes or labels.
    without_sku: Vec<usize>,
}

/// A price file that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the price book: {} problem(s), first: {}", problems.len(), first(problems))]
pub struct PriceBookError {
    /// Every problem, with its path in the file.
    pub problems: Vec<Problem>,
}

fn first(problems: &[Problem]) -> String {
    problems.first().map(ToString::to_string).unwrap_or_default()
}

impl PriceBook {
    /// The published figures that are built in.
    pub fn embedded() -> Self {
        let mut book = Self::default();
        book.extend(embedded::prices());
        book
    }

    /// Adds the operator's `[[price]]` rows, which are asked before all others. All problems are
    /// told at once, and then nothing is added.
    pub fn add_toml(&mut self, text: &str) -> Result<(), PriceBookError> {
        let (rows, mut problems) = parse::rows(text, Origin::User);
        problems.extend(validate::problems(&rows));
        if !problems.is_empty() {
            return Err(PriceBookError { problems });
        }
        self.extend(rows.into_iter().map(|(_, price)| price).collect());
        Ok(())
    }

    /// Adds rows that are known to be sound.
    pub fn extend(&mut self, rows: Vec<Price>) {
        for price in rows {
            let at = self.rows.len();
            match &price.gpu {
                Some(gpu) => self.by_sku.entry(gpu.clone()).or_default().push(at),
                None => self.without_sku.push(at),
            }
            self.rows.push(price);
        }
    }

    /// All rows, in the order they came.
    pub fn rows(&self) -> &[Price] {
        &self.rows
    }

    /// The price of what is wanted at `at_ms`, in `currency`, or why there is none.
    pub fn quote(&self, wanted: &Wanted, currency: &str, at_ms: i64) -> Result<Quote, Unpriced> {
        lookup::quote(&self.candidates(wanted), wanted, currency, at_ms)
    }

    /// The prices of a period: `(first instant, price)` in order, the first at `start_ms`.
    pub fn timeline(
        &self,
        wanted: &Wanted,
        currency: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<(i64, Result<Quote, Unpriced>)> {
        let candidates = self.candidates(wanted);
        let mut edges = vec![start_ms];
        for price in &candidates {
            let inside = |at: &i64| *at > start_ms && *at < end_ms;
            edges.extend([price.from_ms, price.until_ms].into_iter().flatten().filter(inside));
        }
        edges.sort_unstable();
        edges.dedup();
        let quote = |at| (at, lookup::quote(&candidates, wanted, currency, at));
        edges.into_iter().map(quote).collect()
    }

    fn candidates(&self, wanted: &Wanted) -> Vec<&Price> {
        let named = wanted.gpu.as_ref().and_then(|gpu| self.by_sku.get(gpu));
        let all = named.into_iter().flatten().chain(&self.without_sku);
        all.filter_map(|at| self.rows.get(*at))
            .filter(|price| lookup::may_fit(price, wanted))
            .collect()
    }
}
