//! Plans ask what engines understand, once, and within bounds.

use strata_query::promql::syntax;

use super::*;
use crate::capacity::Targets;
use crate::entity::EntityId;
use crate::recipe::signals;
use crate::window::Window;

fn ask(scope: Scope, wants: Vec<Want>) -> Ask {
    let end_ms = 3_600_000;
    let window = Window { start_ms: 0, end_ms, step_ms: 60_000, moment_ms: end_ms, now_ms: end_ms };
    Ask {
        window,
        scope,
        wants,
        entities: true,
        who: false,
        wires: true,
        coverage: true,
        targets: Targets::default(),
    }
}

fn everything() -> Vec<Want> {
    let wants = signals().iter().flat_map(|def| {
        [Grain::Whole, Grain::Each].map(|grain| Want { signal: def.id, grain, track: true })
    });
    wants.collect()
}

#[test]
fn every_query_of_every_scope_parses() {
    let keys = ["h/0", "node-1", "a\"b\\c", "10.0.0.1:8000", "[::1]:8000"];
    let mut scopes = vec![Scope::Fleet];
    for kind in EntityKind::ALL {
        scopes.extend(keys.map(|key| Scope::Entity(EntityId::new(kind, key))));
    }
    for scope in scopes {
        let plan = plan(&ask(scope.clone(), everything()));
        for query in &plan.queries {
            let parsed = syntax::parse(&query.text);
            assert!(parsed.is_ok(), "{scope:?} {}: {}: {parsed:?}", query.key, query.text);
        }
    }
}

#[test]
fn a_text_is_asked_once_and_a_key_names_one_query() {
    let mut wants = everything();
    wants.extend(everything());
    let plan = plan(&ask(Scope::Fleet, wants));
    let keys: BTreeSet<&str> = plan.queries.iter().map(|query| query.key.as_str()).collect();
    assert_eq!(keys.len(), plan.queries.len());
    let texts: BTreeSet<_> =
        plan.queries.iter().map(|query| (query.text.as_str(), query.range)).collect();
    assert_eq!(texts.len(), plan.queries.len());
}

#[test]
fn a_fleet_is_asked_for_jobs_and_one_thing_for_its_events_and_processes() {
    let check = |scope: Scope, key: &str, expected: bool| {
        let plan = plan(&ask(scope.clone(), Vec::new()));
        let found = plan.queries.iter().any(|query| query.key == key);
        assert_eq!(found, expected, "{key} of {scope:?}");
    };
    let gpu = || Scope::Entity(EntityId::new(EntityKind::Gpu, "GPU-1"));
    let workload = Scope::Entity(EntityId::new(EntityKind::Workload, "42"));
    check(Scope::Fleet, "entity/slurm_job", true);
    check(workload, "entity/slurm_job", false);
    for key in ["event/fault", "event/xid_last", "event/culprit", "entity/process"] {
        check(Scope::Fleet, key, false);
        check(gpu(), key, true);
    }
}

#[test]
fn tracks_of_too_many_things_are_left_out() {
    let want = Want { signal: "l1.power", grain: Grain::Each, track: true };
    let check = |gpus: usize, ranges: usize| {
        let sizes = Sizes(BTreeMap::from([(EntityKind::Gpu, gpus)]));
        let plan = plan_sized(&ask(Scope::Fleet, vec![want]), &sizes);
        assert_eq!(plan.queries.iter().filter(|query| query.range).count(), ranges, "{gpus}");
    };
    check(0, 1);
    check(196, 1);
    check(197, 0);
}

#[test]
fn links_of_a_large_fleet_are_counted_by_node() {
    let check = |gpus: usize, link_by_link: bool| {
        let sizes = Sizes(BTreeMap::from([(EntityKind::Gpu, gpus)]));
        let plan = plan_sized(&ask(Scope::Fleet, Vec::new()), &sizes);
        let asked = |key: &str| {
            plan.queries.iter().find(|query| query.key == key).map(|query| &*query.text)
        };
        for key in ["wires/ends", "wires/p2p", "wires/down", "wires/paths"] {
            assert_eq!(asked(key).is_some(), link_by_link, "{key} of {gpus}");
        }
        let counted = [
            "wires/nodes",
            "wires/nodes_gpus",
            "wires/nodes_p2p",
            "wires/nodes_down",
            "wires/nodes_paths",
        ];
        for key in counted {
            assert_eq!(asked(key).is_none(), link_by_link, "{key} of {gpus}");
            assert!(asked(key).is_none_or(|text| syntax::parse(text).is_ok()), "{key}");
        }
    };
    check(0, true);
    check(300, true);
    check(10_000, false);
    let plan = plan(&Ask { wires: false, ..ask(Scope::Fleet, Vec::new()) });
    assert!(plan.queries.iter().all(|query| !query.key.starts_with("wires/")));
}

#[test]
fn links_of_a_fleet_of_unknown_size_are_counted_until_it_turns_out_to_be_small() {
    let sizes = |gpus| Sizes(BTreeMap::from([(EntityKind::Gpu, gpus)]));
    let has = |plan: &Plan, key: &str| plan.queries.iter().any(|query| query.key == key);
    let first = plan(&ask(Scope::Fleet, Vec::new()));
    assert!(has(&first, "wires/nodes") && !has(&first, "wires/ends"));
    let closer = plan_closer(&first, &sizes(16)).unwrap();
    assert!(has(&closer, "wires/ends") && !has(&closer, "wires/nodes"));
    assert_eq!(plan_closer(&first, &sizes(10_000)), None);
    assert_eq!(plan_closer(&closer, &sizes(16)), None);
    let node = Scope::Entity(EntityId::new(EntityKind::Node, "a"));
    assert!(has(&plan(&ask(node, Vec::new())), "wires/ends"), "a node has few");
}

#[test]
fn a_scope_becomes_matchers() {
    let check = |scope: &str, signal: &'static str, expected: &str| {
        let scope = Scope::Entity(EntityId::parse(scope).unwrap());
        let want = Want { signal, grain: Grain::Whole, track: false };
        let mut ask = ask(scope, vec![want]);
        ask.entities = false;
        assert_eq!(plan(&ask).queries.first().unwrap().text, expected);
    };
    check(
        "gpu:GPU-1",
        "l1.sm_active",
        "avg(max by (gpu_uuid, node, gpu) (gpu_sm_active_ratio{gpu_uuid=\"GPU-1\"}))",
    );
    check(
        "node:h.x",
        "l3.swap_rate",
        "max(sum by (node, instance) ((rate(system_paging_operations_total{node=\"h.x\"}[120s]) or \
         rate(system_paging_operations_total{node=\"\",instance=~\"h\\\\.x(:[0-9]+)?\"}[120s]))))",
    );
    check(
        "namespace:a",
        "l4.pods_pending",
        "sum(sum by (namespace) (max by (namespace, pod) \
         (k8s_pod_phase{phase=\"Pending\",namespace=\"a\"})))",
    );
}

#[test]
fn what_a_scope_cannot_narrow_is_not_asked() {
    let scope = Scope::Entity(EntityId::new(EntityKind::Gpu, "GPU-1"));
    let want = Want { signal: "l3.iowait", grain: Grain::Whole, track: false };
    let plan = plan(&Ask { entities: false, ..ask(scope, vec![want]) });
    assert_eq!(plan.queries, []);
}
