//! `strata who`: who holds each GPU, whether they use it, and who holds most.

mod all;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value as Json, json};
use strata_model::Labels;
use strata_world::who::{self, Answers, Gpu, Group, Holder, Row, ShareAnswers};

use crate::cli::WhoArgs;
use crate::client::Client;
use crate::out::{Out, complain};

/// What is not known, in a table.
const UNKNOWN: &str = "?";

/// What devices are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Team, by the operator's rules; of a Slurm job its account.
    Team,
    /// Namespace of Kubernetes.
    Namespace,
    /// Model that is served or trained.
    Model,
    /// Deployment, job or custom resource at the top of the owners.
    Workload,
}

impl From<By> for who::By {
    fn from(by: By) -> Self {
        match by {
            By::Team => Self::Team,
            By::Namespace => Self::Namespace,
            By::Model => Self::Model,
            By::Workload => Self::Workload,
        }
    }
}

/// Ask everything. What a cluster does not have is an empty answer.
async fn ask(client: &Client) -> Result<Vec<Gpu>> {
    let mut rows = BTreeMap::new();
    for question in who::questions().into_iter().chain(who::share_questions()) {
        rows.insert(question.key, select(client, &question.text).await?);
    }
    let mut of = |key: &str| rows.remove(key).unwrap_or_default();
    let answers = Answers::gather(&mut of);
    Ok(who::read_shares(&answers, &ShareAnswers::gather(of)))
}

async fn select(client: &Client, query: &str) -> Result<Vec<Row>> {
    let answer = client.get("/api/v1/query", &[("query", query.to_owned())]).await?;
    if answer["status"] != "success" {
        let why = answer["error"].as_str().unwrap_or("no reason given");
        bail!("the server refused {query}: {why}");
    }
    let rows = answer["data"]["result"].as_array().context("the answer has no series")?;
    Ok(rows.iter().filter_map(row).collect())
}

fn row(series: &Json) -> Option<Row> {
    let labels = series["metric"].as_object()?.iter();
    let labels = labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let value = series["value"][1].as_str()?.parse().ok()?;
    Some(Row { labels: Labels::from_pairs(labels), value })
}

/// Ask the server and print a table.
pub(crate) async fn run(arguments: WhoArgs, out: Out) -> Result<()> {
    let client = Client::new(&arguments.server)?;
    if arguments.all {
        return all::run(&client, out).await;
    }
    let whole = arguments.gpu.is_none() && arguments.node.is_none();
    let mut gpus = ask(&client).await?;
    if let Some(wanted) = &arguments.gpu {
        gpus.retain(|gpu| gpu.gpu_uuid.contains(wanted.as_str()));
    }
    if let Some(node) = &arguments.node {
        gpus.retain(|gpu| gpu.node == *node);
    }
    if let Some(by) = arguments.by {
        let by_world = who::By::from(by);
        let groups = who::group(&gpus, by_world);
        if out.json {
            return Ok(out.document(&json!({ "by": by_world, "groups": groups }))?);
        }
        return print_groups(by, &groups, out);
    }
    let waiting = if whole { select(&client, &who::waiting()).await? } else { Vec::new() };
    if out.json {
        return Ok(out.document(&document(&gpus, &waiting, whole))?);
    }
    print(&gpus, out)?;
    print_waiting(&waiting, out)
}

/// What is told of the whole also has what waits, empty where nothing does.
fn document(gpus: &[Gpu], waiting: &[Row], whole: bool) -> Json {
    let pods = |row: &Row| {
        json!({ "pods": row.value as u64, "reason": row.get("reason"),
            "resource": row.get("resource") })
    };
    let mut document = json!({ "gpus": gpus });
    if whole {
        document["waiting"] = waiting.iter().map(pods).collect();
    }
    document
}

/// Pods that ask for GPUs and have no node, by why.
fn print_waiting(waiting: &[Row], out: Out) -> Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["pods that wait for GPUs", "why", "missing"].map(str::to_owned).to_vec()];
    rows.extend(waiting.iter().map(|row| {
        let why = strata_view::rooms::waiting_reason(row.get("reason"));
        vec![format!("{:.0}", row.value), why, dash(row.get("resource"))]
    }));
    out.line("")?;
    Ok(out.table(&rows)?)
}

fn print(gpus: &[Gpu], out: Out) -> Result<()> {
    if gpus.is_empty() {
        complain("no GPU is known: strata sources says who was asked");
        return Ok(());
    }
    let header =
        ["node", "gpu", "state", "who", "workload", "team", "model", "memory", "busy", "known by"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for gpu in gpus {
        let holders = gpu.holders.iter().map(|holder| (holder, ""));
        let strangers = gpu.strangers.iter().map(|stranger| (stranger, "not given to: "));
        let mut people: Vec<_> = holders.chain(strangers).collect();
        let nobody = Holder::default();
        if people.is_empty() {
            people.push((&nobody, ""));
        }
        for (index, (person, prefix)) in people.into_iter().enumerate() {
            rows.push(line(gpu, index == 0, person, prefix));
        }
    }
    Ok(out.table(&rows)?)
}

/// A row of a device for one of its people; the device itself is said once.
fn line(gpu: &Gpu, first: bool, person: &Holder, prefix: &str) -> Vec<String> {
    let once = |text: String| if first { text } else { String::new() };
    let number = if gpu.gpu.is_empty() { String::new() } else { format!("{} ", gpu.gpu) };
    let bytes = person.memory_bytes.or(if first { gpu.memory_bytes } else { None });
    let busy =
        gpu.peak_utilization.map_or(UNKNOWN.to_owned(), |peak| format!("{:.0} %", peak * 100.0));
    let known = match (&*person.method, &*person.confidence) {
        ("", _) => String::new(),
        (method, confidence) => format!("{method} ({confidence})"),
    };
    vec![
        once(dash(&gpu.node)),
        once(format!("{number}{}", short(&gpu.gpu_uuid))),
        once(gpu.state.word().to_owned()),
        format!("{prefix}{}", who(person)),
        dash(&person.workload),
        dash(&person.team),
        dash(&person.model),
        bytes.map_or(UNKNOWN.to_owned(), gibibytes),
        once(busy),
        dash(&known),
    ]
}

/// The pod with its container, or the job.
fn who(person: &Holder) -> String {
    if !person.slurm_job_id.is_empty() {
        return format!("job {}", person.slurm_job_id);
    }
    match (&*person.pod, &*person.pod_uid) {
        ("", "") if person.memory_bytes.is_some() => "a process in no pod".to_owned(),
        ("", "") => "-".to_owned(),
        ("", uid) => format!("pod {uid}"),
        (pod, _) if person.container.is_empty() => format!("{}/{pod}", person.namespace),
        (pod, _) => format!("{}/{pod} ({})", person.namespace, person.container),
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Enough of a UUID to tell devices apart.
fn short(uuid: &str) -> String {
    uuid.chars().take(12).collect()
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn print_groups(by: By, groups: &[Group], out: Out) -> Result<()> {
    if groups.is_empty() {
        complain("nobody is known to hold a GPU: strata sources says who was asked");
        return Ok(());
    }
    let title = match by {
        By::Team => "team",
        By::Namespace => "namespace",
        By::Model => "model",
        By::Workload => "workload",
    };
    let mut rows = vec![[title, "gpus", "idle", "memory"].map(str::to_owned).to_vec()];
    for group in groups {
        let mut memory = group.memory_bytes.map_or(UNKNOWN.to_owned(), gibibytes);
        if group.memory_bytes.is_some() && group.memory_unknown_gpus > 0 {
            memory = format!("{memory} and more");
        }
        let name =
            if group.name.is_empty() { "(not named)".to_owned() } else { group.name.clone() };
        rows.push(vec![name, amount(group.gpus), amount(group.idle_gpus), memory]);
    }
    Ok(out.table(&rows)?)
}

/// Whole devices without a fraction.
fn amount(gpus: f64) -> String {
    if (gpus - gpus.round()).abs() < 1e-6 { format!("{gpus:.0}") } else { format!("{gpus:.2}") }
}
