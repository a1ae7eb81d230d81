//! Doors for the fuzzers: parsers of outside bytes that have no other way in from outside.

use crate::discover::sockets;
use crate::l3_host::{kernel_log, process};
use crate::l4_sched::{kubelet, slurm};
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

/// Read an answer of the kubelet's PodResources; how many devices are in it, if it is one.
pub fn pod_resources(bytes: &[u8]) -> Option<usize> {
    kubelet::answered(bytes)
}

/// Read the checkpoint of the kubelet's device plugins; how many devices are in it, if it is one.
pub fn device_checkpoint(bytes: &[u8]) -> Option<usize> {
    kubelet::checkpointed(bytes)
}

/// Read what `squeue --json` wrote; how many jobs are in it, if it is that.
pub fn slurm_json(bytes: &[u8]) -> Option<usize> {
    slurm::jobs_in_json(bytes)
}

/// Read what `scontrol` wrote of jobs and nodes; how many jobs are in it.
pub fn slurm_text(text: &str) -> usize {
    slurm::jobs_in_text(text)
}

/// Read an AMD driver's table of metrics; how many samples it gave.
pub fn amd_metrics_table(bytes: &[u8]) -> usize {
    crate::l1_gpu::amd_table(bytes)
}
