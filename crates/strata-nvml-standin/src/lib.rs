//! A stand-in for NVIDIA's management library: the same C functions, playing a scripted machine.
//!
//! Tests load it by path in place of `libnvidia-ml.so.1`; so can any other program that uses NVML.
//! The script (see `machine`) is read anew whenever devices are counted or the library is started, so
//! that a machine can change while a program looks at it. Nothing that is shipped depends on it.
#![expect(unsafe_code, reason = "it writes to where its callers, in C's manner, point")]

mod exports;
mod gpm;
mod machine;
mod place;
mod topology;

use std::ffi::{c_char, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use machine::{Device, Machine};

pub(crate) const SUCCESS: u32 = 0;
pub(crate) const UNINITIALIZED: u32 = 1;
pub(crate) const INVALID_ARGUMENT: u32 = 2;
pub(crate) const NOT_SUPPORTED: u32 = 3;
pub(crate) const NOT_FOUND: u32 = 6;
pub(crate) const INSUFFICIENT_SIZE: u32 = 7;
pub(crate) const TIMEOUT: u32 = 10;
pub(crate) const GPU_IS_LOST: u32 = 15;

/// The machine, and what programs were given of it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) started: bool,
    /// UUIDs of devices and instances in the order they were first handed out: a handle is a place
    /// in this list, so it stays a device's while others come and go.
    handles: Vec<String>,
    /// Events of the script that were told.
    pub(crate) told: usize,
    /// UUIDs whose events somebody listens to.
    pub(crate) heard: Vec<String>,
    /// What each profiling sample is of: a device, or an instance of one.
    pub(crate) samples: Vec<Option<(String, Option<u32>)>>,
}

pub(crate) fn state() -> MutexGuard<'static, State> {
    static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Read the script anew.
    pub(crate) fn reread(&mut self) {
        self.machine = Machine::read(place::script().as_deref());
    }

    pub(crate) fn handle(&mut self, uuid: &str) -> *mut c_void {
        let at = self.handles.iter().position(|known| known == uuid).unwrap_or_else(|| {
            self.handles.push(uuid.to_owned());
            self.handles.len() - 1
        });
        std::ptr::without_provenance_mut(at + 1)
    }

    /// The device of a handle; an instance comes with the device it is part of.
    pub(crate) fn device(&self, handle: *mut c_void) -> Result<(&Device, Option<&Device>), u32> {
        let uuid = self.handles.get(handle.addr().wrapping_sub(1)).ok_or(INVALID_ARGUMENT)?;
        for device in &self.machine.devices {
            if device.uuid == *uuid {
                return Ok((device, None));
            }
            if let Some(instance) = device.instances.iter().find(|one| one.uuid == *uuid) {
                return Ok((device, Some(instance)));
            }
        }
        Err(GPU_IS_LOST)
    }
}

/// Answer a question about one device: write the value, or give the code.
pub(crate) fn answer<T>(
    call: &str,
    handle: *mut c_void,
    out: *mut T,
    ask: impl FnOnce(&Device, Option<&Device>) -> Result<T, u32>,
) -> u32 {
    let state = state();
    if !state.started {
        return UNINITIALIZED;
    }
    let found = state.device(handle).and_then(|(device, instance)| {
        match state.machine.fails(call, Some(device)) {
            Some(code) => Err(code),
            None => ask(device, instance),
        }
    });
    match found {
        Ok(value) => put(out, value),
        Err(code) => code,
    }
}

/// Write to where the caller points.
pub(crate) fn put<T>(out: *mut T, value: T) -> u32 {
    if out.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the header demands a pointer to a variable of this type.
    unsafe { out.write(value) };
    SUCCESS
}

/// Write text with its zero byte into a buffer.
pub(crate) fn put_text(out: *mut c_char, length: u32, text: &str) -> u32 {
    if out.is_null() || text.len() >= length as usize {
        return INSUFFICIENT_SIZE;
    }
    for (at, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: within the length that the caller gave with the buffer.
        let place = unsafe { out.add(at) };
        // SAFETY: as above.
        unsafe { place.write(byte as c_char) };
    }
    SUCCESS
}

/// Write a list into a buffer of `count` places, whose number becomes that of the list.
pub(crate) fn put_list<T>(out: *mut T, count: *mut u32, list: Vec<T>) -> u32 {
    if count.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: the header demands a pointer to the number of places.
    let room = unsafe { count.read() };
    put(count, list.len() as u32);
    if list.len() > room as usize || (out.is_null() && !list.is_empty()) {
        return INSUFFICIENT_SIZE;
    }
    for (at, value) in list.into_iter().enumerate() {
        // SAFETY: within the number of places that the caller gave.
        let place = unsafe { out.add(at) };
        // SAFETY: as above.
        unsafe { place.write(value) };
    }
    SUCCESS
}
