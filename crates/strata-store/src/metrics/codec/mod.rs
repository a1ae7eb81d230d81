//! Bytes on disk and in the head: how samples are packed and unpacked, without loss.

pub(crate) mod block;
pub(crate) mod decimal;
pub(crate) mod frame;
pub(crate) mod times;
pub(crate) mod values;
pub(crate) mod varint;
