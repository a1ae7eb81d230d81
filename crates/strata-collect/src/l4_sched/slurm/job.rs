//! A job of Slurm, from `squeue --json` or from the text of `scontrol show job`.

use serde_json::Value as Json;

use super::gres::{self, NodeDevices, Parts};

/// A job. What is not known is empty or `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) account: String,
    pub(super) partition: String,
    pub(super) qos: String,
    /// As Slurm writes it: `RUNNING`, `PENDING`.
    pub(super) state: String,
    pub(super) reason: String,
    /// The nodes in Slurm's own short form.
    pub(super) nodes: String,
    /// GPUs that it holds, or asks for while it waits, all tasks of a waiting array together.
    pub(super) gpus: Option<f64>,
    /// Parts of GPUs likewise, in units of the node that gives them.
    pub(super) parts: Parts,
    /// Jobs that this line stands for: the tasks of an array that still wait, else one.
    pub(super) tasks: f64,
    /// Which GPUs it holds, by node.
    pub(super) devices: Vec<NodeDevices>,
    /// Seconds since the Unix epoch.
    pub(super) submitted: Option<f64>,
}

impl Job {
    pub(super) fn is_pending(&self) -> bool {
        self.state == "PENDING"
    }

    /// It holds its nodes.
    pub(super) fn holds(&self) -> bool {
        matches!(&*self.state, "RUNNING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "SIGNALING")
    }
}

/// Why an answer is not understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobsError {
    #[error("squeue did not write JSON")]
    Json(#[source] serde_json::Error),
    #[error("squeue's JSON has no jobs")]
    Jobs,
}

/// All jobs of `squeue --json`, of any version of its format since 21.08.
pub(super) fn of_json(output: &[u8]) -> Result<Vec<Job>, JobsError> {
    let document: Json = serde_json::from_slice(output).map_err(JobsError::Json)?;
    let jobs = document["jobs"].as_array().ok_or(JobsError::Jobs)?;
    Ok(jobs.iter().map(read).collect())
}

fn read(job: &Json) -> Job {
    let text = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
    // A list of flags since 23.11, the first of which is the state; one word before.
    let state = match &job["job_state"] {
        Json::Array(words) => words.first().and_then(Json::as_str).unwrap_or_default().to_owned(),
        word => word.as_str().unwrap_or_default().to_owned(),
    };
    let nodes = text("nodes");
    let amount = gres::of_tres(&text("tres_alloc_str"))
        .or_else(|| gres::of_tres(&text("tres_req_str")))
        .or_else(|| {
            let per_node = gres::of_gres(&text("tres_per_node"))?;
            Some(per_node * number(&job["node_count"]).unwrap_or(1.0))
        });
    let details = job["gres_detail"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let names = gres::expand(&nodes);
    let devices = names.into_iter().zip(details);
    let devices = devices.filter_map(|(node, detail)| NodeDevices::read(node, detail));
    let tasks = gres::tasks(&text("array_task_string"));
    Job {
        id: id(job),
        name: text("name"),
        user: text("user_name"),
        account: text("account"),
        partition: text("partition"),
        qos: text("qos"),
        reason: none_is_empty(&text("state_reason")),
        gpus: amount.map(|gpus| gpus * tasks),
        parts: Parts::read(&text("tres_per_node")),
        tasks,
        devices: devices.collect(),
        submitted: number(&job["submit_time"]).filter(|time| *time > 0.0),
        nodes,
        state,
    }
}

/// `12`, or `10_3` for a task of an array.
fn id(job: &Json) -> String {
    let array = number(&job["array_job_id"]).filter(|id| *id > 0.0);
    match (array, number(&job["array_task_id"])) {
        (Some(array), Some(task)) => format!("{array}_{task}"),
        _ => number(&job["job_id"]).map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// A plain number, or since 23.02 one with flags: `{"set":true,"infinite":false,"number":5}`.
fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Object(flagged) => {
            let is = |flag: &str| flagged.get(flag).and_then(Json::as_bool).unwrap_or(false);
            let number = flagged.get("number")?.as_f64()?;
            (is("set") && !is("infinite")).then_some(number)
        }
        plain => plain.as_f64(),
    }
}

fn none_is_empty(text: &str) -> String {
    let none = matches!(text, "None" | "(null)" | "N/A" | "n/a");
    if none { String::new() } else { text.to_owned() }
}

/// All jobs of `scontrol show job --oneliner --details`, one a line.
pub(super) fn of_text(output: &str) -> Vec<Job> {
    output.lines().filter(|line| line.contains("JobId=")).map(read_line).collect()
}

fn read_line(line: &str) -> Job {
    let fields = fields(line);
    let field = |key: &str| {
        let value = fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value.trim());
        none_is_empty(value.unwrap_or_default())
    };
    let seconds = |key: &str| field(key).parse::<f64>().ok();
    let (array, task) = (field("ArrayJobId"), field("ArrayTaskId"));
    let user = field("UserId");
    let amount = ["AllocTRES", "TRES", "ReqTRES"]
        .into_iter()
        .find_map(|key| gres::of_tres(&field(key)))
        .or_else(|| {
            let per_node = gres::of_gres(&field("TresPerNode"))?;
            let nodes = field("NumNodes");
            let nodes = nodes.split('-').next().and_then(|count| count.parse().ok());
            Some(per_node * nodes.unwrap_or(1.0))
        });
    let mut devices = Vec::new();
    let mut on = Vec::new();
    for (key, value) in &fields {
        match *key {
            "Nodes" => on = gres::expand(value.trim()),
            "GRES" => devices
                .extend(on.iter().filter_map(|node| NodeDevices::read(node.clone(), value.trim()))),
            _ => {}
        }
    }
    let (id, tasks) = match task.parse::<u32>() {
        Ok(task) => (format!("{array}_{task}"), 1.0),
        // An array of which nothing runs yet: "1-3%1".
        Err(_list) => (field("JobId"), gres::tasks(&task)),
    };
    Job {
        id,
        parts: Parts::read(&field("TresPerNode")),
        tasks,
        name: field("JobName"),
        user: user.split('(').next().unwrap_or_default().to_owned(),
        account: field("Account"),
        partition: field("Partition"),
        qos: field("QOS"),
        state: field("JobState"),
        reason: field("Reason"),
        nodes: field("NodeList"),
        gpus: amount.map(|gpus| gpus * tasks),
        devices,
        submitted: seconds("SubmitTime"),
    }
}

/// `Key=value` words; a word without `=` belongs to the value before it (job names have spaces).
pub(super) fn fields(line: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for word in line.split_whitespace() {
        let begins = |key: &str| {
            key.starts_with(|first: char| first.is_ascii_uppercase())
                && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | ':'))
        };
        match word.split_once('=') {
            Some((key, value)) if begins(key) => fields.push((key, value.to_owned())),
            _ => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(word);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = include_str!("../../../tests/fixtures/slurm/scontrol-job.txt");

    #[test]
    fn a_captured_text_is_read() {
        let jobs = of_text(TEXT);
        let short = |job: &Job| {
            (job.id.clone(), job.user.clone(), job.state.clone(), job.gpus, job.nodes.clone())
        };
        let expected = |id: &str, state: &str, gpus: f64| {
            (id.to_owned(), "root".to_owned(), state.to_owned(), Some(gpus), "vm".to_owned())
        };
        let found: Vec<_> = jobs.iter().map(short).collect();
        assert_eq!(found, [expected("1", "COMPLETED", 1.0), expected("2", "RUNNING", 2.0)]);
        assert_eq!((&*jobs[1].reason, &*jobs[1].account, &*jobs[1].partition), ("", "", "debug"));
        assert_eq!(jobs[1].submitted, None, "a time without a zone is no moment");
        assert!(jobs[1].holds() && !jobs[0].holds());
    }

    const SHARED: &str = include_str!("../../../tests/fixtures/slurm/scontrol-job-shards.txt");
    const SHARED_JSON: &[u8] =
        include_bytes!("../../../tests/fixtures/slurm/squeue-shards-v22.05.8.json");

    #[test]
    fn arrays_and_parts_of_gpus_are_read_alike_from_json_and_text() {
        let short = |job: &Job| {
            let sharing = job.devices.first().map_or("", |one| one.sharing);
            (job.id.clone(), job.state.clone(), job.gpus, job.tasks, job.parts, sharing)
        };
        let line = |id: &str, state: &str, gpus, tasks, parts: &str, sharing| {
            (id.to_owned(), state.to_owned(), gpus, tasks, Parts::read(parts), sharing)
        };
        let expected = [
            line("13", "RUNNING", Some(1.0), 1.0, "", "exclusive"),
            line("14", "RUNNING", Some(2.0), 1.0, "", "exclusive"),
            line("15", "RUNNING", None, 1.0, "shard:2", "shard"),
            line("16", "RUNNING", None, 1.0, "shard:1", "shard"),
            line("17", "PENDING", Some(4.0), 1.0, "", ""),
            line("18", "PENDING", Some(3.0), 3.0, "", ""),
        ];
        let text: Vec<_> = of_text(SHARED).iter().map(short).collect();
        assert_eq!(text, expected);
        let json: Vec<_> = of_json(SHARED_JSON).unwrap().iter().map(short).collect();
        assert_eq!(json, expected);
    }

    #[test]
    fn details_name_the_devices_of_each_node() {
        let line = "JobId=7 ArrayJobId=5 ArrayTaskId=2 JobName=my job=1 UserId=anna(1000) \
            JobState=RUNNING SubmitTime=1795345322 NumNodes=3 AllocTRES=cpu=1,gres/gpu=6 \
            Nodes=n[1-2] CPU_IDs=0 Mem=0 GRES=gpu:h100:2(IDX:0-1) Nodes=n3 GRES=gpu:2(IDX:1,3) \
            Power=";
        let job = &of_text(line)[0];
        assert_eq!((&*job.id, &*job.name, job.gpus), ("5_2", "my job=1", Some(6.0)));
        assert_eq!(job.submitted, Some(1_795_345_322.0));
        let devices = job.devices.iter().map(|one| (&*one.node, &*one.indices));
        let devices: Vec<(&str, &[u32])> = devices.collect();
        let expected: [(&str, &[u32]); 3] = [("n1", &[0, 1]), ("n2", &[0, 1]), ("n3", &[1, 3])];
        assert_eq!(devices, expected);
    }

    #[test]
    fn every_format_of_the_json_is_read() {
        let check = |job: &str, expected: (&str, &str, Option<f64>, Option<f64>)| {
            let document = format!("{{\"jobs\":[{job}]}}");
            let found = of_json(document.as_bytes()).unwrap();
            let job = &found[0];
            assert_eq!((&*job.id, &*job.state, job.gpus, job.submitted), expected, "{document}");
        };
        // 21.08 to 22.05.
        check(
            r#"{"job_id":2,"array_job_id":0,"array_task_id":null,"job_state":"RUNNING",
               "tres_alloc_str":"cpu=1,node=1","tres_per_node":"gres:gpu:2","node_count":1,
               "submit_time":1795345322}"#,
            ("2", "RUNNING", Some(2.0), Some(1_795_345_322.0)),
        );
        // Since 23.11.
        check(
            r#"{"job_id":9,"array_job_id":{"set":true,"infinite":false,"number":8},
               "array_task_id":{"set":true,"infinite":false,"number":1},
               "job_state":["PENDING","REQUEUED"],"tres_alloc_str":"",
               "tres_req_str":"cpu=8,gres/gpu=4,gres/gpu:h100=4",
               "submit_time":{"set":true,"infinite":false,"number":5}}"#,
            ("8_1", "PENDING", Some(4.0), Some(5.0)),
        );
        check(
            r#"{"job_id":9,"job_state":[],"submit_time":{"set":false,"number":5}}"#,
            ("9", "", None, None),
        );
        let document = r#"{"jobs":[{"job_id":1,"nodes":"a[1-2]",
            "gres_detail":["gpu:2(IDX:0-1)","gpu:1(IDX:3)"]}]}"#;
        let devices = &of_json(document.as_bytes()).unwrap()[0].devices;
        assert_eq!((&*devices[1].node, &*devices[1].indices), ("a2", &[3][..]));
        assert!(matches!(of_json(b"squeue: error"), Err(JobsError::Json(_))));
        assert!(matches!(of_json(b"{}"), Err(JobsError::Jobs)));
    }

    proptest! {
        #[test]
        fn any_output_is_survived(text: String, json: Vec<u8>) {
            drop((of_text(&format!("JobId={text}")), of_json(&json)));
        }
    }
}
