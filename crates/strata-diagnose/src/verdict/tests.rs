//! Rules over small Worlds.

use strata_model::Layer;
use strata_world::capacity::Targets;
use strata_world::{
    Coverage, EntityId, EntityKind, Reading, Scope, Signal, Unknown, UnknownReason, Window, World,
    signal_def,
};

use super::{APART, BENCHES, Standing, verdict, verdict_wants, verdicts};

/// A World of signals of the whole, each with its value now and at two steps.
fn world(signals: &[(&str, [Option<f64>; 3])]) -> World {
    let mut signals: Vec<Signal> = signals
        .iter()
        .map(|(id, [first, second, now])| Signal {
            def: signal_def(id).unwrap_or_else(|| panic!("no signal {id}")),
            entity: None,
            now: now.map_or(
                Reading::Unknown(Unknown { reason: UnknownReason::Absent, text: String::new() }),
                Reading::Known,
            ),
            track: vec![*first, *second],
            query: "".into(),
            inputs: [].into(),
            newest_ms: None,
            at_most: false,
            outlier: false,
        })
        .collect();
    signals.sort_by_key(|signal| signal.def.id);
    World {
        window: Window {
            start_ms: 0,
            end_ms: 60_000,
            step_ms: 60_000,
            moment_ms: 60_000,
            now_ms: 60_000,
        },
        scope: Scope::Fleet,
        entities: Vec::new(),
        edges: Vec::new(),
        faults: Vec::new(),
        links: Vec::new(),
        wiring: strata_world::Wiring::default(),
        condition: None,
        holdings: Vec::new(),
        waiting: Vec::new(),
        capacity: None,
        targets: Targets::default(),
        signals,
        spreads: Vec::new(),
        coverage: Coverage::default(),
        currency: String::new(),
        notes: Vec::new(),
    }
}

fn steady(value: f64) -> [Option<f64>; 3] {
    [Some(value); 3]
}

#[test]
fn every_rule_names_signals_that_exist_and_every_layer_has_a_bench() {
    for want in verdict_wants() {
        assert!(signal_def(want.signal).is_some(), "{}", want.signal);
    }
    let layers: Vec<Layer> = BENCHES.iter().map(|bench| bench.layer).collect();
    assert_eq!(layers, Layer::ALL);
    for bench in BENCHES {
        let own = bench.rules.iter().flat_map(|rule| rule.when).chain([]);
        for (id, _) in own {
            assert_eq!(signal_def(id).unwrap().layer, bench.layer, "{id}");
        }
    }
}

#[test]
fn a_layer_is_judged_by_its_worst_rule() {
    let check = |signals: &[(&str, [Option<f64>; 3])], layer, standing, says: &str| {
        let verdict = verdict(&world(signals), layer);
        assert_eq!(verdict.standing, standing, "{signals:?}");
        assert!(verdict.says.contains(says), "{signals:?}: {}", verdict.says);
    };
    let l6 = Layer::L6Inference;
    check(&[("l6.kv_pinned", steady(0.5))], l6, Standing::Ok, "room");
    check(&[("l6.kv_pinned", steady(0.95))], l6, Standing::Watch, "nearly full");
    check(
        &[("l6.kv_pinned", steady(0.95)), ("l6.waiting", steady(3.0))],
        l6,
        Standing::Broken,
        "requests wait",
    );
    // Waiting alone is not judged without knowing how full the cache is.
    check(&[("l6.waiting", steady(3.0)), ("l6.running", steady(1.0))], l6, Standing::Ok, "room");
    check(
        &[("l3.psi_io", steady(0.3)), ("l3.oom_kills", steady(1.0))],
        Layer::L3Host,
        Standing::Broken,
        "killed",
    );
    let bandwidth =
        |share| [("l2.bus_bandwidth", steady(2e10)), ("l2.bus_bandwidth_vs_past", share)];
    let l2 = Layer::L2Cuda;
    check(&bandwidth(steady(0.11)), l2, Standing::Watch, "of the last hour");
    check(&bandwidth(steady(0.93)), l2, Standing::Ok, "collectives run");
    // Nothing to compare with is no finding.
    check(&bandwidth([None; 3]), l2, Standing::Ok, "collectives run");
    let quota =
        |share| [("l3.cpu_utilization", steady(0.3)), ("l3.cpu_quota_throttled", steady(share))];
    check(&quota(0.58), Layer::L3Host, Standing::Watch, "processor quota");
    check(&quota(0.02), Layer::L3Host, Standing::Ok, "keep up");
    check(&[("l1.temperature_margin", steady(2.0))], Layer::L1Gpu, Standing::Watch, "near");
}

#[test]
fn nothing_seen_is_blind_only_where_something_says_it_must_be_there() {
    let bare = world(&[]);
    let standing = |layer| verdict(&bare, layer).standing;
    assert_eq!(standing(Layer::L3Host), Standing::Blind);
    assert_eq!(standing(Layer::L1Gpu), Standing::Absent);
    assert_eq!(standing(Layer::L8Cost), Standing::Absent);
    let serving = world(&[("l6.replicas", steady(2.0))]);
    for layer in [Layer::L1Gpu, Layer::L7Genai, Layer::L8Cost] {
        assert_eq!(verdict(&serving, layer).standing, Standing::Blind, "{layer}");
    }
    assert_eq!(verdict(&serving, Layer::L5Training).standing, Standing::Absent);
}

#[test]
fn a_layer_that_one_thing_cannot_be_asked_of_is_neither_missing_nor_blind() {
    let eyes: Vec<(&str, [Option<f64>; 3])> =
        BENCHES[0].eyes.iter().map(|id| (*id, [None; 3])).collect();
    let mut world = world(&[&[("l5.step", steady(100.0))], eyes.as_slice()].concat());
    assert_eq!(verdict(&world, Layer::L1Gpu).standing, Standing::Blind);
    world.scope = Scope::Entity(EntityId::new(EntityKind::Run, "pretrain"));
    // Asked, and nothing came: a finding.
    assert_eq!(verdict(&world, Layer::L1Gpu).standing, Standing::Blind);
    let elsewhere = Unknown { reason: UnknownReason::OutOfScope, text: String::new() };
    for signal in world.signals.iter_mut().filter(|signal| signal.def.layer == Layer::L1Gpu) {
        signal.now = Reading::Unknown(elsewhere.clone());
    }
    let found = verdict(&world, Layer::L1Gpu);
    assert_eq!((found.standing, found.says), (Standing::Absent, APART));
    assert_eq!(found.steps, [Standing::Absent; 2]);
    assert_eq!(verdict(&world, Layer::L2Cuda).standing, Standing::Blind);
}

#[test]
fn clients_are_missed_of_a_model_and_not_of_a_host() {
    let mut world = world(&[("l6.replicas", steady(2.0))]);
    let mut of = |kind| {
        world.scope = Scope::Entity(EntityId::new(kind, "x"));
        verdict(&world, Layer::L7Genai).standing
    };
    assert_eq!(of(EntityKind::Model), Standing::Blind);
    assert_eq!(of(EntityKind::Node), Standing::Absent);
}

#[test]
fn the_first_token_is_late_by_what_was_promised() {
    let mut world = world(&[("l7.ttft_p95", steady(0.9))]);
    let standing = |world: &World| verdict(world, Layer::L7Genai).standing;
    assert_eq!(standing(&world), Standing::Ok);
    world.targets.ttft_s = 0.8;
    assert_eq!(standing(&world), Standing::Watch);
    world.targets.ttft_s = 0.2;
    assert_eq!(standing(&world), Standing::Broken);
}

#[test]
fn each_step_has_its_standing_and_a_gap_is_blind() {
    let signals = [
        ("l6.kv_pinned", [Some(0.95), None, Some(0.2)]),
        ("l6.waiting", [Some(1.0), None, Some(0.0)]),
    ];
    let verdict = verdict(&world(&signals), Layer::L6Inference);
    assert_eq!(verdict.standing, Standing::Ok);
    assert_eq!(verdict.steps, [Standing::Broken, Standing::Absent]);
}

#[test]
fn the_values_a_verdict_rests_on_are_told() {
    let signals = [("l6.kv_pinned", steady(0.93)), ("l6.waiting", steady(41.0))];
    let all = verdicts(&world(&signals));
    assert_eq!(all[5].by, [("l6.kv_pinned", 0.93), ("l6.waiting", 41.0)]);
}
