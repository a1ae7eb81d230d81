//! `NVLink`-C2C, the link between a GPU and the processor on one module (Grace Hopper, Grace
//! Blackwell): which links are up, and their errors.

use super::super::names;
use super::facts::Facts;
use super::library::{Answer, FieldAsk, FieldValue, Handle, Nvml};
use super::memo::Memo;
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
            let ask = [FieldAsk { id: COUNT, scope: 0 }];
            let answer = memo.ask(round, ("C2C links", 0), || nvml.fields(device, &ask));
            let Some(answer) = answer else { return };
            let Some(count) = count(answer.first()) else { return };
            self.links = Some((0..count).map(|number| series(facts, node, number)).collect());
        }
        let links = self.links.as_deref().unwrap_or_default();
        if links.is_empty() {
            return;
        }
        let asks = (0..links.len() as u32)
            .flat_map(|scope| FIELDS.iter().map(move |(id, _)| FieldAsk { id: *id, scope }));
        let asks: Vec<FieldAsk> = asks.collect();
        let answers = memo.ask(round, ("C2C link state", 0), || nvml.fields(device, &asks));
        let Some(answers) = answers else { return };
        for (link, answers) in links.iter().zip(answers.chunks(FIELDS.len())) {
            for (at, answer) in answers.iter().enumerate() {
                let value = answer.as_ref().ok().map(|answer| answer.value);
                // The first is a state: 1 is active.
                let up = |value: f64| f64::from(u8::from(value > 0.0));
                round.emit_known(link.get(at), if at == 0 { value.map(up) } else { value });
            }
        }
    }
}

/// How many links there are: none where the device does not know the field; `None` while it does not
/// answer.
fn count(answer: Option<&Answer<FieldValue>>) -> Option<u32> {
    match answer? {
        Ok(answer) => Some((answer.value.max(0.0) as u32).min(LINKS_MAX)),
        Err(code) => code.is_missing().then_some(0),
    }
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
