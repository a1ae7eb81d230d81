//! One record of the batch log: everything of one commit, checksummed.
//!
//! On disk: `[length: u32][xxh3: u64][payload]`, little endian; the checksum covers the payload.
//! Payload: method byte (raw or zstd), LEB128 raw length, body. Body: sections in fixed order,
//! each a LEB128 count and its entries: series definitions (number, label bytes), float samples as
//! three columns (numbers, times, values), histograms, metadata. Series numbers are those of the
//! process that wrote the segment and mean nothing outside it.

use strata_model::{Metadata, MetricKind};

use crate::metrics::codec::varint::{Reader, put_i64, put_u64};

/// Bytes before the payload.
pub(crate) const HEADER: usize = 12;

/// No record is longer: a commit is cut when its samples exceed a fraction of this, and a reader
/// that finds a larger length knows it reads damage.
pub(crate) const MAX_RECORD: usize = 64 << 20;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// Below this, packing saves less than the call costs.
const WORTH_COMPRESSING: usize = 512;

/// What one commit holds.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Record {
    /// Label bytes of series, by number; `labels` holds them end to end.
    definitions: Vec<(u32, u32)>,
    labels: Vec<u8>,
    series: Vec<u32>,
    times: Vec<i64>,
    bits: Vec<u64>,
    pub(crate) histograms: Vec<(u32, i64, Box<[u8]>)>,
    pub(crate) metadata: Vec<Metadata>,
}

impl Record {
    /// Say which labels the series number `id` stands for in this segment.
    pub(crate) fn define(&mut self, id: u32, encoded: &[u8]) {
        self.definitions.push((id, encoded.len() as u32));
        self.labels.extend_from_slice(encoded);
    }

    pub(crate) fn push(&mut self, id: u32, time: i64, bits: u64) {
        self.series.push(id);
        self.times.push(time);
        self.bits.push(bits);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.definitions.is_empty()
            && self.series.is_empty()
            && self.histograms.is_empty()
            && self.metadata.is_empty()
    }

    /// Float and histogram samples.
    pub(crate) fn samples(&self) -> usize {
        self.series.len() + self.histograms.len()
    }

    /// Bytes the body will take, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.labels.len()
            + self.series.len() * 12
            + self.histograms.iter().map(|(_, _, packed)| packed.len() + 8).sum::<usize>()
    }

    /// Label bytes by number, in the order they were defined.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut start = 0;
        self.definitions.iter().map(move |&(id, length)| {
            let end = start + length as usize;
            let encoded = self.labels.get(start..end).unwrap_or_default();
            start = end;
            (id, encoded)
        })
    }

    /// Float samples: number, time, bits.
    pub(crate) fn floats(&self) -> impl Iterator<Item = (u32, i64, u64)> {
        self.series
            .iter()
            .zip(&self.times)
            .zip(&self.bits)
            .map(|((&id, &time), &bits)| (id, time, bits))
    }

    /// Forget everything, keep the memory.
    pub(crate) fn clear(&mut self) {
        self.definitions.clear();
        self.labels.clear();
        self.series.clear();
        self.times.clear();
        self.bits.clear();
        self.histograms.clear();
        self.metadata.clear();
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        put_u64(out, self.definitions.len() as u64);
        for (id, encoded) in self.definitions() {
            put_u64(out, u64::from(id));
            put_bytes(out, encoded);
        }
        put_u64(out, self.series.len() as u64);
        let mut last = 0;
        for &id in &self.series {
            put_i64(out, i64::from(id) - last);
            last = i64::from(id);
        }
        let mut last = 0_i64;
        for &time in &self.times {
            put_i64(out, time.wrapping_sub(last));
            last = time;
        }
        for bits in &self.bits {
            out.extend_from_slice(&bits.to_le_bytes());
        }
        put_u64(out, self.histograms.len() as u64);
        for (id, time, packed) in &self.histograms {
            put_u64(out, u64::from(*id));
            put_i64(out, *time);
            put_bytes(out, packed);
        }
        put_metadata(&self.metadata, out);
    }

    fn decode_body(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let mut record = Self::default();
        for _ in 0..reader.count(2)? {
            let id = u32::try_from(reader.u64()?).ok()?;
            record.define(id, take_bytes(&mut reader)?);
        }
        let count = reader.count(10)?;
        let mut id = 0_i64;
        for _ in 0..count {
            id = id.wrapping_add(reader.i64()?);
            record.series.push(u32::try_from(id).ok()?);
        }
        let mut time = 0_i64;
        for _ in 0..count {
            time = time.wrapping_add(reader.i64()?);
            record.times.push(time);
        }
        for _ in 0..count {
            record.bits.push(reader.fixed_u64()?);
        }
        for _ in 0..reader.count(3)? {
            let id = u32::try_from(reader.u64()?).ok()?;
            let time = reader.i64()?;
            record.histograms.push((id, time, Box::from(take_bytes(&mut reader)?)));
        }
        record.metadata = take_metadata(&mut reader)?;
        reader.is_empty().then_some(record)
    }
}

/// Writes records in their form on disk.
pub(crate) struct Encoder {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    body: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        // Level 1: the log lives for one window, so speed is worth more than the last tenth.
        Self { zstd: zstd::bulk::Compressor::new(1).ok(), body: Vec::new() }
    }
}

impl Encoder {
    /// Append `record` to `out` in its form on disk.
    pub(crate) fn encode(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.body.clear();
        record.encode_body(&mut self.body);
        let packed = match &mut self.zstd {
            Some(zstd) if self.body.len() >= WORTH_COMPRESSING => zstd.compress(&self.body).ok(),
            _ => None,
        };
        let start = out.len();
        out.extend_from_slice(&[0; HEADER]);
        out.push(if packed.is_some() { ZSTD } else { RAW });
        put_u64(out, self.body.len() as u64);
        out.extend_from_slice(packed.as_deref().unwrap_or(&self.body));
        let payload = out.get(start + HEADER..).unwrap_or_default();
        let length = (payload.len() as u32).to_le_bytes();
        let sum = xxhash_rust::xxh3::xxh3_64(payload).to_le_bytes();
        if let Some(header) = out.get_mut(start..start + HEADER) {
            let (a, b) = header.split_at_mut(4);
            a.copy_from_slice(&length);
            b.copy_from_slice(&sum);
        }
    }
}

/// Length and checksum of the payload that follows; `None` when the length cannot be.
pub(crate) fn header(bytes: &[u8; HEADER]) -> Option<(usize, u64)> {
    let mut reader = Reader::new(bytes);
    let length = u32::from_le_bytes(reader.bytes(4)?.try_into().ok()?) as usize;
    let sum = reader.fixed_u64()?;
    (length > 0 && length <= MAX_RECORD).then_some((length, sum))
}

/// Decode a payload whose checksum is `sum`; `None` when damaged.
pub(crate) fn decode(payload: &[u8], sum: u64) -> Option<Record> {
    if xxhash_rust::xxh3::xxh3_64(payload) != sum {
        return None;
    }
    decode_payload(payload)
}

/// Decode a payload without its checksum.
pub(crate) fn decode_payload(payload: &[u8]) -> Option<Record> {
    let mut reader = Reader::new(payload);
    let method = reader.u8()?;
    let length = usize::try_from(reader.u64()?).ok().filter(|&length| length <= 2 * MAX_RECORD)?;
    match method {
        RAW if reader.remaining() == length => Record::decode_body(reader.rest()),
        ZSTD => {
            let body = zstd::bulk::decompress(reader.rest(), length).ok()?;
            (body.len() == length).then(|| Record::decode_body(&body)).flatten()
        }
        _ => None,
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.count(1)?;
    reader.bytes(length)
}

/// Append families: count, then kind, name, unit and help of each.
pub(crate) fn put_metadata(families: &[Metadata], out: &mut Vec<u8>) {
    put_u64(out, families.len() as u64);
    for family in families {
        out.push(KINDS.iter().position(|&kind| kind == family.kind).unwrap_or_default() as u8);
        for text in [&family.family, &family.unit, &family.help] {
            put_bytes(out, text.as_bytes());
        }
    }
}

/// Read what [`put_metadata`] wrote; `None` when damaged.
pub(crate) fn take_metadata(reader: &mut Reader<'_>) -> Option<Vec<Metadata>> {
    let mut families = Vec::new();
    for _ in 0..reader.count(4)? {
        let kind = *KINDS.get(usize::from(reader.u8()?))?;
        let mut text = || String::from_utf8(take_bytes(reader)?.to_vec()).ok();
        families.push(Metadata { kind, family: text()?, unit: text()?, help: text()? });
    }
    Some(families)
}

/// Kinds by their number on disk; append only.
const KINDS: [MetricKind; 8] = [
    MetricKind::Unknown,
    MetricKind::Counter,
    MetricKind::Gauge,
    MetricKind::Histogram,
    MetricKind::Gaugehistogram,
    MetricKind::Summary,
    MetricKind::Info,
    MetricKind::Stateset,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_round_trip(
            definitions in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..20),
            samples in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<u64>()), 0..100),
            histograms in proptest::collection::vec((any::<u32>(), any::<i64>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..3),
            help in ".{0,20}",
        ) {
            let mut record = Record::default();
            for (id, encoded) in &definitions { record.define(*id, encoded); }
            for &(id, time, bits) in &samples { record.push(id, time, bits); }
            record.histograms = histograms.into_iter().map(|(a, b, c)| (a, b, c.into())).collect();
            record.metadata.push(Metadata {
                family: "f".to_owned(), kind: MetricKind::Stateset, unit: String::new(), help,
            });
            let mut bytes = vec![9];
            Encoder::default().encode(&record, &mut bytes);
            let (head, payload) = bytes[1..].split_first_chunk::<HEADER>().unwrap();
            let (length, sum) = header(head).unwrap();
            prop_assert_eq!(length, payload.len());
            prop_assert_eq!(decode(payload, sum), Some(record));
        }

        #[test]
        fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode_payload(&bytes);
        }
    }
}
