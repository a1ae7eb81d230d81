//! From label bytes on the wire to the canonical encoding, checked on the way.

use std::fmt;
use std::ops::Range;

use strata_model::{FaultCode, METRIC_NAME};

use crate::receive::ReceiveLimits;
use crate::receive::tally::quote;

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

/// The labels of one series while they are read; reused from series to series.
#[derive(Debug, Default)]
pub(super) struct LabelBuffer {
    encoded: Vec<u8>,
    count: usize,
    /// Where the latest name lies in `encoded`.
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
        self.encoded.clear();
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
    pub(super) fn push(&mut self, name: &[u8], value: &[u8], limits: &ReceiveLimits) {
        if self.over_limits(name, value, limits) {
            return;
        }
        self.count += 1;
        self.canonical &= self.encoded[self.previous_name.clone()] < *name && !value.is_empty();
        push_length(&mut self.encoded, name.len());
        let start = self.encoded.len();
        self.encoded.extend_from_slice(name);
        self.previous_name = start..self.encoded.len();
        push_length(&mut self.encoded, value.len());
        let start = self.encoded.len();
        self.encoded.extend_from_slice(value);
        match name {
            b"job" => self.job = start..self.encoded.len(),
            b"instance" => self.instance = start..self.encoded.len(),
            _ if name == METRIC_NAME.as_bytes() => self.metric_name = start..self.encoded.len(),
            _ => {}
        }
    }

    /// Check what has been pushed; repair what is merely out of order.
    #[inline]
    pub(super) fn finish(&mut self, limits: &ReceiveLimits) -> Result<Series<'_>, LabelFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if !self.encoded.is_ascii() {
            self.check_utf8()?;
        }
        if !self.canonical {
            self.repair(limits)?;
        }
        if self.metric_name.is_empty() {
            return Err(LabelFault::NoMetricName);
        }
        Ok(Series {
            encoded: &self.encoded,
            metric_name: &self.encoded[self.metric_name.clone()],
            job: &self.encoded[self.job.clone()],
            instance: &self.encoded[self.instance.clone()],
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
        let bytes = std::mem::take(&mut self.encoded);
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
            self.push(name, value, limits);
        }
        Ok(())
    }

    fn pairs(&self) -> Pairs<'_> {
        Pairs(&self.encoded)
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

/// Append a LEB128 length.
#[inline]
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length as u8) | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
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
