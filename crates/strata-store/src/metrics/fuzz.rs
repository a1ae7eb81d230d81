//! Doors for the fuzzers: decoders of bytes that lie on disk, without their checksums.

use strata_model::NativeHistogram;

use super::codec::block::Block;
use super::codec::frame::Unpacker;
use super::codec::times;
use super::log::record;

/// Decode one log record's payload, and every histogram in it.
pub fn log_record(bytes: &[u8]) {
    if let Some(record) = record::decode_payload(bytes) {
        for (_, _, packed) in &record.histograms {
            // Only a panic would be news.
            drop(NativeHistogram::decode(packed));
        }
    }
}

/// Decode a block with all its columns, and the same bytes as a time column.
pub fn block(bytes: &[u8]) {
    times::decode(bytes);
    if let Some(block) = Block::open_sections(bytes, &mut Unpacker::default()) {
        for column in &block.columns {
            block.decode(column, 0..column.count, &mut Vec::new(), &mut Vec::new());
        }
    }
}
