//! What `strata cost` takes.

use clap::{Args, Subcommand};

use super::ServerArgs;

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
    /// One or two of namespace, pod, team, app, model, tenant, replica, run, node, sku, gpu
    /// [default: namespace,model; namespace with --basis or --idle].
    #[arg(long, value_name = "DIMENSIONS")]
    pub(crate) by: Option<String>,
    /// Charge holders for what they held (reserved or used, whichever is more), requested or used
    /// [default: held with --idle].
    #[arg(long, value_name = "BASIS", value_parser = ["held", "requested", "used"])]
    pub(crate) basis: Option<String>,
    /// Who bears idle time: its owner, all in proportion to what they are charged, or the platform
    /// [default: owner with --basis].
    #[arg(long, value_name = "POLICY", value_parser = ["owner", "proportional", "platform"])]
    pub(crate) idle: Option<String>,
    #[command(flatten)]
    pub(crate) range: CostRange,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CostCommand {
    /// Why this period cost more or less than the one before it, as terms that add up.
    Why(CostRange),
    /// What calls to models cost, by the records of requests: own GPUs and APIs.
    Calls(CostCalls),
    /// The period as rows of FOCUS, the Open Cost and Usage Specification, in CSV.
    Export(CostExport),
    /// From which load on own GPUs are cheaper than an API.
    Breakeven(CostBreakeven),
    /// What would save money, with what it rests on and how to do it.
    Advice(CostRange),
    /// What a GPU hour is in tokens, for each model and kind of GPU, and the tariff beside its cost.
    Tariff(CostRange),
    /// Budgets: what is spent and left, how fast it burns, when it is used up.
    Budgets(ServerArgs),
    /// The price book: every price that is known, with its source, date and confidence.
    Prices(ServerArgs),
    /// Statements: closed once for a period, hashed, never changed.
    Statement(CostStatement),
}

#[derive(Debug, Args)]
pub(crate) struct CostCalls {
    /// One or two of model, tenant, team, app, provider, conversation, session.
    #[arg(long, value_name = "DIMENSIONS", default_value = "model")]
    pub(crate) by: String,
    #[command(flatten)]
    pub(crate) range: CostRange,
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
