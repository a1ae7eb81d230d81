//! What other programs push: received, decoded, stored, and answered for honestly.

mod decode;
mod memory;
mod onward;
pub(crate) mod otlp;
pub(crate) mod otlp_grpc;
pub(crate) mod otlp_http;
mod push;
pub(crate) mod remote_write;
mod store;

pub(crate) use memory::Pool;
pub(crate) use store::{Arrival, ArrivalError, refusal_of_body, sink_refusal, text};
