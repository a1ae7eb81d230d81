//! Profiling samples and events.
#![expect(unsafe_code, reason = "names of functions as C finds them")]

use std::ffi::c_void;

use nvml_wrapper_sys::bindings as raw;

use crate::{INVALID_ARGUMENT, NOT_SUPPORTED, SUCCESS, TIMEOUT, answer, put, state};

type Handle = *mut c_void;

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmQueryDeviceSupport(
    device: Handle,
    out: *mut raw::nvmlGpmSupport_t,
) -> u32 {
    answer("nvmlGpmQueryDeviceSupport", device, out, |device, _| {
        let supported = u32::from(!device.gpm.is_empty());
        Ok(raw::nvmlGpmSupport_t { version: 1, isSupportedDevice: supported })
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmSampleAlloc(out: *mut *mut c_void) -> u32 {
    let mut state = state();
    state.samples.push(None);
    put(out, std::ptr::without_provenance_mut(state.samples.len()))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmSampleFree(sample: *mut c_void) -> u32 {
    fill(sample, None)
}

/// Note what a sample is of; `None` empties it.
fn fill(sample: *mut c_void, of: Option<(String, Option<u32>)>) -> u32 {
    match state().samples.get_mut(sample.addr().wrapping_sub(1)) {
        Some(place) => {
            *place = of;
            SUCCESS
        }
        None => INVALID_ARGUMENT,
    }
}

fn sample(call: &str, device: Handle, instance: Option<u32>, sample: *mut c_void) -> u32 {
    let mut uuid = String::new();
    let code = answer(call, device, &raw mut uuid, |device, _| {
        // A device that is split has counters per instance only.
        if device.is_mig() == instance.is_none() {
            Err(NOT_SUPPORTED)
        } else {
            Ok(device.uuid.clone())
        }
    });
    if code == SUCCESS { fill(sample, Some((uuid, instance))) } else { code }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmSampleGet(device: Handle, place: *mut c_void) -> u32 {
    sample("nvmlGpmSampleGet", device, None, place)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmMigSampleGet(
    device: Handle,
    instance: u32,
    place: *mut c_void,
) -> u32 {
    sample("nvmlGpmMigSampleGet", device, Some(instance), place)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlGpmMetricsGet(ask: *mut raw::nvmlGpmMetricsGet_t) -> u32 {
    if ask.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the header demands a pointer to the structure.
    let ask = unsafe { &mut *ask };
    let state = state();
    let of = |sample: *mut raw::nvmlGpmSample_st| {
        state.samples.get(sample.addr().wrapping_sub(1)).and_then(Clone::clone)
    };
    let (Some(before), Some(after)) = (of(ask.sample1), of(ask.sample2)) else {
        return INVALID_ARGUMENT;
    };
    let device = state.machine.devices.iter().find(|one| one.uuid == after.0);
    let Some(device) = device.filter(|_| before == after && ask.version == 1) else {
        return INVALID_ARGUMENT;
    };
    for metric in ask.metrics.iter_mut().take(ask.numMetrics as usize) {
        match device.gpm.get(&(metric.metricId, after.1)) {
            Some(value) => (metric.value, metric.nvmlReturn) = (*value, SUCCESS),
            None => metric.nvmlReturn = NOT_SUPPORTED,
        }
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlEventSetCreate(out: *mut *mut c_void) -> u32 {
    let failing = state().machine.fails("nvmlEventSetCreate", None);
    failing.unwrap_or_else(|| put(out, std::ptr::without_provenance_mut(1)))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlEventSetFree(_set: *mut c_void) -> u32 {
    state().heard.clear();
    SUCCESS
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceGetSupportedEventTypes(device: Handle, out: *mut u64) -> u32 {
    answer("nvmlDeviceGetSupportedEventTypes", device, out, |device, _| {
        Ok(device.value("events", 0x8f))
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlDeviceRegisterEvents(
    device: Handle,
    _kinds: u64,
    _set: *mut c_void,
) -> u32 {
    let mut uuid = String::new();
    let code = answer("nvmlDeviceRegisterEvents", device, &raw mut uuid, |device, _| {
        Ok(device.uuid.clone())
    });
    if code == SUCCESS {
        state().heard.push(uuid);
    }
    code
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn nvmlEventSetWait_v2(
    _set: *mut c_void,
    out: *mut raw::nvmlEventData_t,
    _timeout_ms: u32,
) -> u32 {
    let mut state = state();
    loop {
        let Some(event) = state.machine.events.get(state.told).cloned() else { return TIMEOUT };
        state.told += 1;
        let uuid = state.machine.devices.get(event.device).map(|one| one.uuid.clone());
        let Some(uuid) = uuid.filter(|uuid| state.heard.contains(uuid)) else { continue };
        let device = state.handle(&uuid).cast();
        return put(
            out,
            raw::nvmlEventData_t {
                device,
                eventType: event.kind,
                eventData: event.data,
                gpuInstanceId: event.instance,
                computeInstanceId: u32::MAX,
            },
        );
    }
}
