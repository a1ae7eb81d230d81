//! `strata store`: looking after the files.

use anyhow::{Result, bail};
use serde_json::json;
use strata_store::MetricStore;

use crate::cli::DataArgs;
use crate::out::{Out, Told};

/// Read everything back and name what is damaged.
pub(crate) fn verify(arguments: &DataArgs, out: Out) -> Result<()> {
    let report = MetricStore::verify(&arguments.dir)?;
    if report.files == 0 {
        bail!("{} holds no file of a store: is it the right directory?", arguments.dir.display());
    }
    if out.json {
        let damage = report.damage.iter();
        let damage =
            damage.map(|(file, what)| json!({ "file": file, "what": what })).collect::<Vec<_>>();
        out.document(&json!({
            "dir": arguments.dir,
            "files": report.files,
            "series": report.series,
            "blocks": report.blocks,
            "samples": report.samples,
            "log_samples": report.log_samples,
            "tier_points": report.tier_points,
            "damage": damage,
        }))?;
    } else {
        out.line(format!(
            "{}: {} files, {} series, {} blocks, {} samples, {} samples in the log",
            arguments.dir.display(),
            report.files,
            report.series,
            report.blocks,
            report.samples,
            report.log_samples
        ))?;
        for (file, what) in &report.damage {
            out.line(format!("damaged: {}: {what}", file.display()))?;
        }
    }
    if !report.damage.is_empty() {
        let pieces = report.damage.len();
        let plural = if pieces == 1 { " is" } else { "s are" };
        return Err(Told(format!("{pieces} piece{plural} damaged")).into());
    }
    if !out.json {
        out.line("sound")?;
    }
    Ok(())
}
