//! Where the `NVLink`s that are up lead: what is at the other end, and at which place of the bus.
//!
//! Wiring does not change while a machine runs, so it is read once a minute by a collector of its own,
//! whose state says why there is nothing where there is nothing.

use std::time::Duration;

use strata_model::{FaultCode, Layer};

use super::super::names;
use super::facts::Facts;
use super::library::{Code, Handle, Nvml};
use super::links::LINKS_MAX;
use super::memo::Memo;
use super::{HANG_HINT, Shared, state};
use crate::collector::CollectError;
use crate::l3_host::part::{Part, Round};
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::series::{SeriesSet, Shape, shape};

const INTERVAL: Duration = Duration::from_mins(1);

const PEER: [Shape; 1] = [shape(names::LINK_PEER, &[("type", "nvlink")])];

/// What a link leads to (`nvmlIntNvLinkDeviceType_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gpu,
    /// A processor of IBM's with `NVLink`s of its own (POWER9).
    Npu,
    Switch,
    Unknown,
}

impl Kind {
    fn of(number: u32) -> Self {
        match number {
            0 => Self::Gpu,
            1 => Self::Npu,
            2 => Self::Switch,
            _ => Self::Unknown,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Npu => "npu",
            Self::Switch => "switch",
            Self::Unknown => "unknown",
        }
    }
}

/// The other end of one link.
struct End {
    kind: Kind,
    address: Option<String>,
}

/// Links of the host, as far as one round has come.
#[derive(Default)]
struct Tally {
    up: usize,
    told: usize,
    refusal: Option<Code>,
}

/// Who the GPUs of the host are by their places, and the bus itself.
struct Bus<'a> {
    gpus: Vec<(String, String)>,
    root: &'a HostRoot,
    reader: &'a mut FileReader,
}

impl Bus<'_> {
    fn gpu_at(&self, address: &str) -> Option<&str> {
        let found = self.gpus.iter().find(|(known, _)| known == address);
        found.map(|(_, uuid)| uuid.as_str())
    }

    /// What the bus says of a place, for drivers that tell places only: an `NVSwitch` is a bridge of no
    /// kind that PCI knows (class 0680), a GPU a display controller (03).
    fn kind_at(&mut self, address: &str) -> Kind {
        if self.gpu_at(address).is_some() {
            return Kind::Gpu;
        }
        let function = self.root.path("sys/bus/pci/devices").join(address);
        let mut word = |file: &str| self.reader.word(&function.join(file)).unwrap_or_default();
        let (vendor, class) = (word("vendor"), word("class"));
        match &*vendor {
            "0x10de" if class.starts_with("0x0680") => Kind::Switch,
            "0x10de" if class.starts_with("0x03") => Kind::Gpu,
            "0x1014" => Kind::Npu,
            _ => Kind::Unknown,
        }
    }
}

/// Ask for the other end of one link; what is refused is kept in the tally.
fn end_of(
    (nvml, device, link): (&Nvml, Handle, u32),
    bus: &mut Bus<'_>,
    (memo, tally): (&mut Memo, &mut Tally),
    round: &mut Round,
) -> Option<End> {
    let kind = memo.ask(round, (KIND, link), || nvml.link_end_kind(device, link));
    let address = memo.ask(round, (PLACE, link), || nvml.link_end_address(device, link));
    if kind.is_none() && address.is_none() {
        let refusal = memo.refusal((PLACE, link)).or_else(|| memo.refusal((KIND, link)));
        tally.refusal = tally.refusal.or(refusal);
        return None;
    }
    let address = address.flatten();
    let told = kind.map_or(Kind::Unknown, Kind::of);
    // Which GPU it is nobody says then.
    if address.is_none() && told == Kind::Gpu {
        tally.refusal = tally.refusal.or(memo.refusal((PLACE, link)));
    }
    let kind = match (&address, told) {
        (Some(at), Kind::Unknown) => bus.kind_at(at),
        (None, Kind::Gpu) => Kind::Unknown,
        _ => told,
    };
    Some(End { kind, address })
}

/// What the two calls are remembered and told by.
const KIND: &str = "device at the end of a link";
const PLACE: &str = "place of the end of a link";

fn tell((facts, node): (&Facts, &str), link: u32, end: &End, bus: &Bus<'_>, round: &mut Round) {
    let number = link.to_string();
    let address = end.address.as_deref().unwrap_or_default();
    let peer = bus.gpu_at(address).unwrap_or_default();
    let [uuid, index, model] = facts.labels();
    let identity = [
        uuid,
        index,
        model,
        ("link", &*number),
        ("peer_type", end.kind.name()),
        ("peer_gpu_uuid", peer),
        ("peer_pci_address", address),
    ];
    round.emit(SeriesSet::new(&PEER, node, &identity).get(0), 1.0);
}

/// Reads the other ends of links.
pub(in super::super) struct Ends(pub(in super::super) Shared);

impl Part for Ends {
    fn id(&self) -> &'static str {
        "gpu/nvidia_links"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut nvidia = self.0.lock();
        let session = nvidia.open(round)?;
        let root = nvidia.root.clone();
        let node = std::sync::Arc::clone(&nvidia.node);
        let place = |facts: &Facts| (facts.pci_address.clone(), facts.uuid.clone());
        let listed = nvidia.devices.iter().filter(|one| one.handle.is_some());
        let gpus = listed.map(|one| place(&one.facts)).filter(|(at, _)| !at.is_empty()).collect();
        let mut reader = std::mem::take(&mut nvidia.reader);
        let mut bus = Bus { gpus, root: &root, reader: &mut reader };
        let mut tally = Tally::default();
        for device in &mut nvidia.devices {
            let Some(handle) = device.handle.filter(|_| device.memo.lost.is_none()) else {
                continue;
            };
            for link in 0..LINKS_MAX {
                match session.nvml.link_state(handle, link) {
                    Ok(1) => {}
                    Ok(_) => continue,
                    Err(_) => break,
                }
                tally.up += 1;
                let asked = (&*session.nvml, handle, link);
                let kept = (&mut device.memo, &mut tally);
                let Some(end) = end_of(asked, &mut bus, kept, round) else { continue };
                tally.told += usize::from(end.kind != Kind::Unknown || end.address.is_some());
                tell((&device.facts, &node), link, &end, &bus, round);
            }
        }
        nvidia.reader = reader;
        let driver = session.driver.clone();
        nvidia.session = Some(session);
        match tally {
            Tally { up: 0, .. } => Err(state::no_links()),
            Tally { told: 0, up, refusal } => Err(state::untold_ends(up, refusal, &driver)),
            Tally { told, up, refusal } => {
                if let Some(code) = refusal.filter(|_| told < up) {
                    let message =
                        format!("the ends of {} links are not told: {}", up - told, code.name());
                    round.fault(FaultCode::Unsupported, message);
                }
                Ok(())
            }
        }
    }

    fn interval_min(&self) -> Duration {
        INTERVAL
    }

    fn may_hang(&self) -> bool {
        true
    }

    fn hang_hint(&self) -> &'static str {
        HANG_HINT
    }
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings as header;

    use super::*;

    #[test]
    fn kinds_are_those_of_the_header() {
        let check = |number, expected| assert_eq!(Kind::of(number), expected, "{number}");
        check(header::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_GPU, Kind::Gpu);
        check(header::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_IBMNPU, Kind::Npu);
        check(header::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_SWITCH, Kind::Switch);
        check(header::nvmlIntNvLinkDeviceType_enum_NVML_NVLINK_DEVICE_TYPE_UNKNOWN, Kind::Unknown);
    }
}
