//! The jobs on this node, by their control groups, and what their processes were told of GPUs.
//!
//! Works without the controller, on v1 (`slurm/uid_<uid>/job_<id>/step_<step>`), on v2
//! (`system.slice/slurmstepd.scope/job_<id>/step_<step>`), both with the node's own name where several
//! daemons may share a host (`slurm_<node>`, `<node>_slurmstepd.scope`), and where the folder is named
//! by SLUID (26.05), which is no job id: then the processes say which job they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::scrape::read_bounded;

/// Jobs of one node.
const JOBS_MAX: usize = 256;
/// Processes of one job that are written; ranks of a node are eight or so, data loaders dozens.
const PROCESSES_MAX: usize = 512;
/// Folders that are looked into for one job.
const FOLDERS_MAX: usize = 1024;
/// job, step, user or task, and what the job makes itself.
const DEPTH_MAX: usize = 8;
const PROCS_BYTES_MAX: u64 = 1 << 20;
/// The kernel's bound on one string of the environment is 128 kB; the whole is about 10 kB.
const ENVIRONMENT_BYTES_MAX: u64 = 4 << 20;
/// Processes of a job whose environment is looked at: the first may have an emptied one.
const WITNESSES_MAX: usize = 8;

/// A job that runs here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LocalJob {
    /// Empty where the folder is named by SLUID and no process tells.
    pub(super) id: String,
    pub(super) processes: Vec<u32>,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) account: String,
    pub(super) partition: String,
    /// Numbers of the node's GPUs that the job holds.
    pub(super) indices: Vec<String>,
    /// UUIDs, where the processes were told those.
    pub(super) uuids: Vec<String>,
}

/// Whether a control group's path belongs to a job, and its name there: `12`, or a SLUID.
pub fn job_of_cgroup(path: &str) -> Option<&str> {
    let mut segments = path.split('/');
    segments.find(|segment| segment.ends_with("slurmstepd.scope") || is_root(segment))?;
    segments.find_map(|segment| segment.strip_prefix("job_")).filter(|name| !name.is_empty())
}

/// The folder of a daemon in a hierarchy of v1; Slurm adds the node's name when it was built for
/// several daemons on one host, as Debian builds it.
fn is_root(name: &str) -> bool {
    name == "slurm" || name.starts_with("slurm_")
}

/// Every job with a control group below `host_root`; `None` where Slurm has no hierarchy here.
pub(super) fn jobs(host_root: &Path) -> Option<Vec<LocalJob>> {
    let mut roots = Vec::new();
    let cgroup = host_root.join("sys/fs/cgroup");
    for scope in ["system.slice/slurmstepd.scope", "slurmstepd.scope"] {
        roots.push(cgroup.join(scope));
    }
    for entry in folders(&cgroup.join("system.slice")) {
        // Several daemons on one host: <node>_slurmstepd.scope.
        if entry.to_string_lossy().ends_with("_slurmstepd.scope") {
            roots.push(entry);
        }
    }
    for controller in ["memory", "freezer", "devices", "cpuset"] {
        let daemons = folders(&cgroup.join(controller)).into_iter().filter(|folder| {
            let name = folder.file_name().unwrap_or_default();
            is_root(&name.to_string_lossy())
        });
        roots.extend(daemons.flat_map(|daemon| folders(&daemon)));
    }
    let roots: Vec<_> = roots.into_iter().filter(|root| root.is_dir()).collect();
    if roots.is_empty() {
        return None;
    }
    let mut found: BTreeMap<String, LocalJob> = BTreeMap::new();
    for folder in roots.iter().flat_map(|root| folders(root)) {
        let path = folder.to_string_lossy();
        let Some(name) = path.rsplit('/').next().and_then(|one| one.strip_prefix("job_")) else {
            continue;
        };
        // On v1 the same job stands in the hierarchy of each controller.
        if found.contains_key(name) || found.len() >= JOBS_MAX {
            continue;
        }
        found.insert(name.to_owned(), job(host_root, name, &folder));
    }
    Some(found.into_values().collect())
}

fn job(host_root: &Path, name: &str, folder: &Path) -> LocalJob {
    let mut job = LocalJob { processes: processes(folder), ..LocalJob::default() };
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        name.clone_into(&mut job.id);
    }
    for process in job.processes.iter().take(WITNESSES_MAX) {
        let path = host_root.join(format!("proc/{process}/environ"));
        let environment = read_bounded(&path.display().to_string(), ENVIRONMENT_BYTES_MAX);
        let environment = told(&environment.unwrap_or_default());
        let said = |key: &str| environment.get(key).cloned().unwrap_or_default();
        let id = said("SLURM_JOB_ID");
        if id.is_empty() || (!job.id.is_empty() && id != job.id) {
            continue; // The daemon's own process, or a job that was started from another.
        }
        job.id = id;
        job.name = said("SLURM_JOB_NAME");
        job.user = said("SLURM_JOB_USER");
        job.account = said("SLURM_JOB_ACCOUNT");
        job.partition = said("SLURM_JOB_PARTITION");
        let list = |text: &str| -> Vec<String> {
            text.split(',')
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect()
        };
        // Numbers of the job's own devices (CUDA_VISIBLE_DEVICES=0) are not the node's: only UUIDs
        // are taken from there.
        job.uuids = list(&said("CUDA_VISIBLE_DEVICES"));
        job.uuids.retain(|one| one.starts_with("GPU-") || one.starts_with("MIG-"));
        job.indices = list(&said("SLURM_JOB_GPUS"));
        if job.indices.is_empty() {
            job.indices = list(&said("SLURM_STEP_GPUS"));
        }
        job.indices.retain(|one| one.bytes().all(|byte| byte.is_ascii_digit()));
        if !job.uuids.is_empty() || !job.indices.is_empty() {
            break;
        }
    }
    job
}

/// Variables of Slurm and the devices; nothing else of an environment is kept, it may hold secrets.
fn told(environment: &[u8]) -> BTreeMap<String, String> {
    let strings = environment.split(|byte| *byte == 0);
    let pairs = strings.filter_map(|one| std::str::from_utf8(one).ok()?.split_once('='));
    let wanted = |key: &str| {
        key.starts_with("SLURM_JOB_") || matches!(key, "SLURM_STEP_GPUS" | "CUDA_VISIBLE_DEVICES")
    };
    let wanted = pairs.filter(|(key, _)| wanted(key));
    wanted.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Read the environment of a process; how many of its variables are kept.
pub(super) fn kept_of_environment(bytes: &[u8]) -> usize {
    told(bytes).len()
}

/// Processes in all control groups of a job, in order.
fn processes(folder: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut looked = 0;
    while let Some((folder, depth)) = open.pop() {
        looked += 1;
        let path = folder.join("cgroup.procs");
        let text = read_bounded(&path.display().to_string(), PROCS_BYTES_MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        found.extend(text.lines().filter_map(|line| line.trim().parse::<u32>().ok()));
        if found.len() >= PROCESSES_MAX || looked >= FOLDERS_MAX {
            break;
        }
        if depth < DEPTH_MAX {
            open.extend(folders(&folder).into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(PROCESSES_MAX);
    found
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().take(FOLDERS_MAX);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn environment(pairs: &[&str]) -> String {
        pairs.join("\0")
    }

    #[test]
    fn jobs_of_both_versions_are_found_with_their_devices() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(jobs(root.path()), None);
        let scope = "sys/fs/cgroup/system.slice/slurmstepd.scope";
        write(root.path(), &format!("{scope}/system/cgroup.procs"), "1\n");
        write(
            root.path(),
            &format!("{scope}/job_12/step_0/user/task_0/cgroup.procs"),
            "100\n101\n",
        );
        write(root.path(), &format!("{scope}/job_12/step_extern/user/cgroup.procs"), "99\n");
        write(root.path(), "proc/99/environ", "PATH=/bin");
        write(
            root.path(),
            "proc/100/environ",
            &environment(&[
                "SLURM_JOB_ID=12",
                "SLURM_JOB_USER=anna",
                "SLURM_JOB_ACCOUNT=nlp",
                "SLURM_JOB_GPUS=2,3",
                "CUDA_VISIBLE_DEVICES=0,1",
                "TOKEN=secret",
            ]),
        );
        let found = jobs(root.path()).unwrap();
        assert_eq!(found.len(), 1);
        let job = &found[0];
        assert_eq!((&*job.id, &*job.user, &*job.account), ("12", "anna", "nlp"));
        assert_eq!(job.processes, [99, 100, 101]);
        assert_eq!(job.indices, ["2", "3"], "the node's numbers, not those inside of the job");
        assert!(job.uuids.is_empty());
        let root = tempfile::tempdir().unwrap();
        for controller in ["memory", "devices"] {
            let path =
                format!("sys/fs/cgroup/{controller}/slurm/uid_1000/job_7/step_0/cgroup.procs");
            write(root.path(), &path, "5\n");
        }
        // As Slurm 22.05.8 of Debian 12 made it.
        write(
            root.path(),
            "sys/fs/cgroup/freezer/slurm_vm/uid_65534/job_14/step_batch/cgroup.procs",
            "6\n",
        );
        let found = jobs(root.path()).unwrap();
        let short = |job: &LocalJob| (job.id.clone(), job.processes.clone());
        let found: Vec<_> = found.iter().map(short).collect();
        assert_eq!(found, [("14".to_owned(), vec![6]), ("7".to_owned(), vec![5])]);
    }

    #[test]
    fn a_folder_named_by_sluid_is_no_job_id() {
        let root = tempfile::tempdir().unwrap();
        let scope = "sys/fs/cgroup/system.slice/slurmstepd.scope";
        write(root.path(), &format!("{scope}/job_s4KP3JDNQ7ZB00/step_0/cgroup.procs"), "8\n");
        assert_eq!(jobs(root.path()).unwrap()[0].id, "", "nobody has told yet");
        let told = ["SLURM_JOB_ID=44", "CUDA_VISIBLE_DEVICES=GPU-a,MIG-b"];
        write(root.path(), "proc/8/environ", &environment(&told));
        let job = &jobs(root.path()).unwrap()[0];
        assert_eq!((&*job.id, &*job.uuids), ("44", &["GPU-a".to_owned(), "MIG-b".to_owned()][..]));
    }

    #[test]
    fn paths_of_processes_name_their_job() {
        let check = |path: &str, expected| assert_eq!(job_of_cgroup(path), expected, "{path}");
        check("/system.slice/slurmstepd.scope/job_12/step_0/user/task_0", Some("12"));
        check("/system.slice/n1_slurmstepd.scope/job_s4KP/step_batch", Some("s4KP"));
        check("/slurm/uid_1000/job_7/step_0", Some("7"));
        check("/slurm_vm/uid_0/job_8/step_batch", Some("8"));
        check("/slurmrestd/job_9", None);
        check("/system.slice/slurmstepd.scope/system", None);
        check("/user.slice/job_12", None);
        check("/", None);
    }
}
