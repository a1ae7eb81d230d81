//! The server over real connections, with an engine and a sink that remember what they were asked.

#![cfg(test)]

mod client;
mod fakes;
mod golden;
mod guard;
mod limits;
mod lookup;
mod otlp;
mod own;
mod pages;
mod query;
mod remote_write;
