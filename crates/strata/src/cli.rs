//! What can be said on the command line. Flags are for what needs a restart; the rest is in the
//! configuration file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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

/// A period until now, of a server.
#[derive(Debug, Args)]
pub(crate) struct CostRange {
    /// Length of the period until now.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) since: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = crate::command::cost::EXAMPLES)]
pub(crate) struct CostArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CostCommand>,
    /// One or two of namespace, pod, team, app, model, tenant, replica, node, sku, gpu.
    #[arg(long, value_name = "DIMENSIONS", default_value = "namespace,model")]
    pub(crate) by: String,
    #[command(flatten)]
    pub(crate) range: CostRange,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CostCommand {
    /// Why this period cost more or less than the one before it, as terms that add up.
    Why(CostRange),
    /// The period as rows of FOCUS, the Open Cost and Usage Specification, in CSV.
    Export(CostExport),
    /// From which load on own GPUs are cheaper than an API.
    Breakeven(CostBreakeven),
    /// What would save money, with what it rests on and how to do it.
    Advice(CostRange),
    /// The price book: every price that is known, with its source, date and confidence.
    Prices(ServerArgs),
    /// Statements: closed once for a period, hashed, never changed.
    Statement(CostStatement),
}

#[derive(Debug, Args)]
pub(crate) struct CostBreakeven {
    /// Only this model.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// A model of the price map that `api_prices` under `[cost]` names.
    #[arg(long, value_name = "MODEL")]
    pub(crate) against: Option<String>,
    /// Price of a million prompt tokens, instead of a model of the map.
    #[arg(long, value_name = "MONEY", conflicts_with = "against")]
    pub(crate) prompt: Option<f64>,
    /// Price of a million cached prompt tokens [default: that of prompt tokens].
    #[arg(long, value_name = "MONEY", requires = "prompt")]
    pub(crate) cached: Option<f64>,
    /// Price of a million generated tokens.
    #[arg(long, value_name = "MONEY", conflicts_with = "against")]
    pub(crate) generated: Option<f64>,
    #[command(flatten)]
    pub(crate) range: CostRange,
}

#[derive(Debug, Args)]
pub(crate) struct CostStatement {
    #[command(subcommand)]
    pub(crate) command: StatementCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StatementCommand {
    /// Close the next statement of a customer, for good.
    Close(StatementClose),
    /// Statements that are closed.
    List(StatementList),
    /// One closed statement, checked against its hash.
    Show(StatementShow),
}

/// Whose statement.
#[derive(Debug, Args)]
pub(crate) struct CustomerArgs {
    /// Name of the tenant, team or namespace.
    #[arg(long, value_name = "NAME")]
    pub(crate) customer: String,
    /// What the name is of.
    #[arg(long, value_parser = ["tenant", "team", "namespace"], default_value = "tenant")]
    pub(crate) of: String,
}

#[derive(Debug, Args)]
pub(crate) struct StatementClose {
    #[command(flatten)]
    pub(crate) customer: CustomerArgs,
    /// First instant, UTC [default: the end of the statement before, else a month before the end].
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// First instant no longer in it, UTC [default: the beginning of this month].
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Show it and close nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Close it though some of it had to be assumed: the draft and the statement say what.
    #[arg(long)]
    pub(crate) accept_assumed: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatementList {
    /// Only of this customer.
    #[arg(long, value_name = "NAME")]
    pub(crate) customer: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatementShow {
    #[command(flatten)]
    pub(crate) customer: CustomerArgs,
    /// Number [default: the last one].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) number: Option<u64>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CostExport {
    /// The format.
    #[arg(value_parser = ["focus"], default_value = "focus")]
    pub(crate) format: String,
    #[command(flatten)]
    pub(crate) range: CostRange,
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

/// What `strata requests` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RequestsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<RequestsCommand>,
    #[command(flatten)]
    pub(crate) list: RequestList,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RequestsCommand {
    /// One request: where its time went, where it was served, who else was.
    Show(RequestShow),
    /// How long inputs and outputs are, together; and what follows for prefill and decode.
    Lengths(RequestLengths),
    /// What the time of requests is made of, and the slowest by the part that rules them.
    Parts(RequestParts),
}

#[derive(Debug, Args)]
pub(crate) struct RequestShow {
    /// Its number, as the list has it.
    pub(crate) id: String,
    /// Columns [default: those of the terminal, 80 without one].
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub(crate) width: Option<u16>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RequestLengths {
    /// Requests that began within this long until now.
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) since: String,
    /// A condition, such as `model=llama`; may be repeated.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<String>,
    /// Tell groups apart by this.
    #[arg(long, value_parser = crate::records::BY, default_value = "app")]
    pub(crate) by: String,
    /// Target of the gap between output tokens, milliseconds [default: 50].
    #[arg(long, value_name = "MILLISECONDS")]
    pub(crate) itl_target: Option<f64>,
    /// Requests that one replica decodes at once within the target: the capacity card has it.
    #[arg(long, value_name = "REQUESTS")]
    pub(crate) batch: Option<f64>,
    /// Speed from a prefill to a decode replica, gigabits a second.
    #[arg(long, value_name = "GBPS")]
    pub(crate) transfer_gbps: Option<f64>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RequestParts {
    /// Requests that began within this long until now.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) since: String,
    /// A condition, such as `model=llama` or `outcome!=ok`; may be repeated.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RequestList {
    /// Requests that began within this long until now.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) since: String,
    /// Only requests of this tenant.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Only requests of this team.
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// Only requests to this model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// A condition, such as `outcome!=ok`, `ttft>=500ms`, `trace_id=..`; may be repeated.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) conditions: Vec<String>,
    /// Which come first: slowest, ttft (the slowest first token), newest.
    #[arg(long, value_name = "ORDER", default_value = "slowest")]
    pub(crate) order: String,
    /// Requests at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) limit: u32,
    /// Sums instead of single requests, by tenant, team, app, model, hour; several with commas.
    #[arg(long, value_name = "DIMENSIONS", conflicts_with_all = ["order", "limit"])]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `strata compare` takes.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The model that is there now.
    #[arg(long, value_name = "MODEL")]
    pub(crate) a: String,
    /// The model to move to.
    #[arg(long, value_name = "MODEL")]
    pub(crate) b: String,
    /// Requests that began, and judgements that were given, within this long until now.
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) since: String,
    /// Loss of quality that nobody would mind, as a part of 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) margin: f64,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What `strata sql` takes.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// One SELECT over the tables request, span, feedback and rollup.
    pub(crate) query: String,
    /// Read the days that overlap this long until now; ten days at most.
    #[arg(long, value_name = "DURATION", default_value = "1d")]
    pub(crate) since: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
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
