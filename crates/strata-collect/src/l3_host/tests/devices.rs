//! File servers, RDMA ports, PCI devices, control groups and processes from small trees.

use std::path::Path;

use proptest::prelude::*;
use strata_model::SourceState;

use super::{HostPart, check, lines, part, sample, tree};

#[test]
fn nfs_times_are_seconds_and_idle_operations_are_left_out() {
    let mountstats = "device /dev/sda1 mounted on / with fstype ext4\n\
        device [fd00::1]:/export/data mounted on /mnt/my\\040data with fstype nfs4 statvers=1.1\n\
        \topts:\trw,vers=4.2\n\tage:\t60\n\
        \tbytes:\t1 2 3 4 500 600 7 8\n\
        \tRPC iostats version: 1.1  p/v: 100003/4 (nfs)\n\
        \txprt:\ttcp 875 1 2 0 0 10 10 0 10 0 2 0 0\n\
        \tper-op statistics\n\
        \t        READ: 10 11 1 100 200 3000 4000 8000 2\n\
        \t        LINK: 0 0 0 0 0 0 0 0 0\n";
    let op = r#"mountpoint="/mnt/my data",operation="read",server="[fd00::1]""#;
    let both = r#"mountpoint="/mnt/my data",server="[fd00::1]""#;
    check(
        HostPart::Nfs,
        &[("proc/1/mountstats", mountstats)],
        &format!(
            "host_nfs_operation_count_total{{{op}}} 10
             host_nfs_operation_transmissions_total{{{op}}} 11
             host_nfs_operation_timeouts_total{{{op}}} 1
             host_nfs_operation_io_bytes_total{{direction=\"transmit\",{op}}} 100
             host_nfs_operation_io_bytes_total{{direction=\"receive\",{op}}} 200
             host_nfs_operation_queue_time_seconds_total{{{op}}} 3
             host_nfs_operation_rtt_seconds_total{{{op}}} 4
             host_nfs_operation_execution_time_seconds_total{{{op}}} 8
             host_nfs_operation_errors_total{{{op}}} 2
             host_nfs_io_bytes_total{{direction=\"read\",{both}}} 500
             host_nfs_io_bytes_total{{direction=\"write\",{both}}} 600"
        ),
    );
}

#[test]
fn rdma_data_counts_words_of_four_bytes() {
    let port = "sys/class/infiniband/mlx5_0/ports/1";
    let files = [
        ("state", "4: ACTIVE\n"),
        ("rate", "400 Gb/sec (4X NDR)\n"),
        ("link_layer", "InfiniBand\n"),
        ("counters/port_rcv_data", "100\n"),
        ("counters/port_xmit_data", "200\n"),
        ("counters/link_downed", "3\n"),
        ("counters/symbol_error", "N/A (no PMA)\n"),
        ("counters/port_xmit_wait", "9\n"),
        ("hw_counters/np_cnp_sent", "7\n"),
        ("hw_counters/out_of_sequence", "8\n"),
    ];
    let files: Vec<(String, &str)> =
        files.into_iter().map(|(file, content)| (format!("{port}/{file}"), content)).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, *text)).collect();
    check(
        HostPart::Infiniband,
        &files,
        r#"
        host_infiniband_up{device="mlx5_0",link_layer="InfiniBand",port="1"} 1
        host_infiniband_bandwidth_limit_bytes_per_second{device="mlx5_0",port="1"} 50000000000
        host_infiniband_io_bytes_total{device="mlx5_0",direction="receive",port="1"} 400
        host_infiniband_io_bytes_total{device="mlx5_0",direction="transmit",port="1"} 800
        host_infiniband_link_events_total{device="mlx5_0",kind="link_downed",port="1"} 3
        host_infiniband_transmit_wait_total{device="mlx5_0",port="1"} 9
        host_infiniband_congestion_total{device="mlx5_0",kind="np_cnp_sent",port="1"} 7
        host_infiniband_errors_total{device="mlx5_0",kind="out_of_sequence",port="1"} 8
        "#,
    );
}

#[test]
fn efa_counts_bytes() {
    let port = "sys/class/infiniband/efa_0/ports/1";
    check(
        HostPart::Infiniband,
        &[
            (&format!("{port}/state"), "1: DOWN\n"),
            (&format!("{port}/hw_counters/rx_bytes"), "100\n"),
            (&format!("{port}/hw_counters/tx_pkts"), "5\n"),
        ],
        r#"
        host_infiniband_up{device="efa_0",port="1"} 0
        host_infiniband_io_bytes_total{device="efa_0",direction="receive",port="1"} 100
        host_infiniband_packets_total{device="efa_0",direction="transmit",port="1"} 5
        "#,
    );
}

#[test]
fn links_that_are_not_known_are_left_out() {
    let gpu = "sys/bus/pci/devices/0000:3b:00.0";
    let bridge = "sys/bus/pci/devices/0000:00:01.0";
    check(
        HostPart::Pcie,
        &[
            (&format!("{bridge}/class"), "0x060400\n"),
            (&format!("{gpu}/class"), "0x030200\n"),
            (&format!("{gpu}/vendor"), "0x10de\n"),
            (&format!("{gpu}/device"), "0x2330\n"),
            (&format!("{gpu}/numa_node"), "-1\n"),
            (&format!("{gpu}/current_link_speed"), "2.5 GT/s PCIe\n"),
            (&format!("{gpu}/max_link_speed"), "Unknown\n"),
            (&format!("{gpu}/current_link_width"), "16\n"),
            (&format!("{gpu}/max_link_width"), "255\n"),
            (&format!("{gpu}/aer_dev_correctable"), "RxErr 3\nBadTLP 0\nTOTAL_ERR_COR 3\n"),
        ],
        r#"
        host_pcie_info{class="gpu",device="0x2330",pci_address="0000:3b:00.0",vendor="0x10de"} 1
        host_pcie_link_speed_per_second{pci_address="0000:3b:00.0",state="current"} 2500000000
        host_pcie_link_width{pci_address="0000:3b:00.0",state="current"} 16
        host_pcie_aer_errors_total{kind="RxErr",pci_address="0000:3b:00.0",severity="correctable"} 3
        host_pcie_aer_errors_total{kind="BadTLP",pci_address="0000:3b:00.0",severity="correctable"} 0
        "#,
    );
}

#[test]
fn a_container_is_told_with_its_pod() {
    let (uid, id) = ("1a2b3c4d-0000-1111-2222-333344445555", "ab".repeat(32));
    let cgroup = format!("/kubepods/burstable/pod{uid}/{id}");
    let folder = format!("sys/fs/cgroup{cgroup}");
    let owner = format!(r#"container_id="{id}",pod_uid="{uid}""#);
    let io = format!(r#"container_id="{id}",device="8:0""#);
    let psi = format!(r#"cgroup="{cgroup}",container_id="{id}",kind="some",pod_uid="{uid}""#);
    check(
        HostPart::Cgroup,
        &[
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory io\n"),
            (&format!("{folder}/memory.pressure"), "some avg10=0.00 total=2000000\n"),
            (&format!("{folder}/memory.events"), "low 0\noom 2\noom_kill 1\n"),
            (&format!("{folder}/cpu.stat"), "usage_usec 5000000\nthrottled_usec 1000000\n"),
            (&format!("{folder}/memory.current"), "1000\n"),
            (&format!("{folder}/memory.stat"), "anon 300\nfile 700\ninactive_file 400\n"),
            (&format!("{folder}/memory.max"), "max\n"),
            (&format!("{folder}/io.stat"), "8:0 rbytes=11 wbytes=12 rios=1 wios=1\n"),
        ],
        &format!(
            "host_pressure_stall_time_seconds_total{{{psi},resource=\"memory\"}} 2
             host_memory_oom_kills_total{{cgroup=\"{cgroup}\",{owner}}} 1
             container_cpu_time_seconds_total{{{owner}}} 5
             container_cpu_throttled_time_seconds_total{{{owner}}} 1
             container_memory_usage_bytes{{{owner}}} 1000
             container_memory_working_set_bytes{{{owner}}} 600
             container_memory_rss_bytes{{{owner}}} 300
             container_disk_io_bytes_total{{{io},direction=\"read\",pod_uid=\"{uid}\"}} 11
             container_disk_io_bytes_total{{{io},direction=\"write\",pod_uid=\"{uid}\"}} 12"
        ),
    );
}

/// `/proc/<pid>/stat` of a process with 9 pages and this start.
fn stat_line(pid: u32, name: &str, start: u32) -> String {
    format!("{pid} ({name}) S 1 1 1 0 -1 0 1 0 2 0 300 100 0 0 20 0 1 0 {start} 8192 9 99\n")
}

#[test]
fn an_engine_is_followed_by_its_threads_and_its_arguments_stay_out() {
    let folder = tree(&[
        ("proc/uptime", "100.00 50.00\n"),
        ("proc/42/stat", &stat_line(42, "python3", 1_000)),
        ("proc/42/cmdline", "python3\0-m\0vllm.entrypoints\0--api-key=hunter2\0"),
        ("proc/42/cgroup", "0::/system.slice/engine.service\n"),
        ("proc/42/io", "read_bytes: 7\nwrite_bytes: 8\n"),
        ("proc/42/task/42/stat", &stat_line(42, "python3", 1_000)),
        ("proc/42/task/42/schedstat", "1 2000000000 3\n"),
        ("proc/42/task/42/status", "voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n"),
        ("proc/self/stat", "not a number"),
    ]);
    let mut part = part(folder.path(), HostPart::Process);
    let told = lines(&sample(part.as_mut(), 0).unwrap());
    let identity = r#"cgroup="/system.slice/engine.service""#;
    let rest = r#"pid="42",process="python3""#;
    for expected in [
        format!("process_cpu_time_seconds_total{{{identity},mode=\"user\",{rest}}} 3"),
        format!("process_uptime_seconds{{{identity},{rest}}} 90"),
        format!("process_scheduler_run_delay_seconds_total{{{identity},{rest}}} 2"),
        format!("process_context_switches_total{{{identity},{rest},type=\"involuntary\"}} 6"),
        format!("process_disk_io_bytes_total{{{identity},direction=\"write\",{rest}}} 8"),
        format!("process_thread_blocked{{{identity},{rest}}} 0"),
    ] {
        assert!(told.contains(&expected), "{expected} is not in {told:#?}");
    }
    assert!(!told.iter().any(|line| line.contains("hunter2")));
    // The number is given to another process: nothing of it is told under the old labels.
    std::fs::write(folder.path().join("proc/42/stat"), stat_line(42, "cat", 9_000)).unwrap();
    assert_eq!(lines(&sample(part.as_mut(), 1_000).unwrap()), Vec::<String>::new());
}

#[test]
fn what_is_not_there_is_absent_or_unsupported_and_never_zero() {
    let check = |kind: HostPart, expected: SourceState| {
        let folder =
            tree(&[("proc/1/mountstats", "device proc mounted on /proc with fstype proc\n")]);
        let error = sample(part(folder.path(), kind).as_mut(), 0).unwrap_err();
        assert_eq!(error.state, expected, "{kind:?}");
    };
    check(HostPart::Nfs, SourceState::Absent);
    check(HostPart::Infiniband, SourceState::Absent);
    check(HostPart::Pcie, SourceState::Absent);
    check(HostPart::Numa, SourceState::Unsupported);
    check(HostPart::Cgroup, SourceState::Unsupported);
    check(HostPart::Pressure, SourceState::Unsupported);
    check(HostPart::Disk, SourceState::Unsupported);
    check(HostPart::Filesystem, SourceState::Unsupported);
    check(HostPart::KernelLog, SourceState::Unsupported);
}

#[test]
fn file_systems_are_told_once_per_device() {
    let root = tree(&[(
        "proc/1/mounts",
        "/dev/sda1 / ext4 rw 0 0\n/dev/sda1 /bind ext4 rw 0 0\nproc /proc proc rw 0 0\n",
    )]);
    let harvest = sample(part(root.path(), HostPart::Filesystem).as_mut(), 0).unwrap();
    let told = lines(&harvest);
    let of = |name: &str| told.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!(of("system_filesystem_limit_bytes"), 1, "{told:#?}");
    assert_eq!(of("system_filesystem_usage_bytes"), 3, "{told:#?}");
}

/// Every file a part reads, for filling with nonsense.
const FILES: [&str; 24] = [
    "proc/stat",
    "proc/loadavg",
    "proc/uptime",
    "proc/meminfo",
    "proc/vmstat",
    "proc/diskstats",
    "proc/pressure/cpu",
    "proc/1/net/dev",
    "proc/1/net/snmp",
    "proc/1/net/netstat",
    "proc/1/net/sockstat",
    "proc/1/mounts",
    "proc/1/mountstats",
    "proc/1/stat",
    "proc/1/cgroup",
    "proc/1/io",
    "sys/devices/system/node/node0/meminfo",
    "sys/class/infiniband/x/ports/1/state",
    "sys/class/infiniband/x/ports/1/counters/port_xmit_data",
    "sys/bus/pci/devices/0000:00:00.0/aer_dev_fatal",
    "sys/fs/cgroup/system.slice/io.pressure",
    "sys/fs/cgroup/system.slice/io.stat",
    "dev/kmsg",
    "etc/os-release",
];

fn survives(root: &Path) {
    for kind in HostPart::ALL {
        let mut part = part(root, kind);
        for at_ms in [0, 60_000] {
            if let Ok(harvest) = sample(part.as_mut(), at_ms) {
                for sample in &harvest.batch.samples {
                    assert!(sample.value.is_finite(), "{}", harvest.batch.labels(sample.series));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_content_of_any_file_is_survived(
        binary: Vec<u8>,
        text in "([a-z]{1,8}:? ?|[0-9]{1,25} |-1 |\n|\\(|\\)|,|;|=|/){0,60}",
    ) {
        let folder = tree(&[
            ("sys/fs/cgroup/cgroup.controllers", ""),
            ("sys/bus/pci/devices/0000:00:00.0/class", "0x030000\n"),
        ]);
        for (index, file) in FILES.iter().enumerate() {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let content: &[u8] =
                if index % 2 == binary.len() % 2 { &binary } else { text.as_bytes() };
            std::fs::write(path, content).unwrap();
        }
        survives(folder.path());
    }

    #[test]
    fn real_files_cut_anywhere_are_survived(cut in 0.0_f64..1.0) {
        let folder = tree(&[]);
        for file in FILES {
            // The log of this machine would be waited for.
            if file == "dev/kmsg" {
                continue;
            }
            let Ok(content) = std::fs::read(Path::new("/").join(file)) else { continue };
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &content[..(content.len() as f64 * cut) as usize]).unwrap();
        }
        survives(folder.path());
    }
}
