//! The calls that take or fill a structure.
#![expect(unsafe_code, reason = "as its parent: the library is C")]

use std::ffi::{c_int, c_uint};
use std::ptr::null_mut;
use std::sync::Arc;

use nvml_wrapper_sys::bindings as raw;

use super::super::fabric::Membership;
use super::{
    Answer, Code, Event, EventSet, FieldAsk, FieldValue, GpmSample, Handle, Memory, NO_INSTANCE,
    NOT_AVAILABLE, Nvml, PROCESSES_MAX, Process, ProcessKind, ProcessShare, SpareRows, check,
};

/// The library reads the size and version of a structure from one number
/// (`NVML_STRUCT_VERSION` of nvml.h).
fn version_of<T>(version: u32) -> c_uint {
    size_of::<T>() as u32 | (version << 24)
}

const NO_PLACE: raw::nvmlPciInfo_t = raw::nvmlPciInfo_t {
    busIdLegacy: [0; 16],
    domain: 0,
    bus: 0,
    device: 0,
    pciDeviceId: 0,
    pciSubSystemId: 0,
    busId: [0; 32],
};

fn address(pci: &raw::nvmlPciInfo_t) -> String {
    format!("{:04x}:{:02x}:{:02x}.0", pci.domain, pci.bus, pci.device)
}

/// Samples of processes that are read at most in one call.
const SHARES_MAX: usize = 512;

impl Nvml {
    /// Address on the bus as sysfs writes it: `0000:3b:00.0`. NVML gives no function; it is 0.
    pub(in super::super) fn pci_address(&self, device: Handle) -> Answer<String> {
        let mut pci = NO_PLACE;
        ask!(self, nvmlDeviceGetPciInfo_v3(device.0, &raw mut pci))?;
        Ok(address(&pci))
    }

    /// The same of what is at the other end of a link; `None` where the driver says it has no place
    /// on this host's bus, as the switches of a rack have none.
    pub(in super::super) fn link_end_address(
        &self,
        device: Handle,
        link: u32,
    ) -> Answer<Option<String>> {
        let mut pci = NO_PLACE;
        ask!(self, nvmlDeviceGetNvLinkRemotePciInfo_v2(device.0, link, &raw mut pci))?;
        let nowhere = (pci.domain, pci.bus, pci.device) == (0, 0, 0) || pci.domain == u32::MAX;
        Ok((!nowhere).then(|| address(&pci)))
    }

    /// Version 2 tells reserved memory apart; the first counts it as used.
    pub(in super::super) fn memory(&self, device: Handle) -> Answer<Memory> {
        let mut memory = raw::nvmlMemory_v2_t {
            version: version_of::<raw::nvmlMemory_v2_t>(2),
            total: 0,
            reserved: 0,
            free: 0,
            used: 0,
        };
        match ask!(self, nvmlDeviceGetMemoryInfo_v2(device.0, &raw mut memory)) {
            Ok(()) => Ok(Memory {
                total: memory.total,
                free: memory.free,
                used: memory.used,
                reserved: Some(memory.reserved),
            }),
            Err(code) if code.is_missing() => {
                let mut memory = raw::nvmlMemory_t { total: 0, free: 0, used: 0 };
                ask!(self, nvmlDeviceGetMemoryInfo(device.0, &raw mut memory))?;
                let (total, free, used) = (memory.total, memory.free, memory.used);
                Ok(Memory { total, free, used, reserved: None })
            }
            Err(code) => Err(code),
        }
    }

    /// The fabric of switches that the device is part of; the older call does not know how it is.
    pub(in super::super) fn fabric(&self, device: Handle) -> Answer<Membership> {
        let mut value = raw::nvmlGpuFabricInfo_v3_t {
            version: version_of::<raw::nvmlGpuFabricInfo_v2_t>(2),
            clusterUuid: [0; 16],
            status: 0,
            cliqueId: 0,
            state: 0,
            healthMask: 0,
            healthSummary: 0,
        };
        // Asked for version 2, which drivers of two years know: the third only adds a field at its end.
        ask!(self, nvmlDeviceGetGpuFabricInfoV(device.0, &raw mut value))?;
        check(value.status)?;
        Ok(Membership {
            cluster: value.clusterUuid,
            clique: value.cliqueId,
            state: u32::from(value.state),
            health: value.healthMask,
        })
    }

    /// Degrees Celsius at the GPU; the older call only where the newer is missing.
    pub(in super::super) fn temperature(&self, device: Handle) -> Answer<i32> {
        let mut value = raw::nvmlTemperature_t {
            version: version_of::<raw::nvmlTemperature_t>(1),
            sensorType: 0,
            temperature: 0,
        };
        match ask!(self, nvmlDeviceGetTemperatureV(device.0, &raw mut value)) {
            Ok(()) => Ok(value.temperature),
            Err(code) if code.is_missing() => {
                let mut celsius = 0;
                ask!(self, nvmlDeviceGetTemperature(device.0, 0, &raw mut celsius))?;
                Ok(celsius as i32)
            }
            Err(code) => Err(code),
        }
    }

    /// Degrees Celsius left until the device slows down.
    pub(in super::super) fn margin_celsius(&self, device: Handle) -> Answer<i32> {
        let mut value = raw::nvmlMarginTemperature_t {
            version: version_of::<raw::nvmlMarginTemperature_t>(1),
            marginTemperature: 0,
        };
        ask!(self, nvmlDeviceGetMarginTemperature(device.0, &raw mut value))?;
        Ok(value.marginTemperature)
    }

    /// Smallest and greatest power limit that may be set, in milliwatts.
    pub(in super::super) fn limit_range_milliwatts(&self, device: Handle) -> Answer<(u32, u32)> {
        let (mut least, mut most) = (0, 0);
        ask!(
            self,
            nvmlDeviceGetPowerManagementLimitConstraints(device.0, &raw mut least, &raw mut most)
        )?;
        Ok((least, most))
    }

    /// Pages retired for a cause: 0 several single-bit errors, 1 a double-bit error.
    pub(in super::super) fn pages_retired(&self, device: Handle, cause: u32) -> Answer<u32> {
        let mut count = 0;
        // Asked with no room for addresses: the answer is then the number alone.
        match ask!(self, nvmlDeviceGetRetiredPages(device.0, cause, &raw mut count, null_mut())) {
            Ok(()) | Err(Code::INSUFFICIENT_SIZE) => Ok(count),
            Err(code) => Err(code),
        }
    }

    /// Banks of memory by the spare rows they have left for remapping.
    pub(in super::super) fn spare_rows(&self, device: Handle) -> Answer<SpareRows> {
        let mut value =
            raw::nvmlRowRemapperHistogramValues_t { max: 0, high: 0, partial: 0, low: 0, none: 0 };
        ask!(self, nvmlDeviceGetRowRemapperHistogram(device.0, &raw mut value))?;
        Ok(SpareRows { banks: [value.max, value.high, value.partial, value.low, value.none] })
    }

    /// Whether the device is split into instances.
    pub(in super::super) fn is_mig(&self, device: Handle) -> Answer<bool> {
        let (mut current, mut pending) = (0, 0);
        ask!(self, nvmlDeviceGetMigMode(device.0, &raw mut current, &raw mut pending))?;
        Ok(current == 1)
    }

    pub(in super::super) fn mig_device(&self, device: Handle, index: u32) -> Answer<Handle> {
        let mut handle = null_mut();
        ask!(self, nvmlDeviceGetMigDeviceHandleByIndex(device.0, index, &raw mut handle))?;
        Ok(Handle(handle))
    }

    /// Compute slices of the device and of its instance, and the memory in MiB.
    pub(in super::super) fn mig_size(&self, device: Handle) -> Answer<(u32, u32, u64)> {
        let mut value = raw::nvmlDeviceAttributes_t {
            multiprocessorCount: 0,
            sharedCopyEngineCount: 0,
            sharedDecoderCount: 0,
            sharedEncoderCount: 0,
            sharedJpegCount: 0,
            sharedOfaCount: 0,
            gpuInstanceSliceCount: 0,
            computeInstanceSliceCount: 0,
            memorySizeMB: 0,
        };
        ask!(self, nvmlDeviceGetAttributes_v2(device.0, &raw mut value))?;
        let slices = (value.computeInstanceSliceCount, value.gpuInstanceSliceCount);
        Ok((slices.0, slices.1, value.memorySizeMB))
    }

    /// One answer for each value asked for.
    pub(in super::super) fn fields(
        &self,
        device: Handle,
        asked: &[FieldAsk],
    ) -> Answer<Vec<Answer<FieldValue>>> {
        let empty = |ask: &FieldAsk| raw::nvmlFieldValue_t {
            fieldId: ask.id,
            scopeId: ask.scope,
            timestamp: 0,
            latencyUsec: 0,
            valueType: 0,
            // What the library does not touch was not answered.
            nvmlReturn: Code::NOT_SUPPORTED.0,
            value: raw::nvmlValue_t { ullVal: 0 },
        };
        let mut values: Vec<raw::nvmlFieldValue_t> = asked.iter().map(empty).collect();
        let count = values.len() as c_int;
        ask!(self, nvmlDeviceGetFieldValues(device.0, count, values.as_mut_ptr()))?;
        Ok(values
            .iter()
            .map(|value| check(value.nvmlReturn).and_then(|()| number(value)))
            .collect())
    }

    /// The processes with a context on the device, at most [`PROCESSES_MAX`].
    pub(in super::super) fn processes(
        &self,
        device: Handle,
        kind: ProcessKind,
    ) -> Answer<Vec<Process>> {
        let empty = raw::nvmlProcessInfo_t {
            pid: 0,
            usedGpuMemory: 0,
            gpuInstanceId: NO_INSTANCE,
            computeInstanceId: NO_INSTANCE,
        };
        let mut list = [empty; PROCESSES_MAX];
        let mut count = PROCESSES_MAX as c_uint;
        let out = list.as_mut_ptr();
        let answer = match kind {
            ProcessKind::Compute => {
                ask!(self, nvmlDeviceGetComputeRunningProcesses_v3(device.0, &raw mut count, out))
            }
            ProcessKind::Graphics => {
                ask!(self, nvmlDeviceGetGraphicsRunningProcesses_v3(device.0, &raw mut count, out))
            }
            ProcessKind::Mps => {
                ask!(
                    self,
                    nvmlDeviceGetMPSComputeRunningProcesses_v3(device.0, &raw mut count, out)
                )
            }
        };
        // With more than there is room for, those that fit are not promised to be written.
        answer?;
        Ok(list
            .iter()
            .take(count as usize)
            .map(|one| Process {
                pid: one.pid,
                memory: (one.usedGpuMemory != NOT_AVAILABLE).then_some(one.usedGpuMemory),
                gpu_instance: (one.gpuInstanceId != NO_INSTANCE).then_some(one.gpuInstanceId),
            })
            .collect())
    }

    /// What processes used since `since_us`; nothing when nothing ran.
    pub(in super::super) fn process_shares(
        &self,
        device: Handle,
        since_us: u64,
    ) -> Answer<Vec<ProcessShare>> {
        let empty = raw::nvmlProcessUtilizationSample_t {
            pid: 0,
            timeStamp: 0,
            smUtil: 0,
            memUtil: 0,
            encUtil: 0,
            decUtil: 0,
        };
        let mut list = [empty; SHARES_MAX];
        let mut count = SHARES_MAX as c_uint;
        let answer = ask!(
            self,
            nvmlDeviceGetProcessUtilization(device.0, list.as_mut_ptr(), &raw mut count, since_us)
        );
        match answer {
            Ok(()) => {}
            Err(Code::NOT_FOUND | Code::NO_DATA) => count = 0,
            Err(code) => return Err(code),
        }
        let listed = list.iter().take(count as usize).filter(|one| one.timeStamp > since_us);
        let share = |one: &raw::nvmlProcessUtilizationSample_t| ProcessShare {
            pid: one.pid,
            at_us: one.timeStamp,
            sm: one.smUtil,
        };
        Ok(listed.map(share).collect())
    }

    /// Whether the device has profiling counters that need no other program (Hopper and later).
    pub(in super::super) fn has_gpm(&self, device: Handle) -> Answer<bool> {
        let mut support =
            raw::nvmlGpmSupport_t { version: raw::NVML_GPM_SUPPORT_VERSION, isSupportedDevice: 0 };
        ask!(self, nvmlGpmQueryDeviceSupport(device.0, &raw mut support))?;
        Ok(support.isSupportedDevice != 0)
    }

    pub(in super::super) fn gpm_sample(self: &Arc<Self>) -> Answer<GpmSample> {
        let mut sample = null_mut();
        ask!(self, nvmlGpmSampleAlloc(&raw mut sample))?;
        Ok(GpmSample { raw: sample, library: Arc::clone(self) })
    }

    /// Fill a sample, of the whole device or of one instance of it.
    pub(in super::super) fn gpm_fill(
        &self,
        device: Handle,
        instance: Option<u32>,
        sample: &mut GpmSample,
    ) -> Answer<()> {
        match instance {
            None => ask!(self, nvmlGpmSampleGet(device.0, sample.raw)),
            Some(id) => ask!(self, nvmlGpmMigSampleGet(device.0, id, sample.raw)),
        }
    }

    /// What happened between two samples, one answer for each metric; at most 210.
    pub(in super::super) fn gpm_metrics<const N: usize>(
        &self,
        before: &GpmSample,
        after: &GpmSample,
        metrics: &[u32; N],
    ) -> Answer<[Answer<f64>; N]> {
        let nothing = raw::nvmlGpmMetric_t__bindgen_ty_1 {
            shortName: null_mut(),
            longName: null_mut(),
            unit: null_mut(),
        };
        let empty = raw::nvmlGpmMetric_t {
            metricId: 0,
            nvmlReturn: Code::NOT_SUPPORTED.0,
            value: 0.0,
            metricInfo: nothing,
        };
        let mut ask = Box::new(raw::nvmlGpmMetricsGet_t {
            version: raw::NVML_GPM_METRICS_GET_VERSION,
            numMetrics: N as c_uint,
            sample1: before.raw,
            sample2: after.raw,
            metrics: [empty; 210],
        });
        for (slot, id) in ask.metrics.iter_mut().zip(metrics) {
            slot.metricId = *id;
        }
        ask!(self, nvmlGpmMetricsGet(&raw mut *ask))?;
        let mut answers = [Err(Code::NO_DATA); N];
        for (answer, slot) in answers.iter_mut().zip(&ask.metrics) {
            *answer = check(slot.nvmlReturn).map(|()| slot.value);
        }
        Ok(answers)
    }

    pub(in super::super) fn event_set(&self) -> Answer<EventSet> {
        let mut set = null_mut();
        ask!(self, nvmlEventSetCreate(&raw mut set))?;
        Ok(EventSet(set))
    }

    pub(in super::super) fn listen(
        &self,
        device: Handle,
        kinds: u64,
        set: &EventSet,
    ) -> Answer<()> {
        ask!(self, nvmlDeviceRegisterEvents(device.0, kinds, set.0))
    }

    /// The next event, if there is one; never waits.
    pub(in super::super) fn next_event(&self, set: &EventSet) -> Answer<Option<Event>> {
        let mut event = raw::nvmlEventData_t {
            device: null_mut(),
            eventType: 0,
            eventData: 0,
            gpuInstanceId: NO_INSTANCE,
            computeInstanceId: NO_INSTANCE,
        };
        match ask!(self, nvmlEventSetWait_v2(set.0, &raw mut event, 0)) {
            Ok(()) => Ok(Some(Event {
                device: Handle(event.device),
                kind: event.eventType,
                data: event.eventData,
                gpu_instance: (event.gpuInstanceId != NO_INSTANCE).then_some(event.gpuInstanceId),
            })),
            Err(Code::TIMEOUT) => Ok(None),
            Err(code) => Err(code),
        }
    }

    pub(in super::super) fn close_events(&self, set: &EventSet) -> Answer<()> {
        ask!(self, nvmlEventSetFree(set.0))
    }
}

/// The number in the form the library says it has (`nvmlValueType_t`).
fn number(field: &raw::nvmlFieldValue_t) -> Answer<FieldValue> {
    let is_narrow = matches!(field.valueType, 1 | 5 | 6);
    let value = field.value;
    let value = match field.valueType {
        // SAFETY: the library says which member it has written; all are plain numbers in one word.
        0 => unsafe { value.dVal },
        // SAFETY: as above.
        1 => f64::from(unsafe { value.uiVal }),
        // SAFETY: as above.
        2 => (unsafe { value.ulVal }) as f64,
        // SAFETY: as above.
        3 => (unsafe { value.ullVal }) as f64,
        // SAFETY: as above.
        4 => (unsafe { value.sllVal }) as f64,
        // SAFETY: as above.
        5 => f64::from(unsafe { value.siVal }),
        // SAFETY: as above.
        6 => f64::from(unsafe { value.usVal }),
        _ => return Err(Code::NOT_SUPPORTED),
    };
    // A double may be anything; what is no number was not measured.
    if value.is_finite() { Ok(FieldValue { value, is_narrow }) } else { Err(Code::NO_DATA) }
}

/// A field as the library writes it: its return code, type and eight bytes. The number, if it is one.
pub(in super::super) fn field_of(code: u32, kind: u32, bytes: [u8; 8]) -> Option<f64> {
    let value = raw::nvmlValue_t { ullVal: u64::from_ne_bytes(bytes) };
    let field = raw::nvmlFieldValue_t {
        fieldId: 0,
        scopeId: 0,
        timestamp: 0,
        latencyUsec: 0,
        valueType: kind,
        nvmlReturn: code,
        value,
    };
    check(field.nvmlReturn).and_then(|()| number(&field)).ok().map(|answer| answer.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_by_its_type_and_nothing_but_numbers_is_one() {
        let of = |kind: u32, bytes: [u8; 8]| field_of(0, kind, bytes);
        assert_eq!(of(0, 61.5_f64.to_ne_bytes()), Some(61.5));
        assert_eq!(of(0, f64::NAN.to_ne_bytes()), None);
        assert_eq!(of(0, f64::INFINITY.to_ne_bytes()), None);
        assert_eq!(of(3, 7_u64.to_ne_bytes()), Some(7.0));
        assert_eq!(of(4, (-7_i64).to_ne_bytes()), Some(-7.0));
        assert_eq!(of(7, 7_u64.to_ne_bytes()), None, "a type of a newer header");
        assert_eq!(field_of(3, 3, 7_u64.to_ne_bytes()), None, "not supported");
    }
}
