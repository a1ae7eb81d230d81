//! The parts on the machine the test runs on: they work, what they cost, and whether another
//! program reads the same.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use strata_model::SourceState;

use super::{HostPart, assert_defined, part, sample};

#[test]
fn every_part_works_here_or_says_why_not() {
    for kind in HostPart::ALL {
        let mut part = part(Path::new("/"), kind);
        for at_ms in [1_000, 60_000] {
            match sample(part.as_mut(), at_ms) {
                Ok(harvest) => {
                    let batch = &harvest.batch;
                    let mut seen = std::collections::BTreeSet::new();
                    for sample in &batch.samples {
                        let series = (batch.series(sample.series).0, sample.at_ms);
                        let labels = batch.labels(sample.series);
                        assert!(
                            !labels.is_empty(),
                            "{kind:?} writes labels that are not canonical"
                        );
                        assert_defined(&labels);
                        assert!(seen.insert(series), "{kind:?} told {labels} twice");
                        assert!(sample.value.is_finite() && sample.value >= 0.0, "{labels}");
                    }
                }
                Err(error) => {
                    let states =
                        [SourceState::Absent, SourceState::Unsupported, SourceState::Denied];
                    assert!(states.contains(&error.state), "{kind:?}: {error:?}");
                }
            }
        }
    }
}

/// Microseconds of processor time of this process.
fn processor_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

#[test]
#[ignore = "measures: run alone, with --release --nocapture"]
fn cost_of_a_round() {
    const ROUNDS: u32 = 1_000;
    let mut total = 0.0;
    for kind in HostPart::ALL {
        let mut part = part(Path::new("/"), kind);
        drop(sample(part.as_mut(), 0));
        // Time goes on by a second per round, so slow parts do what they do when read every second.
        let least = part.interval_min().as_millis() as i64;
        let before = processor_us();
        let (mut samples, mut rounds) = (0, 0);
        for round in 1..=i64::from(ROUNDS) {
            if round * 1_000 % least == 0 {
                rounds += 1;
                samples = sample(part.as_mut(), round * 1_000).map_or(0, |h| h.batch.samples.len());
            }
        }
        let spent = (processor_us() - before) / f64::from(ROUNDS);
        total += spent;
        println!(
            "{:<18} {spent:8.1} us per second, {rounds} rounds of {samples} samples",
            part.id()
        );
    }
    println!("all parts: {total:.1} us per second = {:.3} % of a processor", total / 1e4);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap());
}

/// Ends the program when the test ends, however it ends.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Start the peer on a free port and give its page.
fn peer_page(program: &str) -> Option<(Peer, String)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(program)
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let peer = Peer(child);
    for _ in 0..100 {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
            let mut page = Vec::new();
            while page.len() < 16 << 20 {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).unwrap() {
                    0 => break,
                    length => page.extend_from_slice(&piece[..length]),
                }
            }
            return Some((peer, String::from_utf8(page).unwrap()));
        }
        let (_wait, never) = std::sync::mpsc::channel::<()>();
        assert!(never.recv_timeout(Duration::from_millis(50)).is_err());
    }
    None
}

/// Our series as `name{labels}`, without the node.
fn ours() -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    for kind in HostPart::ALL {
        let Ok(harvest) = sample(part(Path::new("/"), kind).as_mut(), 0) else { continue };
        for sample in &harvest.batch.samples {
            let labels = harvest.batch.labels(sample.series).filtered(|name| name != "node");
            series.insert(labels.to_string(), sample.value);
        }
    }
    series
}

/// Our series and the peer's that must say the same.
fn pairs(disk: &str, interface: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = [
        ("system_memory_limit_bytes{}", "node_memory_MemTotal_bytes"),
        ("system_context_switches_total{}", "node_context_switches_total"),
        ("system_interrupts_total{}", "node_intr_total"),
        ("system_network_tcp_retransmits_total{}", "node_netstat_Tcp_RetransSegs"),
        (r#"system_paging_faults_total{type="major"}"#, "node_vmstat_pgmajfault"),
        ("host_memory_oom_kills_total{}", "node_vmstat_oom_kill"),
    ]
    .map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()))
    .to_vec();
    for mode in ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"] {
        pairs.push((
            format!(r#"system_cpu_time_seconds_total{{cpu="0",mode="{mode}"}}"#),
            format!(r#"node_cpu_seconds_total{{cpu="0",mode="{mode}"}}"#),
        ));
    }
    for (resource, kind, theirs) in [
        ("cpu", "some", "cpu_waiting"),
        ("memory", "some", "memory_waiting"),
        ("memory", "full", "memory_stalled"),
        ("io", "some", "io_waiting"),
        ("io", "full", "io_stalled"),
    ] {
        let labels = format!(r#"kind="{kind}",resource="{resource}""#);
        pairs.push((
            format!("host_pressure_stall_time_seconds_total{{{labels}}}"),
            format!("node_pressure_{theirs}_seconds_total"),
        ));
    }
    for (ours, direction, theirs) in [
        ("io_bytes_total", "read", "read_bytes_total"),
        ("io_bytes_total", "write", "written_bytes_total"),
        ("operations_total", "read", "reads_completed_total"),
        ("operations_total", "write", "writes_completed_total"),
        ("operation_time_seconds_total", "read", "read_time_seconds_total"),
        ("operation_time_seconds_total", "write", "write_time_seconds_total"),
    ] {
        pairs.push((
            format!(r#"system_disk_{ours}{{device="{disk}",direction="{direction}"}}"#),
            format!(r#"node_disk_{theirs}{{device="{disk}"}}"#),
        ));
    }
    for (ours, theirs) in [("io_bytes", "bytes"), ("packet_count", "packets")] {
        for direction in ["receive", "transmit"] {
            let labels = format!(r#"device="{interface}",direction="{direction}""#);
            pairs.push((
                format!("system_network_{ours}_total{{{labels}}}"),
                format!(r#"node_network_{direction}_{theirs}_total{{device="{interface}"}}"#),
            ));
        }
    }
    pairs
}

/// What we read before and after the peer must enclose what the peer read: all of it only grows.
#[test]
#[ignore = "needs prometheus-node-exporter"]
fn values_are_those_of_node_exporter() {
    let before = ours();
    let (_peer, page) = peer_page("prometheus-node-exporter").expect("the peer is installed");
    let after = ours();
    let lines = page.lines().filter_map(|line| line.rsplit_once(' '));
    let theirs: BTreeMap<&str, f64> =
        lines.filter_map(|(series, value)| Some((series, value.parse().ok()?))).collect();
    let root_size = |series: &&str| {
        let size = series.starts_with("node_filesystem_size")
            || series.starts_with("system_filesystem_limit");
        size && series.contains(r#"mountpoint="/""#)
    };
    let mut pairs = pairs(&whole_disk(), &default_interface());
    let our_root = before.keys().map(String::as_str).find(root_size).expect("a root file system");
    let their_root = theirs.keys().copied().find(|series| root_size(series)).expect("the same");
    pairs.push((our_root.to_owned(), their_root.to_owned()));
    let mut failures = Vec::new();
    for (our, their) in pairs {
        let values = (before.get(&our), theirs.get(&*their), after.get(&our));
        println!("{our} {values:?}");
        // Their floats are printed after a division, ours after another: equal to rounding.
        let encloses = matches!(values, (Some(before), Some(theirs), Some(after))
            if *before <= theirs + 1e-6 && theirs - 1e-6 <= *after);
        if !encloses {
            failures.push((our, their));
        }
    }
    assert_eq!(failures, []);
}

/// The first disk that is not a loop or memory device.
fn whole_disk() -> String {
    let stats = std::fs::read_to_string("/proc/diskstats").unwrap();
    let names = stats.lines().filter_map(|line| line.split_whitespace().nth(2));
    let real = |name: &&str| !["loop", "ram", "zram"].iter().any(|kind| name.starts_with(kind));
    names.filter(real).map(str::to_owned).next().unwrap()
}

/// The interface with the most traffic that is not the loopback.
fn default_interface() -> String {
    let dev = std::fs::read_to_string("/proc/net/dev").unwrap();
    let interfaces = dev.lines().skip(2).filter_map(|line| {
        let (name, counters) = line.split_once(':')?;
        Some((counters.split_whitespace().next()?.parse::<u64>().ok()?, name.trim().to_owned()))
    });
    interfaces.filter(|(_, name)| name != "lo").max().unwrap().1
}
