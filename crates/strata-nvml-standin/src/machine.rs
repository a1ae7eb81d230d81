//! The machine that is played, as its script describes it.
//!
//! One statement a line, words and `key=value` pairs, `#` begins a comment:
//!
//! ```text
//! driver 570.86.15
//! init 9                                  # what nvmlInit_v2 answers
//! gpu GPU-1 model=NVIDIA_H100 util=93     # a device; values replace those of a busy H100
//! mig MIG-1 gi=3 name=NVIDIA_H100_MIG_1g.10gb used=5   # an instance of the device before
//! process 4242 used=1073741824 sm=40 kind=compute gi=3 # a process on the device before
//! field 82 scope=0 value=61 type=1 code=0 # a field of the device before
//! gpm 2 value=41.5 gi=3                   # a profiling metric of the device (or an instance)
//! fail nvmlDeviceGetFanSpeed_v2 3         # on the device before; with no device yet, on all
//! event 79 gi=3 kind=8                    # an event of the device before, told once
//! ```
//!
//! An underscore in a value is a space.

use std::collections::BTreeMap;
use std::path::Path;

/// A script is written by hand; more is a mistake.
const SCRIPT_BYTES_MAX: usize = 1 << 20;

type Pairs = BTreeMap<String, String>;

/// A device, or an instance of one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Device {
    pub(crate) uuid: String,
    values: Pairs,
    pub(crate) instances: Vec<Device>,
    pub(crate) processes: Vec<Pairs>,
    /// By number and scope.
    pub(crate) fields: BTreeMap<(u32, u32), Pairs>,
    /// By number and instance; the whole device is `None`.
    pub(crate) gpm: BTreeMap<(u32, Option<u32>), f64>,
    fails: BTreeMap<String, u32>,
}

/// An event that a device tells.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) device: usize,
    pub(crate) data: u64,
    pub(crate) kind: u64,
    pub(crate) instance: u32,
}

/// The machine.
#[derive(Debug, Default, Clone)]
pub(crate) struct Machine {
    pub(crate) driver: String,
    pub(crate) init: u32,
    pub(crate) devices: Vec<Device>,
    pub(crate) events: Vec<Event>,
    fails: BTreeMap<String, u32>,
}

/// A number under a key, in whatever type it is wanted; `None` when it is absent or no number.
pub(crate) fn number<T: std::str::FromStr>(pairs: &Pairs, key: &str) -> Option<T> {
    pairs.get(key)?.parse().ok()
}

impl Device {
    /// A number, or what a busy H100 says.
    pub(crate) fn value(&self, key: &str, usual: u64) -> u64 {
        number(&self.values, key).unwrap_or(usual)
    }

    pub(crate) fn text(&self, key: &str, usual: &str) -> String {
        self.values.get(key).map_or_else(|| usual.to_owned(), |text| text.replace('_', " "))
    }

    pub(crate) fn is_mig(&self) -> bool {
        !self.instances.is_empty()
    }
}

impl Machine {
    /// Read the script; without one there is a machine without devices.
    pub(crate) fn read(path: Option<&Path>) -> Self {
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let text = if text.len() > SCRIPT_BYTES_MAX { String::new() } else { text };
        let mut machine = Self { driver: "570.86.15".to_owned(), ..Self::default() };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            if let Some(verb) = words.next() {
                machine.statement(verb, &words.collect::<Vec<_>>());
            }
        }
        machine
    }

    fn statement(&mut self, verb: &str, words: &[&str]) {
        let first = words.first().copied().unwrap_or_default();
        let plain: u32 = first.parse().unwrap_or_default();
        let pairs: Pairs = words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let at = self.devices.len().saturating_sub(1);
        match verb {
            "driver" => first.clone_into(&mut self.driver),
            "init" => self.init = plain,
            "gpu" => {
                let device = Device { uuid: first.to_owned(), values: pairs, ..Device::default() };
                self.devices.push(device);
            }
            "event" => {
                let kind = number(&pairs, "kind").unwrap_or(8);
                let instance = number(&pairs, "gi").unwrap_or(u32::MAX);
                self.events.push(Event { device: at, data: plain.into(), kind, instance });
            }
            "fail" => {
                let code = words.get(1).and_then(|code| code.parse().ok()).unwrap_or(999);
                let fails = self.devices.last_mut().map_or(&mut self.fails, |one| &mut one.fails);
                fails.insert(first.to_owned(), code);
            }
            _ => {
                if let Some(device) = self.devices.last_mut() {
                    device.statement(verb, first, pairs);
                }
            }
        }
    }

    /// What a call answers instead of succeeding.
    pub(crate) fn fails(&self, call: &str, device: Option<&Device>) -> Option<u32> {
        let own =
            device.and_then(|device| device.fails.get(call).or_else(|| device.fails.get("*")));
        own.or_else(|| self.fails.get(call)).copied()
    }
}

impl Device {
    fn statement(&mut self, verb: &str, first: &str, mut pairs: Pairs) {
        let plain: u32 = first.parse().unwrap_or_default();
        match verb {
            "mig" => self.instances.push(Device {
                uuid: first.to_owned(),
                values: pairs,
                ..Device::default()
            }),
            "process" => {
                pairs.insert("pid".to_owned(), first.to_owned());
                self.processes.push(pairs);
            }
            "field" => {
                let scope = number(&pairs, "scope").unwrap_or(0);
                self.fields.insert((plain, scope), pairs);
            }
            "gpm" => {
                let value = number(&pairs, "value").unwrap_or(0.0);
                self.gpm.insert((plain, number(&pairs, "gi")), value);
            }
            _ => {}
        }
    }
}
