//! What tenants asked of models, as their gateway or their clients count it.

use std::collections::BTreeMap;

use super::BillTenant;
use super::plan::{at_end, name};
use super::read::{Reader, last, text};
use crate::ask::Planned;

/// One way of counting, and the questions of it, by what they count.
struct Door {
    questions: [&'static str; 4],
}

/// The gateway counts for all clients; what clients count themselves is asked where there is none.
const DOORS: [Door; 2] = [
    Door { questions: ["tenant_prompt", "tenant_cached", "tenant_generated", "tenant_requests"] },
    Door { questions: ["client_prompt", "client_cached", "client_generated", "client_requests"] },
];

/// Questions for the whole period.
pub(super) fn tenant_queries(whole: &str) -> Vec<Planned> {
    let gateway = |key: &str, metric: &str| {
        let counter = name(metric, "");
        at_end(
            key,
            format!("sum by (tenant, model) (increase({counter}{{tenant!=\"\"}}[{whole}]))"),
        )
    };
    let usage = name("gen_ai.client.token.usage", "_sum");
    let calls = name("gen_ai.client.operation.duration", "_count");
    let client = |key: &str, series: String| {
        let labels = "tenant, gen_ai_request_model";
        at_end(key, format!("sum by ({labels}) (increase({series}[{whole}]))"))
    };
    let of_type = |kind: &str| format!("{usage}{{tenant!=\"\",gen_ai_token_type=\"{kind}\"}}");
    vec![
        gateway("tenant_prompt", "gateway.input_tokens"),
        gateway("tenant_cached", "gateway.cached_input_tokens"),
        gateway("tenant_generated", "gateway.output_tokens"),
        gateway("tenant_requests", "gateway.requests"),
        client("client_prompt", of_type("input")),
        // A part of the input, written by some.
        client("client_cached", of_type("cached_input")),
        client("client_generated", of_type("output")),
        client("client_requests", format!("{calls}{{tenant!=\"\"}}")),
    ]
}

impl Reader<'_> {
    /// In order of tenant and model.
    pub(super) fn tenants(&self) -> Vec<BillTenant> {
        let mut found = DOORS.iter().map(|door| self.behind(door));
        found.find(|tenants| !tenants.is_empty()).unwrap_or_default()
    }

    fn behind(&self, door: &Door) -> Vec<BillTenant> {
        let mut found: BTreeMap<(String, String), [Option<f64>; 4]> = BTreeMap::new();
        for (place, key) in door.questions.into_iter().enumerate() {
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
