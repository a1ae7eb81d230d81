//! Statements: what a customer is charged for a period, drafted, closed for good, and read again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use serde_json::{Value as Json, json};
use strata_cost::ledger::{Dimension, Ledger, Line};
use strata_cost::sum::sum;
use strata_cost::tariff::{Closed, Draft, STANDARD, StatementLine, Usage, at_cost};
use strata_cost::time::{month_ms, rfc3339};
use strata_cost::unit::{by_tenant, tenants};
use strata_serve::Report;
use strata_view::rooms::StatementRow;
use strata_view::{PageError, PageErrorCode};

use super::asked::{Asked, bad};
use super::report::json;
use super::shelf::{Customer, Shelf};
use super::{Account, LedgerReports, LedgerService};

/// Statements that a list or a page shows.
const SHOWN_MAX: usize = 100;

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

/// A draft and the statement before it.
struct Drafted {
    draft: Draft,
    before: Option<Closed>,
}

impl LedgerService {
    fn shelf(&self) -> Result<&Shelf, PageError> {
        let none =
            || bad("this server stores nothing".to_owned(), "ask one that `strata run` began");
        self.shelf.as_ref().ok_or_else(none)
    }

    /// The newest statement of every customer, for a page.
    pub(super) fn newest_statements(&self) -> Vec<StatementRow> {
        let Some(shelf) = &self.shelf else { return Vec::new() };
        let customers = shelf.customers().unwrap_or_default();
        let rows = customers.iter().filter_map(|customer| {
            let closed = shelf.get(customer, shelf.last(customer).ok()?).ok()?;
            row(customer, &closed)
        });
        rows.take(SHOWN_MAX).collect()
    }

    /// What a customer used, in lines of the tariff, or of what was spent where there is none.
    fn lines(&self, ledger: &Ledger, who: &Customer) -> Result<Vec<StatementLine>, PageError> {
        let by = PARTIES.iter().find(|(name, _)| *name == who.of).map(|(_, by)| *by);
        let by = by.unwrap_or(Dimension::Tenant);
        let Some(tariff) = &self.tariff else {
            let lines = match by {
                Dimension::Tenant => by_tenant(ledger),
                by => ledger.by_two(by, Dimension::Model),
            };
            let own = lines.into_iter().filter(|((name, _), _)| *name == who.name);
            let own: Vec<(String, Line)> = own.map(|((_, model), line)| (model, line)).collect();
            return at_cost(&own)
                .map_err(|error| refused(error, "strata cost shows what has no price"));
        };
        if tariff.currency != ledger.options.currency {
            let message = format!("the tariff is in {}", tariff.currency);
            return Err(bad(message, "sell in the currency of the ledger"));
        }
        let mut used: BTreeMap<String, Usage> = BTreeMap::new();
        let usage = |model: &str| Usage {
            model: model.to_owned(),
            tier: STANDARD.to_owned(),
            quantities: [0.0; 4],
            reserved_gpu_hours: 0.0,
        };
        if by == Dimension::Tenant {
            for one in tenants(ledger).into_iter().filter(|one| one.tenant == who.name) {
                let entry = used.entry(one.model.clone()).or_insert_with(|| usage(&one.model));
                let pairs = entry.quantities.iter_mut().zip(one.quantities);
                pairs.for_each(|(all, amount)| *all += amount);
            }
        } else {
            // Who holds GPUs pays for what he reserved; who sends requests, for their tokens.
            for (model, hours) in ledger.reserved_hours(by, &who.name) {
                let entry = used.entry(model.clone()).or_insert_with(|| usage(&model));
                entry.reserved_gpu_hours += hours;
            }
        }
        let used: Vec<Usage> = used.into_values().collect();
        let (lines, problems) = tariff.lines(&used);
        match problems.first() {
            Some(problem) => Err(refused(problem, "add it to the tariff")),
            None => Ok(lines),
        }
    }

    /// The next statement of a customer.
    async fn drafted(&self, asked: &Asked) -> Result<Drafted, PageError> {
        let (who, shelf) = (customer(asked)?, self.shelf()?);
        let last = shelf.last(&who).map_err(|error| refused(error, "choose another name"))?;
        let before = match last {
            0 => None,
            last => Some(shelf.get(&who, last).map_err(|error| {
                refused(error, "restore the file as it was closed: the next is bound to its hash")
            })?),
        };
        let now_ms = self.now_ms();
        let (this_month, _) = month_ms(now_ms).unwrap_or((now_ms, now_ms));
        let until_ms = asked.instant("until")?.unwrap_or(this_month);
        let month_before = month_ms(until_ms - 1).map_or(until_ms, |(start, _)| start);
        let goes_on = before.as_ref().map(Closed::end_ms);
        let from_ms = asked.instant("from")?.or(goes_on).unwrap_or(month_before);
        if until_ms <= from_ms || until_ms - from_ms > 366 * 86_400_000 {
            let told = format!("from {} until {}", rfc3339(from_ms), rfc3339(until_ms));
            return Err(bad(told, "a period of at most a year that ends after it begins"));
        }
        let period = Self::period(from_ms, until_ms);
        if (period.start_ms, period.end_ms()) != (from_ms, until_ms) {
            return Err(bad("the period is not of whole steps".to_owned(), "take whole hours"));
        }
        let Account { ledger, notes, .. } = self.account(period).await;
        if ledger.start_ms != from_ms {
            let told = format!("nothing was seen before {}", rfc3339(ledger.start_ms));
            return Err(bad(told, "begin the period there"));
        }
        if let Some(note) = notes.first() {
            return Err(bad(format!("not all is known of the period: {note}"), "ask again"));
        }
        let lines = self.lines(&ledger, &who)?;
        if lines.is_empty() && before.is_none() {
            let message = format!("nothing is known of {} {}", who.of, who.name);
            return Err(bad(
                message,
                "strata cost --by tenant, team or namespace lists who there is",
            ));
        }
        let tariff = self.tariff.as_ref().map_or("at cost", |tariff| &tariff.name).to_owned();
        let currency = ledger.options.currency;
        let (number, customer) = (last + 1, who.name);
        let (start_ms, end_ms) = (from_ms, until_ms);
        let draft = Draft { number, customer, tariff, currency, start_ms, end_ms, lines };
        Ok(Drafted { draft, before })
    }
}

impl LedgerReports {
    pub(super) async fn draft(&self, asked: &Asked) -> Result<Report, PageError> {
        let Drafted { draft, .. } = self.0.drafted(asked).await?;
        let lines = draft.lines.iter().map(|line| {
            json!({
                "model": line.model,
                "tier": line.tier,
                "item": line.item,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "amount": line.amount,
            })
        });
        Ok(json(&json!({
            "number": draft.number,
            "customer": draft.customer,
            "tariff": draft.tariff,
            "currency": draft.currency,
            "start": rfc3339(draft.start_ms),
            "end": rfc3339(draft.end_ms),
            "total": sum(draft.lines.iter().map(|line| line.amount)),
            "lines": lines.collect::<Vec<_>>(),
        })))
    }

    pub(super) async fn close(&self, asked: &Asked) -> Result<Report, PageError> {
        let who = customer(asked)?;
        let Drafted { draft, before } = self.0.drafted(asked).await?;
        let closed = draft
            .close(before.as_ref(), self.0.now_ms())
            .map_err(|error| refused(error, "each begins where the one before ended"))?;
        let (service, kept) = (Arc::clone(&self.0), closed.clone());
        let of = who.clone();
        let put = tokio::task::spawn_blocking(move || {
            let _one = service.closing.lock().unwrap_or_else(PoisonError::into_inner);
            match &service.shelf {
                Some(shelf) => shelf.put(&of, &kept),
                None => anyhow::bail!("this server stores nothing"),
            }
        });
        let put = put.await.map_err(|error| PageError {
            code: PageErrorCode::Internal,
            message: error.to_string(),
            hint: "this is a fault of strata".to_owned(),
        })?;
        put.map_err(|error| refused(error, "strata cost statement list shows what is closed"))?;
        Ok(json(&told(&who, &closed)))
    }

    pub(super) fn statements(&self, asked: &Asked) -> Result<Report, PageError> {
        let shelf = self.0.shelf()?;
        let fault = |error| refused(error, "see the folder statements in the data directory");
        let mut customers = shelf.customers().map_err(fault)?;
        if let Some(name) = asked.text("customer") {
            customers.retain(|customer| customer.name == name);
        }
        let mut rows = Vec::new();
        for customer in &customers {
            let last = shelf.last(customer).map_err(fault)?;
            // The newest first, as many as somebody reads.
            for number in (1..=last).rev().take(SHOWN_MAX) {
                rows.push(match shelf.get(customer, number) {
                    Ok(closed) => told(customer, &closed),
                    Err(error) => json!({
                        "customer": customer.name,
                        "of": customer.of,
                        "number": number,
                        "fault": format!("{error:#}"),
                    }),
                });
            }
        }
        Ok(json(&json!({ "statements": rows })))
    }

    pub(super) fn statement(&self, asked: &Asked) -> Result<Report, PageError> {
        let (who, shelf) = (customer(asked)?, self.0.shelf()?);
        let number = asked.number("number")?.map(|number| number as u64);
        let fault = |error| refused(error, "strata cost statement list shows what is closed");
        let number = number.map_or_else(|| shelf.last(&who).map_err(fault), Ok)?;
        let closed = shelf.get(&who, number).map_err(fault)?;
        let mut document = told(&who, &closed);
        document["statement"] = serde_json::from_str(closed.body()).unwrap_or(Json::Null);
        document["text"] = json!(closed.body());
        Ok(json(&document))
    }
}

/// The head of a statement.
fn told(customer: &Customer, closed: &Closed) -> Json {
    let body: Json = serde_json::from_str(closed.body()).unwrap_or(Json::Null);
    json!({
        "customer": customer.name,
        "of": customer.of,
        "number": closed.number(),
        "start": body["start"],
        "end": body["end"],
        "total": body["total"],
        "currency": body["currency"],
        "tariff": body["tariff"],
        "sha256": closed.hash(),
        "previous_sha256": body["previous_sha256"],
    })
}

fn row(customer: &Customer, closed: &Closed) -> Option<StatementRow> {
    let told = told(customer, closed);
    let text = |name: &str| Some(told[name].as_str()?.to_owned());
    Some(StatementRow {
        customer: customer.name.clone(),
        of: customer.of.clone(),
        number: closed.number(),
        start: text("start")?,
        end: text("end")?,
        total: format!("{} {}", text("total")?, text("currency")?),
        sha256: closed.hash().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use strata_query::promqltest::MemorySource;
    use strata_serve::ReportSource as _;

    use super::*;
    use crate::config::CostOptions;
    use crate::ledger::tests::{DAY, HOUR, push, service};

    /// One GPU that a pod of a namespace holds for four hours.
    fn source() -> MemorySource {
        let mut source = MemorySource::new();
        let gpu = |name: &'static str| {
            vec![
                ("__name__", name),
                ("gpu_uuid", "GPU-1"),
                ("node", "n"),
                ("gpu_model", "NVIDIA H100 80GB HBM3"),
                ("pod", "p"),
                ("namespace", "research"),
            ]
        };
        push(&mut source, &gpu("hw_gpu_memory_usage_bytes"), 4, |_| 1e9);
        push(&mut source, &gpu("hw_gpu_utilization_ratio"), 4, |_| 0.5);
        source
    }

    #[tokio::test]
    async fn a_statement_is_closed_once_and_the_next_goes_on_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let service = service(source(), &CostOptions::default(), DAY + 4 * HOUR);
        let reports = LedgerReports(Arc::new(service.with_statements(dir.path().to_owned())));
        let asked = |until: i64, more: &[(&str, &str)]| {
            let mut asked = vec![
                ("customer".to_owned(), "research".to_owned()),
                ("of".to_owned(), "namespace".to_owned()),
                ("until".to_owned(), rfc3339(until)),
            ];
            asked
                .extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            asked
        };
        let path = "/cost/statement/close";
        let begin = rfc3339(DAY + HOUR);
        let first = reports.act(path, asked(DAY + 2 * HOUR, &[("from", &begin)])).await.unwrap();
        let first: Json = serde_json::from_str(&first.body).unwrap();
        assert_eq!((&first["number"], &first["start"]), (&json!(1), &json!(begin)));
        // An hour of one GPU at the published figure.
        assert_eq!(first["total"], "2.950000");
        let again = reports.act(path, asked(DAY + 2 * HOUR, &[])).await.unwrap_err();
        assert_eq!(again.code, PageErrorCode::BadRequest, "{again:?}");
        let late = rfc3339(DAY + 150 * 60_000);
        let gap = reports.act(path, asked(DAY + 3 * HOUR, &[("from", &late)])).await.unwrap_err();
        assert!(gap.message.contains("the one before ends"), "{gap:?}");
        let second = reports.act(path, asked(DAY + 3 * HOUR, &[])).await.unwrap();
        let second: Json = serde_json::from_str(&second.body).unwrap();
        assert_eq!(second["previous_sha256"], first["sha256"]);
        let over = reports.act(path, asked(DAY + 5 * HOUR, &[])).await.unwrap_err();
        assert!(over.message.contains("after now"), "{over:?}");
        let listed = reports.report("/cost/statements", Vec::new()).await.unwrap();
        let listed: Json = serde_json::from_str(&listed.body).unwrap();
        assert_eq!(listed["statements"].as_array().unwrap().len(), 2);
        let nobody = vec![("customer".to_owned(), "nobody".to_owned())];
        let unknown = reports.report("/cost/statement/draft", nobody).await.unwrap_err();
        assert!(unknown.message.contains("nothing is known"), "{unknown:?}");
    }
}
