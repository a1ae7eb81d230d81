//! NVIDIA's management library, loaded at run time: the one file that calls into it.
//!
//! Every call gives a value or a [`Code`]; a function that this driver's library does not have is
//! `Code::FUNCTION_NOT_FOUND`, like any other answer.
#![expect(unsafe_code, reason = "the library is C, found at run time; every call stands here")]

use std::ffi::{CStr, c_char, c_uint};
use std::ptr::null_mut;
use std::sync::Arc;

use nvml_wrapper_sys::bindings as raw;

/// What a call answers when it does not succeed (`nvmlReturn_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code(pub(super) u32);

impl Code {
    pub(super) const UNINITIALIZED: Self = Self(1);
    pub(super) const INVALID_ARGUMENT: Self = Self(2);
    pub(super) const NOT_SUPPORTED: Self = Self(3);
    pub(super) const NO_PERMISSION: Self = Self(4);
    pub(super) const NOT_FOUND: Self = Self(6);
    pub(super) const INSUFFICIENT_SIZE: Self = Self(7);
    pub(super) const DRIVER_NOT_LOADED: Self = Self(9);
    pub(super) const TIMEOUT: Self = Self(10);
    pub(super) const FUNCTION_NOT_FOUND: Self = Self(13);
    pub(super) const GPU_IS_LOST: Self = Self(15);
    pub(super) const RESET_REQUIRED: Self = Self(16);
    pub(super) const LIB_RM_VERSION_MISMATCH: Self = Self(18);
    pub(super) const NO_DATA: Self = Self(21);
    pub(super) const ARGUMENT_VERSION_MISMATCH: Self = Self(25);
    pub(super) const DEPRECATED: Self = Self(26);

    /// The device or driver does not have what was asked for: no use asking again.
    pub(super) fn is_missing(self) -> bool {
        matches!(
            self,
            Self::NOT_SUPPORTED
                | Self::INVALID_ARGUMENT
                | Self::FUNCTION_NOT_FOUND
                | Self::ARGUMENT_VERSION_MISMATCH
                | Self::DEPRECATED
        )
    }

    /// The device does not answer any more.
    pub(super) fn is_loss(self) -> bool {
        matches!(self, Self::GPU_IS_LOST | Self::RESET_REQUIRED)
    }

    /// In the words of nvml.h.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UNINITIALIZED => "not initialized",
            Self::INVALID_ARGUMENT => "invalid argument",
            Self::NOT_SUPPORTED => "not supported",
            Self::NO_PERMISSION => "no permission",
            Self::NOT_FOUND => "not found",
            Self::INSUFFICIENT_SIZE => "insufficient size",
            Self::DRIVER_NOT_LOADED => "driver not loaded",
            Self::TIMEOUT => "timeout",
            Self::FUNCTION_NOT_FOUND => "function not found",
            Self::GPU_IS_LOST => "GPU is lost",
            Self::RESET_REQUIRED => "GPU requires reset",
            Self::LIB_RM_VERSION_MISMATCH => "driver and library versions differ",
            Self::NO_DATA => "no data",
            Self::ARGUMENT_VERSION_MISMATCH => "argument version mismatch",
            Self::DEPRECATED => "deprecated",
            _ => "an error",
        }
    }
}

pub(super) type Answer<T> = Result<T, Code>;

/// A device or MIG device, as long as the library stays initialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle(raw::nvmlDevice_t);

// SAFETY: a handle is an opaque name of a device, never followed by us, and NVML is thread-safe.
unsafe impl Send for Handle {}

/// A place for one sample of the profiling counters.
pub(super) struct GpmSample {
    raw: raw::nvmlGpmSample_t,
    library: Arc<Nvml>,
}

// SAFETY: only its owner uses it, and NVML does not tie it to a thread.
unsafe impl Send for GpmSample {}

impl Drop for GpmSample {
    fn drop(&mut self) {
        if let Ok(free) = &self.library.raw.nvmlGpmSampleFree {
            // SAFETY: allocated by the same library and freed once.
            unsafe { free(self.raw) };
        }
    }
}

/// The set of events that are listened to.
pub(super) struct EventSet(raw::nvmlEventSet_t);

// SAFETY: as a handle.
unsafe impl Send for EventSet {}

/// One event of a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) device: Handle,
    pub(super) kind: u64,
    pub(super) data: u64,
    /// Instance of MIG; `None` for the whole device.
    pub(super) gpu_instance: Option<u32>,
}

/// A process with memory on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Bytes; `None` where the driver cannot tell.
    pub(super) memory: Option<u64>,
    pub(super) gpu_instance: Option<u32>,
}

/// What a process used of a device since the last look, each 0..=100.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProcessShare {
    pub(super) pid: u32,
    /// Microseconds since the Unix epoch.
    pub(super) at_us: u64,
    pub(super) sm: u32,
}

/// Which list of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessKind {
    Compute,
    Graphics,
    Mps,
}

/// Banks of memory by how many spare rows they have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpareRows {
    /// All, many, some, few and none left, in this order.
    pub(super) banks: [u32; 5],
}

/// Device memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) free: u64,
    pub(super) used: u64,
    /// Only version 2 of the call tells it apart from what is used.
    pub(super) reserved: Option<u64>,
}

/// A value to ask for by number, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldAsk {
    pub(super) id: u32,
    /// A link, or [`ALL_LINKS`]; 0 where it means nothing.
    pub(super) scope: u32,
}

/// What a field answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FieldValue {
    pub(super) value: f64,
    /// The library keeps it in 32 bits, where a count of bytes wraps several times a second.
    pub(super) is_narrow: bool,
}

/// The scope of a link field that means all links together (nvml.h: `UINT_MAX`).
pub(super) const ALL_LINKS: u32 = u32::MAX;

/// Instance numbers that mean "none" (nvml.h: `0xFFFFFFFF`).
const NO_INSTANCE: u32 = u32::MAX;
/// `NVML_VALUE_NOT_AVAILABLE` of a process's memory.
const NOT_AVAILABLE: u64 = u64::MAX;
/// Processes of one device and kind that are read.
pub(super) const PROCESSES_MAX: usize = 256;
const TEXT_BYTES: usize = 96;

/// The loaded library.
pub(super) struct Nvml {
    raw: raw::NvmlLib,
}

fn check(code: raw::nvmlReturn_t) -> Answer<()> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

/// Call a function by the name nvml.h gives it, if this library has it.
macro_rules! ask {
    ($library:expr, $name:ident($($argument:expr),*)) => {
        match &$library.raw.$name {
            // SAFETY: the type is generated from nvml.h, and every pointer given to it is to a
            // living variable or buffer of the length that is given with it.
            Ok(function) => check(unsafe { function($($argument),*) }),
            Err(_absent) => Err(Code::FUNCTION_NOT_FOUND),
        }
    };
}

/// Calls of the form "write one number about this device".
macro_rules! numbers {
    ($($method:ident = $name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        $(pub(super) fn $method(&self, device: Handle $(, $argument: $type)*) -> Answer<$out> {
            let mut value: $out = 0;
            ask!(self, $name(device.0 $(, $argument)*, &raw mut value))?;
            Ok(value)
        })*
    };
}

/// Calls that write text.
macro_rules! texts {
    ($($method:ident = $name:ident;)*) => {
        $(pub(super) fn $method(&self, device: Handle) -> Answer<String> {
            let mut buffer = [0 as c_char; TEXT_BYTES];
            ask!(self, $name(device.0, buffer.as_mut_ptr(), TEXT_BYTES as c_uint))?;
            Ok(text(&buffer))
        })*
    };
}

/// Calls that write the use of an engine, 0..=100, and the period the driver averaged over.
macro_rules! rates {
    ($($method:ident = $name:ident;)*) => {
        $(pub(super) fn $method(&self, device: Handle) -> Answer<u32> {
            let (mut value, mut period) = (0, 0);
            ask!(self, $name(device.0, &raw mut value, &raw mut period))?;
            Ok(value)
        })*
    };
}

// Below the macros, which it uses.
mod structs;
pub(super) use structs::field_of;

/// Text up to its zero byte; all of it when there is none.
fn text(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer.iter().map(|byte| *byte as u8).collect();
    let text = CStr::from_bytes_until_nul(&bytes).map_or(&*bytes, CStr::to_bytes);
    String::from_utf8_lossy(text).into_owned()
}

impl Nvml {
    /// Load the library at `path`, or wherever the dynamic linker finds a library of that name.
    pub(super) fn load(path: &str) -> Result<Self, String> {
        // SAFETY: loading runs the library's initializers. That it is NVIDIA's is for whoever named
        // it to know; the default name is the one NVIDIA installs.
        let raw = unsafe { raw::NvmlLib::new(path) };
        raw.map(|raw| Self { raw }).map_err(|error| error.to_string())
    }

    pub(super) fn start(&self) -> Answer<()> {
        ask!(self, nvmlInit_v2())
    }

    pub(super) fn stop(&self) -> Answer<()> {
        ask!(self, nvmlShutdown())
    }

    pub(super) fn driver_version(&self) -> Answer<String> {
        let mut buffer = [0 as c_char; TEXT_BYTES];
        ask!(self, nvmlSystemGetDriverVersion(buffer.as_mut_ptr(), TEXT_BYTES as c_uint))?;
        Ok(text(&buffer))
    }

    pub(super) fn device_count(&self) -> Answer<u32> {
        let mut count = 0;
        ask!(self, nvmlDeviceGetCount_v2(&raw mut count))?;
        Ok(count)
    }

    pub(super) fn device(&self, index: u32) -> Answer<Handle> {
        let mut handle = null_mut();
        ask!(self, nvmlDeviceGetHandleByIndex_v2(index, &raw mut handle))?;
        Ok(Handle(handle))
    }

    texts! {
        uuid = nvmlDeviceGetUUID;
        model = nvmlDeviceGetName;
        serial = nvmlDeviceGetSerial;
    }

    numbers! {
        performance_state = nvmlDeviceGetPerformanceState() -> u32;
        clock_mhz = nvmlDeviceGetClockInfo(domain: u32) -> u32;
        max_clock_mhz = nvmlDeviceGetMaxClockInfo(domain: u32) -> u32;
        clock_event_reasons = nvmlDeviceGetCurrentClocksEventReasons() -> u64;
        clock_throttle_reasons = nvmlDeviceGetCurrentClocksThrottleReasons() -> u64;
        power_milliwatts = nvmlDeviceGetPowerUsage() -> u32;
        enforced_limit_milliwatts = nvmlDeviceGetEnforcedPowerLimit() -> u32;
        fan_percent = nvmlDeviceGetFanSpeed_v2(fan: u32) -> u32;
        threshold_celsius = nvmlDeviceGetTemperatureThreshold(kind: u32) -> u32;
        pcie_generation = nvmlDeviceGetCurrPcieLinkGeneration() -> u32;
        pcie_width = nvmlDeviceGetCurrPcieLinkWidth() -> u32;
        pcie_generation_max = nvmlDeviceGetMaxPcieLinkGeneration() -> u32;
        pcie_width_max = nvmlDeviceGetMaxPcieLinkWidth() -> u32;
        link_state = nvmlDeviceGetNvLinkState(link: u32) -> u32;
        link_errors = nvmlDeviceGetNvLinkErrorCounter(link: u32, kind: u32) -> u64;
        link_end_kind = nvmlDeviceGetNvLinkRemoteDeviceType(link: u32) -> u32;
        ecc_total = nvmlDeviceGetTotalEccErrors(kind: u32, scope: u32) -> u64;
        ecc_at = nvmlDeviceGetMemoryErrorCounter(kind: u32, scope: u32, place: u32) -> u64;
        pages_pending = nvmlDeviceGetRetiredPagesPendingStatus() -> u32;
        mig_devices_max = nvmlDeviceGetMaxMigDeviceCount() -> u32;
        gpu_instance = nvmlDeviceGetGpuInstanceId() -> u32;
        event_types = nvmlDeviceGetSupportedEventTypes() -> u64;
    }

    /// The nearest part of the bus that both are below (`nvmlGpuTopologyLevel_t`).
    pub(super) fn common_ancestor(&self, one: Handle, other: Handle) -> Answer<u32> {
        let mut level = 0;
        ask!(self, nvmlDeviceGetTopologyCommonAncestor(one.0, other.0, &raw mut level))?;
        Ok(level)
    }

    /// Share of time in which a kernel ran, and in which memory was accessed, 0..=100 each.
    pub(super) fn utilization(&self, device: Handle) -> Answer<(u32, u32)> {
        let mut value = raw::nvmlUtilization_t { gpu: 0, memory: 0 };
        ask!(self, nvmlDeviceGetUtilizationRates(device.0, &raw mut value))?;
        Ok((value.gpu, value.memory))
    }

    rates! {
        encoder_percent = nvmlDeviceGetEncoderUtilization;
        decoder_percent = nvmlDeviceGetDecoderUtilization;
        jpeg_percent = nvmlDeviceGetJpgUtilization;
        ofa_percent = nvmlDeviceGetOfaUtilization;
    }
}
