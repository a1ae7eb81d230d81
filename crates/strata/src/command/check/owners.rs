//! Trying who tells of the owners of GPUs: the kubelet, the API server, Slurm.
//!
//! Each collector is asked once, as it would run. What is not on this host is no failure; a folder
//! that the configuration names and that has no commands is one.

use strata_collect::Collector;
use strata_model::{Clock, SourceState};

use super::super::run::node_name;
use super::{Failure, Report};
use crate::config::Settings;
use crate::scheduling::{NO_SQUEUE, Parts, Place};

/// Ask each source of layer 4 once.
pub(super) async fn try_all(settings: &Settings, report: &mut Report<'_>, clock: &dyn Clock) {
    let node = node_name(settings);
    let place = Place { host_root: &settings.host_root, node: &node };
    try_parts(place.kubernetes(&settings.kubernetes), "kubernetes", report, clock).await;
    let slurm = place.slurm(&settings.slurm);
    let folder = settings.slurm.bin_dir.is_some();
    let missing = folder && slurm.absent.iter().any(|(_, why)| *why == NO_SQUEUE);
    try_parts(slurm, "slurm", report, clock).await;
    if missing {
        let hint = "it is the folder of squeue and scontrol";
        let failure = Failure::new("no squeue in the folder that is named", hint);
        report.add("slurm commands", "slurm.bin_dir", Err(failure));
    }
}

async fn try_parts(parts: Parts, section: &str, report: &mut Report<'_>, clock: &dyn Clock) {
    for mut collector in parts.collectors {
        let told = ask(collector.as_mut(), clock.now_ms()).await;
        report.add(collector.id(), section, told);
    }
    for (id, why) in parts.absent {
        report.add(id, section, Ok(format!("not here: {why}")));
    }
}

async fn ask(collector: &mut dyn Collector, at_ms: i64) -> Result<String, Failure> {
    let patience = collector.timeout();
    let Ok(answer) = tokio::time::timeout(patience, collector.collect(at_ms)).await else {
        let message = format!("no answer within {} s", patience.as_secs());
        return Err(Failure::new(message, "is it up and reachable from here?"));
    };
    match answer {
        Ok(harvest) => match harvest.faults.first() {
            None => Ok(format!("{} samples", harvest.batch.samples.len())),
            Some(fault) => {
                Err(Failure::new(&fault.message, "what else was read is used all the same"))
            }
        },
        Err(error) if error.state == SourceState::Absent => {
            Ok(format!("not here: {}", error.fault.message))
        }
        // Older clusters have no claims of devices.
        Err(error) if error.state == SourceState::Unsupported => {
            Ok(format!("not supported there: {}", error.fault.message))
        }
        Err(error) => Err(Failure::new(error.fault.message, error.hint)),
    }
}
