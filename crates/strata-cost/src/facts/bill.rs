//! Facts from what the World knows of a period.

use std::collections::{BTreeMap, BTreeSet};

use strata_world::bill::{BillGpu, BillReplica, BillWorld, Hold, HolderKind, Period};

use super::runs::runs;
use super::sharing::shares;
use super::uses::uses;
use super::{Claim, Column, Facts, Gpu, Owner, Replica};
use crate::price::{Term, Wanted, sku};

/// What the operator says of all GPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Who rents the GPUs out.
    pub provider: Option<String>,
    /// Where they stand, for nodes that do not say so themselves.
    pub region: Option<String>,
    /// How they are paid for.
    pub term: Option<Term>,
    /// Labels of nodes that prices ask for ([`crate::price::PriceBook::labels`]): GPUs whose nodes
    /// differ in them are priced apart.
    pub labels: BTreeSet<String>,
}

impl Facts {
    /// The facts of a period. What nobody measured stays missing: a GPU without telemetry is
    /// neither down nor up, and where nothing names holders nobody knows who held it.
    pub fn from_bill(period: &Period, bill: &BillWorld, terms: &Terms) -> Self {
        let replicas: Vec<Replica> = bill.replicas.iter().map(replica).collect();
        let mut owners = Owners::new(&bill.replicas);
        let mut in_node: BTreeMap<&str, u32> = BTreeMap::new();
        for node in bill.gpus.iter().filter_map(|gpu| gpu.node.as_deref()) {
            *in_node.entry(node).or_default() += 1;
        }
        let gpus = bill.gpus.iter().map(|one| {
            let mut gpu = gpu(one, period, terms);
            gpu.wanted.gpus_in_node =
                one.node.as_deref().and_then(|node| in_node.get(node).copied());
            gpu.claims = owners.claims(one, &bill.replicas);
            gpu
        });
        let mut gpus: Vec<Gpu> = gpus.collect();
        let step_s = period.step_ms as f64 / 1e3;
        let runs = runs(&bill.runs, &mut owners.list, &mut gpus, period.steps, step_s);
        let (uses, unplaced) = uses(&bill.tenants, &replicas, period.steps);
        Self {
            start_ms: period.start_ms,
            step_ms: period.step_ms,
            steps: period.steps,
            owners: owners.list,
            runs,
            uses,
            unplaced,
            replicas,
            gpus,
        }
    }
}

/// A column of a period; empty where nobody measured it.
fn column(values: &[Option<f64>]) -> Column {
    if values.iter().all(Option::is_none) {
        return Column::Missing;
    }
    Column::of(values.iter().copied())
}

fn gpu(one: &BillGpu, period: &Period, terms: &Terms) -> Gpu {
    let seen = (0..period.steps).map(|step| one.seen.get(step).copied().unwrap_or(false));
    Gpu {
        id: one.id.clone(),
        node: one.node.clone(),
        wanted: Wanted {
            gpu: one.model.as_deref().map(sku),
            node: one.instance_type.clone(),
            provider: terms.provider.clone(),
            region: one.region.clone().or_else(|| terms.region.clone()),
            term: terms.term,
            labels: labels(one, terms),
            ..Wanted::default()
        },
        portion: 1.0,
        present: Column::of(seen.map(|seen| seen.then_some(1.0))),
        utilization: column(&one.utilization),
        allocated: allocated(one, period),
        claims: Vec::new(),
        energy_j: column(&one.energy_j),
    }
}

/// Labels of its node by the names that Kubernetes and NVIDIA's feature discovery give them, as far as
/// prices ask for them.
fn labels(one: &BillGpu, terms: &Terms) -> BTreeMap<String, String> {
    let product = one.model.as_deref().map(|model| model.replace(' ', "-"));
    let (node, region, kind) = (&one.node, &one.region, &one.instance_type);
    let known = [
        ("metadata.name", node),
        ("kubernetes.io/hostname", node),
        ("topology.kubernetes.io/region", region),
        ("failure-domain.beta.kubernetes.io/region", region),
        ("node.kubernetes.io/instance-type", kind),
        ("beta.kubernetes.io/instance-type", kind),
        ("nvidia.com/gpu.product", &product),
    ];
    let asked = known.into_iter().filter(|(name, _)| terms.labels.contains(*name));
    asked.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
}

/// Where holders are named at all, a GPU without one has none; where one is named, his claim tells.
fn allocated(one: &BillGpu, period: &Period) -> Column {
    if !one.names_holders {
        return Column::Missing;
    }
    let held = |step: usize| one.holds.iter().any(|hold| (hold.first..hold.end).contains(&step));
    Column::of((0..period.steps).map(|step| (!held(step)).then_some(0.0)))
}

fn replica(one: &BillReplica) -> Replica {
    let generated = column(&one.generated);
    let each = |share: &dyn Fn(usize) -> Option<f64>| {
        let values = (0..one.generated.len()).map(|step| Some(generated.get(step)? * share(step)?));
        Column::of(values)
    };
    let at = |values: &[Option<f64>], step: usize| values.get(step).copied().flatten();
    // Of a request that its client gave up, the engine has counted the tokens. How many they were
    // it does not tell, so its requests are taken to be as long as the others.
    let delivered = |step: usize| {
        let all = at(&one.requests, step)?;
        // A reason that did not occur yet has no series yet.
        let aborted = at(&one.aborted, step).unwrap_or(0.0);
        Some(if all > 0.0 { (1.0 - aborted / all).clamp(0.0, 1.0) } else { 1.0 })
    };
    let recomputed = (0..one.generated.len()).map(|step| {
        at(&one.recomputed, step).or_else(|| match at(&one.preemptions, step)? {
            // An engine that counts preemptions and not what they cost: each throws away what a
            // request has computed so far, on average its prompt and half of its answer.
            count if count > 0.0 => {
                let requests = at(&one.requests, step).filter(|requests| *requests > 0.0)?;
                let kept = at(&one.prompt, step)? + at(&one.generated, step)? / 2.0;
                Some(count * kept / requests)
            }
            _ => Some(0.0),
        })
    });
    let recomputed = Column::of(recomputed);
    Replica {
        name: one.instance.clone(),
        model: one.model.clone().unwrap_or_default(),
        settings: one.engine.clone().unwrap_or_default(),
        role: one.role,
        kv_bytes: one.kv_bytes,
        prompt: column(&one.prompt),
        // An engine without a prefix cache counts no hits.
        cached: if one.cached.is_empty() { Column::Constant(0.0) } else { column(&one.cached) },
        requests: column(&one.requests),
        recomputed,
        rejected_drafts: column(&one.rejected_drafts),
        delivered: each(&delivered),
        within_slo: each(&|step| Some(delivered(step)? * one.within_slo?)),
        prefill_s: column(&one.prefill_s),
        decode_s: column(&one.decode_s),
        generated,
        ..Replica::default()
    }
}

/// The pod that a hold is of; a job is in none.
fn pod_of(hold: &Hold) -> Option<(String, String)> {
    (hold.kind == HolderKind::Pod).then(|| (hold.namespace.clone(), hold.pod.clone()))
}

/// Holders, each once.
struct Owners {
    list: Vec<Owner>,
    known: BTreeMap<(HolderKind, String, String, Option<String>), usize>,
    /// Places of the replicas in each pod.
    in_pod: BTreeMap<(String, String), Vec<usize>>,
}

impl Owners {
    fn new(replicas: &[BillReplica]) -> Self {
        let mut in_pod: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, one) in replicas.iter().enumerate() {
            if let Some(pod) = one.pod.clone() {
                let key = (one.namespace.clone().unwrap_or_default(), pod);
                in_pod.entry(key).or_default().push(at);
            }
        }
        Self { list: Vec::new(), known: BTreeMap::new(), in_pod }
    }

    /// The claims on a GPU: a hold is several where its share changes.
    fn claims(&mut self, gpu: &BillGpu, replicas: &[BillReplica]) -> Vec<Claim> {
        let pieces = shares(gpu).into_iter().filter_map(|piece| {
            let hold = gpu.holds.get(piece.hold)?;
            // A single holder has all that the GPU does; of several each has his own.
            let is_whole = piece.share >= 1.0;
            let used = pod_of(hold).and_then(|pod| gpu.used.get(&pod));
            Some(Claim {
                first: piece.first,
                end: piece.end,
                requested: piece.share,
                is_assumed: piece.is_assumed,
                used: used.filter(|_| !is_whole).map_or(Column::Missing, |used| column(used)),
                ..self.claim(hold, replicas)
            })
        });
        pieces.collect()
    }

    fn claim(&mut self, hold: &Hold, replicas: &[BillReplica]) -> Claim {
        let places = pod_of(hold).and_then(|pod| self.in_pod.get(&pod).cloned());
        let places = places.unwrap_or_default();
        let here: Vec<&BillReplica> = places.iter().filter_map(|at| replicas.get(*at)).collect();
        let (namespace, name) = (hold.namespace.clone(), hold.pod.clone());
        let key = (hold.kind, namespace, name, hold.team.clone());
        let next = self.list.len();
        let owner = *self.known.entry(key).or_insert(next);
        if owner == next {
            // What each of several models in one pod has of its GPUs, nothing tells: the money is
            // of them together, and none of them has a price.
            let models: Vec<_> = here.iter().filter_map(|one| one.model.clone()).collect();
            self.list.push(Owner {
                kind: hold.kind,
                namespace: Some(hold.namespace.clone()).filter(|name| !name.is_empty()),
                pod: Some(hold.pod.clone()),
                team: hold.team.clone(),
                model: (!models.is_empty()).then(|| models.join(" + ")),
                replica: if let [only] = places.as_slice() { Some(*only) } else { None },
                ..Owner::default()
            });
        }
        let loaded = if here.is_empty() {
            Column::Constant(1.0)
        } else {
            // Its page is there once the model is loaded and the engine answers.
            let steps = here.iter().map(|one| one.up.len()).max().unwrap_or_default();
            let up = |step: usize| here.iter().any(|one| one.up.get(step) == Some(&true));
            Column::of((0..steps).map(|step| Some(f64::from(u8::from(up(step))))))
        };
        Claim { owner, loaded, ..Claim::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Options, State};
    use crate::price::PriceBook;

    const PERIOD: Period = Period { start_ms: 1_767_225_600_000, step_ms: 60_000, steps: 10 };

    fn hold(pod: &str, first: usize, end: usize) -> Hold {
        Hold { first, end, namespace: "n".to_owned(), pod: pod.to_owned(), ..Hold::default() }
    }

    fn gpu(id: &str, holds: Vec<Hold>, utilization: Option<f64>) -> BillGpu {
        BillGpu {
            id: id.to_owned(),
            model: Some("NVIDIA H100 80GB HBM3".to_owned()),
            seen: vec![true; 10],
            utilization: vec![utilization; 10],
            holds,
            names_holders: true,
            ..BillGpu::default()
        }
    }

    fn ledger(bill: &BillWorld) -> Ledger {
        let facts = Facts::from_bill(&PERIOD, bill, &Terms::default());
        assert_eq!(facts.problems(), Vec::new());
        Ledger::build(&facts, &PriceBook::embedded(), &Options::default())
    }

    #[test]
    fn every_second_has_the_state_that_the_facts_tell() {
        let replica = BillReplica {
            instance: "n:8000".to_owned(),
            namespace: Some("n".to_owned()),
            pod: Some("engine".to_owned()),
            model: Some("m".to_owned()),
            // It loads for two minutes.
            up: [vec![false; 2], vec![true; 8]].concat(),
            generated: [vec![None; 2], vec![Some(100.0); 8]].concat(),
            prompt: [vec![None; 2], vec![Some(50.0); 8]].concat(),
            requests: [vec![None; 2], vec![Some(10.0); 8]].concat(),
            aborted: [vec![None; 2], vec![Some(1.0); 8]].concat(),
            within_slo: Some(0.5),
            ..BillReplica::default()
        };
        let mut trained = gpu("b", vec![hold("train", 0, 4)], Some(0.0));
        trained.utilization[..4].fill(Some(1.0));
        let mut silent = gpu("d", Vec::new(), Some(0.0));
        silent.seen = vec![false; 10];
        let bill = BillWorld {
            gpus: vec![
                gpu("a", vec![hold("engine", 0, 10)], Some(0.0)),
                trained,
                gpu("c", Vec::new(), Some(0.0)),
                silent,
            ],
            replicas: vec![replica],
            ..BillWorld::default()
        };
        let ledger = ledger(&bill);
        let total = ledger.total();
        let minutes = |state: State| (total.seconds_in(state) / 60.0).round();
        assert_eq!(minutes(State::HeldCold), 2.0, "the engine loads");
        assert_eq!(minutes(State::HeldIdle), 8.0);
        assert_eq!(
            minutes(State::UnknownUse),
            4.0,
            "what the job's work was good for, nobody says"
        );
        assert_eq!(minutes(State::Unallocated), 16.0);
        assert!((total.gpu_s() - 2400.0).abs() < 1e-9, "the silent GPU's seconds are there too");
        assert!(ledger.reconciliation().holds());
        let useful = ledger.replicas[0].useful;
        let tokens = |level: usize| useful[level].map(|counted| counted.value.round());
        assert_eq!((tokens(0), tokens(1), tokens(2)), (Some(800.0), Some(720.0), Some(360.0)));
        assert_eq!((tokens(3), tokens(4)), (None, None), "nobody knows");
    }

    fn engine(instance: &str, model: &str) -> BillReplica {
        BillReplica {
            instance: instance.to_owned(),
            namespace: Some("n".to_owned()),
            pod: Some("both".to_owned()),
            model: Some(model.to_owned()),
            up: vec![true; 10],
            generated: vec![Some(100.0); 10],
            requests: vec![Some(10.0); 10],
            // The first client gives up in the sixth minute; before, the reason has no series.
            aborted: [vec![None; 5], vec![Some(1.0); 5]].concat(),
            ..BillReplica::default()
        }
    }

    #[test]
    fn an_abort_says_nothing_of_the_time_before_the_first_one() {
        let mut one = engine("a", "m");
        one.pod = Some("engine".to_owned());
        let gpus = vec![gpu("a", vec![hold("engine", 0, 10)], Some(0.5))];
        let ledger = ledger(&BillWorld { gpus, replicas: vec![one], ..BillWorld::default() });
        let delivered = ledger.replicas[0].useful[1].unwrap();
        assert!((delivered.value - 950.0).abs() < 1e-9 && delivered.covered > 0.999);
    }

    #[test]
    fn several_models_in_one_pod_are_priced_together_or_not_at_all() {
        let gpus = vec![gpu("a", vec![hold("both", 0, 10)], Some(0.5))];
        let replicas = vec![engine("a", "chat"), engine("b", "embed")];
        let ledger = ledger(&BillWorld { gpus, replicas, ..BillWorld::default() });
        assert_eq!(ledger.owners[0].model.as_deref(), Some("chat + embed"));
        let units = crate::unit::models(&ledger, &crate::unit::Energy::default());
        assert!(units.iter().all(|one| one.per_useful_token[0].is_none()), "no token is free");
        assert_eq!(crate::unit::fleet(&ledger, &units)[0], None);
    }

    #[test]
    fn holders_of_one_gpu_have_their_parts_and_the_rest_is_free() {
        let part = |cores, memory| strata_world::bill::Part { how: "mig", cores, memory };
        let mut a = hold("a", 0, 10);
        a.part = part(Some(1.0 / 7.0), Some(0.125));
        let mut b = hold("b", 0, 10);
        b.part = part(Some(3.0 / 7.0), Some(0.5));
        let mut gpu = gpu("g", vec![a, b], None);
        let pod = |name: &str| ("n".to_owned(), name.to_owned());
        gpu.used.insert(pod("a"), vec![Some(0.5 / 7.0); 10]);
        gpu.used.insert(pod("b"), vec![Some(3.0 / 7.0); 10]);
        let ledger = ledger(&BillWorld { gpus: vec![gpu], ..BillWorld::default() });
        let lines = ledger.by(crate::ledger::Dimension::Pod);
        let of = |key: &str| lines.iter().find(|line| line.key == key).unwrap();
        assert!((of("a").gpu_s() - 600.0 / 7.0).abs() < 1e-9);
        assert!((of("a").busy_s() - 300.0 / 7.0).abs() < 1e-9, "half of its slice worked");
        assert!((of("b").gpu_s() - 300.0).abs() < 1e-9, "its memory leaves no more to others");
        let free = of(crate::ledger::PLATFORM);
        assert!((free.gpu_s() - (600.0 - 300.0 - 600.0 / 7.0)).abs() < 1e-9, "stranded");
        assert_eq!(ledger.total().assumed_s, 0.0);
    }

    #[test]
    fn equal_parts_are_told_as_assumed() {
        let gpus = vec![gpu("g", vec![hold("a", 0, 10), hold("b", 5, 10)], Some(0.5))];
        let ledger = ledger(&BillWorld { gpus, ..BillWorld::default() });
        assert!((ledger.total().assumed_s - 300.0).abs() < 1e-9);
        let lines = ledger.by(crate::ledger::Dimension::Pod);
        let seconds: Vec<_> = lines.iter().map(|line| line.gpu_s().round()).collect();
        assert_eq!(seconds, [450.0, 150.0]);
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        fn part() -> impl Strategy<Value = strata_world::bill::Part> {
            let share = || prop::option::of(0.01_f64..=1.0);
            (share(), share()).prop_map(|(cores, memory)| strata_world::bill::Part {
                how: "fraction",
                cores,
                memory,
            })
        }

        fn holds() -> impl Strategy<Value = Vec<Hold>> {
            let one = (0_usize..10, 1_usize..10, part());
            prop::collection::vec(one, 0..6).prop_map(|all| {
                let holds = all.into_iter().enumerate().map(|(at, (first, length, part))| Hold {
                    part,
                    ..hold(&format!("p{at}"), first, (first + length).min(10))
                });
                holds.collect()
            })
        }

        proptest! {
            /// Shares of holders, idle and unattributed time together are the device.
            #[test]
            fn holders_idle_and_unattributed_are_the_device(
                holds in holds(),
                utilization in prop::option::of(0.0_f64..=1.0),
                used in prop::collection::vec(prop::option::of(0.0_f64..=1.0), 6),
            ) {
                let mut one = gpu("g", holds.clone(), utilization);
                one.energy_j = vec![Some(3.0); 10];
                for (hold, used) in holds.iter().zip(used) {
                    let pod = (hold.namespace.clone(), hold.pod.clone());
                    one.used.insert(pod, vec![used; 10]);
                }
                let ledger = ledger(&BillWorld { gpus: vec![one], ..BillWorld::default() });
                let lines = ledger.by(crate::ledger::Dimension::Pod);
                let sum: f64 = lines.iter().map(crate::ledger::Line::gpu_s).sum();
                prop_assert!((sum - 600.0).abs() < 600.0 * 1e-9, "{}", sum);
                prop_assert!(ledger.reconciliation().holds());
                let reserved: f64 = ledger.cells.iter().map(|cell| cell.reserved_s).sum();
                prop_assert!(reserved <= 600.0 * (1.0 + 1e-9), "{}", reserved);
                let joules: f64 = lines.iter().map(|line| line.energy_j).sum();
                prop_assert!((joules - 30.0).abs() < 30.0 * 1e-9, "{}", joules);
                prop_assert!(lines.iter().all(|line| line.seconds.iter().all(|part| *part >= 0.0)));
                for line in &lines {
                    prop_assert!(line.assumed_s <= line.gpu_s() * (1.0 + 1e-9) + 1e-9);
                }
            }
        }
    }
}
