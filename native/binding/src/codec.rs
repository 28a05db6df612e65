//! The codec's kernels for JavaScript: many columns or chunks a call.
//!
//! `ranges` holds pairs, where item i begins and ends. A call returns the offset behind its last item, or the failure of the
//! first bad item as one negative number: `-(code + 16 * (bit offset + 1))`; items before it are written.

use std::cell::RefCell;

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_codec::column_parts::{decode_runs, RUN_SIZE};
use varve_codec::column_run::{decode_column_run as decode_run_of_columns, encode_column_run as encode_run_of_columns};
use varve_codec::error::CodecError;
use varve_codec::error::CodecErrorCode;
use varve_codec::gorilla::{decode_gorilla, encode_gorilla};
use varve_codec::lane_columns::{encode_lanes, Matrix};
use varve_codec::sealed_timestamps::{decode_sealed_timestamps, encode_sealed_timestamps};
use varve_codec::sealed_values::{decode_sealed_values, encode_sealed_values, verify_sealed_column};
use varve_codec::xor_chunk::{decode_xor_chunk, encode_xor_chunk};
use varve_codec::Scratch;

use crate::column::{check_disjoint, disjoint, index, Column};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// The checksum of `bytes[start, end)`, going on from `seed`.
#[napi(catch_unwind, js_name = "crc32c")]
pub fn crc32c(bytes: Column<u8>, start: f64, end: f64, seed: u32) -> Result<u32> {
    disjoint!(; bytes);
    let end = index("end", end, bytes.len())?;
    let start = index("start", start, end)?;
    Ok(varve_codec::crc32c::crc32c(&bytes[start..end], seed))
}

/// Encodes value columns one behind the other; `ends[i]` is the offset behind column i.
#[napi(catch_unwind)]
pub fn encode_sealed_values_batch(
    values: Column<f64>,
    ranges: Column<u32>,
    out: Column<u8>,
    offset: f64,
    ends: Column<u32>,
) -> Result<f64> {
    disjoint!(out, ends; values, ranges);
    let offset = index("offset", offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        encode_batch(ranges, offset, ends, |from, to, at| {
            encode_sealed_values(slice(values, from, to)?, out, at, scratch)
        })
    })
}

/// Encodes value columns that stand side by side, see `EncodeLanes`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn encode_sealed_lanes(
    matrix: Column<f64>,
    like: Column<f64>,
    stride: f64,
    row_count: f64,
    lanes: Column<u8>,
    out: Column<u8>,
    offset: f64,
    ends: Column<u32>,
) -> Result<f64> {
    disjoint!(out, ends; matrix, like, lanes);
    let stride = index("stride", stride, matrix.len())?;
    let row_count = index("rowCount", row_count, matrix.len())?;
    let offset = index("offset", offset, out.len())?;
    let matrix = Matrix { values: matrix, stride, row_count };
    SCRATCH.with_borrow_mut(|scratch| {
        let encoded = encode_lanes(matrix, like, lanes, out, offset, ends, scratch);
        Ok(encoded.map_or_else(failure, |end| end as f64))
    })
}

/// The same for timestamp columns.
#[napi(catch_unwind)]
pub fn encode_sealed_timestamps_batch(
    timestamps_ms: Column<f64>,
    ranges: Column<u32>,
    out: Column<u8>,
    offset: f64,
    ends: Column<u32>,
) -> Result<f64> {
    disjoint!(out, ends; timestamps_ms, ranges);
    let offset = index("offset", offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        encode_batch(ranges, offset, ends, |from, to, at| {
            encode_sealed_timestamps(slice(timestamps_ms, from, to)?, out, at, scratch)
        })
    })
}

/// Decodes value columns one behind the other; `counts[i]` is how many values column i held.
#[napi(catch_unwind)]
pub fn decode_sealed_values_batch(
    bytes: Column<u8>,
    ranges: Column<u32>,
    out: Column<f64>,
    out_offset: f64,
    counts: Column<u32>,
) -> Result<f64> {
    disjoint!(out, counts; bytes, ranges);
    let out_offset = index("outOffset", out_offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        decode_batch(ranges, out_offset, counts, |offset, end, at| {
            decode_sealed_values(bytes, offset, end, &mut out[at..], scratch)
        })
    })
}

/// Decodes parts of value columns, each to its place in the output; returns 0 or the first failure.
#[napi(catch_unwind)]
pub fn decode_sealed_runs(pages: Vec<Column<u8>>, runs: Column<u32>, run_count: f64, out: Column<f64>) -> Result<f64> {
    let spans: Vec<_> = [out.span(), runs.span()].into_iter().chain(pages.iter().map(Column::span)).collect();
    check_disjoint(1, &spans)?;
    let mut out = out;
    // SAFETY: `check_disjoint` has found that the output overlaps nothing else; the others are only read.
    let (out, runs) = unsafe { (out.as_mut_slice(), runs.as_slice()) };
    // SAFETY: the same.
    let pages: Vec<&[u8]> = pages.iter().map(|page| unsafe { page.as_slice() }).collect();
    let run_count = index("runCount", run_count, runs.len() / RUN_SIZE)?;
    let (runs, _) = runs.as_chunks::<RUN_SIZE>();
    Ok(decode_runs(&pages, &runs[..run_count], out).map_or_else(failure, |()| 0.0))
}

/// The same for timestamp columns.
#[napi(catch_unwind)]
pub fn decode_sealed_timestamps_batch(
    bytes: Column<u8>,
    ranges: Column<u32>,
    out: Column<f64>,
    out_offset: f64,
    counts: Column<u32>,
) -> Result<f64> {
    disjoint!(out, counts; bytes, ranges);
    let out_offset = index("outOffset", out_offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        decode_batch(ranges, out_offset, counts, |offset, end, at| {
            decode_sealed_timestamps(bytes, offset, end, &mut out[at..], scratch)
        })
    })
}

/// Checks sealed columns against their checksums; returns 0 or the first failure.
#[napi(catch_unwind)]
pub fn verify_sealed_columns(bytes: Column<u8>, ranges: Column<u32>) -> Result<f64> {
    disjoint!(; bytes, ranges);
    for pair in pairs(ranges, usize::MAX)? {
        if let Err(error) = verify_sealed_column(bytes, pair[0] as usize, pair[1] as usize) {
            return Ok(failure(error));
        }
    }
    Ok(0.0)
}

/// Encodes Gorilla chunks one behind the other; `ends[i]` is the offset behind chunk i.
#[napi(catch_unwind)]
pub fn encode_gorilla_batch(
    timestamps_ms: Column<f64>,
    values: Column<f64>,
    ranges: Column<u32>,
    out: Column<u8>,
    offset: f64,
    ends: Column<u32>,
) -> Result<f64> {
    disjoint!(out, ends; timestamps_ms, values, ranges);
    let offset = index("offset", offset, out.len())?;
    encode_batch(ranges, offset, ends, |from, to, at| {
        encode_gorilla(slice(timestamps_ms, from, to)?, slice(values, from, to)?, out, at)
    })
}

/// Decodes Gorilla chunks one behind the other; `counts[i]` is how many samples chunk i held.
#[napi(catch_unwind)]
pub fn decode_gorilla_batch(
    bytes: Column<u8>,
    ranges: Column<u32>,
    timestamps_ms: Column<f64>,
    values: Column<f64>,
    out_offset: f64,
    counts: Column<u32>,
) -> Result<f64> {
    disjoint!(timestamps_ms, values, counts; bytes, ranges);
    let out_offset = index("outOffset", out_offset, timestamps_ms.len().min(values.len()))?;
    decode_batch(ranges, out_offset, counts, |offset, end, at| {
        decode_gorilla(bytes, offset, end, &mut timestamps_ms[at..], &mut values[at..])
    })
}

/// Encodes columns of these lengths, whose values stand one behind the other, as parts of a larger unit.
#[napi(catch_unwind)]
pub fn encode_column_run(values: Column<f64>, lengths: Column<u32>, out: Column<u8>, offset: f64) -> Result<f64> {
    disjoint!(out; values, lengths);
    let offset = index("offset", offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        Ok(encode_run_of_columns(values, lengths, out, offset, scratch).map_or_else(failure, |end| end as f64))
    })
}

/// Decodes them again from `bytes[offset, end)`; returns where they end.
#[napi(catch_unwind)]
pub fn decode_column_run(
    bytes: Column<u8>,
    offset: f64,
    end: f64,
    lengths: Column<u32>,
    out: Column<f64>,
    out_offset: f64,
) -> Result<f64> {
    disjoint!(out; bytes, lengths);
    let end = index("end", end, bytes.len())?;
    let offset = index("offset", offset, end)?;
    let out_offset = index("outOffset", out_offset, out.len())?;
    SCRATCH.with_borrow_mut(|scratch| {
        let decoded = decode_run_of_columns(bytes, offset, end, lengths, &mut out[out_offset..], scratch);
        Ok(decoded.map_or_else(failure, |at| at as f64))
    })
}

/// Encodes Prometheus XOR chunks one behind the other; `ends[i]` is the offset behind chunk i.
#[napi(catch_unwind)]
pub fn encode_xor_chunk_batch(
    timestamps_ms: Column<f64>,
    values: Column<f64>,
    ranges: Column<u32>,
    out: Column<u8>,
    offset: f64,
    ends: Column<u32>,
) -> Result<f64> {
    disjoint!(out, ends; timestamps_ms, values, ranges);
    let offset = index("offset", offset, out.len())?;
    encode_batch(ranges, offset, ends, |from, to, at| {
        encode_xor_chunk(slice(timestamps_ms, from, to)?, slice(values, from, to)?, out, at)
    })
}

/// Decodes Prometheus XOR chunks one behind the other; `counts[i]` is how many samples chunk i held.
#[napi(catch_unwind)]
pub fn decode_xor_chunk_batch(
    bytes: Column<u8>,
    ranges: Column<u32>,
    timestamps_ms: Column<f64>,
    values: Column<f64>,
    out_offset: f64,
    counts: Column<u32>,
) -> Result<f64> {
    disjoint!(timestamps_ms, values, counts; bytes, ranges);
    let out_offset = index("outOffset", out_offset, timestamps_ms.len().min(values.len()))?;
    decode_batch(ranges, out_offset, counts, |offset, end, at| {
        decode_xor_chunk(bytes, offset, end, &mut timestamps_ms[at..], &mut values[at..])
    })
}

/// Calls `encode(from, to, at)` for each range and notes where each ends.
pub fn encode_batch(
    ranges: &[u32],
    mut at: usize,
    ends: &mut [u32],
    mut encode: impl FnMut(usize, usize, usize) -> std::result::Result<usize, CodecError>,
) -> Result<f64> {
    for (pair, end) in pairs(ranges, ends.len())?.iter().zip(ends) {
        match encode(pair[0] as usize, pair[1] as usize, at) {
            Ok(next) => at = next,
            Err(error) => return Ok(failure(error)),
        }
        *end = at as u32;
    }
    Ok(at as f64)
}

/// Calls `decode(offset, end, at)` for each range and notes how many each held.
pub fn decode_batch(
    ranges: &[u32],
    mut at: usize,
    counts: &mut [u32],
    mut decode: impl FnMut(usize, usize, usize) -> std::result::Result<usize, CodecError>,
) -> Result<f64> {
    for (pair, count) in pairs(ranges, counts.len())?.iter().zip(counts) {
        match decode(pair[0] as usize, pair[1] as usize, at) {
            Ok(decoded) => {
                *count = decoded as u32;
                at += decoded;
            }
            Err(error) => return Ok(failure(error)),
        }
    }
    Ok(at as f64)
}

fn pairs(ranges: &[u32], slots: usize) -> Result<&[[u32; 2]]> {
    let (pairs, rest) = ranges.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > slots {
        let message = format!("{} range bounds and {slots} result slots: wanted pairs", ranges.len());
        return Err(Error::new(Status::InvalidArg, message));
    }
    Ok(pairs)
}

fn slice(column: &[f64], from: usize, to: usize) -> std::result::Result<&[f64], CodecError> {
    column.get(from..to).ok_or(CodecError::call(CodecErrorCode::InvalidArgument))
}

/// A codec error as one negative number.
pub fn failure(error: CodecError) -> f64 {
    -(f64::from(error.code as u8) + 16.0 * (error.bit_offset + 1) as f64)
}
