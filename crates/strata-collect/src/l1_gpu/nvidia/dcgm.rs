//! Whether DCGM reads the profiling counters of this host: two readers of the same counters disturb
//! each other, so that ours steps aside.
//!
//! DCGM loads its parts when they are first needed. The part for profiling in the memory map of one of
//! its programs says that somebody asked it for profiling fields.

use crate::l3_host::listing;
use crate::l3_host::root::{FileReader, HostRoot};

/// The programs that load DCGM, as the kernel names them, and whether they profile unless told
/// otherwise: dcgm-exporter's default counters hold profiling fields, the engine waits to be asked.
const PROGRAMS: [(&str, bool); 2] = [("nv-hostengine", false), ("dcgm-exporter", true)];

/// DCGM's part for profiling.
const MODULE: &[u8] = b"libdcgmmoduleprofiling";

/// Programs come and go slower than that; looking at all processes costs some milliseconds.
const LOOK_MS: i64 = 30_000;
/// Processes looked at; more are on no sane host.
const PROCESSES_MAX: usize = 100_000;

/// Who profiles.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looked_ms: Option<i64>,
    active: bool,
}

impl Watch {
    /// Whether DCGM profiles; looked at now and then.
    pub(super) fn look(&mut self, root: &HostRoot, reader: &mut FileReader, at_ms: i64) -> bool {
        if self.looked_ms.is_none_or(|looked| (at_ms - looked).abs() >= LOOK_MS) {
            self.looked_ms = Some(at_ms);
            self.active = is_active(root, reader);
        }
        self.active
    }
}

fn is_active(root: &HostRoot, reader: &mut FileReader) -> bool {
    let processes = listing::names(&root.path("proc"), PROCESSES_MAX);
    let mut processes = processes.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    processes.any(|pid| {
        let comm = reader.word(&root.path(&format!("proc/{pid}/comm")));
        let Some(name) = comm else { return false };
        let Some((_, usual)) = PROGRAMS.iter().find(|(known, _)| *known == name) else {
            return false;
        };
        match reader.read(&root.path(&format!("proc/{pid}/maps"))) {
            Ok(maps) => maps.windows(MODULE.len()).any(|window| window == MODULE),
            // Not ours to read: what the program does unless told otherwise.
            Err(_) => *usual,
        }
    })
}
