//! What tenants asked of models, as their gateway or their clients count it.

use std::collections::BTreeMap;

use strata_query::promql::syntax::quote;

use super::plan::{Period, at_end, name};
use super::read::{Found, Reader, last, text};
use super::{BillTenant, Counting};
use crate::ask::Planned;

impl Counting {
    /// The gateway counts for all clients; what clients count themselves is asked where there is none.
    const ALL: [Self; 2] = [Self::Gateway, Self::Clients];

    /// The questions of it, by what they count.
    fn questions(self) -> [&'static str; 4] {
        match self {
            Self::Gateway => {
                ["tenant_prompt", "tenant_cached", "tenant_generated", "tenant_requests"]
            }
            Self::Clients => {
                ["client_prompt", "client_cached", "client_generated", "client_requests"]
            }
        }
    }
}

/// The queries that [`tenant_totals`] reads the answers of: one tenant's counters over the whole
/// period, asked at its end.
///
/// What is counted while nobody reads the counter is in an increase only where a sample before and one
/// after are in its range. The parts that a long period is billed in lose what falls on their edges.
pub fn tenant_plan(period: &Period, tenant: &str) -> Vec<Planned> {
    let whole = format!("{}ms", period.end_ms() - period.start_ms);
    queries(&whole, &format!("tenant={}", quote(tenant)))
}

/// What a tenant asked of each model, in order of these, by one way of counting.
///
/// # Errors
/// In words, the first question that failed or has no answer.
pub fn tenant_totals(
    period: &Period,
    answers: &Found,
    counting: Counting,
) -> Result<Vec<BillTenant>, String> {
    for question in counting.questions() {
        let key = format!("bill/{question}");
        match answers.get(&key) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(format!("{key}: {error}")),
            None => return Err(format!("{key}: not answered in time")),
        }
    }
    Ok(Reader::new(period, answers).counted(counting))
}

/// Questions about all tenants for the whole period.
pub(super) fn tenant_queries(whole: &str) -> Vec<Planned> {
    queries(whole, "tenant!=\"\"")
}

/// Questions about those that a matcher selects.
fn queries(whole: &str, tenants: &str) -> Vec<Planned> {
    let gateway = |key: &str, metric: &str| {
        let counter = name(metric, "");
        at_end(key, format!("sum by (tenant, model) (increase({counter}{{{tenants}}}[{whole}]))"))
    };
    let usage = name("gen_ai.client.token.usage", "_sum");
    let calls = name("gen_ai.client.operation.duration", "_count");
    let client = |key: &str, series: String| {
        let labels = "tenant, gen_ai_request_model";
        at_end(key, format!("sum by ({labels}) (increase({series}[{whole}]))"))
    };
    let of_type = |kind: &str| format!("{usage}{{{tenants},gen_ai_token_type=\"{kind}\"}}");
    vec![
        gateway("tenant_prompt", "gateway.input_tokens"),
        gateway("tenant_cached", "gateway.cached_input_tokens"),
        gateway("tenant_generated", "gateway.output_tokens"),
        gateway("tenant_requests", "gateway.requests"),
        client("client_prompt", of_type("input")),
        // A part of the input, written by some.
        client("client_cached", of_type("cached_input")),
        client("client_generated", of_type("output")),
        client("client_requests", format!("{calls}{{{tenants}}}")),
    ]
}

impl Reader<'_> {
    /// In order of tenant and model, with who counted them.
    pub(super) fn tenants(&self) -> (Option<Counting>, Vec<BillTenant>) {
        let found = Counting::ALL.into_iter().map(|one| (Some(one), self.counted(one)));
        let mut found = found.filter(|(_, tenants)| !tenants.is_empty());
        found.next().unwrap_or_default()
    }

    fn counted(&self, counting: Counting) -> Vec<BillTenant> {
        let mut found: BTreeMap<(String, String), [Option<f64>; 4]> = BTreeMap::new();
        for (place, key) in counting.questions().into_iter().enumerate() {
            for row in self.rows(key) {
                let model = text(&row, "model").or_else(|| text(&row, "gen_ai_request_model"));
                let (Some(tenant), Some(model), Some(value)) =
                    (text(&row, "tenant"), model, last(&row))
                else {
                    continue;
                };
                if let Some(amount) = found.entry((tenant, model)).or_default().get_mut(place) {
                    *amount = Some(value);
                }
            }
        }
        let tenants = found.into_iter().map(|((tenant, model), amounts)| {
            let [prompt, cached, generated, requests] = amounts;
            BillTenant { tenant, model, prompt, cached, generated, requests }
        });
        tenants.filter(|one| one.prompt.is_some() || one.generated.is_some()).collect()
    }
}
