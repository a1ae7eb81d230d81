//! From label bytes on the wire to the canonical encoding, checked on the way.

use std::fmt;
use std::ops::Range;

use strata_model::{FaultCode, METRIC_NAME};

use crate::receive::ReceiveLimits;
use crate::receive::tally::quote;

/// Tags of a `Label`'s two fields, both length-delimited.
const NAME_TAG: u8 = 1 << 3 | 2;
const VALUE_TAG: u8 = 2 << 3 | 2;

/// Bytes that are moved at once: most names and values fit.
const COPY_BYTES: usize = 32;

/// Bytes of the longest LEB128 length.
const LENGTH_BYTES_MAX: usize = 10;

/// Why a series was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LabelFault {
    NoMetricName,
    EmptyName,
    Repeated(String),
    NotUtf8(String),
    TooMany,
    NameTooLong(String),
    ValueTooLong(String),
}

impl LabelFault {
    pub(super) fn code(&self) -> FaultCode {
        match self {
            Self::TooMany | Self::NameTooLong(_) | Self::ValueTooLong(_) => FaultCode::OverLimit,
            _ => FaultCode::Malformed,
        }
    }

    /// The constant under which alike faults are folded.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::NoMetricName => "series without a metric name",
            Self::EmptyName => "label with an empty name",
            Self::Repeated(_) => "label name twice in one series",
            Self::NotUtf8(_) => "label is not UTF-8",
            Self::TooMany => "too many labels in one series",
            Self::NameTooLong(_) => "label name is too long",
            Self::ValueTooLong(_) => "label value is too long",
        }
    }
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMetricName | Self::EmptyName | Self::TooMany => f.write_str("dropped"),
            Self::Repeated(what)
            | Self::NotUtf8(what)
            | Self::NameTooLong(what)
            | Self::ValueTooLong(what) => f.write_str(what),
        }
    }
}

/// A name or value: the first `size` bytes of `tail`, which goes on for [`LabelBuffer::put`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    tail: &'a [u8],
    size: usize,
}

impl<'a> Text<'a> {
    /// A text with nothing behind it.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { tail: bytes, size: bytes.len() }
    }

    /// The first `size` bytes of `tail`, or all of it when it is shorter.
    pub(super) fn within(tail: &'a [u8], size: usize) -> Self {
        Self { tail, size: size.min(tail.len()) }
    }

    #[inline]
    pub(super) fn bytes(self) -> &'a [u8] {
        &self.tail[..self.size]
    }
}

/// The labels of one series while they are read; reused from series to series.
#[derive(Debug, Default)]
pub(super) struct LabelBuffer {
    /// The pairs, and beyond `length` leftovers: copies may write too far.
    buffer: Vec<u8>,
    length: usize,
    count: usize,
    /// Where the latest name lies in `buffer`.
    previous_name: Range<usize>,
    /// Sorted, unique and without empty values so far, as senders are bound to write them.
    canonical: bool,
    metric_name: Range<usize>,
    fault: Option<LabelFault>,
    job: Range<usize>,
    instance: Range<usize>,
}

impl LabelBuffer {
    /// Forget the previous series.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.length = 0;
        self.count = 0;
        self.previous_name = 0..0;
        self.canonical = true;
        self.metric_name = 0..0;
        self.fault = None;
        self.job = 0..0;
        self.instance = 0..0;
    }

    /// Append a pair as it stands on the wire.
    #[inline]
    pub(super) fn push(&mut self, name: Text<'_>, value: Text<'_>, limits: &ReceiveLimits) {
        let (name_bytes, value_bytes) = (name.bytes(), value.bytes());
        if self.over_limits(name_bytes, value_bytes, limits) {
            return;
        }
        self.count += 1;
        self.canonical &= self.follows_previous(name_bytes) && !value_bytes.is_empty();
        self.make_room(name.size + value.size);
        let start = self.put_length(name.size);
        self.put(name.tail, name.size);
        self.previous_name = start..self.length;
        let start = self.put_length(value.size);
        self.put(value.tail, value.size);
        self.note(name_bytes, start..self.length);
    }

    /// Append a pair that stands on the wire as senders write it: short texts, name before value,
    /// nothing else. Such a `Label` message is the canonical encoding but for its field tags.
    /// `tail` goes on behind the message's `size` bytes. Returns whether it was one.
    #[inline]
    pub(super) fn push_message(
        &mut self,
        tail: &[u8],
        size: usize,
        limits: &ReceiveLimits,
    ) -> bool {
        let Some((&[NAME_TAG, length], rest)) = tail.split_first_chunk::<2>() else { return false };
        let Some((name, rest)) = rest.split_at_checked(usize::from(length)) else { return false };
        let Some((&[VALUE_TAG, value_length], _)) = rest.split_first_chunk::<2>() else {
            return false;
        };
        // Lengths below 128 are one byte in protobuf and in ours.
        let whole = 4 + usize::from(length) + usize::from(value_length);
        if length >= 0x80 || value_length >= 0x80 || size != whole || tail.len() < whole {
            return false;
        }
        let value = &rest[2..2 + usize::from(value_length)];
        if self.over_limits(name, value, limits) {
            return true;
        }
        self.count += 1;
        self.canonical &= self.follows_previous(name) && !value.is_empty();
        self.make_room(whole);
        let start = self.length + 1;
        self.put(&tail[1..], 1 + name.len());
        self.previous_name = start..self.length;
        let start = self.length + 1;
        self.put(&rest[1..], 1 + value.len());
        self.note(name, start..self.length);
        true
    }

    /// Grow the buffer so that a pair of texts of this size fits, with the excess of a copy.
    #[inline]
    fn make_room(&mut self, size: usize) {
        let needed = self.length + size + 2 * LENGTH_BYTES_MAX + COPY_BYTES;
        if self.buffer.len() < needed {
            self.buffer.resize(needed.next_power_of_two(), 0);
        }
    }

    /// Append the first `length` bytes of `source`. Short ones are copied with their surroundings:
    /// a copy of fixed size is one instruction where one of any size is a call.
    #[inline]
    fn put(&mut self, source: &[u8], length: usize) {
        let at = self.length;
        self.length += length;
        match source.first_chunk::<COPY_BYTES>() {
            Some(chunk) if length <= COPY_BYTES => {
                self.buffer[at..at + COPY_BYTES].copy_from_slice(chunk);
            }
            _ => self.buffer[at..at + length].copy_from_slice(&source[..length]),
        }
    }

    /// Append a LEB128 length and return where the text begins.
    #[inline]
    fn put_length(&mut self, mut length: usize) -> usize {
        while length >= 0x80 {
            self.buffer[self.length] = (length as u8) | 0x80;
            self.length += 1;
            length >>= 7;
        }
        self.buffer[self.length] = length as u8;
        self.length += 1;
        self.length
    }

    /// Whether `name` sorts after the latest one. Their first bytes mostly tell.
    #[inline]
    fn follows_previous(&self, name: &[u8]) -> bool {
        let previous = &self.buffer[self.previous_name.clone()];
        match (previous.first(), name.first()) {
            (Some(one), Some(other)) if one != other => one < other,
            _ => previous < name,
        }
    }

    /// Remember where the values lie that are asked for later.
    #[inline]
    fn note(&mut self, name: &[u8], value: Range<usize>) {
        match name {
            b"job" => self.job = value,
            b"instance" => self.instance = value,
            _ if name == METRIC_NAME.as_bytes() => self.metric_name = value,
            _ => {}
        }
    }

    /// Check what has been pushed; repair what is merely out of order.
    #[inline]
    pub(super) fn finish(&mut self, limits: &ReceiveLimits) -> Result<Series<'_>, LabelFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if !self.buffer[..self.length].is_ascii() {
            self.check_utf8()?;
        }
        if !self.canonical {
            self.repair(limits)?;
        }
        if self.metric_name.is_empty() {
            return Err(LabelFault::NoMetricName);
        }
        Ok(Series {
            encoded: &self.buffer[..self.length],
            metric_name: &self.buffer[self.metric_name.clone()],
            job: &self.buffer[self.job.clone()],
            instance: &self.buffer[self.instance.clone()],
        })
    }

    #[inline]
    fn over_limits(&mut self, name: &[u8], value: &[u8], limits: &ReceiveLimits) -> bool {
        let over = self.count >= limits.labels_per_series
            || name.len() > limits.label_name_bytes
            || value.len() > limits.label_value_bytes;
        if over {
            self.fault.get_or_insert_with(|| {
                if name.len() > limits.label_name_bytes {
                    LabelFault::NameTooLong(quote(name))
                } else if value.len() > limits.label_value_bytes {
                    LabelFault::ValueTooLong(quote(name))
                } else {
                    LabelFault::TooMany
                }
            });
        }
        over
    }

    #[cold]
    fn check_utf8(&self) -> Result<(), LabelFault> {
        for (name, value) in self.pairs() {
            for text in [name, value] {
                if std::str::from_utf8(text).is_err() {
                    return Err(LabelFault::NotUtf8(quote(text)));
                }
            }
        }
        Ok(())
    }

    /// Sort, drop empty values (they mean "no such label") and refuse repeated names.
    #[cold]
    fn repair(&mut self, limits: &ReceiveLimits) -> Result<(), LabelFault> {
        let bytes = self.buffer[..self.length].to_vec();
        let mut pairs: Vec<_> = Pairs(&bytes).filter(|(_, value)| !value.is_empty()).collect();
        pairs.sort_unstable();
        if pairs.first().is_some_and(|(name, _)| name.is_empty()) {
            return Err(LabelFault::EmptyName);
        }
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelFault::Repeated(quote(twice[0].0)));
        }
        self.clear();
        for (name, value) in pairs {
            self.push(Text::new(name), Text::new(value), limits);
        }
        Ok(())
    }

    fn pairs(&self) -> Pairs<'_> {
        Pairs(&self.buffer[..self.length])
    }
}

/// A checked series: canonical label bytes, its metric's name, and the values that
/// name its target (empty if absent).
#[derive(Debug, Clone, Copy)]
pub(super) struct Series<'a> {
    pub(super) encoded: &'a [u8],
    pub(super) metric_name: &'a [u8],
    pub(super) job: &'a [u8],
    pub(super) instance: &'a [u8],
}

/// Walks pairs that [`LabelBuffer::push`] wrote; their text is not yet known to be UTF-8.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((take_text(&mut self.0)?, take_text(&mut self.0)?))
    }
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    let mut shift = 0_u32;
    loop {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte < 0x80 {
            let (text, tail) = rest.split_at_checked(length)?;
            *rest = tail;
            return Some(text);
        }
    }
}
