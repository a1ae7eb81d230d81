//! Whose a process is that uses a GPU.

use std::path::PathBuf;

use crate::l3_host::owner::Owner;
use crate::l3_host::root::{FileReader, HostRoot};

/// Name and owner of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Whose {
    /// The kernel's name for it; the command line may hold secrets and is not read.
    pub(super) process: String,
    pub(super) pod_uid: String,
    pub(super) container_id: String,
}

impl Whose {
    /// From `/proc`; empty where the process is gone or the file is refused.
    pub(super) fn of(pid: u32, root: &HostRoot, reader: &mut FileReader) -> Self {
        let file = |name: &str| -> PathBuf { root.path(&format!("proc/{pid}/{name}")) };
        let process = reader.word(&file("comm")).unwrap_or_default();
        let owner = reader.read(&file("cgroup")).map(Owner::of_process).unwrap_or_default();
        Self { process, pod_uid: owner.pod_uid, container_id: owner.container_id }
    }
}
