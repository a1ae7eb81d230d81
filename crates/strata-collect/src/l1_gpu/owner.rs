//! Whose a process is that uses a GPU.

use std::path::PathBuf;

use crate::l3_host::owner::Owner;
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l4_sched::slurm::job_of_cgroup;

/// Name and owner of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Whose {
    /// The kernel's name for it; the command line may hold secrets and is not read.
    pub(super) process: String,
    pub(super) pod_uid: String,
    pub(super) container_id: String,
    /// Of Slurm, by number; a SLUID is no job id and stays out.
    pub(super) slurm_job_id: String,
}

impl Whose {
    /// From `/proc`; empty where the process is gone or the file is refused.
    pub(super) fn of(pid: u32, root: &HostRoot, reader: &mut FileReader) -> Self {
        let file = |name: &str| -> PathBuf { root.path(&format!("proc/{pid}/{name}")) };
        let process = reader.word(&file("comm")).unwrap_or_default();
        let owner = reader.read(&file("cgroup")).map(Owner::of_process).unwrap_or_default();
        let job = job_of_cgroup(&owner.cgroup).unwrap_or_default();
        let is_number = !job.is_empty() && job.bytes().all(|byte| byte.is_ascii_digit());
        let slurm_job_id = if is_number { job.to_owned() } else { String::new() };
        let (pod_uid, container_id) = (owner.pod_uid, owner.container_id);
        Self { process, pod_uid, container_id, slurm_job_id }
    }
}
