//! Doors for the fuzzers: what is read of another engine's answers.

use std::collections::BTreeMap;

use super::http::read;
use super::wire::{Data, MetadataData};

/// Read the body as every answer the client asks for; whether it is one of them.
pub fn answer(body: &[u8]) -> bool {
    let data = read::<Data>(body).is_ok_and(|(data, _)| data.into_value().is_ok());
    let metadata = read::<MetadataData>(body).is_ok();
    let series = read::<Vec<BTreeMap<String, String>>>(body).is_ok();
    let names = read::<Vec<String>>(body).is_ok();
    data || metadata || series || names
}
