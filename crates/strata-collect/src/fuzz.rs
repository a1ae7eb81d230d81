//! Doors for the fuzzers: parsers of outside bytes that have no other way in from outside.

use crate::discover::sockets;
use crate::l3_host::{kernel_log, process};
use crate::scrape::listing;

/// Read a service discovery document; how many groups it has, if it is one.
pub fn service_discovery(bytes: &[u8]) -> Option<usize> {
    listing::parse(bytes).ok().map(|groups| groups.len())
}

/// Read a list of targets in YAML; how many groups it has, if it is one.
pub fn targets_in_yaml(bytes: &[u8]) -> Option<usize> {
    listing::parse_yaml(bytes).ok().map(|groups| groups.len())
}

/// Read the lines of a socket table (`/proc/net/tcp`); how many listen.
pub fn socket_table(text: &str) -> usize {
    text.lines().filter_map(sockets::parse_line).count()
}

/// Read a record of the kernel log and the fact in it; whether there is one.
pub fn kernel_record(bytes: &[u8]) -> bool {
    kernel_log::states_a_fact(bytes)
}

/// Read the bytes as each of the files of a process below `/proc`.
pub fn process_files(bytes: &[u8]) {
    process::read_as_each_file(bytes);
}
