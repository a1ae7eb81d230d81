//! Statements: what a customer is charged for a period, drafted, closed for good, and read again.
//!
//! What is closed cannot be mended, so a statement is billed minute by minute and says what of it
//! had to be assumed.

mod minutes;
mod reports;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use strata_cost::facts::MAX_STEPS;
use strata_cost::ledger::Dimension;
use strata_cost::tariff::{Closed, Draft, StatementLine, at_cost};
use strata_cost::time::{month_ms, rfc3339};
use strata_view::rooms::StatementRow;
use strata_view::{PageError, PageErrorCode};

use self::minutes::Tally;
use super::asked::{Asked, bad};
use super::shelf::{Customer, Shelf};
use super::{LedgerService, STEP_MS};

/// Statements that a page shows.
const SHOWN_MAX: usize = 100;
/// A month of a large cluster takes some minutes; whoever asks for more waits for an error.
const DRAFT_TIME: Duration = Duration::from_mins(10);

/// Whom a statement can be for.
pub(crate) const PARTIES: [(&str, Dimension); 3] =
    [("tenant", Dimension::Tenant), ("team", Dimension::Team), ("namespace", Dimension::Namespace)];

fn refused(error: impl std::fmt::Display, hint: &str) -> PageError {
    bad(format!("{error:#}"), hint)
}

fn customer(asked: &Asked) -> Result<Customer, PageError> {
    let name = asked.text("customer");
    let name = name.ok_or_else(|| bad("customer: missing".to_owned(), "customer=acme"))?;
    let of = asked.text("of").unwrap_or("tenant");
    if !PARTIES.iter().any(|(known, _)| *known == of) {
        return Err(bad(format!("of: {of:?}"), "one of tenant, team, namespace"));
    }
    Ok(Customer { of: of.to_owned(), name: name.to_owned() })
}

/// A period in whole steps of [`STEP_MS`].
#[derive(Debug, Clone, Copy)]
struct Span {
    from_ms: i64,
    until_ms: i64,
}

impl Span {
    /// # Errors
    /// Where it is empty, not of whole steps, or of more than [`MAX_STEPS`].
    fn new(from_ms: i64, until_ms: i64) -> Result<Self, PageError> {
        let told = || format!("from {} until {}", rfc3339(from_ms), rfc3339(until_ms));
        if from_ms % STEP_MS != 0 || until_ms % STEP_MS != 0 {
            return Err(bad(
                format!("{} does not begin and end on a minute", told()),
                "a period of whole minutes",
            ));
        }
        let steps = usize::try_from(until_ms.saturating_sub(from_ms) / STEP_MS).unwrap_or(0);
        if steps == 0 {
            return Err(bad(
                format!("{} is empty or runs backwards", told()),
                "a period that ends after it begins",
            ));
        }
        if steps > MAX_STEPS {
            let message = format!(
                "{}: {steps} minutes, and a statement has at most {MAX_STEPS}, some 73 days",
                told()
            );
            return Err(bad(message, "close shorter periods, one after the other"));
        }
        Ok(Self { from_ms, until_ms })
    }
}

/// Work under a lock. Its time begins when it has the lock: who waits for others is not slow.
async fn in_turn<T>(
    turn: &tokio::sync::Mutex<()>,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, tokio::time::error::Elapsed> {
    let _one = turn.lock().await;
    tokio::time::timeout(limit, work).await
}

/// A draft and the statement before it.
struct Drafted {
    draft: Draft,
    before: Option<Closed>,
}

impl LedgerService {
    /// What `read` finds on the shelf, away from the threads that answer others: disks wait.
    async fn on_shelf<T: Send + 'static>(
        &self,
        hint: &'static str,
        read: impl FnOnce(&Shelf) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, PageError> {
        let none =
            || bad("this server stores nothing".to_owned(), "ask one that `strata run` began");
        let shelf = Arc::clone(self.shelf.as_ref().ok_or_else(none)?);
        let found = tokio::task::spawn_blocking(move || read(&shelf)).await;
        let found = found.map_err(|error| PageError {
            code: PageErrorCode::Internal,
            message: error.to_string(),
            hint: "this is a fault of strata".to_owned(),
        })?;
        found.map_err(|error| refused(format!("{error:#}"), hint))
    }

    /// The newest statement of every customer, for a page.
    pub(super) async fn newest_statements(&self) -> Vec<StatementRow> {
        let listed = self.on_shelf("", |shelf| shelf.list(None, 1, SHOWN_MAX)).await;
        let found = listed.map(|listed| listed.found).unwrap_or_default();
        let rows =
            found.iter().filter_map(|one| reports::row(&one.customer, one.closed.as_ref().ok()?));
        rows.collect()
    }

    /// What a customer used, in lines of the tariff, or of what was spent where there is none.
    fn lines(&self, tally: &Tally) -> Result<Vec<StatementLine>, PageError> {
        let Some(tariff) = &self.tariff else {
            return at_cost(&tally.spent())
                .map_err(|error| refused(error, "strata cost shows what has no price"));
        };
        let currency = &self.settings.ledger.currency;
        if tariff.currency != *currency {
            let message = format!("the tariff is in {}", tariff.currency);
            return Err(bad(message, "sell in the currency of the ledger"));
        }
        let (lines, problems) = tariff.lines(&tally.used());
        match problems.first() {
            Some(problem) => Err(refused(problem, "add it to the tariff")),
            None => Ok(lines),
        }
    }

    /// The minutes of a period, added up for a customer.
    async fn tally(&self, by: Dimension, name: &str, span: Span) -> Result<Tally, PageError> {
        let slow = |_elapsed| PageError {
            code: PageErrorCode::TooMuch,
            message: format!("the period takes longer than {} s to bill", DRAFT_TIME.as_secs()),
            hint: "close shorter periods, one after the other".to_owned(),
        };
        // Each asks thousands of questions: the second waits.
        in_turn(&self.drafting, DRAFT_TIME, Tally::of(self, by, name, span)).await.map_err(slow)?
    }

    /// The next statement of a customer.
    async fn drafted(&self, asked: &Asked) -> Result<Drafted, PageError> {
        let who = customer(asked)?;
        let of = who.clone();
        let hint = "choose another name, or restore the file as it was closed: the next is bound to \
                    its hash";
        let before = self.on_shelf(hint, move |shelf| match shelf.last(&of)? {
            0 => Ok(None),
            last => shelf.get(&of, last).map(Some),
        });
        let before = before.await?;
        let last = before.as_ref().map_or(0, Closed::number);
        let now_ms = self.now_ms();
        let (this_month, _) = month_ms(now_ms).unwrap_or((now_ms, now_ms));
        let until_ms = asked.instant("until")?.unwrap_or(this_month);
        if until_ms > now_ms {
            let message = format!("the period ends at {}, after now", rfc3339(until_ms));
            return Err(bad(message, "a period that is over: what is to come is not measured yet"));
        }
        let month_before = month_ms(until_ms - 1).map_or(until_ms, |(start, _)| start);
        let goes_on = before.as_ref().map(Closed::end_ms);
        let from_ms = asked.instant("from")?.or(goes_on).unwrap_or(month_before);
        let span = Span::new(from_ms, until_ms)?;
        let by = PARTIES.iter().find(|(name, _)| *name == who.of).map(|(_, by)| *by);
        let tally = self.tally(by.unwrap_or(Dimension::Tenant), &who.name, span).await?;
        let lines = self.lines(&tally)?;
        if lines.is_empty() && before.is_none() {
            let message = format!("nothing is known of {} {}", who.of, who.name);
            return Err(bad(
                message,
                "strata cost --by tenant, team or namespace lists who there is",
            ));
        }
        let tariff = self.tariff.as_ref().map_or("at cost", |tariff| &tariff.name).to_owned();
        let draft = Draft {
            number: last + 1,
            customer: who.name,
            tariff,
            currency: self.settings.ledger.currency.clone(),
            start_ms: from_ms,
            end_ms: until_ms,
            step_ms: STEP_MS,
            assumed: tally.assumed(self.tariff.is_some()),
            lines,
        };
        Ok(Drafted { draft, before })
    }
}
