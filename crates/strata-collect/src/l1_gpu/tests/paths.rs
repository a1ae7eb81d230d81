//! How near GPUs are to each other: over the bus of small trees, and by the driver's word.

use std::path::Path;
use std::sync::Arc;

use strata_model::SourceState;

use super::super::amd;
use super::standin::{Machine, lines};
use crate::collector::{CollectError, Harvest};
use crate::l3_host::root::HostRoot;

/// What is told, as `0-1 switch`, by index of the GPU and the last sign of its peer's UUID.
fn ways(harvest: &Harvest) -> Vec<String> {
    let lines = lines(harvest);
    let part = |line: &str, name: &str| {
        let rest = line.split_once(&format!("{name}=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let told = lines.iter().filter(|line| line.starts_with("gpu_pcie_path_info{"));
    let mut told: Vec<String> = told
        .map(|line| {
            let peer = part(line, "peer_gpu_uuid");
            let peer = peer.chars().last().unwrap();
            format!(
                "{}-{peer} {}",
                part(line, ",gpu_uuid").chars().last().unwrap(),
                part(line, "path")
            )
        })
        .collect();
    told.sort_unstable();
    told
}

#[track_caller]
fn refused(result: Result<Harvest, CollectError>, state: SourceState, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.state, state, "{error:?}");
    assert!(error.fault.message.contains(words), "{error:?}");
}

/// Four GPUs: two below one switch, one at the same host bridge, one at the other processor.
fn four() -> Machine {
    let machine =
        Machine::new("gpu GPU-0 bus=26\ngpu GPU-1 bus=27\ngpu GPU-2 bus=48\ngpu GPU-3 bus=196\n");
    let switch = "pci0000:17/0000:17:01.0/0000:18:00.0";
    machine.seat(&format!("{switch}/0000:19:00.0"), "0000:1a:00.0", "0\n");
    machine.seat(&format!("{switch}/0000:19:04.0"), "0000:1b:00.0", "0\n");
    machine.seat("pci0000:17/0000:17:05.0", "0000:30:00.0", "0\n");
    machine.seat("pci0000:c0/0000:c0:01.0", "0000:c4:00.0", "1\n");
    machine
}

#[test]
fn the_bus_tells_where_the_driver_does_not() {
    let found = ways(&four().paths().unwrap());
    let expected = [
        "0-1 switch",
        "0-2 host_bridge",
        "0-3 across",
        "1-0 switch",
        "1-2 host_bridge",
        "1-3 across",
        "2-0 host_bridge",
        "2-1 host_bridge",
        "2-3 across",
        "3-0 across",
        "3-1 across",
        "3-2 across",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_driver_is_believed_before_the_bus() {
    let mut machine = four();
    machine
        .play("gpu GPU-0 bus=26 near.GPU-1=0 near.GPU-2=40\ngpu GPU-1 bus=27\ngpu GPU-2 bus=48\n");
    let found = ways(&machine.paths().unwrap());
    assert_eq!(found[..2], ["0-1 board", "0-2 numa_node"]);
    assert!(found.contains(&"1-2 host_bridge".to_owned()), "{found:?}");
}

#[test]
fn an_older_library_leaves_it_to_the_bus() {
    let script = "gpu GPU-0 bus=26\ngpu GPU-1 bus=27\n";
    let mut machine = Machine::without(script, &["nvmlDeviceGetTopologyCommonAncestor"]);
    machine.seat("pci0000:17/0000:17:01.0", "0000:1a:00.0", "0\n");
    machine.seat("pci0000:60/0000:60:01.0", "0000:1b:00.0", "0\n");
    assert_eq!(ways(&machine.paths().unwrap()), ["0-1 numa_node", "1-0 numa_node"]);
}

#[test]
fn what_nobody_tells_is_not_told() {
    let mut machine = Machine::new("gpu GPU-0 bus=26\ngpu GPU-1 bus=27\ngpu GPU-2 bus=28\n");
    refused(machine.paths(), SourceState::Unsupported, "nothing says where");
    // As firmware that knows no NUMA nodes has it: below different host bridges, nearness unknown.
    machine.seat("pci0000:17/0000:17:01.0", "0000:1a:00.0", "-1\n");
    machine.seat("pci0000:60/0000:60:01.0", "0000:1b:00.0", "-1\n");
    machine.seat("pci0000:60/0000:60:02.0", "0000:1c:00.0", "-1\n");
    assert_eq!(ways(&machine.paths().unwrap()), ["1-2 host_bridge", "2-1 host_bridge"]);
    let mut alone = Machine::new("gpu GPU-0\n");
    refused(alone.paths(), SourceState::Absent, "one GPU");
}

/// AMD GPUs with their bridges and NUMA nodes.
fn cards(root: &Path, seats: &[(&str, &str, &str)]) -> Result<Harvest, CollectError> {
    for (at, (path, address, numa_node)) in seats.iter().enumerate() {
        let unique = format!("a{at}\n");
        let files = [
            ("vendor", "0x1002\n"),
            ("class", "0x120000\n"),
            ("mem_info_vram_total", "1\n"),
            ("unique_id", &*unique),
            ("numa_node", numa_node),
        ];
        super::seat(root, path, address, &files);
    }
    let mut paths = amd::Paths::new(&HostRoot::new(root), &Arc::from("n1"));
    super::sample(&mut paths, 1_000)
}

#[test]
fn amd_gpus_are_placed_by_the_same_bus() {
    let folder = tempfile::tempdir().unwrap();
    let seats = [
        ("pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:00.0", "0000:03:00.0", "0\n"),
        ("pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:01.0", "0000:04:00.0", "0\n"),
        ("pci0000:80/0000:80:01.1", "0000:83:00.0", "1\n"),
    ];
    let found = ways(&cards(folder.path(), &seats).unwrap());
    let expected =
        ["0-1 switch", "0-2 across", "1-0 switch", "1-2 across", "2-0 across", "2-1 across"];
    assert_eq!(found, expected);
    let folder = tempfile::tempdir().unwrap();
    refused(cards(folder.path(), &[]), SourceState::Absent, "no AMD GPU");
    refused(cards(folder.path(), &seats[..1]), SourceState::Absent, "one GPU");
}
