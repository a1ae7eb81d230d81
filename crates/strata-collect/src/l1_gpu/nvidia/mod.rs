//! NVIDIA GPUs through the driver's management library (NVML), found at run time.

mod c2c;
mod condition;
mod dcgm;
mod device;
mod ends;
mod fabric;
mod facts;
mod faults;
mod fields;
mod gpm;
mod health;
mod library;
mod links;
mod memo;
mod mig;
mod paths;
mod process;
mod state;
mod switch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use strata_model::{FaultCode, Layer};

use self::device::{Around, Device};
pub(super) use self::ends::Ends;
use self::facts::Facts;
use self::fields::Numbering;
use self::library::{Code, EventSet, Nvml};
pub(super) use self::paths::Paths;
use self::switch::Switches;
use super::options::Profiling;
use super::owner::Whose;
use crate::collector::CollectError;
use crate::l3_host::part::{Part, Round};
use crate::l3_host::root::{FileReader, HostRoot};
use crate::l3_host::{KernelEvents, KernelFact};

/// Read a field as the library writes it; the number, if it is one.
pub(super) fn read_field(code: u32, kind: u32, bytes: [u8; 8]) -> Option<f64> {
    library::field_of(code, kind, bytes)
}

/// Devices of one host: 16 in the largest machines, some more for what was replaced.
const DEVICES_MAX: usize = 64;
/// A library that is not there is looked for again after this; a driver may be installed meanwhile.
const RETRY_MS: i64 = 30_000;
/// Identities are compared this often, and at once when the number of devices changes.
const LIST_MS: i64 = 10_000;
/// Whether a device is split is looked at this often, one device a round so that rounds stay alike.
const SURVEY_MS: i64 = 10_000;
/// What changes rarely is read this often.
const HEALTH_INTERVAL: Duration = Duration::from_secs(10);
/// A device that went away is told as failed for this long; then somebody meant it.
const GONE_MS: i64 = 3_600_000;
/// `nvmlEventTypeXidCriticalError`.
const XID_EVENT: u64 = 0x8;
/// Events taken in one round; a storm fills the driver's own queue, which drops the rest.
const EVENTS_MAX: usize = 256;

/// A GPU that starts without persistence mode takes seconds too, and is then waited for.
const HANG_HINT: &str = "the driver does not answer: nvidia-smi would wait as well; without \
    nvidia-persistenced it starts the GPUs first, else look at the kernel log for XIDs";

/// How NVIDIA GPUs are read.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// Path or name of the library.
    pub(super) library: String,
    pub(super) profiling: Profiling,
    pub(super) processes: bool,
}

/// All NVIDIA GPUs of this host.
pub(super) struct Nvidia {
    options: Options,
    root: HostRoot,
    node: Arc<str>,
    reader: FileReader,
    kernel: KernelEvents,
    switches: Switches,
    dcgm: dcgm::Watch,
    /// DCGM reads the profiling counters: we leave them to it.
    yields: bool,
    /// Before the session: what they hold of the library must go before it is closed.
    devices: Vec<Device>,
    session: Option<Session>,
    /// Why there is no session, and when to try again.
    failed: Option<(i64, CollectError)>,
}

/// The library, started.
struct Session {
    nvml: Arc<Nvml>,
    numbering: Numbering,
    driver: String,
    events: Option<EventSet>,
    listed_ms: Option<i64>,
    count: u32,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(events) = self.events.take() {
            // Nothing is left to do about a library that does not let go.
            self.nvml.close_events(&events).ok();
        }
        self.nvml.stop().ok();
    }
}

impl Session {
    fn start(library: &str, gpu: impl FnOnce() -> Option<String>) -> Result<Self, CollectError> {
        let nvml = match Nvml::load(library) {
            Ok(nvml) => Arc::new(nvml),
            Err(why) => return Err(state::no_library(library, &why, gpu().as_deref())),
        };
        if let Err(code) = nvml.start() {
            return Err(state::refused("NVML does not start", code, gpu().as_deref()));
        }
        let driver = nvml.driver_version().unwrap_or_default();
        let events = nvml.event_set().ok();
        let numbering = Numbering::of_driver(&driver);
        Ok(Self { nvml, numbering, driver, events, listed_ms: None, count: 0 })
    }
}

impl Nvidia {
    pub(super) fn new(
        root: &HostRoot,
        node: &Arc<str>,
        options: Options,
        kernel: KernelEvents,
    ) -> Self {
        Self {
            options,
            root: root.clone(),
            node: Arc::clone(node),
            reader: FileReader::default(),
            kernel,
            switches: Switches::default(),
            dcgm: dcgm::Watch::default(),
            yields: false,
            devices: Vec::new(),
            session: None,
            failed: None,
        }
    }

    fn session(&mut self, at_ms: i64) -> Result<Session, CollectError> {
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        if let Some((tried_ms, error)) = &self.failed
            && (at_ms - tried_ms).abs() < RETRY_MS
        {
            return Err(error.clone());
        }
        let (root, reader) = (&self.root, &mut self.reader);
        let started = Session::start(&self.options.library, || state::gpu_on_the_bus(root, reader));
        match started {
            Ok(session) => {
                self.failed = None;
                Ok(session)
            }
            Err(error) => {
                self.failed = Some((at_ms, error.clone()));
                Err(error)
            }
        }
    }

    /// The library with at least one device, their list as it is now.
    fn open(&mut self, round: &mut Round) -> Result<Session, CollectError> {
        let now = round.at_ms;
        let mut session = self.session(now)?;
        let count = match session.nvml.device_count() {
            Ok(count) => count,
            Err(code) => return Err(self.end(session, "NVML does not list devices", code, now)),
        };
        let lost = self.devices.iter().any(|one| one.memo.lost.is_some());
        let due = session.listed_ms.is_none_or(|at| (now - at).abs() >= LIST_MS);
        if count != session.count || due || lost {
            session.count = count;
            if let Err(code) = self.list(&mut session, round) {
                return Err(self.end(session, "NVML gives no device", code, now));
            }
        }
        if self.devices.is_empty() {
            self.session = Some(session);
            let gpu = state::gpu_on_the_bus(&self.root, &mut self.reader);
            return Err(state::no_devices(gpu.as_deref()));
        }
        Ok(session)
    }

    fn read_health(&mut self, session: &Session, round: &mut Round) {
        let around = around(session, &self.options, &self.root, &self.node);
        for device in &mut self.devices {
            device.read_health(&around, round);
        }
    }

    /// The library does not work any more: close it, and start it anew when it is time.
    fn end(&mut self, session: Session, action: &str, code: Code, at_ms: i64) -> CollectError {
        for device in &mut self.devices {
            device.unlisted();
        }
        drop(session);
        let gpu = state::gpu_on_the_bus(&self.root, &mut self.reader);
        let error = state::refused(action, code, gpu.as_deref());
        self.failed = Some((at_ms, error.clone()));
        error
    }

    /// Compare the devices with what the driver lists.
    fn list(&mut self, session: &mut Session, round: &mut Round) -> Result<(), Code> {
        session.listed_ms = Some(round.at_ms);
        let mut seen: Vec<String> = Vec::new();
        let mut denied = 0;
        for index in 0..session.count.min(DEVICES_MAX as u32) {
            let found = session.nvml.device(index);
            let found = found.and_then(|handle| {
                Ok((
                    handle,
                    Facts::read(&session.nvml, (handle, index), &self.root, &mut self.reader)?,
                ))
            });
            let (handle, facts) = match found {
                Ok(found) => found,
                Err(code) => {
                    denied += u32::from(code == Code::NO_PERMISSION);
                    let fault =
                        if code == Code::NO_PERMISSION { FaultCode::Denied } else { FaultCode::Io };
                    round.fault(fault, format!("NVML: device {index}: {}", code.name()));
                    continue;
                }
            };
            seen.push(facts.uuid.clone());
            let around = around(session, &self.options, &self.root, &self.node);
            let known = self.devices.iter_mut().position(|known| known.facts.uuid == facts.uuid);
            let at = if let Some(at) = known {
                self.devices[at].listed(facts, handle, &around, round);
                at
            } else if self.devices.len() < DEVICES_MAX {
                self.devices.push(Device::new(facts, handle, &around, round.at_ms));
                self.devices.len() - 1
            } else {
                round.over_limit("GPUs", DEVICES_MAX, 1);
                continue;
            };
            listen(session, &mut self.devices[at]);
        }
        for device in self.devices.iter_mut().filter(|one| !seen.contains(&one.facts.uuid)) {
            device.unlisted();
        }
        let now = round.at_ms;
        self.devices.retain(|one| one.handle.is_some() || now - one.seen_ms < GONE_MS);
        if denied > 0 && seen.is_empty() { Err(Code::NO_PERMISSION) } else { Ok(()) }
    }

    /// Faults since the last round, from the driver and from the kernel log.
    fn take_faults(&mut self, session: &Session, round: &mut Round) {
        for _ in 0..EVENTS_MAX {
            let Some(set) = &session.events else { break };
            let event = match session.nvml.next_event(set) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(code) => {
                    round.fault(FaultCode::Io, format!("NVML: events: {}", code.name()));
                    break;
                }
            };
            let device = self.devices.iter_mut().find(|one| one.handle == Some(event.device));
            if let Some(device) = device.filter(|_| event.kind == XID_EVENT) {
                let place = (&device.facts, &*self.node);
                device.faults.count(event.data, event.gpu_instance, place, round);
                device.condition.xid(event.data, round.at_ms);
            }
        }
        self.take_kernel_faults(round);
    }

    fn take_kernel_faults(&mut self, round: &mut Round) {
        let wanted =
            |fact: &KernelFact| matches!(fact, KernelFact::Xid { .. } | KernelFact::Sxid { .. });
        for event in self.kernel.take(wanted) {
            match event.fact {
                KernelFact::Xid { code, pci_address, pid, process } => {
                    let known = |one: &&mut Device| one.facts.pci_address == pci_address;
                    let Some(device) = self.devices.iter_mut().find(known) else { continue };
                    let place = (&device.facts, &*self.node);
                    if !device.faults.listening {
                        device.faults.count(code.into(), None, place, round);
                        device.condition.xid(code.into(), round.at_ms);
                    }
                    let Some(pid) = pid else { continue };
                    let mut whose = device
                        .processes
                        .whose(pid)
                        .unwrap_or_else(|| Whose::of(pid, &self.root, &mut self.reader));
                    if whose.process.is_empty() {
                        whose.process = process.unwrap_or_default();
                    }
                    device.faults.blame((code.into(), pid, event.at_ms), &whose, place);
                }
                KernelFact::Sxid { code, pci_address, fatal } => {
                    self.switches.count((code, fatal), &pci_address, &self.node, round);
                }
                _ => {}
            }
        }
        self.switches.tell(round);
    }

    /// Leave the profiling counters to DCGM while it reads them.
    fn step_aside(&mut self, at_ms: i64) {
        let may_yield = self.options.profiling == Profiling::Alone;
        let yields = may_yield && self.dcgm.look(&self.root, &mut self.reader, at_ms);
        if yields != self.yields {
            self.yields = yields;
            for device in &mut self.devices {
                device.profiled_anew();
            }
        }
    }

    fn read_devices(&mut self, session: &Session, round: &mut Round) {
        let now = round.at_ms;
        self.step_aside(now);
        // One a round, the one that waits longest; every one that was never read.
        let due = |one: &Device| one.surveyed_ms.is_some_and(|at| (now - at).abs() >= SURVEY_MS);
        let turn = self.devices.iter().filter(|one| due(one)).min_by_key(|one| one.surveyed_ms);
        let turn = turn.map(|one| one.facts.uuid.clone());
        let around = Around {
            profiling: self.options.profiling != Profiling::Off && !self.yields,
            yields: self.yields,
            ..around(session, &self.options, &self.root, &self.node)
        };
        for device in &mut self.devices {
            if device.handle.is_none() {
                device.tell_lost(&self.node, round);
                round.fault(FaultCode::Io, format!("{} is gone", device.facts.uuid));
                continue;
            }
            let survey =
                device.surveyed_ms.is_none() || turn.as_deref() == Some(&*device.facts.uuid);
            device.read(&around, &mut self.reader, survey, round);
            if let Some(code) = device.memo.lost {
                let message = format!("{} does not answer: {}", device.facts.uuid, code.name());
                round.fault(FaultCode::Io, message);
            }
        }
    }
}

fn around<'a>(
    session: &'a Session,
    options: &Options,
    root: &'a HostRoot,
    node: &'a Arc<str>,
) -> Around<'a> {
    Around {
        nvml: &session.nvml,
        numbering: session.numbering,
        driver: &session.driver,
        node,
        root,
        profiling: options.profiling != Profiling::Off,
        yields: false,
        processes: options.processes,
    }
}

/// Ask for the device's XIDs; where the driver does not tell them, the kernel log does.
fn listen(session: &Session, device: &mut Device) {
    if device.faults.listening {
        return;
    }
    let (Some(set), Some(handle)) = (&session.events, device.handle) else { return };
    let tells = session.nvml.event_types(handle).is_ok_and(|kinds| kinds & XID_EVENT != 0);
    device.faults.listening = tells && session.nvml.listen(handle, XID_EVENT, set).is_ok();
}

/// What the collectors of NVIDIA GPUs share; a call of one that hangs holds up the others too.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Nvidia>>);

impl Shared {
    pub(super) fn new(nvidia: Nvidia) -> Self {
        Self(Arc::new(Mutex::new(nvidia)))
    }

    fn lock(&self) -> MutexGuard<'_, Nvidia> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what changes every second.
pub(super) struct Activity(pub(super) Shared);

impl Part for Activity {
    fn id(&self) -> &'static str {
        "gpu/nvidia"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut nvidia = self.0.lock();
        let session = nvidia.open(round)?;
        nvidia.take_faults(&session, round);
        nvidia.read_devices(&session, round);
        nvidia.session = Some(session);
        Ok(())
    }

    /// The driver can hang while a GPU falls off the bus.
    fn may_hang(&self) -> bool {
        true
    }

    fn hang_hint(&self) -> &'static str {
        HANG_HINT
    }
}

/// Reads what changes rarely.
pub(super) struct Health(pub(super) Shared);

impl Part for Health {
    fn id(&self) -> &'static str {
        "gpu/nvidia_health"
    }

    fn layer(&self) -> Layer {
        Layer::L1Gpu
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        let mut nvidia = self.0.lock();
        let session = nvidia.open(round)?;
        nvidia.read_health(&session, round);
        nvidia.session = Some(session);
        Ok(())
    }

    fn interval_min(&self) -> Duration {
        HEALTH_INTERVAL
    }

    fn may_hang(&self) -> bool {
        true
    }

    fn hang_hint(&self) -> &'static str {
        HANG_HINT
    }
}
