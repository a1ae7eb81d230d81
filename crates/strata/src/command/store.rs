//! `strata store`: looking after the files.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use strata_store::{MetricStore, RecordStore, RecordsReport, VerifyReport};

use crate::cli::{BackupArgs, DataArgs};
use crate::config::RECORDS_DIR;
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
    let records = from.join(RECORDS_DIR);
    let copied = if records.is_dir() {
        RecordStore::backup_of(&records, &to.join(RECORDS_DIR)).map_err(Into::into)
    } else {
        Ok(())
    };
    match copied.and_then(|()| examine(to)) {
        Ok(report) => tell(to, &report, out),
        Err(error) => {
            // A copy of nothing is no backup to find on a bad day.
            std::fs::remove_dir_all(to)?;
            Err(error.context(format!("{} was not backed up", from.display())))
        }
    }
}

fn examine(dir: &Path) -> Result<(VerifyReport, RecordsReport)> {
    let report = MetricStore::verify(dir)?;
    let records = dir.join(RECORDS_DIR);
    let records =
        if records.is_dir() { RecordStore::verify(&records)? } else { RecordsReport::default() };
    if report.files + records.files == 0 {
        bail!("{} holds no file of a store: is it the right directory?", dir.display());
    }
    Ok((report, records))
}

fn tell(dir: &Path, (report, records): &(VerifyReport, RecordsReport), out: Out) -> Result<()> {
    let damage: Vec<_> = report.damage.iter().chain(&records.damage).collect();
    if out.json {
        let damage = damage.iter();
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
            "records": {
                "files": records.files,
                "requests": records.requests,
                "spans": records.spans,
                "feedback": records.feedback,
            },
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
        if records.files > 0 {
            out.line(format!(
                "records: {} files, {} requests, {} spans, {} judgements",
                records.files, records.requests, records.spans, records.feedback
            ))?;
        }
        for (file, what) in &damage {
            out.line(format!("damaged: {}: {what}", file.display()))?;
        }
    }
    if !damage.is_empty() {
        let pieces = damage.len();
        let plural = if pieces == 1 { " is" } else { "s are" };
        return Err(Told(format!("{pieces} piece{plural} damaged")).into());
    }
    if !out.json {
        out.line("sound")?;
    }
    Ok(())
}
