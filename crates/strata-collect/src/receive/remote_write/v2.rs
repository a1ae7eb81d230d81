//! `io.prometheus.write.v2.Request`: texts once per body, series by reference.

use strata_model::MetricKind;

use super::labels::Text;
use super::series::{Reading, SAMPLE_TAG, kind_of};
use crate::receive::targets::UnitAndHelp;
use crate::receive::wire::{Fields, Value, WireError};
use crate::receive::{DecodeError, Decoded, ReceiveLimits, bound};

/// Symbols allowed per series allowed: every series may bring a few texts that no other has.
const SYMBOLS_PER_SERIES: usize = 4;

/// Tag of a series' packed label references, which senders write first.
const REFERENCES_TAG: u8 = 1 << 3 | 2;

/// Decode an uncompressed body.
pub(super) fn decode(body: &[u8], limits: &ReceiveLimits) -> Result<Decoded, DecodeError> {
    let symbols = symbols(body, limits)?;
    let mut reading = Reading::new(limits);
    let mut fields = Fields::new(body);
    while let Some((number, field)) = fields.next()? {
        if number == 5 {
            time_series(&mut reading, field.bytes(number)?, &symbols)?;
        }
    }
    Ok(reading.finish())
}

/// All texts of the body. They may stand after the series that refer to them.
fn symbols<'a>(body: &'a [u8], limits: &ReceiveLimits) -> Result<Vec<Text<'a>>, DecodeError> {
    let most = limits.series.saturating_mul(SYMBOLS_PER_SERIES);
    let mut symbols = Vec::new();
    let mut fields = Fields::new(body);
    while let Some((number, field)) = fields.next()? {
        if number == 4 {
            let size = field.bytes(number)?.len();
            let start = body.len() - fields.rest().len() - size;
            symbols.push(Text::within(&body[start..], size));
            bound("symbols", symbols.len(), most)?;
        }
    }
    Ok(symbols)
}

fn time_series<'b>(
    reading: &mut Reading<'_, 'b>,
    message: &[u8],
    symbols: &[Text<'b>],
) -> Result<(), DecodeError> {
    reading.begin()?;
    let mut references = References::default();
    let mut fields = Fields::new(message);
    if let Some(packed) = fields.short(REFERENCES_TAG) {
        references.read(reading, Value::Bytes(packed), symbols)?;
    }
    while let Some(message) = fields.short(SAMPLE_TAG) {
        reading.float(message)?;
    }
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => references.read(reading, field, symbols)?,
            2 => reading.float(field.bytes(number)?)?,
            3 => reading.histogram(field.bytes(number)?)?,
            4 => reading.exemplars += 1,
            5 => reading.metadata = metadata(field.bytes(number)?, symbols)?,
            _ => {}
        }
    }
    if let Some(beyond) = references.beyond {
        reading.refuse("label refers to a symbol that is not there", || {
            format!("{beyond} of {}", symbols.len())
        });
        return Ok(());
    }
    if references.name.is_some() {
        reading.refuse("label name without a value", || "odd number of references".to_owned());
        return Ok(());
    }
    reading.end()
}

/// Label references of one series, possibly spread over several fields.
#[derive(Debug, Default)]
struct References<'b> {
    /// A name whose value has not come yet.
    name: Option<Text<'b>>,
    /// The first reference beyond the symbols.
    beyond: Option<u64>,
}

impl<'b> References<'b> {
    #[inline]
    fn read(
        &mut self,
        reading: &mut Reading<'_, 'b>,
        field: Value<'_>,
        symbols: &[Text<'b>],
    ) -> Result<(), WireError> {
        let limits = reading.limits;
        field.for_each_varint(1, |reference| {
            let index = usize::try_from(reference).unwrap_or(usize::MAX);
            match (symbols.get(index), self.name.take()) {
                (Some(&name), None) => self.name = Some(name),
                (Some(&value), Some(name)) => reading.labels.push(name, value, limits),
                (None, _) => self.beyond = self.beyond.or(Some(reference)),
            }
        })
    }
}

/// What is said about a series; `None` when it says nothing.
fn metadata<'b>(
    message: &[u8],
    symbols: &[Text<'b>],
) -> Result<Option<(MetricKind, UnitAndHelp<'b>)>, WireError> {
    let mut kind = MetricKind::Unknown;
    let mut rest = UnitAndHelp::default();
    // Reference 0 is the empty text by definition; one beyond the symbols costs only the text.
    let text = |reference: u64| match usize::try_from(reference) {
        Ok(index) if index > 0 => symbols.get(index).map_or(&[][..], |text| text.bytes()),
        _ => Default::default(),
    };
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => kind = kind_of(field.varint(number)?),
            3 => rest.help = text(field.varint(number)?),
            4 => rest.unit = text(field.varint(number)?),
            _ => {}
        }
    }
    let says_something =
        kind != MetricKind::Unknown || !rest.help.is_empty() || !rest.unit.is_empty();
    Ok(says_something.then_some((kind, rest)))
}
