//! Documents about statements: drafts, what was closed, and the closing itself.

use std::sync::{Arc, PoisonError};

use serde_json::{Value as Json, json};
use strata_cost::sum::sum;
use strata_cost::tariff::{Assumed, Closed};
use strata_cost::time::rfc3339;
use strata_serve::Report;
use strata_view::PageError;
use strata_view::rooms::StatementRow;

use super::{Drafted, SHOWN_MAX, customer, refused};
use crate::ledger::LedgerReports;
use crate::ledger::asked::{Asked, bad};
use crate::ledger::report::json;
use crate::ledger::shelf::Customer;

/// Statements of a list: more than a reader turns over.
const LISTED_MAX: usize = 1000;

impl LedgerReports {
    pub(in crate::ledger) async fn draft(&self, asked: &Asked) -> Result<Report, PageError> {
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
            "step_seconds": draft.step_ms / 1000,
            "total": sum(draft.lines.iter().map(|line| line.amount)),
            "assumed": assumed(&draft.assumed),
            "lines": lines.collect::<Vec<_>>(),
        })))
    }

    pub(in crate::ledger) async fn close(&self, asked: &Asked) -> Result<Report, PageError> {
        let who = customer(asked)?;
        let accepted = asked.is_set("accept_assumed")?;
        let Drafted { draft, before } = self.0.drafted(asked).await?;
        let assumed = draft.assumed.clone();
        let closed = draft
            .close(before.as_ref(), self.0.now_ms())
            .map_err(|error| refused(error, "each begins where the one before ended"))?;
        if !assumed.is_nothing() && !accepted {
            let hint = "see the draft (--dry-run); what is assumed stays written in the statement: \
                        --accept-assumed";
            return Err(bad(format!("not all of it was measured: {assumed}"), hint));
        }
        let (service, kept, of) = (Arc::clone(&self.0), closed.clone(), who.clone());
        let put =
            self.0.on_shelf("strata cost statement list shows what is closed", move |shelf| {
                let _one = service.closing.lock().unwrap_or_else(PoisonError::into_inner);
                shelf.put(&of, &kept)
            });
        put.await?;
        Ok(json(&told(&who, &closed)))
    }

    pub(in crate::ledger) async fn statements(&self, asked: &Asked) -> Result<Report, PageError> {
        let only = asked.text("customer").map(str::to_owned);
        let hint = "see the folder statements in the data directory";
        let listed =
            self.0.on_shelf(hint, move |shelf| shelf.list(only.as_deref(), SHOWN_MAX, LISTED_MAX));
        let listed = listed.await?;
        let rows = listed.found.iter().map(|one| match &one.closed {
            Ok(closed) => told(&one.customer, closed),
            Err(fault) => json!({
                "customer": one.customer.name,
                "of": one.customer.of,
                "number": one.number,
                "fault": fault,
            }),
        });
        let rows: Vec<Json> = rows.collect();
        Ok(json(&json!({ "statements": rows, "more": listed.is_cut })))
    }

    pub(in crate::ledger) async fn statement(&self, asked: &Asked) -> Result<Report, PageError> {
        let who = customer(asked)?;
        let number = asked.number("number")?.map(|number| number as u64);
        let of = who.clone();
        let hint = "strata cost statement list shows what is closed";
        let closed = self.0.on_shelf(hint, move |shelf| {
            let number = number.map_or_else(|| shelf.last(&of), Ok)?;
            shelf.get(&of, number)
        });
        let closed = closed.await?;
        let mut document = told(&who, &closed);
        document["statement"] = serde_json::from_str(closed.body()).unwrap_or(Json::Null);
        document["text"] = json!(closed.body());
        Ok(json(&document))
    }
}

fn assumed(assumed: &Assumed) -> Json {
    json!({
        "equal_share_gpu_hours": assumed.equal_share_gpu_hours,
        "unknown_gpu_hours": assumed.unknown_gpu_hours,
        "uncounted_models": assumed.uncounted_models,
    })
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
        "step_seconds": body["step_seconds"],
        "total": body["total"],
        "assumed": body["assumed"],
        "currency": body["currency"],
        "tariff": body["tariff"],
        "sha256": closed.hash(),
        "previous_sha256": body["previous_sha256"],
    })
}

pub(super) fn row(customer: &Customer, closed: &Closed) -> Option<StatementRow> {
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
