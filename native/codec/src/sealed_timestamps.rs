//! Sealed timestamp columns: the twin of gorilla-codec/src/sealed-timestamps.ts, which draws them.

use crate::byte_reader::ByteReader;
use crate::byte_writer::{write_float, write_signed_varint, write_varint};
use crate::error::{corrupt, CodecError, CodecErrorCode, Result};
use crate::integer_plan::median_of_15;
use crate::limits::INTEGER_EXACT_MAX;
use crate::packed_integers::{
    pack_prepared, prepare_integers, unpack_integers, Effort, PACKED_INTEGERS_HEADER_SIZE_MAX,
};
use crate::scratch::Scratch;
use crate::sealed_values::{check_encode, open_column, read_count, read_divisor, read_encoding, seal_column};

const ENCODING_REGULAR: u8 = 0;
const ENCODING_PACKED: u8 = 1;
const ENCODING_RAW: u8 = 2;

/// A longer span is stored raw.
const SPAN_MAX: i64 = 1 << 48;
const EXACT_MAX: f64 = INTEGER_EXACT_MAX as f64;

/// Encodes `timestamps_ms` into `out` at `offset` and returns the offset behind the column.
pub fn encode_sealed_timestamps(
    timestamps_ms: &[f64],
    out: &mut [u8],
    offset: usize,
    scratch: &mut Scratch,
) -> Result<usize> {
    check_encode(timestamps_ms.len(), out, offset)?;
    check_timestamps(timestamps_ms)?;
    let count = timestamps_ms.len();
    let first = timestamps_ms[0];
    let last = timestamps_ms[count - 1];
    let span = last - first;
    if is_regular(timestamps_ms) {
        let at = write_start(out, offset, ENCODING_REGULAR, count, first);
        let at = write_varint(out, at, span as u64);
        return Ok(seal_column(out, offset, at));
    }
    if span <= SPAN_MAX as f64 {
        let step = step_of(timestamps_ms);
        for (index, (slot, &timestamp)) in scratch.integers.iter_mut().zip(timestamps_ms).enumerate() {
            *slot = timestamp - first - index as f64 * step;
        }
        let prepared = prepare_integers(scratch, count, Effort::Full);
        if prepared.size_bytes + 16 < 8 * count + PACKED_INTEGERS_HEADER_SIZE_MAX {
            let mut at = write_start(out, offset, ENCODING_PACKED, count, first);
            at = write_varint(out, at, span as u64);
            at = write_varint(out, at, step as u64);
            at = write_varint(out, at, prepared.divisor as u64);
            at = pack_prepared(&prepared, scratch, out, at);
            return Ok(seal_column(out, offset, at));
        }
    }
    let mut at = write_start(out, offset, ENCODING_RAW, count, first);
    at = write_signed_varint(out, at, last as i64);
    for &timestamp in timestamps_ms {
        at = write_float(out, at, timestamp);
    }
    Ok(seal_column(out, offset, at))
}

fn write_start(out: &mut [u8], at: usize, encoding: u8, count: usize, first: f64) -> usize {
    out[at] = encoding;
    let at = write_varint(out, at + 1, count as u64);
    write_signed_varint(out, at, first as i64)
}

fn check_timestamps(timestamps_ms: &[f64]) -> Result<()> {
    let mut before = -EXACT_MAX;
    for &timestamp in timestamps_ms {
        if !(timestamp >= before && timestamp <= EXACT_MAX && timestamp.floor() == timestamp) {
            return Err(CodecError::call(CodecErrorCode::TimestampOutOfRange));
        }
        before = timestamp;
    }
    Ok(())
}

fn is_regular(timestamps_ms: &[f64]) -> bool {
    let count = timestamps_ms.len();
    let first = timestamps_ms[0];
    let span = timestamps_ms[count - 1] - first;
    if span > EXACT_MAX {
        return false;
    }
    if count < 2 {
        return true;
    }
    let step = timestamps_ms[1] - first;
    step * (count - 1) as f64 == span
        && timestamps_ms.iter().enumerate().all(|(index, &timestamp)| timestamp == first + index as f64 * step)
}

/// The median of 15 evenly spaced steps; 0 if a grid of it would reach too far.
fn step_of(timestamps_ms: &[f64]) -> f64 {
    let steps = timestamps_ms.len() - 1;
    let step = median_of_15(steps, |index| timestamps_ms[index + 1] - timestamps_ms[index]);
    if step * steps as f64 <= SPAN_MAX as f64 {
        step
    } else {
        0.0
    }
}

/// Decodes the column `bytes[offset..end]` into the start of `out` and returns how many timestamps it held.
pub fn decode_sealed_timestamps(
    bytes: &[u8],
    offset: usize,
    end: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<usize> {
    let mut reader = open_column(bytes, offset, end)?;
    let encoding = read_encoding(&mut reader, ENCODING_RAW)?;
    let count = read_count(&mut reader)?;
    let first = reader.signed_varint()?;
    let start = reader.at;
    let last = if encoding == ENCODING_RAW { reader.signed_varint()? } else { first + reader.varint()? };
    let too_long = encoding == ENCODING_PACKED && last - first > SPAN_MAX;
    if last > INTEGER_EXACT_MAX || last < first || too_long {
        return Err(corrupt(start));
    }
    if out.len() < count {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    let out = &mut out[..count];
    let start = reader.at;
    match encoding {
        ENCODING_REGULAR => {
            let gaps = (count - 1) as i64;
            if (gaps == 0 && last != first) || (gaps > 0 && (last - first) % gaps != 0) {
                return Err(corrupt(start));
            }
            let step = if gaps > 0 { (last - first) / gaps } else { 0 };
            for (index, slot) in out.iter_mut().enumerate() {
                *slot = (first + index as i64 * step) as f64;
            }
        }
        ENCODING_PACKED => {
            decode_packed(&mut reader, first, out, scratch)?;
            check_decoded(out, first as f64, last as f64, start)?;
        }
        _ => {
            for slot in out.iter_mut() {
                *slot = reader.float()?;
            }
            check_decoded(out, first as f64, last as f64, start)?;
        }
    }
    if reader.at != reader.end {
        return Err(corrupt(reader.at));
    }
    Ok(count)
}

fn decode_packed(reader: &mut ByteReader, first: i64, out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    let start = reader.at;
    let step = reader.varint()?;
    if step as f64 * (out.len() - 1) as f64 > SPAN_MAX as f64 {
        return Err(corrupt(start));
    }
    let divisor = read_divisor(reader)?;
    unpack_integers(reader, 0, divisor, 1.0, 0..out.len(), scratch, out)?;
    let mut grid = first;
    for slot in out {
        // Numbers within ±2^50 and a grid within ±(2^53 + 2^48): the sum is rounded as TypeScript rounds it.
        *slot += grid as f64;
        grid += step;
    }
    Ok(())
}

/// Refuses a column that its header contradicts, or that a binary search could not trust.
fn check_decoded(out: &[f64], first: f64, last: f64, start: usize) -> Result<()> {
    let mut before = first;
    let mut ordered = out[0] == first && out[out.len() - 1] == last;
    for &timestamp in out {
        ordered &= timestamp >= before && timestamp.floor() == timestamp;
        before = timestamp;
    }
    if ordered {
        Ok(())
    } else {
        Err(corrupt(start))
    }
}
