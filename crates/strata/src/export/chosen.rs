//! Which calls are asked for, and the record of each.

use anyhow::Result;
use strata_model::record::{
    Compare, Field, Filter, Order, RecordQuery, RequestRecord, SqlValue, StoredRequest,
};
use strata_store::{Exchange, RecordReader};

/// Records that begin in one microsecond on one route; more than one is rare.
const SAME_MOMENT_MAX: usize = 64;

/// Conditions on a call; what is not set does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) route: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) app: Option<String>,
    pub(crate) team: Option<String>,
    /// By any of the ids of its record.
    pub(crate) request: Option<String>,
    pub(crate) conversation: Option<String>,
}

/// Whether a wish is met; no wish always is.
fn met(wished: Option<&String>, value: Option<&String>) -> bool {
    wished.is_none_or(|wished| value == Some(wished))
}

impl Chosen {
    /// By what the call itself says.
    pub(super) fn takes(&self, one: &Exchange) -> bool {
        met(self.route.as_ref(), Some(&one.route))
            && met(self.tenant.as_ref(), one.tenant.as_ref())
            && met(self.model.as_ref(), one.model.as_ref())
    }

    /// By what only its record knows.
    pub(super) fn takes_record(&self, stored: Option<&StoredRequest>) -> bool {
        let record = stored.map(|stored| &stored.record);
        let of = |field: fn(&RequestRecord) -> &Option<String>| {
            record.and_then(|record| field(record).as_ref())
        };
        met(self.app.as_ref(), of(|record| &record.app))
            && met(self.team.as_ref(), of(|record| &record.team))
            && met(self.conversation.as_ref(), of(|record| &record.conversation_id))
    }

    /// By whatever is known, for forgetting. A request may be named by each of its ids.
    pub(crate) fn names(&self, one: &Exchange, stored: Option<&StoredRequest>) -> bool {
        let id = |wished: &String| {
            let own = [Some(&one.id), one.response_id.as_ref(), one.request_id.as_ref()];
            let traced = [one.trace_id.as_ref(), stored.map(|stored| &stored.uid)];
            own.into_iter().chain(traced).flatten().any(|id| id == wished)
        };
        let conversation = |wished: &String| {
            let said = &one.request["conversation"];
            let said = said.as_str().or_else(|| said["id"].as_str());
            let record = stored.and_then(|stored| stored.record.conversation_id.as_ref());
            said == Some(wished.as_str()) || record == Some(wished)
        };
        self.takes(one)
            && self.request.as_ref().is_none_or(id)
            && self.conversation.as_ref().is_none_or(conversation)
    }
}

/// The record of a call: it began in the same microsecond on the same route, and no id speaks against
/// it. `None` where it is gone, or nobody can say which it is.
pub(crate) fn record_of(records: &RecordReader, one: &Exchange) -> Result<Option<StoredRequest>> {
    let route = Filter {
        field: Field::Route,
        compare: Compare::Equal,
        value: SqlValue::Text(one.route.clone()),
    };
    let found = records.requests(&RecordQuery {
        range_us: one.start_us..one.start_us.saturating_add(1),
        filters: vec![route],
        order: Order::Newest,
        limit: SAME_MOMENT_MAX,
    })?;
    let agrees = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    let mut fitting = found.into_iter().filter(|stored| {
        let record = &stored.record;
        agrees(&record.response_id, &one.response_id)
            && agrees(&record.request_id, &one.request_id)
            && agrees(&record.trace_id, &one.trace_id)
            && agrees(&record.tenant, &one.tenant)
    });
    let first = fitting.next();
    Ok(first.filter(|_| fitting.next().is_none()))
}
