//! What the commands over captured content take: `strata export` and `strata content`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::export::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum ExportCommand {
    /// Conversations whose answers were judged good, for supervised fine-tuning.
    Sft(ExportArgs),
    /// Pairs of answers to one prompt, the liked and the disliked, for preference tuning.
    Dpo(ExportArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContentCommand {
    /// What is kept of which route, since when, for how long, and what is not.
    Status(ContentPlace),
    /// Delete calls for good, while strata runs or not. Say which: conditions are met all at once.
    Forget(ForgetArgs),
}

/// Where captured content lies.
#[derive(Debug, Args)]
pub(crate) struct ContentPlace {
    /// The data directory.
    #[arg(long, value_name = "DIR", default_value = "strata-data")]
    pub(crate) data_dir: PathBuf,
    /// The directory of captured content [default: content in the data directory].
    #[arg(long, value_name = "DIR")]
    pub(crate) content_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The call with this id: of its record, its answer, its `x-request-id` or its trace.
    #[arg(long, value_name = "ID", required_unless_present_any = ["conversation", "tenant", "route"])]
    pub(crate) request: Option<String>,
    /// Calls of this conversation.
    #[arg(long, value_name = "ID")]
    pub(crate) conversation: Option<String>,
    /// Calls of this tenant.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Calls of this route.
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,
    #[command(flatten)]
    pub(crate) place: ContentPlace,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Calls that began within this long until now.
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    pub(crate) since: String,
    /// Calls that began before this: RFC 3339 or Unix seconds [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only calls to this model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Only calls of this tenant.
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Only calls of this app.
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    /// Only calls of this team.
    #[arg(long, value_name = "NAME")]
    pub(crate) team: Option<String>,
    /// Only calls on this route of the proxy.
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,
    /// Only judgements of this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only judgements of human, implicit or model.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<String>,
    /// A score of at least this is good, one below is bad. Without it 1 and labels such as `thumbs_up`
    /// are good, 0, -1 and labels such as `thumbs_down` bad; other scores say nothing.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub(crate) min_value: Option<f64>,
    /// A score of at most this is bad; between the two it says nothing.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub(crate) max_value: Option<f64>,
    /// A label that is good; others are bad. May be repeated.
    #[arg(long, value_name = "LABEL", conflicts_with_all = ["min_value", "max_value"])]
    pub(crate) label: Vec<String>,
    /// A label that is bad; labels that are neither say nothing then. May be repeated.
    #[arg(long, value_name = "LABEL", conflicts_with_all = ["min_value", "max_value"])]
    pub(crate) bad_label: Vec<String>,
    /// A score of which less is better, such as `hallucination`; may be repeated.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["min_value", "max_value"])]
    pub(crate) less_is_better: Vec<String>,
    /// Shape of the lines.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Keep what the model thought, as `reasoning_content` of its answers.
    #[arg(long)]
    pub(crate) reasoning: bool,
    /// Write to this new file, which only this user can read, instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: ContentPlace,
}
