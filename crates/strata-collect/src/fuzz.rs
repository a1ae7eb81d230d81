//! Doors for the fuzzers: parsers of outside bytes that have no other way in from outside.

use crate::discover::sockets;
use crate::l3_host::{kernel_log, process};
use crate::l4_sched::{kubelet, kubernetes, slurm};
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

/// Read files of the map that AMD's compute driver keeps: the node that a link leads to, and the place
/// of a device on the bus.
pub fn amd_map(bytes: &[u8]) -> (Option<u64>, Option<String>) {
    crate::l1_gpu::amd_map(bytes)
}

/// Read a field as NVIDIA's library writes it: return code, type, eight bytes. The number, if it is one.
pub fn nvidia_field(code: u32, kind: u32, bytes: [u8; 8]) -> Option<f64> {
    crate::l1_gpu::nvidia_field(code, kind, bytes)
}

/// Read the targets of two links of `/sys/bus/pci/devices`; the way between both devices, in a word.
pub fn pcie_way(one: &str, other: &str) -> Option<&'static str> {
    crate::l1_gpu::pcie_way(one, other)
}

/// Read an object of the Kubernetes API server as each of the kinds that are watched; whether it is one.
pub fn kubernetes_object(bytes: &[u8]) -> bool {
    kubernetes::read_as_each_kind(bytes)
}

/// Read the environment of a process of a Slurm job; how many variables are kept of it.
pub fn slurm_environment(bytes: &[u8]) -> usize {
    slurm::kept_of_environment(bytes)
}
