//! `NVLink`: which links are up, and their errors.

use super::super::names;
use super::facts::Facts;
use super::fields::{LINK, Numbering};
use super::library::{FieldAsk, Handle, Nvml};
use super::memo::Memo;
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, shape};

/// Links of one device: 18 on Hopper and Blackwell, 36 in the newest header.
pub(super) const LINKS_MAX: u32 = 36;

const UP: Shape = shape(names::LINK_UP, &[("type", "nvlink")]);
const REPLAY: Shape = shape(names::LINK_ERRORS, &[("type", "nvlink"), ("kind", "replay")]);
const RECOVERY: Shape = shape(names::LINK_ERRORS, &[("type", "nvlink"), ("kind", "recovery")]);
const CRC_FLIT: Shape = shape(names::LINK_ERRORS, &[("type", "nvlink"), ("kind", "crc_flit")]);
const CRC_DATA: Shape = shape(names::LINK_ERRORS, &[("type", "nvlink"), ("kind", "crc_data")]);

/// In the order of `nvmlNvLinkErrorCounter_t`.
const COUNTERS: [Shape; 4] = [REPLAY, RECOVERY, CRC_FLIT, CRC_DATA];

/// One link that the device has.
struct Link {
    number: u32,
    series: SeriesSet,
}

/// The links of one device.
#[derive(Default)]
pub(super) struct Links {
    links: Option<Vec<Link>>,
    /// Fields of single links that the device answers: position of the link, of the field.
    asked: Option<Vec<(usize, usize)>>,
}

impl Links {
    /// Read and tell all links.
    pub(super) fn read(
        &mut self,
        (nvml, device): (&Nvml, Handle),
        (facts, node): (&Facts, &str),
        memo: &mut Memo,
        round: &mut Round,
    ) {
        let links = self.links.get_or_insert_with(|| list((nvml, device), (facts, node)));
        for link in links.iter() {
            let number = link.number;
            let up = memo.ask(round, ("link state", number), || nvml.link_state(device, number));
            round.emit_known(link.series.get(0), up.map(|up| f64::from(u8::from(up == 1))));
            for kind in 0..COUNTERS.len() as u32 {
                let count = memo.ask(round, ("link errors", number * 8 + kind), || {
                    nvml.link_errors(device, number, kind)
                });
                let series = link.series.get(1 + kind as usize);
                round.emit_known(series, count.map(|count| count as f64));
            }
        }
        let all = || (0..links.len()).flat_map(|at| (0..LINK.len()).map(move |field| (at, field)));
        let asked = self.asked.get_or_insert_with(|| all().collect());
        if asked.is_empty() {
            return;
        }
        let asks: Vec<FieldAsk> = asked
            .iter()
            .map(|(at, field)| FieldAsk {
                scope: links[*at].number,
                // None of these was renumbered.
                ..LINK[*field].ask(Numbering::Since580_82)
            })
            .collect();
        let Some(answers) = memo.ask(round, ("link fields", 0), || nvml.fields(device, &asks))
        else {
            return;
        };
        let answers: Vec<_> = asked.drain(..).zip(answers).collect();
        for ((at, field), answer) in answers {
            if let Ok(answer) = answer {
                round.emit(links[at].series.get(1 + COUNTERS.len() + field), answer.value);
            }
            if answer.is_ok_or_may_be() {
                asked.push((at, field));
            }
        }
    }
}

/// Whether it is worth asking again.
trait Again {
    fn is_ok_or_may_be(&self) -> bool;
}

impl<T> Again for super::library::Answer<T> {
    fn is_ok_or_may_be(&self) -> bool {
        self.as_ref().err().is_none_or(|code| !code.is_missing())
    }
}

/// The links whose state the device knows, up or down.
fn list((nvml, device): (&Nvml, Handle), (facts, node): (&Facts, &str)) -> Vec<Link> {
    let mut links = Vec::new();
    for number in 0..LINKS_MAX {
        if nvml.link_state(device, number).is_err() {
            break;
        }
        let text = number.to_string();
        let [uuid, index, model] = facts.labels();
        let identity = [uuid, index, model, ("link", &*text)];
        let shapes = [UP].into_iter().chain(COUNTERS).collect::<Vec<_>>();
        let shapes = shapes.iter().chain(LINK.iter().map(|field| &field.shape));
        links.push(Link { number, series: SeriesSet::new(shapes, node, &identity) });
    }
    links
}
