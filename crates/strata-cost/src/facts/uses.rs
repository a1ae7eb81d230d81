//! Tokens of tenants on the replicas that served them.

use std::collections::BTreeMap;

use strata_world::bill::BillTenant;

use super::{Column, Replica, Role, TenantUse};

/// A replica that worked on tokens, as those of tenants are laid on it.
struct Serving {
    at: usize,
    /// Prompt and generated tokens, as far as it is its part to compute them: an embedding model
    /// generates none.
    prompt: f64,
    generated: f64,
    /// Whether it is a worker of a pool.
    is_pooled: bool,
    /// Share of prompt tokens that were found in the cache, where both were counted.
    hits: Option<f64>,
}

/// What each tenant had of each replica, and what finds none. Who counts tenants does not say which
/// replica answered, so the tokens of a model are laid on its replicas as these worked on tokens.
pub(super) fn uses(
    tenants: &[BillTenant],
    replicas: &[Replica],
    steps: usize,
) -> (Vec<TenantUse>, Vec<BillTenant>) {
    let (mut found, mut unplaced) = (Vec::new(), Vec::new());
    if tenants.is_empty() {
        return (found, unplaced);
    }
    let by_model = serving(replicas, steps);
    for one in tenants {
        let serving = by_model.get(&*one.model).map(Vec::as_slice).unwrap_or_default();
        if serving.is_empty() {
            unplaced.extend(nowhere(one));
            continue;
        }
        let sum = |of: fn(&Serving) -> f64| serving.iter().map(of).sum::<f64>();
        let (prompts, answers) = (sum(|one| one.prompt), sum(|one| one.generated));
        let part = |own: f64, all: f64| if all > 0.0 { own / all } else { 0.0 };
        // In pools prompts are one replica's work and answers another's; elsewhere whoever computes a
        // prompt answers it.
        let are_pools = serving.iter().any(|replica| replica.is_pooled);
        for replica in serving {
            let all = part(replica.prompt + replica.generated, prompts + answers);
            let (of_prompts, of_answers) = if are_pools {
                // Of a pool that nobody counted the work is taken to lie where the other's does.
                let own = |own: f64, sum: f64| if sum > 0.0 { own / sum } else { all };
                (own(replica.prompt, prompts), own(replica.generated, answers))
            } else {
                (all, all)
            };
            let of = |amount: Option<f64>| Some(amount? * of_prompts);
            let of_answer = |amount: Option<f64>| Some(amount? * of_answers);
            // Where nobody counts what of a tenant was cached, his prompts are taken to be found as
            // often as all prompts of the replica.
            let cached = of(one.cached).or_else(|| Some(of(one.prompt)? * replica.hits?));
            found.push(TenantUse {
                replica: replica.at,
                tenant: one.tenant.clone(),
                prompt: of(one.prompt),
                cached,
                generated: of_answer(one.generated),
                // Counted where they end.
                requests: of_answer(one.requests),
            });
        }
    }
    (found, unplaced)
}

/// A use without a replica; None for a tenant whose counters stood still.
fn nowhere(one: &BillTenant) -> Option<BillTenant> {
    let amounts = [one.prompt, one.generated, one.requests];
    let is_any = amounts.into_iter().flatten().any(|amount| amount > 0.0);
    is_any.then(|| one.clone())
}

fn serving(replicas: &[Replica], steps: usize) -> BTreeMap<&str, Vec<Serving>> {
    let total = |column: &Column| -> f64 { (0..steps).filter_map(|step| column.get(step)).sum() };
    let mut by_model: BTreeMap<&str, Vec<Serving>> = BTreeMap::new();
    for (at, replica) in replicas.iter().enumerate() {
        let prompts = if replica.role == Role::Decode { 0.0 } else { total(&replica.prompt) };
        let generated = if replica.role == Role::Prefill { 0.0 } else { total(&replica.generated) };
        if prompts + generated <= 0.0 {
            continue;
        }
        let is_pooled = replica.role != Role::Whole;
        let both = (0..steps)
            .filter_map(|step| Some((replica.prompt.get(step)?, replica.cached.get(step)?)));
        let (asked, cached) = both.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let hits = if prompts > 0.0 {
            (asked > 0.0).then(|| (cached / asked).clamp(0.0, 1.0))
        } else {
            Some(0.0)
        };
        by_model.entry(&replica.model).or_default().push(Serving {
            at,
            prompt: prompts,
            generated,
            is_pooled,
            hits,
        });
    }
    by_model
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(model: &str, prompt: f64, generated: Column) -> Replica {
        Replica {
            model: model.to_owned(),
            prompt: Column::Constant(prompt),
            cached: Column::Constant(prompt / 4.0),
            generated,
            ..Replica::default()
        }
    }

    fn tenant(model: &str, generated: Option<f64>) -> BillTenant {
        BillTenant {
            tenant: "t".to_owned(),
            model: model.to_owned(),
            prompt: Some(80.0),
            generated,
            ..BillTenant::default()
        }
    }

    #[test]
    fn in_pools_prompts_are_laid_on_one_and_answers_on_the_other() {
        let pool = |role, prompt: f64, generated: f64| Replica {
            role,
            ..replica("m", prompt, Column::Constant(generated))
        };
        // Both count the prompt, and a worker that prefills makes the first token.
        let replicas = [
            pool(Role::Prefill, 30.0, 1.0),
            pool(Role::Prefill, 10.0, 1.0),
            pool(Role::Decode, 40.0, 50.0),
        ];
        let one = BillTenant { requests: Some(4.0), ..tenant("m", Some(20.0)) };
        let (found, unplaced) = uses(&[one], &replicas, 2);
        assert_eq!(unplaced, []);
        let prompts: Vec<_> = found.iter().map(|one| one.prompt).collect();
        let answers: Vec<_> = found.iter().map(|one| (one.generated, one.requests)).collect();
        assert_eq!(prompts, [Some(60.0), Some(20.0), Some(0.0)]);
        let nothing = (Some(0.0), Some(0.0));
        assert_eq!(answers, [nothing, nothing, (Some(20.0), Some(4.0))]);
        assert_eq!(found[2].cached, Some(0.0));
    }

    #[test]
    fn tokens_are_laid_on_the_replicas_that_worked_on_them() {
        let replicas = [
            replica("m", 100.0, Column::Constant(50.0)),
            replica("m", 20.0, Column::Constant(30.0)),
            replica("other", 100.0, Column::Constant(5.0)),
        ];
        let (found, unplaced) = uses(&[tenant("m", Some(40.0))], &replicas, 10);
        let told: Vec<_> =
            found.iter().map(|one| (one.replica, one.prompt, one.cached, one.generated)).collect();
        let expected =
            [(0, Some(60.0), Some(15.0), Some(30.0)), (1, Some(20.0), Some(5.0), Some(10.0))];
        assert_eq!(told, expected);
        assert_eq!((found[0].requests, unplaced), (None, Vec::new()));
    }

    #[test]
    fn a_model_that_generates_nothing_is_used_all_the_same() {
        let replicas = [replica("embed", 8.0, Column::Missing)];
        let (found, unplaced) = uses(&[tenant("embed", None)], &replicas, 10);
        assert_eq!((found.len(), found[0].prompt, found[0].generated), (1, Some(80.0), None));
        assert!(unplaced.is_empty());
    }

    #[test]
    fn what_finds_no_replica_is_kept_with_its_amount() {
        let silent = [Replica { model: "m".to_owned(), ..Replica::default() }];
        let tenants = [tenant("m", Some(5.0)), tenant("an alias", None)];
        let (found, unplaced) = uses(&tenants, &silent, 10);
        let told: Vec<_> = unplaced.iter().map(|one| (&*one.model, one.tokens())).collect();
        assert_eq!(told, [("m", Some(85.0)), ("an alias", Some(80.0))]);
        assert!(found.is_empty());
        let still = BillTenant { prompt: Some(0.0), ..tenant("m", Some(0.0)) };
        assert_eq!(uses(&[still], &silent, 10), (Vec::new(), Vec::new()));
    }
}
