//! Checking a store from outside.

use std::fs;
use std::path::{Path, PathBuf};

use super::day;
use super::error::StoreError;
use super::log;
use super::tiers;

/// What a check of every file found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Files that were read.
    pub files: u64,
    /// Label sets, summed over files.
    pub series: u64,
    /// Blocks of float samples.
    pub blocks: u64,
    /// Samples in day files.
    pub samples: u64,
    /// Points in tier files, all columns counted.
    pub tier_points: u64,
    /// Samples in the log.
    pub log_samples: u64,
    /// What is damaged: file and finding.
    pub damage: Vec<(PathBuf, String)>,
}

pub(super) fn verify(dir: &Path) -> Result<VerifyReport, StoreError> {
    let listed = |error| StoreError::file("list", dir, error);
    let mut files = Vec::new();
    let mut report = VerifyReport::default();
    for entry in fs::read_dir(dir).map_err(listed)? {
        let entry = entry.map_err(listed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_tier = tiers::parse_name(name).is_some();
        if is_tier || day::number_of(name).is_some() {
            files.push((is_tier, entry.path()));
        }
        if name.ends_with(".damaged") {
            report.damage.push((entry.path(), "set aside when the store opened".to_owned()));
        }
    }
    files.sort_unstable();
    for (is_tier, path) in files {
        report.files += 1;
        match day::check_file(&path) {
            Ok(check) => {
                report.series += check.series;
                report.blocks += check.blocks;
                let found = if is_tier { &mut report.tier_points } else { &mut report.samples };
                *found += check.samples;
                report.damage.extend(check.damage.into_iter().map(|what| (path.clone(), what)));
            }
            Err(error) => report.damage.push((path, error.chain())),
        }
    }
    for number in log::segments(dir).map_err(listed)? {
        let path = log::segment_path(dir, number);
        report.files += 1;
        let mut samples = 0;
        match log::replay(&path, false, |record| samples += record.samples() as u64) {
            Ok(replayed) if replayed.damaged_bytes > 0 => {
                let bytes = replayed.damaged_bytes;
                report.damage.push((path, format!("{bytes} bytes behind the last whole record")));
            }
            Ok(_) => {}
            Err(error) => report.damage.push((path, error.to_string())),
        }
        report.log_samples += samples;
    }
    Ok(report)
}
