//! The server over real connections, with an engine and a sink that remember what they were asked.

mod client;
mod fakes;
mod guard;
mod limits;
mod lookup;
mod own;
mod query;
mod remote_write;
