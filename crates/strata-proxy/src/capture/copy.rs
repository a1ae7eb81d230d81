//! The copy of one call while it passes.

use std::sync::Arc;

use super::{CaptureSettings, LeftOut};
use crate::body::{Held, Room};
use crate::observe::Decoder;

/// Copies of a request and its answer, in the making.
pub(crate) struct Copies {
    settings: Arc<CaptureSettings>,
    request: Vec<u8>,
    answer: Vec<u8>,
    room: Room,
    /// `Content-Type` and `Content-Encoding` of the answer.
    kind: Option<String>,
    encoding: Option<String>,
    gone: Option<LeftOut>,
    /// Bytes copied of all calls together, those that wait to be written included; what does not fit is
    /// not captured.
    all_max: usize,
}

/// Copies of a whole call. Their room is taken until they are dropped.
pub(crate) struct Copied {
    pub(super) request: Vec<u8>,
    answer: Vec<u8>,
    kind: Option<String>,
    encoding: Option<String>,
    _room: Room,
}

impl Copies {
    /// For a call of a route that is captured; `None` where this one is not among the share.
    pub(crate) fn begin(
        settings: &Arc<CaptureSettings>,
        turn: usize,
        (all, all_max): (&Arc<Held>, usize),
        encoded: bool,
    ) -> Option<Self> {
        let settings = Arc::clone(settings);
        settings.takes(turn).then(|| Self {
            settings,
            request: Vec::new(),
            answer: Vec::new(),
            room: Room::new(all),
            kind: None,
            encoding: None,
            gone: encoded.then_some(LeftOut::Unread),
            all_max,
        })
    }

    /// The head of the answer.
    pub(crate) fn head(&mut self, kind: Option<&str>, encoding: Option<&str>) {
        self.kind = kind.map(str::to_owned);
        self.encoding = encoding.map(str::to_owned);
    }

    /// A part of the request.
    pub(crate) fn request(&mut self, bytes: &[u8]) {
        if self.fits(bytes.len()) {
            self.request.extend_from_slice(bytes);
        }
    }

    /// A part of the answer.
    pub(crate) fn answer(&mut self, bytes: &[u8]) {
        if self.fits(bytes.len()) {
            self.answer.extend_from_slice(bytes);
        }
    }

    fn fits(&mut self, more: usize) -> bool {
        if self.gone.is_none() {
            if self.request.len() + self.answer.len() + more > self.settings.call_bytes {
                self.give_up(LeftOut::TooLong);
            } else if self.room.grow(more) > self.all_max {
                self.give_up(LeftOut::NoRoom);
            }
        }
        self.gone.is_none()
    }

    /// Nothing more is copied, and what was is let go at once.
    fn give_up(&mut self, why: LeftOut) {
        self.gone = Some(why);
        (self.request, self.answer) = (Vec::new(), Vec::new());
        self.room.empty();
    }

    pub(super) fn end(self) -> (Arc<CaptureSettings>, Result<Copied, LeftOut>) {
        let Self { settings, request, answer, room, kind, encoding, gone, .. } = self;
        let copied = Copied { request, answer, kind, encoding, _room: room };
        (settings, gone.map_or(Ok(copied), Err))
    }
}

impl Copied {
    #[cfg(test)]
    pub(super) fn of(request: &[u8], answer: &[u8], kind: &str, encoding: Option<&str>) -> Self {
        Self {
            request: request.to_vec(),
            answer: answer.to_vec(),
            kind: Some(kind.to_owned()),
            encoding: encoding.map(str::to_owned),
            _room: Room::new(&Arc::default()),
        }
    }

    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Bytes that are held beside these while the answer is decoded.
    pub(super) fn more(&self, most: usize) -> usize {
        if self.is_plain() { 0 } else { most }
    }

    fn is_plain(&self) -> bool {
        matches!(Decoder::of(self.encoding.as_deref()), Decoder::Identity)
    }

    /// Bytes that were copied.
    pub(super) fn bytes(&self) -> usize {
        self.request.len() + self.answer.len()
    }

    /// The answer decoded, as long as it has not more than `most` bytes.
    pub(super) fn plain_answer(&mut self, most: usize) -> Result<Vec<u8>, LeftOut> {
        let answer = std::mem::take(&mut self.answer);
        if self.is_plain() {
            return if answer.len() > most { Err(LeftOut::TooLong) } else { Ok(answer) };
        }
        let mut decoder = Decoder::of(self.encoding.as_deref());
        let (mut plain, mut read, mut long) = (Vec::new(), 0, false);
        decoder.feed(&answer, &mut read, &mut |bytes| {
            long |= plain.len() + bytes.len() > most;
            if !long {
                plain.extend_from_slice(bytes);
            }
        });
        match (long, decoder.is_blind()) {
            (true, _) => Err(LeftOut::TooLong),
            (false, true) => Err(LeftOut::Unread),
            (false, false) => Ok(plain),
        }
    }
}
