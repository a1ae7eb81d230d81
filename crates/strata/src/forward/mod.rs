//! Telling onward in the running program: how it is doing, among the sources.

mod sink;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use strata_collect::{CollectError, Collector, Harvest};
use strata_forward::{ForwardSettings, Forwarder, LaneState};
use strata_model::meter::Meter;
use strata_model::sink::BoxFuture;
use strata_model::{Batch, Clock, Fault, FaultCode, Layer, SourceKind, SourceState};

use crate::command::run::environment_lookup;
pub(crate) use sink::ToldOnward;

/// The row among the sources.
const SOURCE: &str = "strata/forward";
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_secs(15);

/// Begin to tell onward.
pub(crate) fn start(
    settings: ForwardSettings,
    clock: Arc<dyn Clock>,
    meter: &Meter,
) -> Result<Arc<Forwarder>> {
    let started = Forwarder::start(settings, environment_lookup(), clock, meter);
    started.map(Arc::new).context("cannot tell onward what [forward] asks for")
}

/// Writes the row of the forwarder among the sources. What it counts itself is stored with the rest of
/// the program's own numbers.
pub(crate) struct ForwardCollector {
    forwarder: Arc<Forwarder>,
    meter: Meter,
    /// What had been sent and dropped when it was last looked at, by signal.
    before: Vec<(u64, u64)>,
}

impl ForwardCollector {
    pub(crate) fn new(forwarder: Arc<Forwarder>, meter: Meter) -> Self {
        Self { forwarder, meter, before: Vec::new() }
    }

    fn look(&mut self) -> std::result::Result<Vec<Fault>, CollectError> {
        let states = self.forwarder.states();
        let mut faults = Vec::new();
        let mut is_dead = !states.is_empty();
        for (at, state) in states.iter().enumerate() {
            let gauge =
                self.meter.gauge("strata.forward.queue", &[("signal", state.signal.name())]);
            gauge.set(state.queued_bytes as f64);
            let (sent, dropped) = self.before.get(at).copied().unwrap_or_default();
            is_dead &= state.trouble.is_some() && state.sent == sent;
            faults.extend(fault_of(state, state.dropped.saturating_sub(dropped)));
        }
        self.before = states.iter().map(|state| (state.sent, state.dropped)).collect();
        if is_dead {
            let words: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            return Err(CollectError {
                fault: Fault::new(FaultCode::Unreachable, words.join("; ")),
                state: SourceState::Failing,
                hint: "see [forward] in the configuration, and the receiver's log".to_owned(),
            });
        }
        Ok(faults)
    }
}

/// What is wrong with a signal, where something is.
fn fault_of(state: &LaneState, dropped: u64) -> Option<Fault> {
    let signal = state.signal.name();
    let why = state.trouble.as_deref();
    let message = match (dropped, why) {
        (0, None) => return None,
        (0, Some(why)) => {
            format!("{signal} are not told onward ({} bytes wait): {why}", state.queued_bytes)
        }
        (lost, why) => {
            let why = why.unwrap_or("more came than could be sent");
            format!("{lost} {signal} were not told onward: {why}")
        }
    };
    let code = if why.is_some() { FaultCode::Unreachable } else { FaultCode::OverLimit };
    Some(Fault { code, message, count: dropped.max(1) })
}

impl Collector for ForwardCollector {
    fn id(&self) -> &str {
        SOURCE
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Native
    }

    fn layer(&self) -> Option<Layer> {
        None
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn timeout(&self) -> Duration {
        INTERVAL / 2
    }

    fn collect(
        &mut self,
        _at_ms: i64,
    ) -> BoxFuture<'_, std::result::Result<Harvest, CollectError>> {
        let looked = self.look();
        let looked = looked.map(|faults| Harvest { batch: Batch::default(), faults });
        Box::pin(std::future::ready(looked))
    }
}

#[cfg(test)]
mod tests {
    use strata_model::record::OnwardSignal;

    use super::*;

    #[test]
    fn what_is_lost_is_told_with_its_cause() {
        let state = |trouble: Option<&str>| LaneState {
            signal: OnwardSignal::Traces,
            url: "http://c/v1/traces".to_owned(),
            queued_bytes: 70,
            sent: 1,
            dropped: 9,
            trouble: trouble.map(str::to_owned),
        };
        assert_eq!(fault_of(&state(None), 0), None);
        let words = |trouble, dropped| fault_of(&state(trouble), dropped).unwrap().message;
        assert_eq!(
            words(Some("cannot reach it"), 0),
            "traces are not told onward (70 bytes wait): cannot reach it"
        );
        assert_eq!(
            words(Some("it answered 400"), 4),
            "4 traces were not told onward: it answered 400"
        );
        assert!(words(None, 4).contains("more came than could be sent"));
    }
}
