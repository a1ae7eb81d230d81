//! Listening TCP sockets of this host, from `/proc/net/tcp` and `tcp6`, and who holds them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::programs::{Program, program_of};
use crate::scrape::read_bounded;

/// A socket table line has 150 bytes: room for 100,000 sockets.
const TABLE_BYTES_MAX: u64 = 16 << 20;
/// A command line longer than this is cut: class paths of Java programs reach it.
const COMMAND_BYTES_MAX: usize = 4_096;
/// Processes looked at in one round; a busy node has some thousands.
const PROCESSES_MAX: usize = 20_000;
/// Open files looked at per likely process; engines have some hundreds.
const FILES_MAX: usize = 8_192;

/// A socket somebody listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// Changes when the program restarts.
    pub(crate) inode: u64,
}

/// A process that may have something to say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Command line, arguments joined by spaces.
    pub(crate) command: String,
    pub(crate) program: Option<&'static Program>,
    /// We may look at its open files, so its sockets are known.
    pub(crate) open: bool,
}

/// What listens on this host.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    pub(crate) listeners: Vec<Listener>,
    /// Owners of sockets by inode: likely programs and ourselves, where permitted to look.
    pub(crate) owners: BTreeMap<u64, Process>,
    /// Likely programs, whether or not their sockets could be seen.
    pub(crate) programs: Vec<Process>,
    /// Our own pid as this `/proc` numbers it: a mounted `/proc` may be of another PID namespace.
    pub(crate) own_pid: Option<u32>,
    /// The socket table could be read.
    pub(crate) complete: bool,
}

/// Look around once. Blocks for some milliseconds.
pub(crate) fn look(proc_root: &Path) -> Listening {
    let mut listening = Listening::default();
    for table in ["net/tcp", "net/tcp6"] {
        let path = proc_root.join(table);
        if let Ok(bytes) = read_bounded(&path.to_string_lossy(), TABLE_BYTES_MAX) {
            listening.complete = true;
            let text = String::from_utf8_lossy(&bytes);
            listening.listeners.extend(text.lines().filter_map(parse_line));
        }
    }
    listening.listeners.sort_unstable();
    listening.listeners.dedup();
    listening.own_pid =
        std::fs::read_link(proc_root.join("self")).ok().and_then(|own| own.to_str()?.parse().ok());
    for mut process in likely_processes(proc_root, listening.own_pid) {
        let inodes = socket_inodes(&proc_root.join(process.pid.to_string()));
        process.open = inodes.is_some();
        for inode in inodes.unwrap_or_default() {
            listening.owners.entry(inode).or_insert_with(|| process.clone());
        }
        if process.program.is_some() {
            listening.programs.push(process);
        }
    }
    listening
}

/// A line of the socket table in state LISTEN (0A). Source: `proc_net_tcp` of the kernel.
pub(crate) fn parse_line(line: &str) -> Option<Listener> {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1)?;
    let state = words.nth(1)?;
    let inode = words.nth(5)?.parse().ok()?;
    if state != "0A" {
        return None;
    }
    let (host, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = SocketAddr::new(parse_host(host)?, port);
    Some(Listener { address, inode })
}

/// Addresses are written as words of 32 bits in the byte order of the machine.
fn parse_host(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => word(0).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes))),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            let address = Ipv6Addr::from(bytes);
            Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
        }
        _ => None,
    }
}

/// Processes of likely programs, and our own, in order of pid.
fn likely_processes(proc_root: &Path, own: Option<u32>) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir(proc_root) else { return Vec::new() };
    let mut pids: Vec<u32> = entries
        .take(2 * PROCESSES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.truncate(PROCESSES_MAX);
    let likely = pids.into_iter().filter_map(|pid| {
        let command = command_of(&proc_root.join(pid.to_string()))?;
        let program = program_of(&command).filter(|_| Some(pid) != own);
        (program.is_some() || Some(pid) == own).then_some(Process {
            pid,
            command,
            program,
            open: false,
        })
    });
    likely.collect()
}

/// The command line of a process; kernel threads have none.
fn command_of(process: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = vec![0; COMMAND_BYTES_MAX];
    let length = std::fs::File::open(process.join("cmdline")).ok()?.read(&mut bytes).ok()?;
    bytes.truncate(length);
    let command = String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned();
    (!command.is_empty()).then_some(command)
}

/// Inodes of the sockets a process has open; `None` when we may not look.
fn socket_inodes(process: &Path) -> Option<Vec<u64>> {
    let files = std::fs::read_dir(process.join("fd")).ok()?;
    let inode = |file: std::io::Result<std::fs::DirEntry>| {
        let target = std::fs::read_link(file.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Some(files.take(FILES_MAX).filter_map(inode).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_socket_table_read_as_the_kernel_writes_them() {
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let got = parse_line(line).map(|l| (l.address.to_string(), l.inode));
            assert_eq!(got, expected.map(|(a, i)| (a.to_owned(), i)), "{line}");
        };
        let tail = "00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0";
        check(
            &format!("   0: 0100007F:1F40 00000000:0000 0A {tail}"),
            Some(("127.0.0.1:8000", 4242)),
        );
        check(
            &format!("   1: 00000000:2382 00000000:0000 0A {tail}"),
            Some(("0.0.0.0:9090", 4242)),
        );
        check(&format!("   2: 0100007F:1F40 0100007F:9999 01 {tail}"), None);
        let six = "00000000000000000000000001000000";
        check(&format!("   3: {six}:0050 {six}:0000 0A {tail}"), Some(("[::1]:80", 4242)));
        let mapped = "0000000000000000FFFF00000100007F";
        check(&format!("   4: {mapped}:0050 {six}:0000 0A {tail}"), Some(("127.0.0.1:80", 4242)));
        check("  sl  local_address rem_address   st tx_queue rx_queue", None);
        check("   5: XX:0050 00000000:0000 0A", None);
        check("", None);
    }

    #[test]
    fn our_own_sockets_are_seen_as_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let listening = look(Path::new("/proc"));
        assert!(listening.complete);
        let seen = listening.listeners.iter().find(|l| l.address == address).expect("it listens");
        assert_eq!(listening.owners[&seen.inode].pid, std::process::id());
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in "[ -~]{0,200}") {
            let _read = parse_line(&line);
        }
    }
}
