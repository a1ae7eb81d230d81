//! What is captured, in words: the row among the sources, which the Doctor page shows too.

use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use strata_model::{Fault, FaultCode, Layer, SourceKind, SourceState, SourceStatus};
use strata_proxy::CaptureSettings;

use super::{Content, Work};

/// The row of captured content.
const SOURCE: &str = "strata/content";
/// Reasons that somebody may want to do something about; calls that fail are not kept anyway.
const GRAVE: [&str; 6] = ["too_long", "no_room", "no_memory", "queue_full", "redactor", "disk"];

/// What could be done about a reason.
fn meant(reason: &str) -> &'static str {
    match reason {
        "queue_full" => {
            " (more came than could be cleaned and written: a `share` below 1 keeps a part)"
        }
        "no_room" | "no_memory" => " (see `content_memory` under [proxy])",
        "too_long" => " (see `call_bytes`)",
        _ => "",
    }
}

/// What is kept of a route, in a sentence.
pub(crate) fn words(route: &str, settings: &CaptureSettings, dir: &Path) -> String {
    format!("CONTENT IS CAPTURED on route {route}: {}, in {}", settings.words(), dir.display())
}

impl Content {
    /// What is captured, a sentence a route.
    pub(crate) fn words(&self) -> Vec<String> {
        let dir = self.store.dir();
        self.plans.iter().map(|(route, plan)| words(route, &plan.settings, dir)).collect()
    }

    /// The row; `None` where nothing is captured and nothing was.
    pub(super) fn row(&self) -> Option<SourceStatus> {
        let dir = self.store.dir();
        if !self.is_on() && !dir.is_dir() {
            return None;
        }
        let mut hints = self.words();
        if hints.is_empty() {
            hints.push(format!(
                "no route is captured now; what was is in {} until it is too old",
                dir.display()
            ));
        }
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut recent_faults, mut faults_total) = (Vec::new(), 0);
        for ((route, reason), count) in &gaps.all {
            if GRAVE.contains(reason) {
                let why = meant(reason);
                let message =
                    format!("{count} calls of route {route} were not kept: {reason}{why}");
                faults_total += count;
                recent_faults
                    .push(Fault { count: *count, ..Fault::new(FaultCode::OverLimit, message) });
            }
        }
        drop(gaps);
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (work, why) in &trouble {
            recent_faults.push(Fault::new(FaultCode::Io, why.clone()));
            let what = match work {
                Work::Write => "nothing can be kept now",
                Work::Redactor => "calls are not kept for want of their redactor",
                Work::Sweep => "what is too old cannot be deleted",
            };
            hints.insert(0, format!("{what}: {why}"));
        }
        hints.push("see `strata content status`, delete by `strata content forget`".to_owned());
        Some(SourceStatus {
            id: SOURCE.to_owned(),
            kind: SourceKind::Native,
            layer: Some(Layer::L7Genai),
            state: match (!trouble.is_empty(), faults_total > 0) {
                (true, _) => SourceState::Failing,
                (false, true) => SourceState::Partial,
                (false, false) => SourceState::Ok,
            },
            last_success_ms: Some(self.stored_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0),
            last_duration_seconds: None,
            last_samples: None,
            samples_total: 0,
            faults_total,
            recent_faults,
            hint: hints.join("; "),
        })
    }
}
