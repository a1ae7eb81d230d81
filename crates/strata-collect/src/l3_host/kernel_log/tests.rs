//! Messages of the kernel and of drivers against the facts they state.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::part::Round;
use super::super::root::HostRoot;
use super::*;

#[track_caller]
fn check(message: &str, expected: impl Into<Option<KernelFact>>) {
    assert_eq!(parse_fact(message), expected.into(), "{message}");
}

#[test]
fn messages_of_gpu_drivers_state_their_facts() {
    let sxid = |code, fatal| {
        Some(KernelFact::Sxid { code, pci_address: "0000:c1:00.0".to_owned(), fatal })
    };
    let xid = |code: u32, pid: Option<u32>, process: Option<&str>| {
        let pci_address = "0000:3b:00.0".to_owned();
        Some(KernelFact::Xid { code, pci_address, pid, process: process.map(str::to_owned) })
    };
    check(
        "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus.",
        xid(79, Some(1234), Some("python3")),
    );
    check(
        "NVRM: Xid (PCI:0000:3b:00): 48, pid='<unknown>', name=<unknown>, x",
        xid(48, None, None),
    );
    check("NVRM: Xid (PCI:0000:3b:00): 63, Row Remapper: New row marked", xid(63, None, None));
    check(
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46",
        sxid(28_006, Some(false)),
    );
    check(
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30",
        sxid(20_034, Some(true)),
    );
    // More about the one before.
    check("nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Data {0x1}", sxid(20_034, None));
    check(
        "NVRM: GPU 0000:3B:00.0: GPU has fallen off the bus.",
        Some(KernelFact::GpuLost { pci_address: Some("0000:3b:00.0".to_owned()) }),
    );
    check("NVRM: Xid (PCI:zz): 79", None);
    check("fake: Xid (PCI:0000:3b:00): 79", None);
}

#[test]
fn messages_of_the_kernel_state_their_facts() {
    check(
        "Memory cgroup out of memory: Killed process 42 (a) b (c) total-vm:1kB, anon-rss:1kB",
        Some(KernelFact::OomKill { pid: 42, process: "a) b (c".to_owned(), cgroup: None }),
    );
    check(
        "INFO: task md0:raid:77 blocked for more than 122 seconds.",
        Some(KernelFact::HungTask {
            pid: 77,
            process: "md0:raid".to_owned(),
            blocked_seconds: 122,
        }),
    );
    check(
        "nfs: server fs1 not responding, still trying",
        Some(KernelFact::NfsNotResponding { server: "fs1".to_owned() }),
    );
    check("nfs: server fs1 OK", Some(KernelFact::NfsOk { server: "fs1".to_owned() }));
    let aer = |severity: AerSeverity| {
        Some(KernelFact::PcieAer { severity, pci_address: "0000:3b:00.0".to_owned() })
    };
    check(
        "pcieport 0000:00:01.0: AER: Multiple Correctable error message received from 0000:3b:00.0",
        aer(AerSeverity::Correctable),
    );
    check(
        "pcieport 0000:00:01.0: AER: Uncorrectable (Non-Fatal) error received: 0000:3b:00.0",
        aer(AerSeverity::Nonfatal),
    );
    check(
        "pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received: 0000:3b:00.0",
        aer(AerSeverity::Fatal),
    );
    check(
        "mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 7: 8c00",
        Some(KernelFact::MachineCheck),
    );
    check("mce: [Hardware Error]: TSC 0 ADDR 1", None);
    check(
        "EXT4-fs error (device sda1): ext4_find_entry:1:",
        Some(KernelFact::FilesystemError { filesystem: "ext4", device: "sda1".to_owned() }),
    );
    check(
        "XFS (dm-0): metadata I/O error in \"x\"",
        Some(KernelFact::FilesystemError { filesystem: "xfs", device: "dm-0".to_owned() }),
    );
    check("XFS (dm-0): Mounting V5 Filesystem", None);
    for message in
        ["I/O error, dev sda, sector 1", "blk_update_request: I/O error, dev sda, sector"]
    {
        check(message, Some(KernelFact::IoError { device: "sda".to_owned() }));
    }
    check("eth0: link up", None);
}

#[test]
fn records_are_told_apart_from_what_programs_write() {
    let check = |record: &str, by_kernel: bool, message: &str| {
        let record = parse_record(record.as_bytes()).unwrap();
        assert_eq!((record.by_kernel, record.message), (by_kernel, message));
    };
    check("4,12,3456,-;nfs: server a OK\n SUBSYSTEM=x\n", true, "nfs: server a OK");
    check("12,12,3456,-,caller=T1;nfs: server a OK\n", false, "nfs: server a OK");
    for record in ["", ";", "4,12;x", "a,b,c,-;x", "4,99999999999999999999,1,-;x"] {
        assert_eq!(parse_record(record.as_bytes()), None, "{record}");
    }
}

/// A log whose records are the datagrams of a socket: read one at a time, then "would block".
fn log() -> (KernelLog, UnixDatagram, KernelEvents) {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let events = KernelEvents::default();
    let root = HostRoot::new(Path::new("/no-such-root"));
    let mut log = KernelLog::new(&root, &Arc::from("n1"), events.clone());
    log.log = Some(File::from(std::os::fd::OwnedFd::from(theirs)));
    (log, ours, events)
}

fn samples(log: &mut KernelLog, at_ms: i64) -> Vec<String> {
    let mut round = Round::new(&Arc::from("host/kernel_log"), at_ms);
    log.sample(&mut round).unwrap();
    let batch = round.into_harvest().batch;
    let text = |sample: &strata_model::Sample| {
        format!("{} {} @{}", batch.labels(sample.series), sample.value, sample.at_ms)
    };
    batch.samples.iter().map(text).collect()
}

#[test]
fn an_oom_kill_is_one_event_with_its_control_group() {
    let (mut log, writer, events) = log();
    for record in [
        "6,1,10,-;oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/kubepods/a,task=x,y,pid=42,uid=0",
        "3,2,10,-;Memory cgroup out of memory: Killed process 42 (x,y) total-vm:1kB",
        "6,3,10,-;oom_reaper: reaped process 42 (x,y), now anon-rss:0kB",
    ] {
        writer.send(record.as_bytes()).unwrap();
    }
    samples(&mut log, 5_000);
    let drained = events.drain();
    assert_eq!(drained.len(), 1);
    let cgroup = Some("/kubepods/a".to_owned());
    assert_eq!(drained[0].fact, KernelFact::OomKill { pid: 42, process: "x,y".to_owned(), cgroup });
    assert_eq!(drained[0].sequence, 2);
    assert_eq!(events.drain(), []);
}

#[test]
fn a_first_event_starts_from_zero_and_lost_records_are_counted() {
    let (mut log, writer, _) = log();
    writer.send(b"6,10,1,-;hello\n").unwrap();
    let lost = r#"host_kernel_log_lost_total{node="n1"}"#;
    assert_eq!(samples(&mut log, 1_000), [format!("{lost} 0 @1000")]);
    writer.send(b"3,15,1,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=a, b\n").unwrap();
    let xid = r#"host_kernel_log_events_total{code="79",event="xid",node="n1",pci_address="0000:3b:00.0"}"#;
    assert_eq!(
        samples(&mut log, 2_000),
        [format!("{xid} 0 @1000"), format!("{xid} 1 @2000"), format!("{lost} 4 @2000")]
    );
    assert_eq!(samples(&mut log, 3_000), [format!("{xid} 1 @3000"), format!("{lost} 4 @3000")]);
}

#[test]
fn the_time_of_an_event_is_that_of_its_record() {
    assert_eq!(wall_ms(100_000, 50.0, 48_000_000), 98_000);
    assert_eq!(wall_ms(100_000, 50.0, 60_000_000), 100_000, "never in the future");
    assert_eq!(wall_ms(100_000, f64::NAN, 48_000_000), 100_000);
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let events = KernelEvents::default();
    for sequence in 0..EVENTS_MAX as u64 + 10 {
        events.push(KernelEvent { at_ms: 0, sequence, fact: KernelFact::MachineCheck });
    }
    let drained = events.drain();
    assert_eq!((drained.len(), drained[0].sequence), (EVENTS_MAX, 10));
}

proptest! {
    #[test]
    fn any_record_is_survived(bytes: Vec<u8>, message: String) {
        let _ = parse_record(&bytes);
        let _ = (parse_fact(&message), oom_cgroup(&message));
    }

    #[test]
    fn any_end_of_a_known_message_is_survived(message in
        "(NVRM: Xid \\(PCI:|oom-kill:|Out of memory: Killed process |INFO: task |nfs: server |pcieport: AER: |XFS \\()\\PC{0,60}"
    ) {
        let _ = (parse_fact(&message), oom_cgroup(&message));
    }
}
