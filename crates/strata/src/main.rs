//! Stratascope: follows AI infrastructure from GPU to token.
//!
//! The composition root: the only place that reads arguments, environment and exit codes, and that
//! knows all floors of the house.

mod ask;
mod cli;
mod client;
mod clock;
mod command;
mod config;
mod content;
mod export;
mod forward;
mod greeting;
mod kept;
mod ledger;
mod openapi;
mod out;
mod own;
mod page_rules;
mod pages;
mod proxy;
mod records;
mod refusals;
mod remote_pages;
mod scheduling;
mod shares;
mod signals;
mod sql_pages;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command, StoreCommand};
use clock::SystemClock;
use out::{Out, Told, complain};

/// Exit status when a command could not do what it was asked.
const FAILED: u8 = 1;
/// Exit status when the configuration is wrong.
const BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    keep_freed_memory();
    let cli = Cli::parse();
    start_log();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format!("cannot start the runtime: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let out = Out { json: cli.json };
    match runtime.block_on(dispatch(cli, out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, out),
    }
}

/// Bytes of memory that was freed before the allocator gives it back to the system, times two.
const KEEP_BYTES: usize = 16 << 20;

/// Let glibc's allocator keep some megabytes that were freed. A query over a thousand series takes
/// and frees about ten; given back and asked for anew each time, a fifth of the query would be page
/// faults. Freeing a block of its own raises the threshold to twice the size of the block, see
/// mallopt(3) on `M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD`. Other allocators do not mind.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEEP_BYTES)));
}

/// Logs go to standard error; `STRATA_LOG` chooses what (`info`, `strata_store=debug`).
fn start_log() {
    let filter = EnvFilter::builder()
        .with_env_var("STRATA_LOG")
        .try_from_env()
        // Each try of the client of Kubernetes would be an error of its own; `strata sources` has them.
        .unwrap_or_else(|_| EnvFilter::new("warn,kube_client=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(out::is_terminal())
        .init();
}

async fn dispatch(cli: Cli, out: Out) -> Result<()> {
    let clock = SystemClock::new();
    match cli.command {
        Command::Run(arguments) => {
            let (settings, file) = config(arguments.config.as_deref())?;
            command::run::run(settings, file, arguments, out).await
        }
        Command::Proxy(arguments) => {
            let (mut settings, file) = config(arguments.run.config.as_deref())?;
            proxy::apply_flags(&mut settings, &arguments)?;
            command::run::run(settings, file, arguments.run, out).await
        }
        Command::Serve(arguments) => {
            let (settings, file) = config(arguments.config.as_deref())?;
            command::serve::run(settings, file, arguments, out).await
        }
        Command::Demo(arguments) => command::demo::run(arguments, out).await,
        Command::Query(arguments) => command::query::run(arguments, out, &clock).await,
        Command::Top(arguments) => command::top::run(arguments, out).await,
        Command::Requests(arguments) => command::requests::run(arguments, out, &clock).await,
        Command::Compare(arguments) => command::compare::run(&arguments, out, &clock).await,
        Command::Sql(arguments) => command::sql::run(&arguments, out, &clock).await,
        Command::Cost(arguments) => command::cost::run(arguments, out).await,
        Command::Who(arguments) => command::who::run(arguments, out).await,
        Command::Sources(arguments) => command::sources::run(&arguments, out, &clock).await,
        Command::Check(arguments) => {
            let (settings, file) = config(arguments.config.as_deref())?;
            command::check::run(&settings, file.as_deref(), &arguments, out, &clock).await
        }
        Command::Store(StoreCommand::Verify(arguments)) => command::store::verify(&arguments, out),
        Command::Store(StoreCommand::Backup(arguments)) => command::store::backup(&arguments, out),
        Command::Export(command) => command::export::run(command, out),
        Command::Content(command) => command::content::run(command, out),
        Command::Docs(arguments) => command::docs::write(&arguments.dir, out),
    }
}

fn config(file: Option<&Path>) -> Result<(config::Settings, Option<PathBuf>)> {
    Ok(config::load(file)?)
}

/// Say why, with the whole chain of causes, and choose the exit status. Scripts get their one
/// document, unless the command has printed it.
fn report(error: &anyhow::Error, out: Out) -> ExitCode {
    let bad_config = error.downcast_ref::<config::ConfigError>();
    if out.json && !error.is::<Told>() {
        let document = match bad_config {
            Some(bad) => json!({
                "ok": false,
                "code": "bad_config",
                "message": bad.to_string(),
                "file": bad.file,
                "problems": bad.problems,
            }),
            None => json!({ "ok": false, "code": "failed", "message": format!("{error:#}") }),
        };
        // What cannot be printed is said on standard error all the same.
        drop(out.document(&document));
    }
    if let Some(bad) = bad_config {
        complain(format!("error: {bad}"));
        for problem in &bad.problems {
            complain(format!("  {problem}"));
        }
        return ExitCode::from(BAD_CONFIG);
    }
    complain(format!("error: {error:#}"));
    ExitCode::from(FAILED)
}
