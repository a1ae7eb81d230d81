//! `strata store`: looking after the files.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use strata_store::{MetricStore, VerifyReport};

use crate::cli::{BackupArgs, DataArgs};
use crate::out::{Out, Told};

/// Read everything back and name what is damaged.
pub(crate) fn verify(arguments: &DataArgs, out: Out) -> Result<()> {
    tell(&arguments.dir, &examine(&arguments.dir)?, out)
}

/// Copy a store, and read the copy back.
pub(crate) fn backup(arguments: &BackupArgs, out: Out) -> Result<()> {
    let (from, to) = (&arguments.data_dir, &arguments.to);
    if !from.is_dir() {
        bail!("{} is no directory: name the store with --data-dir", from.display());
    }
    MetricStore::backup_of(from, to)?;
    match examine(to) {
        Ok(report) => tell(to, &report, out),
        Err(error) => {
            // A copy of nothing is no backup to find on a bad day.
            std::fs::remove_dir_all(to)?;
            Err(error.context(format!("{} was not backed up", from.display())))
        }
    }
}

fn examine(dir: &Path) -> Result<VerifyReport> {
    let report = MetricStore::verify(dir)?;
    if report.files == 0 {
        bail!("{} holds no file of a store: is it the right directory?", dir.display());
    }
    Ok(report)
}

fn tell(dir: &Path, report: &VerifyReport, out: Out) -> Result<()> {
    if out.json {
        let damage = report.damage.iter();
        let damage =
            damage.map(|(file, what)| json!({ "file": file, "what": what })).collect::<Vec<_>>();
        out.document(&json!({
            "dir": dir,
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
            dir.display(),
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
