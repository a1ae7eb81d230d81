//! Which pod and container a control group belongs to, read from its path.

use super::fields::text;

/// What a control group's path says about its owner; empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The path below the mount of the hierarchy, `/` for the root.
    pub(crate) cgroup: String,
    /// With dashes, whichever cgroup driver wrote the path.
    pub(crate) pod_uid: String,
    /// 64 hexadecimal digits.
    pub(crate) container_id: String,
}

/// A path longer than this is no label, and its owner stays empty: the kernel allows 4,096, runtimes write about 200.
const PATH_BYTES_MAX: usize = 512;

const UID_CHARS: usize = 36;
const CONTAINER_ID_CHARS: usize = 64;

impl Owner {
    /// Read a path such as
    /// `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`.
    pub(crate) fn of_path(path: &str) -> Self {
        let mut owner = Self::default();
        if path.len() > PATH_BYTES_MAX {
            return owner;
        }
        path.clone_into(&mut owner.cgroup);
        let is_kubernetes = path.contains("kubepods");
        for segment in path.split('/') {
            // `kubepods-...-pod<uid>.slice:cri-containerd:<id>` where the runtime has the other driver.
            let pod = segment.split(':').next().unwrap_or(segment);
            if is_kubernetes && let Some(uid) = pod_uid(pod) {
                owner.pod_uid = uid;
            }
            if let Some(id) = container_id(segment) {
                id.clone_into(&mut owner.container_id);
            }
        }
        owner
    }

    /// Read `/proc/<pid>/cgroup`: the line of v2 (`0::path`), else that of the memory controller or
    /// of systemd's own hierarchy.
    pub(crate) fn of_process(file: &[u8]) -> Self {
        let mut best: Option<(u8, &[u8])> = None;
        for line in super::fields::lines(file) {
            let mut columns = line.splitn(3, |byte| *byte == b':');
            let (Some(id), Some(controllers), Some(path)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            // On a hybrid host everything real is in the v1 hierarchies and v2 says "/".
            let rank = match (id, controllers) {
                (b"0", b"") if path != b"/" => 4,
                (_, b"memory") => 3,
                (_, b"name=systemd") => 2,
                _ => 1,
            };
            if best.is_none_or(|(known, _)| rank > known) {
                best = Some((rank, path));
            }
        }
        best.map(|(_, path)| Self::of_path(&text(path))).unwrap_or_default()
    }

    /// Pairs for a label set; empty ones are dropped there.
    pub(crate) fn labels(&self) -> [(&'static str, &str); 3] {
        [("cgroup", &self.cgroup), ("pod_uid", &self.pod_uid), ("container_id", &self.container_id)]
    }
}

/// `pod<uid>` of the cgroupfs driver, `kubepods-burstable-pod<uid>.slice` of systemd's, which writes
/// the dashes as underscores. Static pods have an MD5 sum of 32 digits as their UID.
pub(crate) fn pod_uid(segment: &str) -> Option<String> {
    let segment = segment.strip_suffix(".slice").unwrap_or(segment);
    let (before, uid) = segment.rsplit_once("pod")?;
    if !before.is_empty() && !before.ends_with('-') {
        return None;
    }
    let uid = uid.replace('_', "-");
    let plain = uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (plain && (uid.len() == UID_CHARS || uid.len() == 32)).then_some(uid)
}

/// `cri-containerd-<id>.scope`, `docker-<id>.scope`, `crio-<id>.scope`, `libpod-<id>.scope`, `<id>`.
fn container_id(segment: &str) -> Option<&str> {
    let segment = segment.strip_suffix(".scope").unwrap_or(segment);
    let id = segment.rsplit(['-', ':']).next()?;
    (id.len() == CONTAINER_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "1a2b3c4d-0000-1111-2222-333344445555";

    #[test]
    fn both_drivers_and_all_runtimes_are_read() {
        let check = |path: &str, pod_uid: &str, container_id: &str| {
            let owner = Owner::of_path(path);
            assert_eq!((&*owner.pod_uid, &*owner.container_id), (pod_uid, container_id), "{path}");
        };
        let underscored = UID.replace('-', "_");
        check(
            &format!(
                "/kubepods.slice/kubepods-burstable.slice/\
                 kubepods-burstable-pod{underscored}.slice/cri-containerd-{ID}.scope"
            ),
            UID,
            ID,
        );
        check(&format!("/kubepods/besteffort/pod{UID}/{ID}"), UID, ID);
        check(
            &format!(
                "/system.slice/containerd.service/kubepods-pod{underscored}.slice:cri-containerd:{ID}"
            ),
            UID,
            ID,
        );
        check(&format!("/kubepods.slice/kubepods-pod{underscored}.slice"), UID, "");
        // CRI-O with systemd, and with cgroupfs; what runs below its own group in the container.
        let pod = format!(
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{underscored}.slice"
        );
        check(&format!("{pod}/crio-{ID}.scope"), UID, ID);
        check(&format!("{pod}/crio-{ID}.scope/container"), UID, ID);
        check(&format!("/kubepods/burstable/pod{UID}/crio-{ID}"), UID, ID);
        // A node that is a container itself (kind): the pod's container, not the node's.
        let node = "f".repeat(64);
        let inner =
            format!("kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{underscored}.slice");
        check(&format!("/docker/{node}/{inner}/cri-containerd-{ID}.scope"), UID, ID);
        check(&format!("/docker/{node}/kubelet/kubepods/pod{UID}/{ID}"), UID, ID);
        check(&format!("/docker/{node}/kubelet.slice/kubelet.service"), "", &node);
        // A static pod, whose UID is the sum of its manifest.
        let sum = "0123456789abcdef0123456789abcdef";
        check(&format!("/kubepods/burstable/pod{sum}/{ID}"), sum, ID);
        check(&format!("/system.slice/docker-{ID}.scope"), "", ID);
        check(&format!("/docker/{ID}"), "", ID);
        check("/kubepods/podnot-a-uid", "", "");
        check("/system.slice/slurmstepd.scope/job_12/step_0/user/task_0", "", "");
        check("/", "", "");
    }

    #[test]
    fn the_hierarchy_that_knows_most_is_taken() {
        let check = |file: &str, expected: &str| {
            assert_eq!(Owner::of_process(file.as_bytes()).cgroup, expected, "{file}");
        };
        check("0::/user.slice\n", "/user.slice");
        check("9:name=systemd:/s\n4:memory:/m\n1:cpu:/c\n0::/\n", "/m");
        check("0::/\n", "/");
        check("garbage\n", "");
    }

    proptest! {
        #[test]
        fn any_path_is_survived(path: String, file: Vec<u8>) {
            let _ = (Owner::of_path(&path), Owner::of_process(&file));
        }
    }
}
