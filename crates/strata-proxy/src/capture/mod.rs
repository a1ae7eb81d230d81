//! Copies of what is asked and answered, on routes that say so. Off everywhere else.
//!
//! On the way of the bytes they are only copied, within bounds; whatever does not fit is given up and
//! counted. Reading, putting together and cleaning is done elsewhere, by whom the copy is handed to.

mod assemble;
mod copy;
mod options;
#[cfg(test)]
mod tests;
mod weight;

use std::sync::Arc;

use serde_json::Value;

use crate::body::Held;
use crate::call::{GenAiCall, Outcome};

pub(crate) use copy::{Copied, Copies};
pub(crate) use options::checked_memory;
pub use options::{CaptureOptions, CaptureSettings};

/// Why a call of a route that is captured is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftOut {
    /// Request and answer are longer than `call_bytes`.
    TooLong,
    /// Copies of all calls together had no room for it.
    NoRoom,
    /// Too many calls waited to be written.
    QueueFull,
    /// The client left, or the upstream broke off.
    Incomplete,
    /// The answer is an error.
    Failed,
    /// Reading it would take more memory than there is for all.
    NoMemory,
    /// Encoded or written in a way that is not understood.
    Unread,
    /// The redactor that is named did not answer as it should.
    Redactor,
    /// It could not be written.
    Disk,
}

impl LeftOut {
    /// The value of the label `reason`, and the word in gaps.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NoRoom => "no_room",
            Self::QueueFull => "queue_full",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::NoMemory => "no_memory",
            Self::Unread => "unread",
            Self::Redactor => "redactor",
            Self::Disk => "disk",
        }
    }
}

/// Bytes of copies that are held now, of all calls.
#[derive(Clone)]
pub struct CopiedBytes(pub(crate) Arc<Held>);

impl CopiedBytes {
    pub fn now(&self) -> usize {
        self.0.now()
    }
}

/// A call with a copy of what was said, as it came. Not yet cleaned: nothing of it may be written.
pub struct Captured {
    pub call: GenAiCall,
    pub settings: Arc<CaptureSettings>,
    copied: Result<Copied, LeftOut>,
}

/// What was said, as one document each: the request's, and the answer's as if it had not been streamed.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub request: Value,
    pub answer: Value,
}

impl Captured {
    pub(crate) fn new(call: GenAiCall, copies: Copies) -> Self {
        let (settings, copied) = copies.end();
        let copied = match call.outcome {
            Outcome::Success => copied,
            Outcome::ClientCancelled | Outcome::UpstreamTruncated => Err(LeftOut::Incomplete),
            Outcome::Error | Outcome::ErrorInSuccess => Err(LeftOut::Failed),
        };
        Self { call, settings, copied }
    }

    /// Bytes that [`Self::open`] holds at most, the copy included.
    pub fn opening_bytes(&self) -> usize {
        let most = self.settings.call_bytes;
        self.copied.as_ref().map_or(0, |copied| copied.bytes() + copied.more(most))
    }

    /// Decode the copy and cut it into documents. Takes its time: not for the way of the bytes.
    ///
    /// # Errors
    /// Why there is nothing to keep of this call.
    pub fn open(self) -> Result<Opened, LeftOut> {
        let Self { call, settings, copied } = self;
        let mut copied = copied?;
        let answer = copied.plain_answer(settings.call_bytes)?;
        let answer = assemble::pieces(copied.kind(), answer);
        Ok(Opened { call, copied, answer })
    }
}

/// A captured call that can be read. Not yet cleaned.
pub struct Opened {
    pub call: GenAiCall,
    /// Without the answer.
    copied: Copied,
    answer: assemble::Pieces,
}

impl Opened {
    /// Bytes of memory that reading, cleaning and writing it takes at most, those it takes now included.
    pub fn weight(&self) -> usize {
        weight_of(&self.copied.request, &self.answer)
    }

    /// Read it.
    ///
    /// # Errors
    /// Why there is nothing to keep of this call.
    pub fn read(self) -> Result<(GenAiCall, Said), LeftOut> {
        let Self { call, copied, answer } = self;
        let request = assemble::request(call.api, &copied.request)?;
        let answer = assemble::answer(call.api, answer)?;
        Ok((call, Said { request, answer }))
    }
}

fn weight_of(request: &[u8], answer: &assemble::Pieces) -> usize {
    let request = weight::Signs::of(request, false);
    request.copies() + request.tree() + request.nested() + answer.weight()
}

/// Takes captured calls. Called on the way of the answer: must neither block nor fail; what cannot be
/// taken is dropped and counted by the sink.
pub trait ContentSink: Send + Sync + 'static {
    fn take(&self, captured: Captured);
}

/// Keeps nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoContent;

impl ContentSink for NoContent {
    fn take(&self, _captured: Captured) {}
}
