//! Tokens of tenants on the replicas that served them.

use std::collections::BTreeMap;

use strata_world::bill::BillTenant;

use super::{Column, Replica, TenantUse};

/// A replica that generated something, as tokens are laid on it.
struct Serving {
    at: usize,
    generated: f64,
    /// Share of prompt tokens that were found in the cache.
    hits: f64,
}

/// What each tenant had of each replica. Who counts tenants does not say which replica answered, so
/// the tokens of a model are laid on its replicas as these generated.
pub(super) fn uses(tenants: &[BillTenant], replicas: &[Replica], steps: usize) -> Vec<TenantUse> {
    if tenants.is_empty() {
        return Vec::new();
    }
    let by_model = serving(replicas, steps);
    let mut found = Vec::new();
    for one in tenants {
        let serving = by_model.get(&*one.model).map(Vec::as_slice).unwrap_or_default();
        let all: f64 = serving.iter().map(|replica| replica.generated).sum();
        for replica in serving {
            let share = replica.generated / all;
            let of = |amount: Option<f64>| Some(amount? * share);
            // Where nobody counts what of a tenant was cached, his prompts are taken to be found as
            // often as all prompts of the replica.
            let cached = of(one.cached).or_else(|| Some(of(one.prompt)? * replica.hits));
            found.push(TenantUse {
                replica: replica.at,
                tenant: one.tenant.clone(),
                prompt: of(one.prompt),
                cached,
                generated: of(one.generated),
                requests: of(one.requests),
            });
        }
    }
    found
}

fn serving(replicas: &[Replica], steps: usize) -> BTreeMap<&str, Vec<Serving>> {
    let total = |column: &Column| -> f64 { (0..steps).filter_map(|step| column.get(step)).sum() };
    let mut by_model: BTreeMap<&str, Vec<Serving>> = BTreeMap::new();
    for (at, replica) in replicas.iter().enumerate() {
        let generated = total(&replica.generated);
        if generated <= 0.0 {
            continue;
        }
        let prompts = total(&replica.prompt);
        let hits = if prompts > 0.0 { total(&replica.cached) / prompts } else { 0.0 };
        let hits = hits.clamp(0.0, 1.0);
        by_model.entry(&replica.model).or_default().push(Serving { at, generated, hits });
    }
    by_model
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_laid_on_the_replicas_that_generated() {
        let replica = |model: &str, generated: f64| Replica {
            model: model.to_owned(),
            prompt: Column::Constant(100.0),
            cached: Column::Constant(25.0),
            generated: Column::Constant(generated),
            ..Replica::default()
        };
        let replicas = [replica("m", 30.0), replica("m", 10.0), replica("other", 5.0)];
        let tenant = BillTenant {
            tenant: "t".to_owned(),
            model: "m".to_owned(),
            prompt: Some(80.0),
            generated: Some(40.0),
            ..BillTenant::default()
        };
        let found = uses(&[tenant], &replicas, 10);
        let told: Vec<_> =
            found.iter().map(|one| (one.replica, one.prompt, one.cached, one.generated)).collect();
        let expected =
            [(0, Some(60.0), Some(15.0), Some(30.0)), (1, Some(20.0), Some(5.0), Some(10.0))];
        assert_eq!(told, expected);
        assert_eq!(found[0].requests, None);
    }
}
