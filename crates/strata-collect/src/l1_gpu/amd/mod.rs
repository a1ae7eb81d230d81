//! AMD GPUs from the files of the kernel's driver (`amdgpu`): no vendor library.

mod card;
mod ends;
mod paths;
mod process;
pub(super) mod table;

use std::path::PathBuf;
use std::sync::Arc;

use strata_model::{Layer, SourceState};

use self::card::Card;
pub(super) use self::ends::Ends;
pub(super) use self::paths::Paths;
use self::process::Processes;
use crate::collector::CollectError;
use crate::l3_host::listing;
use crate::l3_host::part::{Part, Round, absent};
use crate::l3_host::root::{FileReader, HostRoot};

/// Cards and functions of one host that are looked at.
const ENTRIES_MAX: usize = 4096;
const CARDS_MAX: usize = 64;

/// Cards are listed anew this often.
const LIST_MS: i64 = 10_000;

/// AMD's number as a PCI vendor.
const VENDOR: &str = "0x1002";

/// Read the bytes as the table of metrics of one card.
pub(super) fn read_table(bytes: &[u8], round: &mut Round) {
    table::Table::new("", &[]).tell(bytes, round);
}

/// Read the bytes as the two kinds of files of KFD's map: where a link leads, and where a device is.
pub(super) fn read_map(bytes: &[u8]) -> (Option<u64>, Option<String>) {
    (ends::xgmi_to(bytes), process::address_of(bytes))
}

/// The PCI functions of AMD that are displays or accelerators, in order of address.
fn functions(root: &HostRoot, reader: &mut FileReader) -> Vec<(String, PathBuf)> {
    let folder = root.path("sys/bus/pci/devices");
    let mut found = Vec::new();
    for address in listing::sorted(&folder, ENTRIES_MAX) {
        let function = folder.join(&address);
        let is_amd = reader.word(&function.join("vendor")).as_deref() == Some(VENDOR);
        let class = reader.word(&function.join("class")).unwrap_or_default();
        if is_amd && (class.starts_with("0x03") || class.starts_with("0x12")) {
            found.push((address, function));
        }
    }
    found
}

/// Those that the kernel's driver runs.
fn driven(
    root: &HostRoot,
    reader: &mut FileReader,
) -> Result<Vec<(String, PathBuf)>, CollectError> {
    let functions = functions(root, reader);
    let count = functions.len();
    // `amdgpu` says how much memory a device has; a device without it has no such driver.
    let has_driver =
        |(_, function): &(String, PathBuf)| function.join("mem_info_vram_total").exists();
    let driven: Vec<_> = functions.into_iter().filter(has_driver).collect();
    if !driven.is_empty() {
        return Ok(driven);
    }
    Err(if count == 0 {
        absent(SourceState::Absent, "no AMD GPU on the bus", "")
    } else {
        absent(
            SourceState::Unsupported,
            "there is an AMD GPU, but the kernel driver amdgpu does not run it",
            "load it (modprobe amdgpu) and look at the kernel log; in a virtual machine \
             the GPU may be another's",
        )
    })
}

/// All AMD GPUs of this host.
pub(super) struct Amd {
    root: HostRoot,
    node: Arc<str>,
    reader: FileReader,
    listed_ms: Option<i64>,
    cards: Vec<Card>,
    processes: Option<Processes>,
}

impl Amd {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>, processes: bool) -> Self {
        Self {
            processes: processes.then(|| Processes::new(root)),
            root: root.clone(),
            node: Arc::clone(node),
            reader: FileReader::default(),
            listed_ms: None,
            cards: Vec::new(),
        }
    }

    fn list(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let driven = match driven(&self.root, &mut self.reader) {
            Ok(driven) => driven,
            Err(error) => {
                self.cards.clear();
                return Err(error);
            }
        };
        round.over_limit("AMD GPUs", CARDS_MAX, driven.len().saturating_sub(CARDS_MAX) as u64);
        let mut known = std::mem::take(&mut self.cards);
        for (index, (address, folder)) in driven.into_iter().take(CARDS_MAX).enumerate() {
            let same = known.iter().position(|card| card.is_at(&address, index));
            let card = match same {
                Some(at) => known.swap_remove(at),
                None => Card::new((address, folder), index, &self.node, &mut self.reader),
            };
            self.cards.push(card);
        }
        Ok(())
    }
}

impl Part for Amd {
    fn id(&self) -> &'static str {
        "gpu/amd"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let due = self.listed_ms.is_none_or(|at| (round.at_ms - at).abs() >= LIST_MS);
        if due || self.cards.is_empty() {
            self.listed_ms = Some(round.at_ms);
            self.list(round)?;
        }
        for card in &mut self.cards {
            card.read(&mut self.reader, round);
        }
        if let Some(processes) = &mut self.processes {
            processes.read(&self.cards, &self.node, &mut self.reader, round);
        }
        Ok(())
    }

    /// A device that does not answer holds up whoever reads its sensors.
    fn may_hang(&self) -> bool {
        true
    }

    fn hang_hint(&self) -> &'static str {
        "the driver does not answer: look at the kernel log for lines of amdgpu"
    }
}
