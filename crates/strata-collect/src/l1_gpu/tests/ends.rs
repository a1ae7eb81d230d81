//! Where links lead, as scripted machines and small trees of files show it.

use std::fmt::Write as _;
use std::sync::Arc;

use strata_model::{FaultCode, SourceState};

use super::super::amd;
use super::amd::tree;
use super::standin::{Machine, lines};
use crate::collector::CollectError;
use crate::l3_host::root::HostRoot;

const KIND: &str = "nvmlDeviceGetNvLinkRemoteDeviceType";
const PLACE: &str = "nvmlDeviceGetNvLinkRemotePciInfo_v2";

/// Two GPUs with two links to one another, and one link of the first that is down.
const PAIR: &str = "gpu GPU-1 bus=1 links=3 link2=0 endtype0=0 endtype1=0 end0=2 end1=2\n\
                    gpu GPU-2 bus=2 links=2 endtype0=0 endtype1=0 end0=1 end1=1\n";

#[test]
fn links_between_gpus_name_both_ends() {
    let harvest = Machine::new(PAIR).ends().unwrap();
    assert_eq!(harvest.faults, []);
    let line = |gpu: u8, link: u8, peer: u8| {
        format!(
            "gpu_interconnect_peer_info{{gpu=\"{}\",gpu_uuid=\"GPU-{gpu}\",link=\"{link}\",\
             peer_gpu_uuid=\"GPU-{peer}\",peer_pci_address=\"0000:0{peer}:00.0\",\
             peer_type=\"gpu\",type=\"nvlink\"}} 1",
            gpu - 1
        )
    };
    assert_eq!(lines(&harvest), [line(1, 0, 2), line(1, 1, 2), line(2, 0, 1), line(2, 1, 1)]);
}

#[test]
fn links_to_switches_name_their_places() {
    let found = lines(&Machine::new("gpu GPU-1\n").ends().unwrap());
    assert_eq!(found.len(), 18);
    let to = |address: &str| {
        let label = format!("peer_pci_address=\"{address}\",peer_type=\"switch\"");
        found.iter().filter(|line| line.contains(&label)).count()
    };
    assert_eq!(
        ["0000:05:00.0", "0000:06:00.0", "0000:07:00.0", "0000:08:00.0"].map(to),
        [5, 5, 4, 4]
    );
    assert!(!found[0].contains("peer_gpu_uuid"));
}

#[test]
fn a_switch_outside_of_the_host_has_no_place() {
    let found = lines(&Machine::new("gpu GPU-1 links=1 end0=0\n").ends().unwrap());
    assert!(found[0].contains("peer_type=\"switch\"") && !found[0].contains("pci"), "{found:?}");
}

#[test]
fn an_older_driver_tells_the_place_and_the_bus_what_is_there() {
    let script = format!("{PAIR}gpu GPU-3 bus=3 links=2 end0=5 end1=9\n");
    let mut machine = Machine::without(&script, &[KIND]);
    machine.file("sys/bus/pci/devices/0000:05:00.0/vendor", "0x10de\n");
    machine.file("sys/bus/pci/devices/0000:05:00.0/class", "0x068000\n");
    let harvest = machine.ends().unwrap();
    assert_eq!(harvest.faults, [], "nothing is missing");
    let found = lines(&harvest);
    let count = |word: &str| found.iter().filter(|line| line.contains(word)).count();
    assert_eq!(count("peer_type=\"gpu\""), 4);
    assert_eq!(count("peer_pci_address=\"0000:05:00.0\",peer_type=\"switch\""), 1);
    assert_eq!(count("peer_pci_address=\"0000:09:00.0\",peer_type=\"unknown\""), 1);
}

#[track_caller]
fn refused(
    result: Result<crate::collector::Harvest, CollectError>,
    state: SourceState,
    word: &str,
) {
    let error = result.map(|harvest| lines(&harvest)).unwrap_err();
    assert_eq!(error.state, state, "{error:?}");
    assert!(error.fault.message.contains(word), "{error:?}");
    assert_eq!(error.hint.is_empty(), state == SourceState::Absent, "{error:?}");
}

#[test]
fn what_keeps_the_ends_from_us_is_named() {
    let all =
        |code: u32| format!("fail {KIND} {code}\nfail {PLACE} {code}\ngpu GPU-1\ngpu GPU-2\n");
    refused(Machine::new(&all(4)).ends(), SourceState::Denied, "36 NVLinks lead: no permission");
    refused(Machine::new(&all(3)).ends(), SourceState::Unsupported, "not supported");
    refused(Machine::new(&all(999)).ends(), SourceState::Failing, "no answer");
    let mut old = Machine::without("gpu GPU-1\n", &[KIND, PLACE]);
    refused(old.ends(), SourceState::Unsupported, "driver 570.86.15 does not tell");
    refused(Machine::new("gpu GPU-1 links=0\n").ends(), SourceState::Absent, "no NVLink");
    let down = "gpu GPU-1 links=2 link0=0 link1=0\n";
    refused(Machine::new(down).ends(), SourceState::Absent, "no NVLink");
    refused(Machine::new("init 9").ends(), SourceState::Absent, "not loaded");
}

#[test]
fn a_refusal_lasts_and_one_device_does_not_hide_the_other() {
    let mut denied = Machine::new(&format!("gpu GPU-1\nfail {KIND} 4\nfail {PLACE} 4\n"));
    for _ in 0..2 {
        refused(denied.ends(), SourceState::Denied, "no permission");
    }
    let script = format!("gpu GPU-1 links=2\nfail {KIND} 3\nfail {PLACE} 3\ngpu GPU-2 links=2\n");
    let harvest = Machine::new(&script).ends().unwrap();
    assert_eq!(lines(&harvest).len(), 2);
    assert_eq!(harvest.faults[0].code, FaultCode::Unsupported);
    assert!(harvest.faults[0].message.contains("2 links"), "{:?}", harvest.faults);
}

#[test]
fn a_call_that_fails_once_is_asked_again() {
    let mut machine =
        Machine::new(&format!("gpu GPU-1 links=1\nfail {KIND} 10\nfail {PLACE} 10\n"));
    refused(machine.ends(), SourceState::Failing, "no answer");
    machine.play("gpu GPU-1 links=1\n");
    assert_eq!(lines(&machine.ends().unwrap()).len(), 1);
}

/// Two cards and a processor, joined as in an MI300X machine: XGMI between the cards, PCI Express to
/// the processor.
fn joined(more: &[(&str, &str)]) -> tempfile::TempDir {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut add = |path: String, text: &str| files.push((path, text.to_owned()));
    for (bus, unique) in [("30", "aa"), ("41", "bb")] {
        let folder = format!("sys/bus/pci/devices/0000:{bus}:00.0");
        for (file, text) in [
            ("vendor", "0x1002\n"),
            ("class", "0x120000\n"),
            ("mem_info_vram_total", "206141652992\n"),
            ("unique_id", unique),
        ] {
            add(format!("{folder}/{file}"), text);
        }
    }
    let nodes = "sys/class/kfd/kfd/topology/nodes";
    for (node, id, location) in [(0, 0, 0), (1, 51_234, 12_288), (2, 9_876, 16_640)] {
        add(format!("{nodes}/{node}/gpu_id"), &format!("{id}\n"));
        add(format!("{nodes}/{node}/properties"), &format!("location_id {location}\ndomain 0\n"));
    }
    for (node, link, kind, to) in [(1, 0, 2, 0), (1, 1, 11, 2), (2, 0, 2, 0), (2, 1, 11, 1)] {
        let mut text = String::new();
        writeln!(text, "type {kind}\nnode_from {node}\nnode_to {to}\nweight 15").unwrap();
        add(format!("{nodes}/{node}/io_links/{link}/properties"), &text);
    }
    for (path, text) in more {
        add((*path).to_owned(), text);
    }
    tree(&files.iter().map(|(path, text)| (&**path, &**text)).collect::<Vec<_>>())
}

fn xgmi(folder: &tempfile::TempDir) -> Result<crate::collector::Harvest, CollectError> {
    let mut ends = amd::Ends::new(&HostRoot::new(folder.path()), &Arc::from("n1"));
    super::sample(&mut ends, 1_000)
}

#[test]
fn links_of_xgmi_name_both_ends() {
    let line = |gpu: u8, unique: &str, peer: &str, address: &str| {
        format!(
            "gpu_interconnect_peer_info{{gpu=\"{gpu}\",gpu_uuid=\"GPU-{unique}\",link=\"1\",\
             peer_gpu_uuid=\"GPU-{peer}\",peer_pci_address=\"0000:{address}:00.0\",\
             peer_type=\"gpu\",type=\"xgmi\"}} 1"
        )
    };
    let found = lines(&xgmi(&joined(&[])).unwrap());
    assert_eq!(found, [line(0, "aa", "bb", "41"), line(1, "bb", "aa", "30")]);
}

#[test]
fn a_link_to_the_processor_is_told_as_one() {
    let path = "sys/class/kfd/kfd/topology/nodes/1/io_links/0/properties";
    let found = lines(&xgmi(&joined(&[(path, "type 11\nnode_from 1\nnode_to 0\n")])).unwrap());
    assert_eq!(found.iter().filter(|line| line.contains("peer_type=\"cpu\"")).count(), 1);
}

#[test]
fn without_map_or_links_it_is_said() {
    let card = "sys/bus/pci/devices/0000:30:00.0";
    let [vendor, class, memory] =
        ["vendor", "class", "mem_info_vram_total"].map(|file| format!("{card}/{file}"));
    let files = [(&*vendor, "0x1002\n"), (&*class, "0x120000\n"), (&*memory, "1\n")];
    refused(xgmi(&tree(&files)), SourceState::Unsupported, "no map of links");
    let alone = [&files[..], &[("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n")]].concat();
    refused(xgmi(&tree(&alone)), SourceState::Absent, "not joined by XGMI");
    refused(xgmi(&tree(&[])), SourceState::Absent, "no AMD GPU");
}
