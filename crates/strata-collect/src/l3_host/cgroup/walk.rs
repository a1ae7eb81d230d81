//! Finding the control groups worth reading: containers, pods, jobs, and the host's slices.

use std::path::{Path, PathBuf};

use super::super::listing;
use super::super::owner::Owner;

/// Levels below the root that are walked: slice, pod slice, pod, container, and what a container
/// runtime nests, with room for Slurm's job, step, user and task.
const DEPTH_MAX: usize = 6;

/// Folders looked at in one walk; a host with 250 pods has about 2,000.
const FOLDERS_MAX: usize = 16_384;

/// Names in one folder: about 60 files and at most some hundred groups.
const NAMES_MAX: usize = 4_096;

/// What a control group stands for, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Container,
    Pod,
    Job,
    Slice,
}

/// A control group to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) rank: Rank,
    pub(super) folder: PathBuf,
    pub(super) owner: Owner,
}

/// The mount of the v2 hierarchy below the folder where hierarchies are mounted: the folder itself,
/// or `unified` on a hybrid host. `None` on a host with v1 only.
pub(super) fn unified(mounted: &Path) -> Option<PathBuf> {
    let hybrid = mounted.join("unified");
    [mounted, &*hybrid]
        .into_iter()
        .find(|folder| folder.join("cgroup.controllers").exists())
        .map(Path::to_owned)
}

/// The most telling groups below `root`, at most `limit`, and how many more there are.
pub(super) fn find(root: &Path, limit: usize) -> (Vec<Found>, u64) {
    let mut found = Vec::new();
    let mut waiting = vec![(root.to_owned(), String::new(), 0)];
    let mut folders = 0;
    while let Some((folder, path, depth)) = waiting.pop() {
        for name in listing::sorted(&folder, NAMES_MAX) {
            // Files have a dot and a prefix of their controller; asking the kernel for the type of
            // each would cost more than trying to list the few that look like a group.
            if is_file(&name) || folders >= FOLDERS_MAX {
                continue;
            }
            folders += 1;
            let (child, path) = (folder.join(&name), format!("{path}/{name}"));
            let owner = Owner::of_path(&path);
            // Without its path a group would be taken for the host.
            if owner.cgroup.is_empty() {
                continue;
            }
            if let Some(rank) = rank(&name, &owner, depth) {
                found.push(Found { rank, folder: child.clone(), owner });
            }
            if depth < DEPTH_MAX {
                waiting.push((child, path, depth + 1));
            }
        }
    }
    found.sort_unstable_by(|a, b| (a.rank, &a.owner.cgroup).cmp(&(b.rank, &b.owner.cgroup)));
    let beyond = found.len().saturating_sub(limit) as u64;
    found.truncate(limit);
    (found, beyond)
}

/// Whether a name in a group's folder is one of its interface files (`memory.max`, `cpu.stat`).
fn is_file(name: &str) -> bool {
    const CONTROLLERS: [&str; 10] = [
        "cgroup.", "cpu.", "cpuset.", "memory.", "io.", "pids.", "hugetlb.", "rdma.", "misc.",
        "irq.",
    ];
    CONTROLLERS.iter().any(|prefix| name.starts_with(prefix))
}

fn rank(name: &str, owner: &Owner, depth: usize) -> Option<Rank> {
    let container = !owner.container_id.is_empty() && name.contains(&*owner.container_id);
    let is_pod = !owner.pod_uid.is_empty() && owner.container_id.is_empty();
    if container {
        Some(Rank::Container)
    } else if is_pod && name.contains("pod") {
        Some(Rank::Pod)
    } else if name.starts_with("job_")
        && crate::l4_sched::slurm::job_of_cgroup(&owner.cgroup).is_some()
    {
        // By number, or since Slurm 26.05 by SLUID.
        Some(Rank::Job)
    } else {
        (depth == 0 && name.strip_suffix(".slice").is_some()).then_some(Rank::Slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_come_first_and_their_insides_not_at_all() {
        let id = "ab".repeat(32);
        let root = tempfile::tempdir().unwrap();
        for path in [
            format!(
                "kubepods.slice/kubepods-pod{}.slice/cri-containerd-{id}.scope/init",
                "0".repeat(32)
            ),
            "system.slice/ssh.service".to_owned(),
            "system.slice/slurmstepd.scope/job_7/step_0".to_owned(),
            "system.slice/slurmstepd.scope/job_s4KP3JDNQ7ZB00/step_batch/user/task_0".to_owned(),
            "user.slice/job_search".to_owned(),
        ] {
            std::fs::create_dir_all(root.path().join(path)).unwrap();
        }
        std::fs::write(root.path().join("memory.stat"), "").unwrap();
        let names = |limit: usize| {
            let (found, beyond) = find(root.path(), limit);
            let ranks: Vec<Rank> = found.iter().map(|found| found.rank).collect();
            (ranks, beyond)
        };
        let mut all = vec![Rank::Container, Rank::Pod, Rank::Job, Rank::Job];
        all.extend([Rank::Slice; 3]);
        assert_eq!(names(9), (all, 0));
        assert_eq!(names(2), (vec![Rank::Container, Rank::Pod], 5));
    }
}
