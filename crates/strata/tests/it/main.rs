//! Whole-program tests: the real binary, as a person or another program meets it. Everything is on
//! loopback with ports the system chooses, every wait has an end, and every process is ended by its
//! own id.

#![cfg(test)]

mod auth;
mod autoscaling;
mod calls;
mod cli;
mod compare;
mod config;
mod content;
mod crash;
mod demo;
mod demo_records;
mod deploy;
mod discover;
mod doors;
mod fake;
mod faults;
mod http;
mod lengths;
mod onward;
mod openapi;
mod otlp;
mod overload;
mod owners;
mod pages;
mod program;
mod records;
mod remote_write;
mod scrape;
mod serve;
mod store;
mod terminal;
mod who;
mod wire;

use std::path::PathBuf;

/// A captured file below `fixtures/`.
fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures")).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
