//! The book: all rows, and how it is put together.

use std::collections::{BTreeMap, BTreeSet};

use strata_model::Problem;

use super::lookup::{self, Quote, Unpriced, Wanted};
use super::{Origin, Price, PriceKind, Term, embedded, owned, parse, validate};

/// All prices that are known. The operator's rows are asked first, then a cloud's file, then the
/// published figures that are built in.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    rows: Vec<Price>,
    by_sku: BTreeMap<String, Vec<usize>>,
    /// Of the rows that name no GPU, those of a label. A cloud's file has one for each node.
    by_label: BTreeMap<(String, String), Vec<usize>>,
    /// The others, by type of node.
    by_node: BTreeMap<String, Vec<usize>>,
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

    /// Adds the operator's `[[price]]` and `[[owned]]` rows, which are asked before all others. All problems are
    /// told at once, and then nothing is added.
    pub fn add_toml(&mut self, text: &str) -> Result<(), PriceBookError> {
        let (rows, mut problems, found) = parse::rows(text, Origin::User);
        problems.extend(validate::problems(&rows));
        let (owned, more) = owned::rows(&found, Origin::User);
        problems.extend(more);
        problems.extend(validate::rivals(&rows, &owned));
        if !problems.is_empty() {
            return Err(PriceBookError { problems });
        }
        self.extend(rows.into_iter().chain(owned).map(|(_, price)| price).collect());
        Ok(())
    }

    /// In words: things for which the operator has a price of owned hardware and one that names no
    /// term at the same time, and which of the two is used with `term`.
    pub fn shadowed(&self, term: Option<Term>) -> Vec<String> {
        let own = || self.rows.iter().filter(|price| price.origin == Origin::User);
        let bought = own().filter(|price| price.term == Some(Term::Owned));
        let pairs = bought.filter_map(|bought| {
            let rival = own().find(|price| {
                price.term.is_none()
                    && price.kind != PriceKind::PowerOnly
                    && validate::same_thing(price, bought)
                    && price.holds_beside(bought)
            })?;
            let name = bought.gpu.as_ref().or(bought.node.as_ref()).cloned();
            let name = name.unwrap_or_else(|| "a label".to_owned());
            let (used, other) = match term {
                Some(Term::Owned) => (bought, rival),
                _ => (rival, bought),
            };
            Some(format!(
                "{name} has two prices at the same time: {:.4} ({}) is used, {:.4} ({}) is not, for term is {}",
                used.per_hour,
                used.source,
                other.per_hour,
                other.source,
                term.map_or("not set", Term::name),
            ))
        });
        pairs.collect()
    }

    /// Adds rows that are known to be sound.
    pub fn extend(&mut self, rows: Vec<Price>) {
        for price in rows {
            let at = self.rows.len();
            let places = match (&price.gpu, &price.selector, &price.node) {
                (Some(gpu), ..) => self.by_sku.entry(gpu.clone()).or_default(),
                (None, Some((key, value)), _) => {
                    self.by_label.entry(lookup::label(key, value)).or_default()
                }
                (None, None, Some(node)) => self.by_node.entry(node.to_lowercase()).or_default(),
                // A row about nothing prices nothing.
                (None, None, None) => continue,
            };
            places.push(at);
            self.rows.push(price);
        }
    }

    /// Labels of nodes that rows select by, without the path of the field.
    pub fn labels(&self) -> BTreeSet<String> {
        let selectors = self.rows.iter().filter_map(|price| price.selector.as_ref());
        selectors.map(|(key, value)| lookup::label(key, value).0).collect()
    }

    /// All rows, in the order they came.
    pub fn rows(&self) -> &[Price] {
        &self.rows
    }

    /// The price of what is wanted at `at_ms`, in `currency`, or why there is none.
    pub fn quote(&self, wanted: &Wanted, currency: &str, at_ms: i64) -> Result<Quote, Unpriced> {
        let fitting = self.fitting(wanted);
        let timely: Vec<&Price> =
            fitting.iter().copied().filter(|price| price.holds_at(at_ms)).collect();
        lookup::choose(&timely, !fitting.is_empty(), wanted, currency)
    }

    /// The prices of a period: `(first instant, price)` in order, the first at `start_ms`.
    pub fn timeline(
        &self,
        wanted: &Wanted,
        currency: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Vec<(i64, Result<Quote, Unpriced>)> {
        let mut waiting = self.fitting(wanted);
        let is_known = !waiting.is_empty();
        let mut edges = vec![start_ms];
        for price in &waiting {
            let inside = |at: &i64| *at > start_ms && *at < end_ms;
            edges.extend([price.from_ms, price.until_ms].into_iter().flatten().filter(inside));
        }
        edges.sort_unstable();
        edges.dedup();
        // The first to hold is taken last: each row enters and leaves once, however many there are.
        waiting.sort_by_key(|price| std::cmp::Reverse(price.from_ms.unwrap_or(i64::MIN)));
        let mut timely: Vec<&Price> = Vec::new();
        let mut timeline = Vec::with_capacity(edges.len());
        for at in edges {
            let begun = |price: &mut &Price| price.from_ms.is_none_or(|from| from <= at);
            timely.extend(std::iter::from_fn(|| waiting.pop_if(begun)));
            timely.retain(|price| price.holds_at(at));
            timeline.push((at, lookup::choose(&timely, is_known, wanted, currency)));
        }
        timeline
    }

    /// Rows that can price what is wanted at some time, in the order they came.
    fn fitting(&self, wanted: &Wanted) -> Vec<&Price> {
        let labels = wanted.labels.iter().map(|(key, value)| lookup::label(key, value));
        let by_label = labels.filter_map(|label| self.by_label.get(&label)).flatten();
        let by_sku = wanted.gpu.as_ref().and_then(|gpu| self.by_sku.get(gpu));
        let by_node = wanted.node.as_ref().and_then(|node| self.by_node.get(&node.to_lowercase()));
        let all = by_sku.into_iter().chain(by_node).flatten().chain(by_label);
        let mut places: Vec<usize> = all.copied().collect();
        places.sort_unstable();
        places.dedup();
        let rows = places.into_iter().filter_map(|at| self.rows.get(at));
        let fits =
            |price: &&Price| lookup::may_fit(price, wanted) && lookup::may_price(price, wanted);
        rows.filter(fits).collect()
    }
}
