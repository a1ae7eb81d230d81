//! What can be said on the command line. Flags are for what needs a restart; the rest is in the
//! configuration file.

mod content;
mod cost;
mod records;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use content::{ContentCommand, ContentPlace, ExportArgs, ExportCommand, ForgetArgs};
pub(crate) use cost::{
    CostArgs, CostBreakeven, CostCalls, CostCommand, CostRange, CustomerArgs, StatementCommand,
};
pub(crate) use records::{
    CompareArgs, RequestLengths, RequestList, RequestParts, RequestShow, RequestsArgs,
    RequestsCommand, SqlArgs,
};

/// Follows AI infrastructure from GPU to token.
///
/// `strata run` needs no configuration: it collects this host, finds inference engines and
/// exporters that listen on it, stores under a local directory and answers on
/// <http://127.0.0.1:4808>. Nothing leaves this machine.
#[derive(Debug, Parser)]
#[command(name = "strata", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON for scripts instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Collect, store and serve, in the foreground until interrupted.
    Run(RunArgs),
    /// Pass GenAI calls on to a server and measure them; all that `run` does besides.
    Proxy(ProxyArgs),
    /// Serve on top of a metrics engine that runs already, and store nothing.
    Serve(ServeArgs),
    /// Show everything on a simulated cluster: no GPU, nothing of this host is read.
    Demo(DemoArgs),
    /// Ask a running strata (or any Prometheus) a question in PromQL.
    Query(QueryArgs),
    /// Show the eight layers on this terminal, live: the pages of a running strata.
    Top(TopArgs),
    /// Show what was spent on whom, by state and token class; why it changed; export it.
    Cost(CostArgs),
    /// Say who holds each GPU and whether they use it, or who holds most.
    Who(WhoArgs),
    /// Single requests to models, the slowest first.
    Requests(RequestsArgs),
    /// Two models side by side, by what their users got: can we move from one to the other?
    Compare(CompareArgs),
    /// Ask the records of requests, spans and feedback in SQL.
    Sql(SqlArgs),
    /// Write captured calls that were judged as JSONL to train on. Only routes with `capture` have any.
    #[command(subcommand)]
    Export(ExportCommand),
    /// Look after captured content: what is kept, and forgetting it.
    #[command(subcommand)]
    Content(ContentCommand),
    /// List every source of data: its state, last success, samples, faults, and what to do.
    Sources(ServerArgs),
    /// Validate the configuration, then try every connection it names.
    Check(CheckArgs),
    /// Look after the embedded store.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Write the generated reference pages to a directory.
    Docs(DocsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Configuration file; `strata.toml` in the working directory is used when there is one.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where data is stored [default: strata-data in the working directory].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address to serve on [default: 127.0.0.1:4808].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Root of the host's file system, when strata runs in a container.
    #[arg(long, value_name = "DIR")]
    pub(crate) host_root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Server that answers, for example `http://127.0.0.1:8000`; several share the load. Those of the
    /// configuration when left out.
    #[arg(long, value_name = "URL")]
    pub(crate) to: Vec<String>,
    /// Address at which calls are taken [default: 127.0.0.1:4809].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) proxy_listen: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Nodes of the cluster.
    #[arg(long, value_name = "COUNT", default_value_t = 2, conflicts_with = "gpus")]
    pub(crate) nodes: usize,
    /// GPUs of each node.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    pub(crate) gpus_per_node: usize,
    /// GPUs of the whole cluster, instead of nodes.
    #[arg(long, value_name = "COUNT")]
    pub(crate) gpus: Option<usize>,
    /// Which of many such clusters: the same seed lives through the same events.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// What happens: the name of a built-in scenario or a TOML file.
    #[arg(long, value_name = "NAME|FILE", default_value = "calm-day")]
    pub(crate) scenario: String,
    /// List the built-in scenarios and what a scenario can change, and end.
    #[arg(long)]
    pub(crate) list: bool,
    /// Time the cluster has lived through when the first page is shown.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) history: String,
    /// Replay recorded requests: a CSV with TIMESTAMP,ContextTokens,GeneratedTokens.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Address to serve on [default: 127.0.0.1:4808].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Where data is stored [default: a temporary directory, removed at the end].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Page to begin with: overview, gpus, communication, hosts, scheduling, training, engines,
    /// requests, cost, doctor, explore or topology.
    #[arg(long, value_name = "NAME", default_value = "overview")]
    pub(crate) page: String,
    /// The one thing the page is about, by its id (`gpu:GPU-5f3a`, `node:host-1`).
    #[arg(long, value_name = "ID")]
    pub(crate) entity: Option<String>,
    /// Range of time until now.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) since: String,
    /// A question for the explore page, in PromQL or as --lang says.
    #[arg(long, value_name = "QUERY")]
    pub(crate) query: Option<String>,
    /// Language of --query: promql (the default), or sql over records.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) lang: Option<String>,
    /// Side of the page of requests: now (the default), slowest, lengths or compare.
    #[arg(long, value_name = "NAME")]
    pub(crate) view: Option<String>,
    /// What --entity is compared with (`model:NAME`).
    #[arg(long, value_name = "ID")]
    pub(crate) against: Option<String>,
    /// Print the page once as text and end; --json prints it as data.
    #[arg(long)]
    pub(crate) once: bool,
    /// Show what is folded too, as the signals on the doctor page that are ok; --json always does.
    #[arg(long)]
    pub(crate) all: bool,
    /// Columns of --once [default: those of the terminal, 80 without one].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub(crate) width: Option<u16>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WhoArgs {
    /// Add up by team, namespace, model or workload, the most first.
    #[arg(long, value_name = "WHAT")]
    pub(crate) by: Option<crate::command::who::By>,
    /// Answer the four questions at once, as the scheduling page does: who uses which GPU, which
    /// namespace uses most, which team costs most, which model holds most memory.
    #[arg(long, conflicts_with_all = ["by", "gpu", "node"])]
    pub(crate) all: bool,
    /// Only devices whose UUID contains this.
    #[arg(long, value_name = "UUID")]
    pub(crate) gpu: Option<String>,
    /// Only devices of this node.
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Base address of a Prometheus, VictoriaMetrics, Mimir or Thanos, path prefix included
    /// [default: `url` of the section `metrics` in the configuration].
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<String>,
    /// Configuration file; `strata.toml` in the working directory is used when there is one.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to serve on [default: 127.0.0.1:4808].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The strata to ask.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4808")]
    pub(crate) url: String,
    /// File with the bearer token, when the server wants one.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The PromQL expression; canonical names and names as scraped both work.
    pub(crate) expression: String,
    /// Evaluate at this time (RFC 3339 or Unix seconds) instead of now.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "step"])]
    pub(crate) time: Option<String>,
    /// Evaluate over this long until now (`30m`), at every step.
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
    /// Step of a range query.
    #[arg(long, value_name = "DURATION", requires = "since")]
    pub(crate) step: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configuration file; `strata.toml` in the working directory is used when there is one.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Only validate, connect to nothing.
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read every file of a stopped store back and name what is damaged.
    Verify(DataArgs),
    /// Copy a store to a new directory, while it runs or not, and verify the copy.
    Backup(BackupArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The directory to make; it must not exist yet.
    #[arg(value_name = "DEST")]
    pub(crate) to: PathBuf,
    /// The data directory to copy.
    #[arg(long, value_name = "DIR", default_value = "strata-data")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The data directory.
    #[arg(value_name = "DIR", default_value = "strata-data")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DocsArgs {
    /// Directory to write to.
    #[arg(default_value = "docs/reference")]
    pub(crate) dir: PathBuf,
}
