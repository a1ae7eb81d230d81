//! UIDs of the pods that have a control group on this node: those that still exist.
//!
//! PodResources before Kubernetes 1.34 and the checkpoint list pods that have ended as well; their
//! control groups are gone.

use std::collections::BTreeSet;
use std::path::Path;

use crate::l3_host::pod_of_cgroup;

/// A kubelet's own limit is 110 pods, large nodes are set to 500 or so.
const ENTRIES_MAX: usize = 8192;

/// Where the hierarchy can be mounted: v2, then v1.
const HIERARCHIES: [&str; 3] = ["sys/fs/cgroup", "sys/fs/cgroup/memory", "sys/fs/cgroup/systemd"];
/// What both cgroup drivers call the group of all pods, and below a group for the kubelet's own pods
/// (`--cgroup-root`), as kind has it.
const ROOTS: [&str; 4] =
    ["kubepods.slice", "kubepods", "kubelet.slice/kubelet-kubepods.slice", "kubelet/kubepods"];

/// Every UID; empty where there is no such hierarchy, which says nothing of any pod.
pub(super) fn uids(host_root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for hierarchy in HIERARCHIES {
        for root in ROOTS {
            let root = host_root.join(hierarchy).join(root);
            for name in folders(&root) {
                // Guaranteed pods stand here, the others one level below their class.
                if let Some(uid) = pod_of_cgroup(&name) {
                    found.insert(uid);
                } else {
                    let below = folders(&root.join(&name));
                    found.extend(below.iter().filter_map(|name| pod_of_cgroup(name)));
                }
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}

fn folders(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().take(ENTRIES_MAX);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_drivers_and_both_versions_are_read() {
        let check = |paths: &[&str], expected: &[&str]| {
            let root = tempfile::tempdir().unwrap();
            for path in paths {
                std::fs::create_dir_all(root.path().join("sys/fs/cgroup").join(path)).unwrap();
            }
            let found = uids(root.path());
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{paths:?}");
        };
        let (a, b) =
            ("1a2b3c4d-0000-1111-2222-333344445555", "9a2b3c4d-0000-1111-2222-333344445555");
        let slice =
            |class: &str, uid: &str| format!("kubepods{class}-pod{}.slice", uid.replace('-', "_"));
        check(
            &[
                &format!("kubepods.slice/{}", slice("", a)),
                &format!("kubepods.slice/kubepods-burstable.slice/{}", slice("-burstable", b)),
            ],
            &[a, b],
        );
        check(&[&format!("kubepods/pod{a}/x"), &format!("kubepods/besteffort/pod{b}")], &[a, b]);
        check(&[&format!("memory/kubepods/burstable/pod{b}")], &[b]);
        check(&["system.slice/kubelet.service"], &[]);
        // Below a group of the kubelet's own, as kind has it, with both drivers; v2 of CRI-O, which puts
        // its monitor beside the container.
        let nested = "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice";
        let inner = format!("{nested}/kubelet-kubepods-burstable-pod{}.slice", a.replace('-', "_"));
        check(&[&inner, &format!("kubelet/kubepods/besteffort/pod{b}")], &[a, b]);
        let id = "ab".repeat(32);
        let pod = format!("kubepods.slice/{}", slice("", a));
        check(&[&format!("{pod}/crio-{id}.scope"), &format!("{pod}/crio-conmon-{id}.scope")], &[a]);
    }
}
