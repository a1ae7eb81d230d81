//! Who holds the GPUs, from the kubelet's files and Slurm's control groups to `strata who`.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::http::eventually;
use crate::program::{House, Server, now_ms, stdout};
use crate::wire::{Row, body};

const UID: &str = "1a2b3c4d-0000-1111-2222-333344445555";
const GPU: &str = "GPU-11111111-2222-3333-4444-555555555555";
const OTHER: &str = "GPU-99999999-2222-3333-4444-555555555555";

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// A host with one GPU that the kubelet gave to a pod and one that a job of Slurm holds.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "proc/sys/kernel/hostname", "n1\n");
    let entry = json!({ "PodUID": UID, "ContainerName": "vllm", "ResourceName": "nvidia.com/gpu",
        "DeviceIDs": { "0": [GPU] } });
    let checkpoint = json!({ "Data": { "PodDeviceEntries": [entry] } });
    let path = "var/lib/kubelet/device-plugins/kubelet_internal_checkpoint";
    write(root.path(), path, &checkpoint.to_string());
    let scope = "sys/fs/cgroup/system.slice/slurmstepd.scope";
    write(root.path(), &format!("{scope}/job_5/step_0/cgroup.procs"), "70\n");
    let told = ["SLURM_JOB_ID=5", "SLURM_JOB_NAME=train", "SLURM_JOB_ACCOUNT=nlp"];
    let told = format!("{}\0CUDA_VISIBLE_DEVICES={OTHER}\0", told.join("\0"));
    write(root.path(), "proc/70/environ", &told);
    root
}

fn process(gpu: &str, pid: &str, pod_uid: &str, bytes: f64) -> Row {
    let labels = [
        ("__name__", "gpu_process_memory_usage_bytes"),
        ("gpu_uuid", gpu),
        ("node", "n1"),
        ("pid", pid),
        ("pod_uid", pod_uid),
    ];
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    let labels = labels.map(|(name, value)| (name, value.to_owned())).collect();
    Row { labels, samples: vec![(now_ms(), bytes)] }
}

fn who(house: &House, server: &Server, arguments: &[&str]) -> Json {
    let mut all = vec!["--json", "who", "--url", &server.url];
    all.extend(arguments);
    let output = house.run(&all);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn the_kubelet_and_slurm_say_who_holds_and_processes_who_uses() {
    let root = host();
    let house = House::with_config(
        "[server]\notlp_grpc_listen = \"\"\notlp_http_listen = \"\"\n[discover]\nenabled = false\n\
         [host]\nenabled = false\n[kubernetes]\ninterval = \"5s\"\n[slurm]\nqueue = \"off\"\n",
    );
    let mut command = house.command();
    command.arg("--json").arg("--host-root").arg(root.path());
    for name in ["NODE_NAME", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(name);
    }
    let server = Server::spawn(&mut command);
    let gpus = eventually("both devices have holders", || {
        let gpus = who(&house, &server, &[])["gpus"].as_array().unwrap().clone();
        if gpus.len() == 2 { Ok(gpus) } else { Err(format!("{gpus:?}")) }
    });
    let of = |gpus: &[Json], uuid: &str| {
        gpus.iter().find(|gpu| gpu["gpu_uuid"] == uuid).unwrap().clone()
    };
    let pods = of(&gpus, GPU);
    assert_eq!(pods["holders"][0]["pod_uid"], UID);
    assert_eq!(pods["holders"][0]["method"], "checkpoint");
    assert_eq!((&pods["state"], &pods["evidence"]), (&json!("unknown"), &json!("none")));
    assert_eq!(of(&gpus, OTHER)["holders"][0]["workload"], "train");
    // Now somebody tells of processes: the pod's own, and one in the job's device that is not its.
    let rows = [process(GPU, "60", UID, 1e9), process(OTHER, "61", "", 2e9)];
    assert_eq!(server.write(&body(&rows)).status, 204);
    let gpus = who(&house, &server, &[])["gpus"].as_array().unwrap().clone();
    assert_eq!(of(&gpus, GPU)["state"], "used_by_owner");
    assert_eq!(of(&gpus, GPU)["holders"][0]["memory_bytes"], 1_000_000_000);
    assert_eq!(of(&gpus, OTHER)["state"], "used_outside_pods");
    let teams = who(&house, &server, &["--by", "team"]);
    let nlp = teams["groups"].as_array().unwrap().iter().find(|one| one["name"] == "nlp");
    assert_eq!(nlp.unwrap()["gpus"], 1.0);
    let table = stdout(&house.run(&["who", "--url", &server.url, "--gpu", "GPU-999"]));
    assert!(table.contains("used outside pods") && table.contains("job 5"), "{table}");
    assert!(!table.contains("GPU-1111"), "{table}");
    let source = |id: &str| server.source(id).unwrap();
    assert_eq!(source("kubernetes/kubelet")["state"], "partial", "no socket, but the checkpoint");
    assert_eq!(source("kubernetes/api")["state"], "absent");
    assert!(source("kubernetes/api")["hint"].as_str().unwrap().contains("kubeconfig"));
    assert_eq!(source("slurm/jobs")["state"], "ok");
}
