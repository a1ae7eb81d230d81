//! AMD GPUs over small trees of files.

use std::path::Path;
use std::sync::Arc;

use strata_model::SourceState;

use super::super::amd::Amd;
use super::standin::lines;
use crate::l3_host::root::HostRoot;

pub(super) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder
}

fn amd(root: &Path) -> Amd {
    Amd::new(&HostRoot::new(root), &Arc::from("n1"), true)
}

/// An MI300X, and its files with other content where asked for.
const CARD: [(&str, &str); 27] = [
    ("vendor", "0x1002\n"),
    ("class", "0x120000\n"),
    ("device", "0x74a1\n"),
    ("unique_id", "3f2a91b0c4d5e6f7\n"),
    ("product_name", "AMD Instinct MI300X OAM\n"),
    ("serial_number", "692251001124\n"),
    ("numa_node", "1\n"),
    ("gpu_busy_percent", "87\n"),
    ("mem_busy_percent", "12\n"),
    ("mem_info_vram_total", "206141652992\n"),
    ("mem_info_vram_used", "103070826496\n"),
    ("pcie_replay_count", "4\n"),
    ("current_link_speed", "32.0 GT/s PCIe\n"),
    ("max_link_speed", "32.0 GT/s PCIe\n"),
    ("current_link_width", "16\n"),
    ("max_link_width", "255\n"),
    ("hwmon/hwmon4/power1_input", "612000000\n"),
    ("hwmon/hwmon4/power1_cap", "750000000\n"),
    ("hwmon/hwmon4/temp2_label", "junction\n"),
    ("hwmon/hwmon4/temp2_input", "61000\n"),
    ("hwmon/hwmon4/temp2_crit", "100000\n"),
    ("hwmon/hwmon4/temp3_label", "mem\n"),
    ("hwmon/hwmon4/temp3_input", "53000\n"),
    ("hwmon/hwmon4/freq1_label", "sclk\n"),
    ("hwmon/hwmon4/freq1_input", "2100000000\n"),
    ("ras/umc_err_count", "ue: 1\nce: 20\n"),
    ("ras/gfx_err_count", "ue: 0\nce: 3\n"),
];

fn card(files: &[(&str, &str)]) -> tempfile::TempDir {
    let whole: Vec<(String, &str)> = CARD
        .iter()
        .chain(files)
        .map(|(path, text)| (format!("sys/bus/pci/devices/0000:30:00.0/{path}"), *text))
        .collect();
    tree(&whole.iter().map(|(path, text)| (&**path, *text)).collect::<Vec<_>>())
}

#[test]
fn a_card_is_told_in_canonical_units() {
    let folder = card(&[]);
    let harvest = super::sample(&mut amd(folder.path()), 1_000).unwrap();
    assert_eq!(harvest.faults, []);
    let id = r#"gpu="0",gpu_uuid="GPU-3f2a91b0c4d5e6f7""#;
    let mut expected = [
        format!(
            r#"gpu_device_info{{{id},numa_node="1",pci_address="0000:30:00.0",serial="692251001124",vendor="amd"}} 1"#
        ),
        format!(r#"hw_gpu_utilization_ratio{{{id},task="general"}} 0.87"#),
        format!("gpu_memory_controller_utilization_ratio{{{id}}} 0.12"),
        format!("hw_gpu_memory_limit_bytes{{{id}}} 206141652992"),
        format!("hw_gpu_memory_usage_bytes{{{id}}} 103070826496"),
        format!("hw_gpu_memory_utilization_ratio{{{id}}} 0.5"),
        format!("gpu_memory_free_bytes{{{id}}} 103070826496"),
        format!("gpu_pcie_replays_total{{{id}}} 4"),
        format!(r#"gpu_pcie_link_generation{{{id},state="current"}} 5"#),
        format!(r#"gpu_pcie_link_generation{{{id},state="max"}} 5"#),
        format!(r#"gpu_pcie_link_width{{{id},state="current"}} 16"#),
        format!(r#"hw_power_watts{{{id},sensor="instant"}} 612"#),
        format!(r#"gpu_power_limit_watts{{{id},kind="enforced"}} 750"#),
        format!(r#"hw_temperature_celsius{{{id},sensor_location="hotspot"}} 61"#),
        format!(r#"hw_temperature_celsius{{{id},sensor_location="memory"}} 53"#),
        format!(
            r#"hw_temperature_limit_celsius{{{id},limit_type="throttled",sensor_location="hotspot"}} 100"#
        ),
        format!(r#"gpu_clock_frequency_hertz{{domain="sm",{id}}} 2100000000"#),
        format!(
            r#"hw_errors_total{{error_type="corrected",{id},location="umc",scope="volatile"}} 20"#
        ),
        format!(
            r#"hw_errors_total{{error_type="uncorrected",{id},location="umc",scope="volatile"}} 1"#
        ),
        format!(
            r#"hw_errors_total{{error_type="corrected",{id},location="gfx",scope="volatile"}} 3"#
        ),
        format!(
            r#"hw_errors_total{{error_type="uncorrected",{id},location="gfx",scope="volatile"}} 0"#
        ),
        format!(r#"hw_errors_total{{error_type="corrected",{id},scope="volatile"}} 23"#),
        format!(r#"hw_errors_total{{error_type="uncorrected",{id},scope="volatile"}} 1"#),
    ];
    expected.sort_unstable();
    assert_eq!(lines(&harvest), expected);
}

#[test]
fn the_firmwares_table_is_read() {
    let folder = card(&[]);
    let path = folder.path().join("sys/bus/pci/devices/0000:30:00.0/gpu_metrics");
    let table = |steps: u32, held: u32| {
        let narrow = [(104, steps), (112, held), (116, 0)];
        super::super::amd::table::tests::table((6, 384), &[(88, 65_536), (200, 2)], &narrow)
    };
    std::fs::write(&path, table(1_000, 10)).unwrap();
    let mut amd = amd(folder.path());
    super::sample(&mut amd, 1_000).unwrap();
    std::fs::write(&path, table(2_000, 510)).unwrap();
    let lines = lines(&super::sample(&mut amd, 2_000).unwrap());
    let id = r#"gpu="0",gpu_uuid="GPU-3f2a91b0c4d5e6f7""#;
    for expected in [
        format!("hw_energy_joules_total{{{id}}} 1"),
        format!(r#"gpu_interconnect_io_bytes_total{{direction="receive",{id},type="xgmi"}} 2048"#),
        format!(r#"gpu_throttle_residency_ratio{{{id},reason="power"}} 0.5"#),
        format!(r#"gpu_throttle_residency_ratio{{{id},reason="socket_thermal"}} 0"#),
    ] {
        assert!(lines.contains(&expected), "{expected} in {lines:#?}");
    }
    let hot = lines.iter().filter(|line| line.contains("processor_hot")).count();
    assert_eq!(hot, 0, "what the firmware does not fill in has no series");
}

#[test]
fn processes_are_told_with_their_memory() {
    let folder = card(&[]);
    let file = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    file("sys/class/kfd/kfd/topology/nodes/1/gpu_id", "51234\n");
    file("sys/class/kfd/kfd/topology/nodes/1/properties", "location_id 12288\ndomain 0\n");
    file("sys/class/kfd/kfd/proc/71/vram_51234", "4096\n");
    file("sys/class/kfd/kfd/proc/72/vram_51234", "0\n");
    file("proc/71/comm", "python3\n");
    let lines = lines(&super::sample(&mut amd(folder.path()), 1_000).unwrap());
    let of = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(of("gpu_process_memory_usage_bytes"), 1, "{lines:#?}");
    let id = r#"gpu="0",gpu_uuid="GPU-3f2a91b0c4d5e6f7",pid="71",process="python3""#;
    assert_eq!(of(&format!("gpu_process_memory_usage_bytes{{{id}}} 4096")), 1, "{lines:#?}");
    assert_eq!(of("gpu_process_info"), 1);
}

#[test]
fn what_is_missing_or_nonsense_has_no_series() {
    let folder = card(&[
        ("gpu_busy_percent", "\n"),
        ("mem_info_vram_used", "-1\n"),
        ("hwmon/hwmon4/temp2_input", "-40000\n"),
        ("hwmon/hwmon4/power1_input", "nonsense\n"),
        ("unique_id", "\n"),
        ("ras/umc_err_count", "query failed\n"),
        ("ras/gfx_err_count", "\u{1}\u{2}\n"),
    ]);
    let lines = lines(&super::sample(&mut amd(folder.path()), 1_000).unwrap());
    for absent in ["hw_gpu_utilization", "memory_usage", "hotspot\"} ", "hw_power", "hw_errors"] {
        let found: Vec<_> =
            lines.iter().filter(|line| line.contains(absent) && !line.contains("limit")).collect();
        assert_eq!(found, Vec::<&String>::new());
    }
    assert!(lines.iter().any(|line| line.contains("gpu_uuid=\"PCI-0000:30:00.0\"")));
}

#[test]
fn without_card_or_driver_it_is_said() {
    let check = |files: &[(&str, &str)], state: SourceState, hinted: bool| {
        let folder = tree(files);
        let error = super::sample(&mut amd(folder.path()), 1_000).unwrap_err();
        assert_eq!(error.state, state, "{error:?}");
        assert_eq!(!error.hint.is_empty(), hinted, "{error:?}");
    };
    check(&[], SourceState::Absent, false);
    check(&[("sys/bus/pci/devices/0000:30:00.0/vendor", "0x1002\n")], SourceState::Absent, false);
    let bare = [
        ("sys/bus/pci/devices/0000:30:00.0/vendor", "0x1002\n"),
        ("sys/bus/pci/devices/0000:30:00.0/class", "0x030000\n"),
    ];
    check(&bare, SourceState::Unsupported, true);
}

#[test]
fn a_card_that_is_unplugged_ends() {
    let folder = card(&[]);
    let mut amd = amd(folder.path());
    super::sample(&mut amd, 1_000).unwrap();
    std::fs::remove_dir_all(folder.path().join("sys/bus/pci/devices/0000:30:00.0")).unwrap();
    let error = super::sample(&mut amd, 12_000).unwrap_err();
    assert_eq!(error.state, SourceState::Absent);
}
