//! `prometheus.WriteRequest`: labels written out for each series.

use strata_model::MetricKind;

use super::labels::Text;
use super::series::{Reading, SAMPLE_TAG, kind_of};
use crate::receive::targets::UnitAndHelp;
use crate::receive::wire::{Fields, WireError};
use crate::receive::{DecodeError, Decoded, ReceiveLimits};

/// Tag of a series' labels, which senders write first.
const LABEL_TAG: u8 = 1 << 3 | 2;

/// Decode an uncompressed body.
pub(super) fn decode(body: &[u8], limits: &ReceiveLimits) -> Result<Decoded, DecodeError> {
    let mut reading = Reading::new(limits);
    let mut fields = Fields::new(body);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => time_series(&mut reading, field.bytes(number)?)?,
            3 => metadata(&mut reading, field.bytes(number)?)?,
            _ => {}
        }
    }
    Ok(reading.finish())
}

fn time_series(reading: &mut Reading<'_, '_>, message: &[u8]) -> Result<(), DecodeError> {
    reading.begin()?;
    let mut fields = Fields::new(message);
    while let Some((tail, size)) = fields.short_with_tail(LABEL_TAG) {
        if !reading.labels.push_message(tail, size, reading.limits) {
            label(reading, &tail[..size])?;
        }
    }
    while let Some(message) = fields.short(SAMPLE_TAG) {
        reading.float(message)?;
    }
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => label(reading, field.bytes(number)?)?,
            2 => reading.float(field.bytes(number)?)?,
            3 => reading.exemplars += 1,
            4 => reading.histogram(field.bytes(number)?)?,
            _ => {}
        }
    }
    reading.end()
}

fn label(reading: &mut Reading<'_, '_>, message: &[u8]) -> Result<(), WireError> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => name = field.bytes(number)?,
            2 => value = field.bytes(number)?,
            _ => {}
        }
    }
    reading.labels.push(Text::new(name), Text::new(value), reading.limits);
    Ok(())
}

fn metadata(reading: &mut Reading<'_, '_>, message: &[u8]) -> Result<(), WireError> {
    let (mut kind, mut family): (_, &[u8]) = (MetricKind::Unknown, &[]);
    let mut rest = UnitAndHelp::default();
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => kind = kind_of(field.varint(number)?),
            2 => family = field.bytes(number)?,
            4 => rest.help = field.bytes(number)?,
            5 => rest.unit = field.bytes(number)?,
            _ => {}
        }
    }
    reading.targets.describe(kind, family, rest, reading.limits);
    Ok(())
}
