//! The collectors against programs that write what Slurm wrote.

use super::*;

const JOBS: &str = include_str!("../../../tests/fixtures/slurm/scontrol-job.txt");
const NODES: &str = include_str!("../../../tests/fixtures/slurm/scontrol-node.txt");

/// A program in `folder` that runs `script`.
fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    // Another process writes it: a file that this one has open for writing could be inherited by a
    // child of another test, and then not be run.
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let shell =
        std::process::Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status();
    assert!(shell.unwrap().success());
    path
}

fn lines(harvest: &Harvest) -> Vec<String> {
    let batch = &harvest.batch;
    let line =
        |sample: &strata_model::Sample| format!("{} {}", batch.labels(sample.series), sample.value);
    let mut lines: Vec<_> = batch.samples.iter().map(line).collect();
    lines.sort();
    lines
}

fn scontrol(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("jobs"), JOBS).unwrap();
    std::fs::write(folder.join("nodes"), NODES).unwrap();
    let folder_text = folder.display();
    program(folder, "scontrol", &format!("cat {folder_text}/$2s"))
}

#[tokio::test]
async fn without_json_the_text_is_read_and_json_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let tried = folder.path().join("tried");
    let script = format!("echo x >> {}; echo 'unrecognized option' >&2; exit 1", tried.display());
    let squeue = program(folder.path(), "squeue", &script);
    let settings = SlurmOptions::default().validate().unwrap();
    let scontrol = scontrol(folder.path());
    let mut collector = SlurmQueueCollector::new(&settings, squeue, Some(scontrol));
    let harvest = collector.collect(0).await.unwrap();
    assert_eq!(lines(&harvest), lines(&collector.collect(0).await.unwrap()));
    assert_eq!(std::fs::read_to_string(tried).unwrap(), "x\n");
    let expected = [
        "gpu_node_allocatable{node=\"vm\",resource=\"gpu\"} 2",
        "gpu_node_capacity{node=\"vm\",resource=\"gpu\"} 2",
        "sched_queue_admitted{queue=\"debug\",scheduler=\"slurm\"} 1",
        "sched_queue_resource_usage{queue=\"debug\",resource=\"gpu\",scheduler=\"slurm\"} 2",
        "slurm_job_gpus{partition=\"debug\",slurm_job_id=\"2\",state=\"RUNNING\",user=\"root\"} 2",
        "slurm_job_info{job_name=\"wrap\",nodes=\"vm\",partition=\"debug\",slurm_job_id=\"2\",\
         state=\"RUNNING\",user=\"root\"} 1",
        "slurm_node_info{node=\"vm\",partitions=\"debug\",state=\"MIXED\"} 1",
    ];
    assert_eq!(lines(&harvest), expected, "the job that has ended is not there");
}

#[tokio::test]
async fn json_tells_who_waits_for_what_and_who_holds_which_device() {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"jobs":[
        {"job_id":5,"name":"train","user_name":"anna","account":"nlp","partition":"gpu",
         "job_state":["RUNNING"],"nodes":"n[1-2]","tres_alloc_str":"gres/gpu=3",
         "gres_detail":["gpu:2(IDX:0-1)","gpu:1(IDX:3)"]},
        {"job_id":6,"name":"big","user_name":"ben","account":"cv","partition":"gpu",
         "job_state":["PENDING"],"state_reason":"Resources","tres_req_str":"gres/gpu=64",
         "submit_time":{"set":true,"infinite":false,"number":40}}]}"#;
    std::fs::write(folder.path().join("json"), json).unwrap();
    let script = format!("cat {}/json", folder.path().display());
    let squeue = program(folder.path(), "squeue", &script);
    let settings = SlurmOptions::default().validate().unwrap();
    let mut collector = SlurmQueueCollector::new(&settings, squeue, None);
    let found = lines(&collector.collect(100_000).await.unwrap());
    let has = |line: &str| assert!(found.iter().any(|one| one == line), "{line}: {found:#?}");
    has("sched_queue_pending{queue=\"gpu\",scheduler=\"slurm\",status=\"Resources\"} 1");
    has("sched_queue_resource_pending{queue=\"gpu\",resource=\"gpu\",scheduler=\"slurm\"} 64");
    has("slurm_job_wait_time_seconds{account=\"cv\",partition=\"gpu\",reason=\"Resources\",\
         slurm_job_id=\"6\",user=\"ben\"} 60");
    has("slurm_job_device_info{gpu=\"3\",node=\"n2\",sharing=\"exclusive\",slurm_job_id=\"5\"} 1");
    let edges = found.iter().filter(|line| line.starts_with("gpu_allocation"));
    assert_eq!(edges.count(), 0, "a device without its UUID would be counted twice");
}

#[tokio::test]
async fn what_slurm_22_05_said_of_shards_and_an_array_is_counted_in_gpus() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/slurm");
    let folder = tempfile::tempdir().unwrap();
    let cat = |file: &str| format!("cat {}/{file}", fixtures.display());
    let squeue = program(folder.path(), "squeue", &cat("squeue-shards-v22.05.8.json"));
    let scontrol = program(folder.path(), "scontrol", &cat("scontrol-node-shards.txt"));
    let settings = SlurmOptions::default().validate().unwrap();
    let mut collector = SlurmQueueCollector::new(&settings, squeue, Some(scontrol));
    let found = lines(&collector.collect(0).await.unwrap());
    let has = |line: &str| assert!(found.iter().any(|one| one == line), "{line}: {found:#?}");
    has("sched_queue_resource_usage{queue=\"gpu\",resource=\"gpu\",scheduler=\"slurm\"} 3.75");
    has("sched_queue_resource_pending{queue=\"gpu\",resource=\"gpu\",scheduler=\"slurm\"} 7");
    has("sched_queue_pending{queue=\"gpu\",scheduler=\"slurm\",status=\"Priority\"} 3");
    has(
        "slurm_job_gpus{partition=\"gpu\",slurm_job_id=\"15\",state=\"RUNNING\",user=\"root\"} 0.5",
    );
    has("slurm_job_device_info{gpu=\"3\",node=\"vm\",sharing=\"shard\",slurm_job_id=\"16\"} 1");
    has("gpu_node_capacity{node=\"vm\",resource=\"gpu\"} 4");
}

#[tokio::test]
async fn a_controller_that_does_not_answer_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let squeue = program(folder.path(), "squeue", "exec sleep 60");
    let mut settings = SlurmOptions::default().validate().unwrap();
    settings.timeout = Duration::from_millis(100);
    let error = SlurmQueueCollector::new(&settings, squeue, None).collect(0).await.unwrap_err();
    assert_eq!(error.fault.code, FaultCode::Timeout);
    let squeue = program(folder.path(), "old", "echo 'JOBID NAME'");
    settings.timeout = Duration::from_secs(30);
    let error = SlurmQueueCollector::new(&settings, squeue, None).collect(0).await.unwrap_err();
    assert_eq!(error.state, SourceState::Unsupported);
}

#[tokio::test]
async fn jobs_on_this_node_hold_devices_by_uuid() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let settings = SlurmOptions::default().validate().unwrap();
    let mut collector = SlurmJobsCollector::new(&settings, root.path(), "n1");
    assert_eq!(collector.collect(0).await.unwrap_err().state, SourceState::Absent);
    write("sys/fs/cgroup/system.slice/slurmstepd.scope/job_5/step_0/cgroup.procs", "70\n");
    write("proc/70/environ", "SLURM_JOB_ID=5\0SLURM_JOB_NAME=train\0SLURM_JOB_GPUS=1\0");
    let uuid = "GPU-11111111-2222-3333-4444-555555555555";
    write(
        "proc/driver/nvidia/gpus/0000:41:00.0/information",
        &format!("GPU UUID: {uuid}\nDevice Minor: 1\n"),
    );
    let found = lines(&collector.collect(0).await.unwrap());
    let expected = [
        format!(
            "gpu_allocation_info{{confidence=\"medium\",device=\"1\",gpu_uuid=\"{uuid}\",\
             job=\"5\",method=\"slurm\",node=\"n1\",sharing=\"exclusive\",slurm_job_id=\"5\"}} 1"
        ),
        format!(
            "gpu_owner_info{{gpu_uuid=\"{uuid}\",job=\"5\",node=\"n1\",workload=\"train\",\
             workload_kind=\"SlurmJob\"}} 1"
        ),
        "slurm_job_process_info{node=\"n1\",pid=\"70\",slurm_job_id=\"5\"} 1".to_owned(),
    ];
    assert_eq!(found, expected);
    assert!(may_ask_queue(root.path()));
    write("proc/70/comm", "slurmd\n");
    assert!(!may_ask_queue(root.path()), "a thousand agents do not ask the controller");
    write("proc/71/comm", "slurmctld\n");
    assert!(may_ask_queue(root.path()));
}
