//! Who is charged: tenants of shared models, and statements that were closed.

use strata_cost::unit::by_tenant;

use super::Books;
use super::cells::{hours, money, table, text};
use crate::page::table::Table;

/// A closed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRow {
    pub customer: String,
    /// `tenant`, `team`, `namespace`.
    pub of: String,
    pub number: u64,
    /// RFC 3339, as the statement says it.
    pub start: String,
    pub end: String,
    /// Money as the statement says it, with its currency.
    pub total: String,
    pub sha256: String,
}

pub(super) fn tenants(books: &Books) -> Table {
    let ledger = &books.ledger;
    let mut lines = if ledger.uses.is_empty() { Vec::new() } else { by_tenant(ledger) };
    lines.sort_by(|(_, a), (_, b)| b.gpu_s().total_cmp(&a.gpu_s()));
    let rows = lines.into_iter().map(|((tenant, model), line)| {
        vec![text(tenant), text(model), money(ledger, line.amount()), hours(line.gpu_s())]
    });
    table(
        "Tenants of shared models",
        &[("tenant", false), ("model", false), ("cost", true), ("GPU hours", true)],
        rows.collect(),
        "nothing tells tenants apart: no gateway and no client counts tokens by tenant",
    )
}

pub(super) fn statements(books: &Books) -> Table {
    let rows = books.statements.iter().map(|one| {
        vec![
            text(format!("{} {}", one.of, one.customer)),
            text(one.number.to_string()),
            text(one.start.clone()),
            text(one.end.clone()),
            text(one.total.clone()),
            text(one.sha256.clone()),
        ]
    });
    table(
        "Closed statements",
        &[
            ("customer", false),
            ("number", false),
            ("from", false),
            ("until", false),
            ("total", false),
            ("SHA-256", false),
        ],
        rows.collect(),
        "none is closed: strata cost statement close",
    )
}
