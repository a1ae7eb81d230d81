//! Bodies on their way, frame by frame as they come.

mod incoming;
mod outgoing;

pub(crate) use incoming::{Passing, Returning};
pub(crate) use outgoing::{Held, Outgoing, Parcel, Reading, Room};

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the connection broke off")]
    Broken(#[from] hyper::Error),
    #[error("nothing came for too long")]
    Idle,
}
