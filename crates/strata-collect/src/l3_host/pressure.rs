//! Pressure stall information of the host: `/proc/pressure/*`.

use std::path::PathBuf;
use std::sync::Arc;

use super::fields::{lines, number, words};
use super::names;
use super::part::{Part, Round};
use super::root::{FileReader, HostRoot};
use super::series::{SeriesSet, Shape, shape};
use crate::collector::CollectError;

/// The resources the kernel keeps pressure of. `irq` only where interrupt time is accounted (6.1+).
pub(super) const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "irq"];

/// `some` then `full`, for each of [`RESOURCES`].
pub(super) const SHAPES: [Shape; 8] = [
    shape(names::PRESSURE, &[("resource", "cpu"), ("kind", "some")]),
    shape(names::PRESSURE, &[("resource", "cpu"), ("kind", "full")]),
    shape(names::PRESSURE, &[("resource", "memory"), ("kind", "some")]),
    shape(names::PRESSURE, &[("resource", "memory"), ("kind", "full")]),
    shape(names::PRESSURE, &[("resource", "io"), ("kind", "some")]),
    shape(names::PRESSURE, &[("resource", "io"), ("kind", "full")]),
    shape(names::PRESSURE, &[("resource", "irq"), ("kind", "some")]),
    shape(names::PRESSURE, &[("resource", "irq"), ("kind", "full")]),
];

/// What turns pressure on where the kernel was built with it but starts with it off.
const HINT: &str = "boot the kernel (4.20 or newer, CONFIG_PSI) with psi=1";

/// Reads the pressure of the whole host.
pub(super) struct Pressure {
    files: [PathBuf; 4],
    reader: FileReader,
    series: SeriesSet,
}

impl Pressure {
    pub(super) fn new(root: &HostRoot, node: &Arc<str>) -> Self {
        Self {
            files: RESOURCES.map(|resource| root.path("proc/pressure").join(resource)),
            reader: FileReader::default(),
            series: SeriesSet::new(&SHAPES, node, &[]),
        }
    }
}

impl Part for Pressure {
    fn id(&self) -> &'static str {
        "host/pressure"
    }

    fn sample(&mut self, round: &mut Round) -> Result<(), CollectError> {
        for (index, path) in self.files.iter().enumerate() {
            match self.reader.read_small(path) {
                Ok(file) => emit(file, &self.series, index * 2, round),
                // Pressure is on for all resources or for none, `irq` apart.
                Err(error) if index == 0 => return Err(error.fatal(HINT)),
                Err(error) => round.unreadable(&error),
            }
        }
        Ok(())
    }
}

/// Emit `some` at index `first` of the set and `full` after it.
pub(super) fn emit(file: &[u8], series: &SeriesSet, first: usize, round: &mut Round) {
    for line in lines(file) {
        match stalled_seconds(line) {
            Some((kind, seconds)) => round.emit(series.get(first + kind), seconds),
            None => round.malformed("pressure", line),
        }
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=12`, total in microseconds: 0 for `some`, 1 for
/// `full`, and the seconds.
fn stalled_seconds(line: &[u8]) -> Option<(usize, f64)> {
    let mut columns = words(line);
    let kind = match columns.next()? {
        b"some" => 0,
        b"full" => 1,
        _ => return None,
    };
    let total = columns.find_map(|word| word.strip_prefix(b"total="))?;
    Some((kind, number(total)? as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_microseconds() {
        let check = |line: &str, expected: Option<(usize, f64)>| {
            assert_eq!(stalled_seconds(line.as_bytes()), expected, "{line}");
        };
        check("some avg10=1.20 avg60=1.05 avg300=0.87 total=24841976", Some((0, 24.841_976)));
        check("full avg10=0.00 avg60=0.00 avg300=0.00 total=0", Some((1, 0.0)));
        check("full avg10=0.00", None);
        check("most total=1", None);
        check("some total=99999999999999999999", None);
    }
}
