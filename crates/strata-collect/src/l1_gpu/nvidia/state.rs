//! Why there is nothing to read, as a named state with what a person can do about it.

use strata_model::{Fault, FaultCode, SourceState};

use super::library::Code;
use crate::collector::CollectError;
use crate::l3_host::listing;
use crate::l3_host::root::{FileReader, HostRoot};

/// A host has some 300 PCI functions.
const FUNCTIONS_MAX: usize = 4096;

/// The address of an NVIDIA GPU on the bus, driver or not.
pub(super) fn gpu_on_the_bus(root: &HostRoot, reader: &mut FileReader) -> Option<String> {
    let folder = root.path("sys/bus/pci/devices");
    listing::sorted(&folder, FUNCTIONS_MAX).into_iter().find(|address| {
        let mut word = |file: &str| reader.word(&folder.join(address).join(file));
        let is_nvidia = word("vendor").is_some_and(|vendor| vendor == "0x10de");
        // Class 03 is a display controller: 0300 with and 0302 without a screen.
        is_nvidia && word("class").is_some_and(|class| class.starts_with("0x03"))
    })
}

fn told(state: SourceState, code: FaultCode, message: String, hint: &str) -> CollectError {
    CollectError { fault: Fault::new(code, message), state, hint: hint.to_owned() }
}

/// The library could not be loaded.
pub(super) fn no_library(library: &str, why: &str, gpu: Option<&str>) -> CollectError {
    match gpu {
        // Somebody named the file, so it was meant to be there.
        _ if library.contains('/') => told(
            SourceState::Failing,
            FaultCode::Io,
            format!("cannot load {library}: {why}"),
            "correct gpu.nvidia_library, or leave it out",
        ),
        None => told(
            SourceState::Absent,
            FaultCode::Unsupported,
            "no NVIDIA GPU on the bus and no driver library".to_owned(),
            "",
        ),
        Some(address) => told(
            SourceState::Unsupported,
            FaultCode::Unsupported,
            format!("there is an NVIDIA GPU at {address}, but no driver library: {why}"),
            "install the NVIDIA driver; in a container use the NVIDIA runtime with \
             NVIDIA_DRIVER_CAPABILITIES=utility, or name the library with gpu.nvidia_library",
        ),
    }
}

/// The library does not start, or does not work any more.
pub(super) fn refused(action: &str, code: Code, gpu: Option<&str>) -> CollectError {
    let message = format!("{action}: {} ({})", code.name(), code.0);
    match (code, gpu) {
        (Code::DRIVER_NOT_LOADED, None) => told(
            SourceState::Absent,
            FaultCode::Unsupported,
            "NVIDIA's library is here, but the driver is not loaded and no NVIDIA GPU is on the bus"
                .to_owned(),
            "",
        ),
        (Code::DRIVER_NOT_LOADED, Some(address)) => told(
            SourceState::Failing,
            FaultCode::Io,
            format!("the NVIDIA driver is not loaded, with a GPU at {address}"),
            "load it (modprobe nvidia) and look at the kernel log for why it was not",
        ),
        (Code::NO_PERMISSION, _) => told(
            SourceState::Denied,
            FaultCode::Denied,
            message,
            "let strata open /dev/nvidiactl and /dev/nvidia*: as root, in the group that owns them, \
             or with the devices given to its container",
        ),
        (Code::LIB_RM_VERSION_MISMATCH, _) => told(
            SourceState::Failing,
            FaultCode::Io,
            message,
            "the driver was updated under a running kernel module: reboot, or reload the module",
        ),
        _ => told(
            SourceState::Failing,
            FaultCode::Io,
            message,
            "try nvidia-smi on this host; if it fails as well, the driver is the cause",
        ),
    }
}

/// There is nothing whose other end could be asked for.
pub(super) fn no_links() -> CollectError {
    told(
        SourceState::Absent,
        FaultCode::Unsupported,
        "no NVLink of this host is up: its GPUs have none, or none is wired".to_owned(),
        "",
    )
}

/// Links are up, and of none of them is told where it leads.
pub(super) fn untold_ends(up: usize, refusal: Option<Code>, driver: &str) -> CollectError {
    let why = refusal.map_or("no answer", Code::name);
    let message = format!("driver {driver} does not tell where {up} NVLinks lead: {why}");
    match refusal {
        Some(Code::NO_PERMISSION) => told(
            SourceState::Denied,
            FaultCode::Denied,
            message,
            "let strata run as root or with the GPUs' devices given to it: the driver refuses the \
             other end of links to this user",
        ),
        Some(Code::FUNCTION_NOT_FOUND) => told(
            SourceState::Unsupported,
            FaultCode::Unsupported,
            message,
            "update the NVIDIA driver: its library does not have the call",
        ),
        Some(_) => told(
            SourceState::Unsupported,
            FaultCode::Unsupported,
            message,
            "inside a virtual machine ask its host: nvidia-smi nvlink --remotelinkinfo says what the \
             driver tells",
        ),
        None => told(
            SourceState::Failing,
            FaultCode::Io,
            message,
            "try nvidia-smi nvlink --remotelinkinfo on this host; if it fails as well, the driver is \
             the cause",
        ),
    }
}

/// The library works and lists nothing.
pub(super) fn no_devices(gpu: Option<&str>) -> CollectError {
    match gpu {
        None => told(
            SourceState::Absent,
            FaultCode::Unsupported,
            "the NVIDIA driver lists no GPU".to_owned(),
            "",
        ),
        Some(address) => told(
            SourceState::Failing,
            FaultCode::Io,
            format!("there is an NVIDIA GPU at {address}, but its driver lists none"),
            "look at the kernel log for NVRM lines; in a container, give it the devices \
             (NVIDIA_VISIBLE_DEVICES=all)",
        ),
    }
}
