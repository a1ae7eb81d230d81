//! What the commands over records of requests take: `strata requests`, `compare` and `sql`.

use clap::{Args, Subcommand};

use super::ServerArgs;

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
    #[arg(long, value_parser = strata_view::rooms::LENGTHS_BY, default_value = "app")]
    pub(crate) by: String,
    /// Target of the gap between output tokens, milliseconds [default: 50].
    #[arg(long, value_name = "MILLISECONDS")]
    pub(crate) itl_target: Option<f64>,
    /// Requests that one replica decodes at once within the target: the capacity card has it.
    #[arg(long, value_name = "REQUESTS")]
    pub(crate) batch: Option<f64>,
    /// Tokens of a step as the engines are set up now (`--max-num-batched-tokens`), for the replay
    /// [default: 8192].
    #[arg(long, value_name = "TOKENS")]
    pub(crate) batched_tokens: Option<f64>,
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
    /// Requests that began, and judgements that were given, within this long until now, or until
    /// `--end`.
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) since: String,
    /// Until when, RFC 3339 or seconds since 1970 [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) end: Option<String>,
    /// Loss of quality that nobody would mind, as a part of 1: 0.001 to 0.5.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) margin: f64,
    /// A score of which less is better, such as `hallucination`; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) less_is_better: Vec<String>,
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
