//! The codec's kernels for JavaScript.

use napi::Result;
use napi_derive::napi;

use crate::column::{disjoint, index, Column};

/// The checksum of `bytes[start, end)`, going on from `seed`.
#[napi(catch_unwind, js_name = "crc32c")]
pub fn crc32c(bytes: Column<u8>, start: f64, end: f64, seed: u32) -> Result<u32> {
    disjoint!(; bytes);
    let end = index("end", end, bytes.len())?;
    let start = index("start", start, end)?;
    Ok(varve_codec::crc32c::crc32c(&bytes[start..end], seed))
}
