//! `NVLink`-C2C, the link between a GPU and the processor on one module (Grace Hopper, Grace
//! Blackwell): which links are up, and their errors.

use super::super::names;
use super::facts::Facts;
use super::library::{FieldAsk, Handle, Nvml};
use super::memo::{Call, Memo};
use crate::l3_host::part::Round;
use crate::l3_host::series::{SeriesSet, Shape, shape};

/// A module has ten; twice that leaves room.
const LINKS_MAX: u32 = 20;

/// `NVML_FI_DEV_C2C_LINK_COUNT`.
const COUNT: u32 = 170;

/// Numbers of the fields of one link, whose scope is the link, and where they go (nvml.h, "Field
/// Identifiers").
const FIELDS: [(u32, Shape); 4] = [
    (171, shape(names::LINK_UP, &[("type", "c2c")])),
    (231, shape(names::LINK_ERRORS, &[("type", "c2c"), ("kind", "interrupt")])),
    (232, shape(names::LINK_ERRORS, &[("type", "c2c"), ("kind", "replay")])),
    (233, shape(names::LINK_ERRORS, &[("type", "c2c"), ("kind", "replay_back_to_back")])),
];

/// The links of one device; none of most.
#[derive(Default)]
pub(super) struct C2c {
    links: Option<Vec<SeriesSet>>,
}

impl C2c {
    /// Read and tell all links.
    pub(super) fn read(
        &mut self,
        (nvml, device): (&Nvml, Handle),
        (facts, node): (&Facts, &str),
        memo: &mut Memo,
        round: &mut Round,
    ) {
        if self.links.is_none() {
            if memo.is_refused(LINKS) {
                return;
            }
            let ask = [FieldAsk { id: COUNT, scope: 0 }];
            let answer = memo.ask(round, ("C2C fields", 0), || nvml.fields(device, &ask));
            let count = match answer.as_deref().and_then(<[_]>::first) {
                Some(Ok(answer)) => (answer.value.max(0.0) as u32).min(LINKS_MAX),
                Some(Err(code)) => return memo.note(round, LINKS, *code),
                None => return,
            };
            self.links = Some((0..count).map(|number| series(facts, node, number)).collect());
        }
        let links = self.links.as_deref().unwrap_or_default();
        // A driver may know the state of links and not count their errors: what it refused is asked for
        // again when the device comes back or is split anew.
        let asked: Vec<(usize, usize)> = (0..links.len())
            .flat_map(|link| (0..FIELDS.len()).map(move |field| (link, field)))
            .filter(|at| !memo.is_refused(call(*at)))
            .collect();
        if asked.is_empty() {
            return;
        }
        let asks: Vec<FieldAsk> = asked
            .iter()
            .map(|(link, field)| FieldAsk { id: FIELDS[*field].0, scope: *link as u32 })
            .collect();
        let answers = memo.ask(round, ("C2C fields", 1), || nvml.fields(device, &asks));
        for ((link, field), answer) in asked.into_iter().zip(answers.into_iter().flatten()) {
            match answer {
                // The first is a state: 1 is active.
                Ok(answer) => {
                    let up = f64::from(u8::from(answer.value > 0.0));
                    let value = if field == 0 { up } else { answer.value };
                    round.emit(links[link].get(field), value);
                }
                Err(code) => memo.note(round, call((link, field)), code),
            }
        }
    }
}

/// What the number of links is remembered under.
const LINKS: (Call, u32) = ("C2C links", 0);

/// What a field of a link is remembered under.
fn call((link, field): (usize, usize)) -> (Call, u32) {
    ("C2C link state", (link * FIELDS.len() + field) as u32)
}

fn series(facts: &Facts, node: &str, number: u32) -> SeriesSet {
    let number = number.to_string();
    let [uuid, index, model] = facts.labels();
    let identity = [uuid, index, model, ("link", &*number)];
    SeriesSet::new(FIELDS.iter().map(|(_, shape)| shape), node, &identity)
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings::field_id as header;

    use super::*;

    #[test]
    fn numbers_are_those_of_the_header() {
        assert_eq!(COUNT, header::NVML_FI_DEV_C2C_LINK_COUNT);
        assert_eq!(
            FIELDS.map(|(id, _)| id),
            [
                header::NVML_FI_DEV_C2C_LINK_GET_STATUS,
                header::NVML_FI_DEV_C2C_LINK_ERROR_INTR,
                header::NVML_FI_DEV_C2C_LINK_ERROR_REPLAY,
                header::NVML_FI_DEV_C2C_LINK_ERROR_REPLAY_B2B,
            ]
        );
    }
}
