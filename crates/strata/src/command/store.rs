//! `strata store`: looking after the files.

use anyhow::{Result, bail};
use strata_store::MetricStore;

use crate::cli::DataArgs;
use crate::out::Out;

/// Read everything back and name what is damaged.
pub(crate) fn verify(arguments: &DataArgs, out: Out) -> Result<()> {
    let report = MetricStore::verify(&arguments.dir)?;
    if out.json {
        out.document(&report)?;
    } else {
        out.line(&report)?;
    }
    if !report.is_sound() {
        bail!("{} is damaged", arguments.dir.display());
    }
    Ok(())
}
