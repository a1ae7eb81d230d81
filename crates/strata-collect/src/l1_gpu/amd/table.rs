//! `gpu_metrics`: the table that the firmware keeps, in the versions of data center GPUs
//! (`drivers/gpu/drm/amd/include/kgd_pp_interface.h`). Only what no other file tells is taken.

use super::super::names;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, plain, shape};

/// Joules per step of the energy counter: the header says 2^-16.
const ENERGY_STEP: f64 = 1.0 / 65_536.0;
/// The header says kilobytes; the vendor's tools count them as KiB.
const KIB: f64 = 1024.0;
/// Links that are counted.
const LINKS: usize = 8;

/// Why the clocks are held down, in the order of the table.
const REASONS: [&str; 5] =
    ["processor_hot", "power", "socket_thermal", "regulator_thermal", "hbm_thermal"];

const SHAPES: [Shape; 11] = [
    plain(names::ENERGY),
    shape(names::LINK_IO, &[("type", "xgmi"), ("direction", "receive")]),
    shape(names::LINK_IO, &[("type", "xgmi"), ("direction", "transmit")]),
    shape(names::THROTTLE_ACTIVE, &[("reason", "power")]),
    shape(names::THROTTLE_ACTIVE, &[("reason", "current")]),
    shape(names::THROTTLE_ACTIVE, &[("reason", "thermal")]),
    shape(names::THROTTLE_RESIDENCY, &[("reason", REASONS[0])]),
    shape(names::THROTTLE_RESIDENCY, &[("reason", REASONS[1])]),
    shape(names::THROTTLE_RESIDENCY, &[("reason", REASONS[2])]),
    shape(names::THROTTLE_RESIDENCY, &[("reason", REASONS[3])]),
    shape(names::THROTTLE_RESIDENCY, &[("reason", REASONS[4])]),
];
const ACTIVE: usize = 3;
const RESIDENCY: usize = 6;

/// The bits of a status that does not depend on the chip (`SMU_THROTTLER_*`): power, current, heat.
const GROUPS: [u64; 3] = [0xffff, 0xffff << 16, 0xffff << 32];

/// Where the values stand in a version of the table; `None` where it has none.
struct Layout {
    energy: Option<usize>,
    /// Read, then written, eight links each.
    links: Option<usize>,
    /// The status that does not depend on the chip.
    status: Option<usize>,
    /// Steps, and those in which each of [`REASONS`] held.
    residency: Option<usize>,
}

/// The layout of a version; other versions are of chips we do not know.
fn layout(format: u8, content: u8) -> Option<Layout> {
    let nothing = Layout { energy: None, links: None, status: None, residency: None };
    match (format, content) {
        (1, 3) => Some(Layout { status: Some(112), ..nothing }),
        (1, 4) => Some(Layout { energy: Some(24), links: Some(104), ..nothing }),
        (1, 5) => Some(Layout { energy: Some(88), links: Some(176), ..nothing }),
        (1, 6) => {
            Some(Layout { energy: Some(88), links: Some(200), residency: Some(104), ..nothing })
        }
        _ => None,
    }
}

/// A number that the firmware has filled in; all ones mean that it has not.
fn wide(file: &[u8], at: usize) -> Option<u64> {
    let bytes = file.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes)).filter(|value| *value != u64::MAX)
}

fn narrow(file: &[u8], at: usize) -> Option<u32> {
    let bytes = file.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes)).filter(|value| *value != u32::MAX)
}

/// Steps, and those in which each reason held.
type Steps = (u32, [Option<u32>; REASONS.len()]);

/// What one table says.
#[derive(Debug, Default, PartialEq)]
struct Values {
    energy_joules: Option<f64>,
    /// Bytes read and written over all links.
    moved: [Option<f64>; 2],
    status: Option<u64>,
    steps: Option<Steps>,
}

fn parse(file: &[u8]) -> Option<Values> {
    let (size, format, content) = (file.get(..2)?, *file.get(2)?, *file.get(3)?);
    let size = usize::from(u16::from_le_bytes(size.try_into().ok()?));
    // A table that is cut off says nothing certain.
    let file = file.get(..size)?;
    let layout = layout(format, content)?;
    let sum = |start: usize| {
        let links = (0..LINKS).filter_map(|link| wide(file, start + 8 * link));
        // Added as floats: eight links of 64 bits may be more than 64 bits.
        links.map(|kib| kib as f64 * KIB).reduce(|sum, one| sum + one)
    };
    let steps = layout.residency.and_then(|at| {
        let held = std::array::from_fn(|reason| narrow(file, at + 4 + 4 * reason));
        Some((narrow(file, at)?, held))
    });
    Some(Values {
        energy_joules: layout.energy.and_then(|at| wide(file, at)).map(|e| e as f64 * ENERGY_STEP),
        moved: layout.links.map_or([None; 2], |at| [sum(at), sum(at + 8 * LINKS)]),
        status: layout.status.and_then(|at| wide(file, at)),
        steps,
    })
}

/// The table of one card.
pub(super) struct Table {
    series: SeriesSet,
    /// Of the round before.
    steps: Option<Steps>,
}

impl Table {
    pub(super) fn new(node: &str, labels: &[(&str, &str)]) -> Self {
        Self { series: SeriesSet::new(&SHAPES, node, labels), steps: None }
    }

    pub(super) fn tell(&mut self, file: &[u8], round: &mut Round) {
        let values = parse(file).unwrap_or_default();
        round.emit_known(self.series.get(0), values.energy_joules);
        for (at, bytes) in values.moved.into_iter().enumerate() {
            round.emit_known(self.series.get(1 + at), bytes);
        }
        if let Some(status) = values.status {
            for (at, group) in GROUPS.iter().enumerate() {
                let active = u8::from(status & group != 0);
                round.emit(self.series.get(ACTIVE + at), f64::from(active));
            }
        }
        for (at, share) in shares(self.steps, values.steps).into_iter().enumerate() {
            round.emit_known(self.series.get(RESIDENCY + at), share);
        }
        self.steps = values.steps;
    }
}

/// Share of the steps since the round before in which each reason held. The counters wrap.
fn shares(before: Option<Steps>, now: Option<Steps>) -> [Option<f64>; REASONS.len()] {
    let (Some(before), Some(now)) = (before, now) else { return [None; REASONS.len()] };
    let steps = now.0.wrapping_sub(before.0);
    std::array::from_fn(|reason| {
        let held = now.1[reason]?.wrapping_sub(before.1[reason]?);
        // More than all of them: the firmware was restarted in between.
        (steps > 0 && held <= steps).then(|| f64::from(held) / f64::from(steps))
    })
}

#[cfg(test)]
pub(in crate::l1_gpu) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table of a version with these numbers at these places, empty elsewhere.
    pub(in crate::l1_gpu) fn table(
        (content, size): (u8, u16),
        wide: &[(usize, u64)],
        narrow: &[(usize, u32)],
    ) -> Vec<u8> {
        let mut bytes = vec![0xff; usize::from(size)];
        bytes[..2].copy_from_slice(&size.to_le_bytes());
        (bytes[2], bytes[3]) = (1, content);
        for (at, value) in wide {
            bytes[*at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in narrow {
            bytes[*at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn each_version_is_read_by_its_own_layout() {
        let check = |file: &[u8], expected: Option<Values>| assert_eq!(parse(file), expected);
        let joules = |joules| Values { energy_joules: Some(joules), ..Values::default() };
        check(&table((4, 288), &[(24, 65_536)], &[]), Some(joules(1.0)));
        check(&table((5, 360), &[(88, 131_072)], &[]), Some(joules(2.0)));
        check(&table((6, 384), &[(88, 196_608)], &[]), Some(joules(3.0)));
        let status = Values { status: Some(1 << 32), ..Values::default() };
        check(&table((3, 120), &[(112, 1 << 32)], &[]), Some(status));
        let moved = Values { moved: [Some(3072.0), Some(4096.0)], ..Values::default() };
        check(&table((4, 288), &[(104, 1), (112, 2), (168, 4)], &[]), Some(moved));
        check(&table((9, 120), &[], &[]), None);
        let whole = table((4, 288), &[(24, 65_536)], &[]);
        check(&whole[..100], None);
        check(&[], None);
    }

    #[test]
    fn shares_are_of_the_steps_in_between() {
        let held = |held: u32| [Some(held), None, Some(0), Some(0), Some(0)];
        let check = |before: (u32, u32), now: (u32, u32), expected: Option<f64>| {
            let shares = shares(Some((before.0, held(before.1))), Some((now.0, held(now.1))));
            assert_eq!((shares[0], shares[1]), (expected, None));
        };
        check((100, 10), (200, 35), Some(0.25));
        check((u32::MAX, u32::MAX), (99, 24), Some(0.25));
        check((100, 10), (100, 10), None);
        check((100, 10), (110, 90), None);
        assert_eq!(shares(None, Some((1, held(0)))), [None; 5]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file: Vec<u8>, content in 0_u8..8) {
            let _ = parse(&file);
            let mut file = file;
            if file.len() > 3 {
                let size = (file.len() as u16).to_le_bytes();
                file[..2].copy_from_slice(&size);
                (file[2], file[3]) = (1, content);
                let _ = parse(&file);
            }
        }
    }
}
