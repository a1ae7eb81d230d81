//! What other programs push: received, decoded, stored, and answered for honestly.

pub(crate) mod remote_write;
mod store;

pub(crate) use store::{
    Arrival, append_all, record, refusal_of_body, refused_fault, sink_refusal, text,
};
