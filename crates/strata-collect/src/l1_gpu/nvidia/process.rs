//! Processes that use a device: their memory and share of it, and whose they are.

use std::collections::BTreeMap;

use super::super::names;
use super::super::owner::Whose;
use super::facts::Facts;
use super::library::{Answer, Code, Handle, Nvml, PROCESSES_MAX, ProcessKind};
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::series::{Seen, SeriesSet, Shape, plain};

const SHAPES: [Shape; 2] = [plain(names::PROCESS_MEMORY), plain(names::PROCESS_UTILIZATION)];
const INFO: [Shape; 1] = [plain(names::PROCESS_INFO)];

/// What is known of a process besides its numbers.
struct Known {
    series: SeriesSet,
    info: SeriesSet,
    whose: Whose,
}

/// One process in this round.
#[derive(Default)]
struct Use {
    kind: &'static str,
    memory: Option<u64>,
    instance: Option<u32>,
    /// Sum and number of the samples of its share.
    share: (u64, u64),
}

/// The processes of one device.
pub(super) struct Processes {
    known: Seen<Known>,
    /// Microseconds: samples up to here were counted.
    seen_us: u64,
}

impl Default for Processes {
    fn default() -> Self {
        Self { known: Seen::new(PROCESSES_MAX), seen_us: 0 }
    }
}

const LISTS: [(ProcessKind, &str); 3] = [
    (ProcessKind::Compute, "compute"),
    (ProcessKind::Graphics, "graphics"),
    // Last: a client of MPS is in the first list of some drivers too.
    (ProcessKind::Mps, "mps"),
];

impl Processes {
    pub(super) fn read(
        &mut self,
        (nvml, device): (&Nvml, Handle),
        (facts, node): (&Facts, &str),
        (root, reader): (&HostRoot, &mut FileReader),
        memo: &mut Memo,
        round: &mut Round,
    ) {
        // By process and instance: in MIG one process may use several.
        let mut uses: BTreeMap<(u32, Option<u32>), Use> = BTreeMap::new();
        for (kind, word) in LISTS {
            let list =
                memo.ask(round, ("processes", kind as u32), || whole(nvml.processes(device, kind)));
            if let Some(None) = list {
                round.over_limit("processes of one device", PROCESSES_MAX, 1);
            }
            for process in list.flatten().into_iter().flatten() {
                let one = uses.entry((process.pid, process.gpu_instance)).or_default();
                one.kind = word;
                one.instance = process.gpu_instance;
                // Listed twice, it is the same memory.
                one.memory = one.memory.max(process.memory);
            }
        }
        let since = self.seen_us;
        let shares =
            memo.ask(round, ("shares of processes", 0), || nvml.process_shares(device, since));
        for share in shares.into_iter().flatten() {
            self.seen_us = self.seen_us.max(share.at_us);
            // Without a listing it has ended: there is nothing to tell it by. Shares know no
            // instance, and are not there at all in MIG.
            if let Some(one) = uses.get_mut(&(share.pid, None)) {
                one.share = (one.share.0 + u64::from(share.sm), one.share.1 + 1);
            }
        }
        for ((pid, instance), one) in uses {
            let key = format!("{pid}/{}/{}", instance.map_or(-1, i64::from), one.kind);
            let make = || Known::new(pid, &one, (facts, node), Whose::of(pid, root, reader));
            let Some(known) = self.known.entry(key.as_bytes(), make) else { continue };
            round.emit(known.info.get(0), 1.0);
            round.emit_known(known.series.get(0), one.memory.map(|bytes| bytes as f64));
            let (sum, count) = one.share;
            let share = (count > 0).then(|| sum as f64 / count as f64 / 100.0);
            round.emit_known(known.series.get(1), share);
        }
        let refused = self.known.end_round();
        round.over_limit("processes of one device", PROCESSES_MAX, refused);
    }

    /// Whose a process is that was listed in the last round.
    pub(super) fn whose(&mut self, pid: u32) -> Option<Whose> {
        let prefix = format!("{pid}/");
        let found = self.known.iter_mut().find(|(key, _)| key.starts_with(prefix.as_bytes()));
        found.map(|(_, known)| known.whose.clone())
    }
}

/// More processes than there is room for are a fault of ours, not of the device: `None`.
fn whole<T>(answer: Answer<T>) -> Answer<Option<T>> {
    match answer {
        Ok(list) => Ok(Some(list)),
        Err(Code::INSUFFICIENT_SIZE) => Ok(None),
        Err(code) => Err(code),
    }
}

impl Known {
    fn new(pid: u32, one: &Use, (facts, node): (&Facts, &str), whose: Whose) -> Self {
        let pid = pid.to_string();
        let instance = one.instance.map(|id| id.to_string()).unwrap_or_default();
        let [uuid, index, _] = facts.labels();
        let identity = [
            uuid,
            index,
            ("pid", &*pid),
            ("process", &*whose.process),
            ("mig_instance", &*instance),
            // On each series: who reads only numbers must know whose they are.
            ("pod_uid", &*whose.pod_uid),
            ("container_id", &*whose.container_id),
        ];
        let info: Vec<_> = identity.iter().copied().chain([("kind", one.kind)]).collect();
        Self {
            series: SeriesSet::new(&SHAPES, node, &identity),
            info: SeriesSet::new(&INFO, node, &info),
            whose,
        }
    }
}
