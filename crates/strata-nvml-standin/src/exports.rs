//! The functions of nvml.h that ask about devices.
#![expect(unsafe_code, reason = "names of functions as C finds them")]

use std::ffi::{c_char, c_void};

use nvml_wrapper_sys::bindings as raw;

use crate::machine::{Device, number};
use crate::{
    INVALID_ARGUMENT, NOT_FOUND, NOT_SUPPORTED, SUCCESS, UNINITIALIZED, answer, put, put_list,
    put_text, state,
};

type Handle = *mut c_void;

const MIB: u64 = 1 << 20;

/// Functions that write one number: the key in the script, and what a busy H100 says.
macro_rules! numbers {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty = $key:expr, $usual:expr;)*) => {
        $(#[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(device: Handle $(, $argument: $type)*, out: *mut $out) -> u32 {
            answer(stringify!($name), device, out, |device, _| {
                let key: String = $key.to_string();
                Ok(device.value(&key, $usual) as $out)
            })
        })*
    };
}

numbers! {
    nvmlDeviceGetPerformanceState() -> u32 = "pstate", 0;
    nvmlDeviceGetClockInfo(domain: u32) -> u32 = format!("clock{domain}"), 1_980;
    nvmlDeviceGetMaxClockInfo(domain: u32) -> u32 = format!("maxclock{domain}"), 1_980;
    nvmlDeviceGetCurrentClocksEventReasons() -> u64 = "reasons", 0;
    nvmlDeviceGetCurrentClocksThrottleReasons() -> u64 = "reasons", 0;
    nvmlDeviceGetPowerUsage() -> u32 = "power", 643_211;
    nvmlDeviceGetEnforcedPowerLimit() -> u32 = "limit", 700_000;
    nvmlDeviceGetTotalEnergyConsumption() -> u64 = "energy", 5_000_000;
    nvmlDeviceGetFanSpeed_v2(fan: u32) -> u32 = format!("fan{fan}"), 30;
    nvmlDeviceGetTemperatureThreshold(kind: u32) -> u32 = format!("threshold{kind}"), [92, 89, 95, 87].get(kind as usize).copied().unwrap_or(0);
    nvmlDeviceGetCurrPcieLinkGeneration() -> u32 = "pciegen", 5;
    nvmlDeviceGetCurrPcieLinkWidth() -> u32 = "pciewidth", 16;
    nvmlDeviceGetMaxPcieLinkGeneration() -> u32 = "pciegenmax", 5;
    nvmlDeviceGetMaxPcieLinkWidth() -> u32 = "pciewidthmax", 16;
    nvmlDeviceGetNvLinkErrorCounter(link: u32, kind: u32) -> u64 = format!("linkerror{link}.{kind}"), 0;
    nvmlDeviceGetTotalEccErrors(kind: u32, scope: u32) -> u64 = format!("ecc{kind}.{scope}"), 0;
    nvmlDeviceGetMemoryErrorCounter(kind: u32, scope: u32, place: u32) -> u64 = format!("ecc{kind}.{scope}.{place}"), 0;
    nvmlDeviceGetRetiredPagesPendingStatus() -> u32 = "pagespending", 0;
}

/// Functions that write the use of an engine and the period of the average.
macro_rules! rates {
    ($($name:ident = $key:literal;)*) => {
        $(#[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(device: Handle, out: *mut u32, period: *mut u32) -> u32 {
            put(period, 167_000);
            answer(stringify!($name), device, out, |device, _| Ok(device.value($key, 0) as u32))
        })*
    };
}

rates! {
    nvmlDeviceGetEncoderUtilization = "encoder";
    nvmlDeviceGetDecoderUtilization = "decoder";
    nvmlDeviceGetJpgUtilization = "jpeg";
    nvmlDeviceGetOfaUtilization = "ofa";
}

/// Functions that write text of a device or instance.
macro_rules! texts {
    ($($name:ident = $text:expr;)*) => {
        $(#[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(device: Handle, out: *mut c_char, length: u32) -> u32 {
            let mut text = String::new();
            let make: fn(&Device) -> String = $text;
            let code = answer(stringify!($name), device, &raw mut text, |device, instance| {
                Ok(make(instance.unwrap_or(device)))
            });
            if code == SUCCESS { put_text(out, length, &text) } else { code }
        })*
    };
}

texts! {
    nvmlDeviceGetUUID = |device| device.uuid.clone();
    nvmlDeviceGetName = |device| device.text("model", "NVIDIA H100 80GB HBM3");
    nvmlDeviceGetSerial = |device| device.text("serial", "1650523000000");
}

/// Not through an exported name: the tests take those away one by one.
fn start() -> u32 {
    let mut state = state();
    state.reread();
    state.started = state.machine.init == SUCCESS;
    state.machine.init
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlInit_v2() -> u32 {
    start()
}

/// As other programs start it.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlInitWithFlags(_flags: u32) -> u32 {
    start()
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlShutdown() -> u32 {
    state().started = false;
    SUCCESS
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlSystemGetDriverVersion(out: *mut c_char, length: u32) -> u32 {
    put_text(out, length, &state().machine.driver)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlErrorString(code: u32) -> *const c_char {
    let text = match code {
        SUCCESS => c"Success",
        UNINITIALIZED => c"Uninitialized",
        NOT_SUPPORTED => c"Not Supported",
        _ => c"Unknown Error",
    };
    text.as_ptr()
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetCount_v2(out: *mut u32) -> u32 {
    let mut state = state();
    if !state.started {
        return UNINITIALIZED;
    }
    state.reread();
    if let Some(code) = state.machine.fails("nvmlDeviceGetCount_v2", None) {
        return code;
    }
    put(out, state.machine.devices.len() as u32)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: u32, out: *mut Handle) -> u32 {
    let mut state = state();
    let device = state.machine.devices.get(index as usize);
    let Some(uuid) = device.map(|device| device.uuid.clone()) else { return INVALID_ARGUMENT };
    if let Some(code) = state.machine.fails("nvmlDeviceGetHandleByIndex_v2", device) {
        return code;
    }
    put(out, state.handle(&uuid))
}

/// A place on the bus; NVML gives no function.
fn place(bus: u32) -> raw::nvmlPciInfo_t {
    raw::nvmlPciInfo_t {
        busIdLegacy: [0; 16],
        domain: 0,
        bus,
        device: 0,
        pciDeviceId: 0x2330_10de,
        pciSubSystemId: 0,
        busId: [0; 32],
    }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetPciInfo_v3(
    device: Handle,
    out: *mut raw::nvmlPciInfo_t,
) -> u32 {
    answer("nvmlDeviceGetPciInfo_v3", device, out, |device, _| {
        Ok(place(device.value("bus", 0x3b) as u32))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMemoryInfo_v2(
    device: Handle,
    out: *mut raw::nvmlMemory_v2_t,
) -> u32 {
    answer("nvmlDeviceGetMemoryInfo_v2", device, out, |device, instance| {
        let one = instance.unwrap_or(device);
        let total = one.value("total", 81_559) * MIB;
        let (used, reserved) = (one.value("used", 60_000) * MIB, one.value("reserved", 551) * MIB);
        let version = size_of::<raw::nvmlMemory_v2_t>() as u32 | (2 << 24);
        let free = total.saturating_sub(used + reserved);
        Ok(raw::nvmlMemory_v2_t { version, total, reserved, free, used })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMemoryInfo(
    device: Handle,
    out: *mut raw::nvmlMemory_t,
) -> u32 {
    answer("nvmlDeviceGetMemoryInfo", device, out, |device, instance| {
        let one = instance.unwrap_or(device);
        let total = one.value("total", 81_559) * MIB;
        let used = (one.value("used", 60_000) + one.value("reserved", 551)) * MIB;
        Ok(raw::nvmlMemory_t { total, free: total.saturating_sub(used), used })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetTemperatureV(
    device: Handle,
    out: *mut raw::nvmlTemperature_t,
) -> u32 {
    answer("nvmlDeviceGetTemperatureV", device, out, |device, _| {
        let version = size_of::<raw::nvmlTemperature_t>() as u32 | (1 << 24);
        let temperature = device.value("temperature", 66) as i32;
        Ok(raw::nvmlTemperature_t { version, sensorType: 0, temperature })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetTemperature(
    device: Handle,
    _sensor: u32,
    out: *mut u32,
) -> u32 {
    answer("nvmlDeviceGetTemperature", device, out, |device, _| {
        Ok(device.value("temperature", 66) as u32)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMarginTemperature(
    device: Handle,
    out: *mut raw::nvmlMarginTemperature_t,
) -> u32 {
    answer("nvmlDeviceGetMarginTemperature", device, out, |device, _| {
        let version = size_of::<raw::nvmlMarginTemperature_t>() as u32 | (1 << 24);
        let margin = device.value("margin", 21) as i32;
        Ok(raw::nvmlMarginTemperature_t { version, marginTemperature: margin })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetUtilizationRates(
    device: Handle,
    out: *mut raw::nvmlUtilization_t,
) -> u32 {
    answer("nvmlDeviceGetUtilizationRates", device, out, |device, instance| {
        // The real one does not know it for a device that is split.
        if instance.is_some() || device.is_mig() {
            return Err(NOT_SUPPORTED);
        }
        let (gpu, memory) = (device.value("util", 93) as u32, device.value("memutil", 41) as u32);
        Ok(raw::nvmlUtilization_t { gpu, memory })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
    device: Handle,
    least: *mut u32,
    most: *mut u32,
) -> u32 {
    put(least, 200_000);
    answer("nvmlDeviceGetPowerManagementLimitConstraints", device, most, |_, _| Ok(700_000))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetRetiredPages(
    device: Handle,
    cause: u32,
    count: *mut u32,
    addresses: *mut u64,
) -> u32 {
    let mut pages = 0;
    let code = answer("nvmlDeviceGetRetiredPages", device, &raw mut pages, |device, _| {
        let key = format!("pages{cause}");
        // Replaced by row remapping since Ampere.
        match device.value(&key, u64::MAX) {
            u64::MAX => Err(NOT_SUPPORTED),
            pages => Ok(pages),
        }
    });
    if code == SUCCESS { put_list(addresses, count, vec![0; pages as usize]) } else { code }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetRowRemapperHistogram(
    device: Handle,
    out: *mut raw::nvmlRowRemapperHistogramValues_t,
) -> u32 {
    answer("nvmlDeviceGetRowRemapperHistogram", device, out, |device, _| {
        let banks = |key: &str, usual: u64| device.value(key, usual) as u32;
        Ok(raw::nvmlRowRemapperHistogramValues_t {
            max: banks("rowsmax", 640),
            high: banks("rowshigh", 0),
            partial: banks("rowspartial", 0),
            low: banks("rowslow", 0),
            none: banks("rowsnone", 0),
        })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetNvLinkState(device: Handle, link: u32, out: *mut u32) -> u32 {
    answer("nvmlDeviceGetNvLinkState", device, out, |device, _| {
        if u64::from(link) >= device.value("links", 18) {
            return Err(INVALID_ARGUMENT);
        }
        Ok(device.value(&format!("link{link}"), 1) as u32)
    })
}

/// As an H100 of a machine with four switches, whose places begin at bus 5.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetNvLinkRemoteDeviceType(
    device: Handle,
    link: u32,
    out: *mut u32,
) -> u32 {
    answer("nvmlDeviceGetNvLinkRemoteDeviceType", device, out, |device, _| {
        if u64::from(link) >= device.value("links", 18) {
            return Err(INVALID_ARGUMENT);
        }
        Ok(device.value(&format!("endtype{link}"), 2) as u32)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetNvLinkRemotePciInfo_v2(
    device: Handle,
    link: u32,
    out: *mut raw::nvmlPciInfo_t,
) -> u32 {
    answer("nvmlDeviceGetNvLinkRemotePciInfo_v2", device, out, |device, _| {
        if u64::from(link) >= device.value("links", 18) {
            return Err(INVALID_ARGUMENT);
        }
        Ok(place(device.value(&format!("end{link}"), 5 + u64::from(link % 4)) as u32))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMigMode(
    device: Handle,
    now: *mut u32,
    next: *mut u32,
) -> u32 {
    put(next, 0);
    answer("nvmlDeviceGetMigMode", device, now, |device, _| Ok(u32::from(device.is_mig())))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMaxMigDeviceCount(device: Handle, out: *mut u32) -> u32 {
    answer("nvmlDeviceGetMaxMigDeviceCount", device, out, |_, _| Ok(7))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetMigDeviceHandleByIndex(
    device: Handle,
    index: u32,
    out: *mut Handle,
) -> u32 {
    let mut uuid = String::new();
    let code = answer("nvmlDeviceGetMigDeviceHandleByIndex", device, &raw mut uuid, |device, _| {
        let instance = device.instances.get(index as usize).ok_or(NOT_FOUND)?;
        Ok(instance.uuid.clone())
    });
    if code == SUCCESS { put(out, state().handle(&uuid)) } else { code }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetGpuInstanceId(device: Handle, out: *mut u32) -> u32 {
    answer("nvmlDeviceGetGpuInstanceId", device, out, |_, instance| {
        instance.map(|one| one.value("gi", 0) as u32).ok_or(NOT_SUPPORTED)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetFieldValues(
    device: Handle,
    count: i32,
    values: *mut raw::nvmlFieldValue_t,
) -> u32 {
    let mut fields = std::collections::BTreeMap::new();
    let code = answer("nvmlDeviceGetFieldValues", device, &raw mut fields, |device, _| {
        Ok(device.fields.clone())
    });
    if code != SUCCESS || values.is_null() {
        return if code == SUCCESS { INVALID_ARGUMENT } else { code };
    }
    // SAFETY: the header demands this many structures.
    let values = unsafe { std::slice::from_raw_parts_mut(values, count.max(0) as usize) };
    for value in values {
        let Some(field) = fields.get(&(value.fieldId, value.scopeId)) else {
            value.nvmlReturn = NOT_SUPPORTED;
            continue;
        };
        value.nvmlReturn = number(field, "code").unwrap_or(SUCCESS);
        value.valueType = number(field, "type").unwrap_or(3);
        value.value = match value.valueType {
            0 => raw::nvmlValue_t { dVal: number(field, "value").unwrap_or(0.0) },
            1 => raw::nvmlValue_t { uiVal: number(field, "value").unwrap_or(0) },
            4 => raw::nvmlValue_t { sllVal: number(field, "value").unwrap_or(0) },
            5 => raw::nvmlValue_t { siVal: number(field, "value").unwrap_or(0) },
            _ => raw::nvmlValue_t { ullVal: number(field, "value").unwrap_or(0) },
        };
    }
    SUCCESS
}

/// The processes of a kind, on the device or anywhere in it.
fn processes(
    (call, kind): (&str, &str),
    device: Handle,
    count: *mut u32,
    out: *mut raw::nvmlProcessInfo_t,
) -> u32 {
    let mut list = Vec::new();
    let code = answer(call, device, &raw mut list, |device, _| {
        let of_kind = device
            .processes
            .iter()
            .filter(|one| one.get("kind").map_or("compute", String::as_str) == kind);
        Ok(of_kind
            .map(|one| raw::nvmlProcessInfo_t {
                pid: number(one, "pid").unwrap_or(0),
                usedGpuMemory: number(one, "used").unwrap_or(u64::MAX),
                gpuInstanceId: number(one, "gi").unwrap_or(u32::MAX),
                computeInstanceId: number(one, "ci").unwrap_or(u32::MAX),
            })
            .collect())
    });
    if code == SUCCESS { put_list(out, count, list) } else { code }
}

macro_rules! process_lists {
    ($($name:ident = $kind:literal;)*) => {
        $(#[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(
            device: Handle,
            count: *mut u32,
            out: *mut raw::nvmlProcessInfo_t,
        ) -> u32 {
            processes((stringify!($name), $kind), device, count, out)
        })*
    };
}

process_lists! {
    nvmlDeviceGetComputeRunningProcesses_v3 = "compute";
    nvmlDeviceGetGraphicsRunningProcesses_v3 = "graphics";
    nvmlDeviceGetMPSComputeRunningProcesses_v3 = "mps";
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetProcessUtilization(
    device: Handle,
    out: *mut raw::nvmlProcessUtilizationSample_t,
    count: *mut u32,
    since_us: u64,
) -> u32 {
    let mut list = Vec::new();
    let code = answer("nvmlDeviceGetProcessUtilization", device, &raw mut list, |device, _| {
        if device.is_mig() {
            return Err(NOT_SUPPORTED);
        }
        let shares = device.processes.iter().filter_map(|one| {
            Some(raw::nvmlProcessUtilizationSample_t {
                pid: number(one, "pid")?,
                // Each look finds one newer sample.
                timeStamp: since_us + 1,
                smUtil: number(one, "sm")?,
                memUtil: 0,
                encUtil: 0,
                decUtil: 0,
            })
        });
        let shares: Vec<_> = shares.collect();
        if shares.is_empty() { Err(NOT_FOUND) } else { Ok(shares) }
    });
    if code == SUCCESS { put_list(out, count, list) } else { code }
}
