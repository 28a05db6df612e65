//! Remote write requests, from the compressed body to columns in one pass: the twin of the scanners in
//! packages/coordinator/src/ingest, with the same columns, faults and offsets.
//!
//! It holds no state: scratch memory, columns and the label cache are the caller's typed arrays.

mod columns;
mod fault;
mod found;
mod label_cache;
mod protobuf;
mod sample;
mod snappy;
mod v1;
mod v2;

pub use columns::{status, Columns, Limits};
pub use label_cache::Cache;

use fault::Fault;

/// What there is to scan.
pub enum Source<'a> {
    /// A snappy block, to be decoded into the scratch memory.
    Block(&'a [u8]),
    /// So many bytes of the scratch memory, decoded before.
    Decoded(usize),
}

/// Decodes and scans one request; returns the fault, which also stands in the status with its offset.
///
/// `version` is 1 or 2. After a fault the columns are undefined, and nothing but `next` pointers of the cache has changed.
pub fn scan_write(
    version: u32,
    source: Source,
    scratch: &mut [u8],
    cache: &mut Cache,
    columns: &mut Columns,
    limits: &Limits,
) -> u32 {
    columns.status.fill(0);
    let decoded = match source {
        Source::Block(body) => snappy::decode(body, scratch, limits.decoded_size_max),
        Source::Decoded(size) => Ok(size.min(scratch.len())),
    };
    let scanned = decoded.and_then(|size| {
        columns.status[status::BODY_SIZE] = size as u32;
        if version == 1 {
            v1::scan(scratch, size, cache, columns, limits)
        } else {
            v2::scan(scratch, size, cache, columns, limits)
        }
    });
    match scanned {
        Ok(()) => fault::NONE,
        Err(Fault { fault, offset }) => {
            let size = columns.status[status::BODY_SIZE];
            columns.status.fill(0);
            columns.status[status::FAULT] = fault;
            columns.status[status::FAULT_OFFSET] = offset as u32;
            columns.status[status::BODY_SIZE] = size;
            fault
        }
    }
}
