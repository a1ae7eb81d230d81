//! The page of one GPU over small worlds.

use strata_world::capacity::Targets;
use strata_world::{Answers, Ask, Fault, Method, Scope, Window, assemble, plan, signal_def};

use super::*;

fn id() -> EntityId {
    EntityId::new(EntityKind::Gpu, "GPU-5")
}

fn world() -> World {
    let window = Window {
        start_ms: 0,
        end_ms: 600_000,
        step_ms: 60_000,
        moment_ms: 600_000,
        now_ms: 600_000,
    };
    let (scope, targets) = (Scope::Entity(id()), Targets::default());
    let ask = Ask {
        window,
        scope,
        wants: wants(),
        entities: true,
        who: false,
        wires: false,
        coverage: false,
        targets,
    };
    assemble(&plan(&ask), &Answers::default())
}

fn words_of(table: &Table) -> Vec<Vec<String>> {
    let word = |cell: &Cell| match cell {
        Cell::Text { text } | Cell::Status { text, .. } => text.clone(),
        Cell::Number(number) => number.text.clone(),
        Cell::Command { .. } | Cell::Fold { .. } | Cell::Spark { .. } | Cell::Bar { .. } => {
            String::new()
        }
    };
    table.rows.iter().map(|row| row.cells.iter().map(word).collect()).collect()
}

#[test]
fn owners_are_told_with_their_times_the_present_one_first() {
    let mut world = world();
    let owner = |pod: &str, held_ms, confidence| Edge {
        from: EntityId::new(EntityKind::Pod, pod),
        to: id(),
        relation: Relation::Owns,
        method: Method::PodResources,
        confidence,
        held_ms,
    };
    world.edges =
        vec![owner("a/old", (0, 240_000), 1.0), owner("a/young", (300_000, 600_000), 0.5)];
    let rows = words_of(&owners(&world, &id()));
    let rows: Vec<Vec<&str>> =
        rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let by = topology::method(Method::PodResources);
    assert_eq!(
        rows,
        [
            ["pod", "a/young", "5 min ago", "now", by, "50 %"],
            ["pod", "a/old", "before this range", "6 min ago", by, "100 %"],
        ]
    );
}

#[test]
fn a_process_of_another_pod_is_told_apart_from_the_owners() {
    let mut world = world();
    let edge = |from: EntityId, relation| Edge {
        from,
        to: id(),
        relation,
        method: Method::PodResources,
        confidence: 1.0,
        held_ms: (0, 600_000),
    };
    let process = |pid: &str, pod: &str| strata_world::Entity {
        id: EntityId::new(EntityKind::Process, pid),
        name: pid.to_owned(),
        facts: vec![("namespace".to_owned(), "a".to_owned()), ("pod".to_owned(), pod.to_owned())],
    };
    world.entities = vec![process("n/1", "mine"), process("n/2", "other"), process("n/3", "")];
    world.edges =
        world.entities.iter().map(|process| edge(process.id.clone(), Relation::RunsOn)).collect();
    world.edges.push(edge(EntityId::new(EntityKind::Pod, "a/mine"), Relation::Owns));
    assert_eq!(
        words_of(&processes(&world, &id())),
        [
            ["n/1", "a/mine", "used by owner"],
            ["n/2", "a/other", "used by other pod"],
            ["n/3", "", "in no pod that is known"],
        ]
    );
}

#[test]
fn a_fault_says_what_is_known_of_it_and_what_is_not() {
    let mut world = world();
    let fault = Fault {
        device: id(),
        switch: None,
        at_ms: 420_000,
        code: "79".to_owned(),
        class: None,
        action: Some("RESET".to_owned()),
        culprit: None,
        count: None,
        dated: false,
    };
    world.faults = vec![fault];
    let table = faults::of_gpu(&world, &id());
    let row = words_of(&table).remove(0);
    assert_eq!(
        row,
        [
            "3 min ago or before",
            "79",
            words::UNKNOWN,
            "the source does not say",
            "RESET",
            "not known",
        ]
    );
    world.faults.clear();
    assert!(faults::of_gpu(&world, &id()).empty.starts_with("nobody tells of faults"));
}

/// A fault of no class, action, culprit nor count, at a moment.
fn bare(code: &str, at_ms: i64) -> Fault {
    Fault {
        device: id(),
        switch: None,
        at_ms,
        code: code.to_owned(),
        class: None,
        action: None,
        culprit: None,
        count: None,
        dated: true,
    }
}

#[test]
fn two_faults_without_a_severity_are_two_rows_and_say_that_nobody_said_it() {
    let mut world = world();
    world.faults = vec![bare("48", 540_000), bare("31", 300_000)];
    let rows = words_of(&faults::of_gpu(&world, &id()));
    let unsaid = "the source does not say";
    assert_eq!(
        rows,
        [
            ["1 min ago", "48", words::UNKNOWN, unsaid, unsaid, "not known"],
            ["5 min ago", "31", words::UNKNOWN, unsaid, unsaid, "not known"],
        ]
    );
    // Of a switch a severity that nobody told is neither fatal nor harmless.
    for fault in &mut world.faults {
        fault.device = EntityId::new(EntityKind::Node, "n");
        fault.switch = Some("0000:c1:00.0".to_owned());
    }
    assert!(faults::of_gpu(&world, &id()).rows.is_empty(), "they are not the GPU's");
    let table = faults::of_switches(&world);
    assert_eq!(words_of(&table)[1][..3], ["5 min ago", "0000:c1:00.0", "31"]);
    let status = |row: &Row| match row.cells[2] {
        Cell::Status { status, .. } => status,
        _ => panic!("the code has a status"),
    };
    assert_eq!(table.rows.iter().map(status).collect::<Vec<_>>(), [Status::Blind; 2]);
    world.faults[0].class = Some("fatal".to_owned());
    assert_eq!(status(&faults::of_switches(&world).rows[0]), Status::Broken);
}

#[test]
fn links_that_nobody_counts_errors_of_are_not_without_errors() {
    let mut world = world();
    let link = |number: &str, up, errors: &[(&str, f64)]| strata_world::Link {
        device: id(),
        kind: "nvlink".to_owned(),
        number: number.to_owned(),
        up,
        errors: errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        end: (number == "0").then_some(strata_world::End::Switch(Some("0000:05:00.0".to_owned()))),
        rate_both: None,
    };
    world.links = vec![
        link("0", Some(true), &[("replay", 0.0), ("crc_flit", 0.0)]),
        link("1", Some(false), &[("replay", 3.2), ("crc_flit", 0.0)]),
        link("2", None, &[]),
    ];
    assert_eq!(
        words_of(&parts::links(&world, &id())),
        [
            ["nvlink", "0", "up", "switch 0000:05:00.0", "none", words::UNKNOWN],
            ["nvlink", "1", "down", words::UNKNOWN, "3 replay", words::UNKNOWN],
            ["nvlink", "2", words::UNKNOWN, words::UNKNOWN, words::UNKNOWN, words::UNKNOWN],
        ]
    );
}

#[test]
fn a_reason_that_nobody_tells_is_named_and_not_drawn_as_zero() {
    let mut world = world();
    let blank = reasons(&world, &id());
    assert!(blank.missing.is_some_and(|why| why.contains("no source tells why")));
    let told = strata_world::Signal {
        def: signal_def("l1.throttle_thermal").unwrap(),
        entity: Some(id()),
        now: strata_world::Reading::Known(1.0),
        track: vec![Some(1.0); 11],
        query: "".into(),
        inputs: [].into(),
        newest_ms: None,
        at_most: false,
        outlier: false,
    };
    world.signals = vec![told];
    let ribbon = reasons(&world, &id());
    assert!(ribbon.stacked && ribbon.missing.is_none());
    assert_eq!(ribbon.lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["heat"]);
    assert!(ribbon.title.contains("power cap, sync boost, idle"), "{}", ribbon.title);
}

#[test]
fn the_median_of_the_model_is_drawn_behind_the_gpu() {
    let charts = peers(&world(), &id());
    for chart in charts {
        let faint: Vec<bool> = chart.lines.iter().map(|line| line.faint).collect();
        assert_eq!(faint, [false, true, true, true], "{}", chart.title);
    }
}

#[test]
fn other_gpus_of_the_node_are_told_the_nearest_first() {
    let mut world = world();
    let gpu = |key: &str| EntityId::new(EntityKind::Gpu, key);
    let path = |from: &str, to: &str, way| strata_world::Path {
        node: "n1".to_owned(),
        from: gpu(from),
        to: gpu(to),
        way,
    };
    world.wiring.paths = vec![
        path("GPU-1", "GPU-5", strata_world::Way::Across),
        path("GPU-5", "GPU-6", strata_world::Way::Switch),
    ];
    let link = |number: &str| strata_world::Link {
        device: id(),
        kind: "nvlink".to_owned(),
        number: number.to_owned(),
        up: Some(true),
        errors: Vec::new(),
        end: Some(strata_world::End::Gpu(gpu("GPU-6"))),
        rate_both: None,
    };
    world.links = vec![link("0"), link("1")];
    let rows = words_of(&parts::near(&world, &id()));
    assert_eq!(
        rows,
        [["GPU-6", "at the same switch", "2"], ["GPU-1", "across NUMA nodes", "none told"]]
    );
    world.wiring.paths.clear();
    let none = parts::near(&world, &id());
    assert!(none.rows.is_empty() && none.empty.contains("not told"));
}

#[test]
fn a_condition_has_its_reasons() {
    let mut world = world();
    assert!(parts::condition(&world).rows.is_empty());
    let told = |state: &str, reasons: &[&str]| strata_world::Condition {
        state: state.to_owned(),
        reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
    };
    world.condition = Some(told("failed", &["XID 79", "lost"]));
    let table = parts::condition(&world);
    assert_eq!(words_of(&table), [["failed", "XID 79, lost"]]);
    let Cell::Status { status, .. } = &table.rows[0].cells[0] else { panic!("{table:?}") };
    assert_eq!(*status, Status::Broken);
    world.condition = Some(told("predicted_failure", &[]));
    let words = words_of(&parts::condition(&world));
    assert_eq!(words, [["predicted failure", "the source gives no reason"]]);
}
