//! `strata export`: captured calls that were judged, as lines to train on.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use strata_model::Clock;
use strata_model::record::FeedbackSource;
use strata_model::text::parse_duration;
use strata_serve::params::parse_time;

use super::content::dir_of;
use crate::cli::{ExportArgs, ExportCommand};
use crate::clock::SystemClock;
use crate::config::RECORDS_DIR;
use crate::export::{Asked, Chosen, Shelves, Tally, Terms};
use crate::out::{Out, complain};

/// Do what is asked. Blocks on the disk.
pub(crate) fn run(command: ExportCommand, out: Out) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (pairs, arguments) = match command {
        ExportCommand::Sft(arguments) => (false, arguments),
        ExportCommand::Dpo(arguments) => (true, arguments),
    };
    let asked = asked(&arguments, &*clock)?;
    let records = arguments.place.data_dir.join(RECORDS_DIR);
    let shelves = Shelves::open(&dir_of(&arguments.place), &records, clock)?;
    let export = |write: &mut dyn FnMut(&Value) -> Result<()>| {
        if pairs { shelves.dpo(&asked, write) } else { shelves.sft(&asked, write) }
    };
    let tally = match &arguments.out {
        None => export(&mut |line| Ok(out.line(line)?))?,
        Some(path) => to_file(path, export)?,
    };
    tell(&tally, if pairs { "pairs" } else { "conversations" });
    Ok(())
}

fn to_file(
    path: &Path,
    export: impl FnOnce(&mut dyn FnMut(&Value) -> Result<()>) -> Result<Tally>,
) -> Result<Tally> {
    let fail = || format!("cannot write {}", path.display());
    if path.exists() {
        bail!("{} is there already", path.display());
    }
    // A file that was cut off in the middle must not look whole.
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(partial);
    let file = file.with_context(|| format!("cannot make {}", partial.display()))?;
    let mut file = BufWriter::new(file);
    let written = export(&mut |line| writeln!(file, "{line}").with_context(fail));
    let written = written.and_then(|tally| {
        file.flush().with_context(fail)?;
        file.get_ref().sync_all().with_context(fail)?;
        std::fs::rename(partial, path).with_context(fail)?;
        Ok(tally)
    });
    if written.is_err() {
        drop(std::fs::remove_file(partial));
    }
    written
}

fn asked(arguments: &ExportArgs, clock: &dyn Clock) -> Result<Asked> {
    let until_ms = match &arguments.until {
        // What began in this very millisecond is past too.
        None => clock.now_ms().saturating_add(1),
        Some(until) => parse_time(until).map_err(|error| anyhow!("--until: {error}"))?,
    };
    let since = parse_duration(&arguments.since).map_err(|error| anyhow!("--since: {error}"))?;
    let since_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let start_us = until_ms.saturating_sub(since_ms).saturating_mul(1_000);
    let source = arguments.source.as_ref().map(|name| {
        let known = FeedbackSource::from_name(name);
        known.ok_or_else(|| anyhow!("--source: {name:?} is not human, implicit or model"))
    });
    if let (Some(least), Some(most)) = (arguments.min_value, arguments.max_value)
        && most >= least
    {
        bail!("--max-value {most}: must be below --min-value {least}, or a score is good and bad");
    }
    Ok(Asked {
        range_us: start_us..until_ms.saturating_mul(1_000),
        chosen: Chosen {
            route: arguments.route.clone(),
            tenant: arguments.tenant.clone(),
            model: arguments.model.clone(),
            app: arguments.app.clone(),
            team: arguments.team.clone(),
            ..Chosen::default()
        },
        terms: Terms {
            name: arguments.name.clone(),
            source: source.transpose()?,
            min_value: arguments.min_value,
            max_value: arguments.max_value,
            labels: arguments.label.clone(),
            bad_labels: arguments.bad_label.clone(),
            less_is_better: arguments.less_is_better.clone(),
        },
        format: arguments.format,
        reasoning: arguments.reasoning,
    })
}

/// What came of it, on standard error: the lines are somebody's file.
fn tell(tally: &Tally, what: &str) {
    complain(format!("{} {what} from {} captured calls", tally.written, tally.read));
    let left_out = [
        (tally.not_chosen, "not asked for"),
        (tally.unjudged, "that nobody judged in these terms"),
        (tally.otherwise, "judged otherwise, or without a partner"),
        (tally.disputed, "judged good and bad"),
        (tally.repeated, "the same as another"),
    ];
    let unfit = tally.unfit.iter().map(|(why, count)| (*count, why.words()));
    for (count, why) in left_out.into_iter().chain(unfit).filter(|(count, _)| *count > 0) {
        complain(format!("  left out: {count} {why}"));
    }
    for (reason, count) in &tally.gaps {
        complain(format!("  never kept: {count} calls ({reason})"));
    }
    if tally.torn > 0 {
        complain(format!("  {} segments have an end that cannot be read", tally.torn));
    }
}
