//! Sealed value columns: the twin of gorilla-codec/src/sealed-values.ts, which draws them.

use std::ops::Range;

use crate::byte_reader::{word_at, ByteReader};
use crate::byte_writer::{write_float, write_signed_varint, write_u32, write_varint, write_word};
use crate::crc32c::crc32c;
use crate::decimal_scale::{scale_values, ScaledValues};
use crate::error::{corrupt, truncated, CodecError, CodecErrorCode, Result};
use crate::integer_plan::{extremes_of, Extremes};
use crate::limits::{bit_width, DIFFERENCE_MAX, POWERS_OF_TEN, SAMPLES_PER_CHUNK_MAX, SCALED_MAX, SCALE_MAX};
use crate::packed_integers::{pack_prepared, prepare_integers, unpack_integers, Effort, PreparedIntegers};
use crate::packed_xor::{pack_xor, prepare_xor, unpack_xor};
use crate::positions::{read_positions, write_positions};
use crate::scratch::Scratch;

const ENCODING_CONSTANT: u8 = 0;
const ENCODING_CONSTANT_DECIMAL: u8 = 1;
pub const ENCODING_DECIMALS: u8 = 2;
const ENCODING_XOR: u8 = 3;
const ENCODING_RAW: u8 = 4;

const BOUNDS_RAW: u8 = 1 << 5;
const WITH_EXCEPTIONS: u8 = 1 << 6;
const WITH_DIVISOR: u8 = 1 << 7;
pub const CHECKSUM_SIZE: usize = 4;
pub const RAW_HEADER_SIZE: usize = 1 + 3 + 24 + CHECKSUM_SIZE;
const DECIMALS_HEADER_SIZE_MAX: usize = 1 + 3 + 1 + 8 + 9 + 16 + 8 + CHECKSUM_SIZE;

/// How many bytes a sealed column of `count` samples takes at most.
pub fn sealed_size_max(count: usize) -> usize {
    8 * count + 128
}

/// Encodes `values` into `out` at `offset` and returns the offset behind the column.
pub fn encode_sealed_values(values: &[f64], out: &mut [u8], offset: usize, scratch: &mut Scratch) -> Result<usize> {
    check_encode(values.len(), out, offset)?;
    let end = write_body(values, out, offset, Effort::Full, scratch);
    Ok(seal_column(out, offset, end))
}

/// The same with a light plan: some larger bytes for a fraction of the work.
pub fn encode_sealed_values_lightly(
    values: &[f64],
    out: &mut [u8],
    offset: usize,
    scratch: &mut Scratch,
) -> Result<usize> {
    check_encode(values.len(), out, offset)?;
    let end = write_body(values, out, offset, Effort::Light, scratch);
    Ok(seal_column(out, offset, end))
}

/// Refuses a column that has no samples or too many, or an output without room for it.
pub fn check_encode(count: usize, out: &[u8], offset: usize) -> Result<()> {
    if count == 0 || count > SAMPLES_PER_CHUNK_MAX {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    if offset > out.len() || out.len() - offset < sealed_size_max(count) {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    Ok(())
}

/// Puts the checksum behind a column and returns the offset behind it.
pub fn seal_column(out: &mut [u8], offset: usize, body_end: usize) -> usize {
    let checksum = crc32c(&out[offset..body_end], 0);
    write_u32(out, body_end, checksum)
}

struct Summary {
    min: f64,
    max: f64,
    sum: f64,
}

fn write_body(values: &[f64], out: &mut [u8], offset: usize, effort: Effort, scratch: &mut Scratch) -> usize {
    let first_bits = values[0].to_bits();
    if values.iter().all(|value| value.to_bits() == first_bits) {
        return write_constant(values[0], values.len(), out, offset, scratch);
    }
    let summary = summarize(values);
    let raw_size = RAW_HEADER_SIZE + 8 * values.len();
    let scaled = scale_values(values, &mut scratch.integers, &mut scratch.exceptions);
    if let Some(scaled) = scaled {
        let first = scratch.integers[0];
        let prepared = prepare_integers(scratch, values.len(), effort);
        if scaled.exception_count == 0 {
            // What it really takes counts here: of a short column the estimate's headers would be most.
            let end = write_decimals(values, out, offset, &scaled, &prepared, first, &summary, scratch);
            if end - offset + CHECKSUM_SIZE < raw_size {
                return end;
            }
        } else {
            let exceptions_bits = scaled.exception_count * (64 + bit_width(values.len() as u64 - 1) as usize) + 24;
            let size = DECIMALS_HEADER_SIZE_MAX + prepared.size_bytes + exceptions_bits.div_ceil(8);
            if size < raw_size && size <= RAW_HEADER_SIZE + prepare_xor(values, scratch).size_bytes {
                return write_decimals(values, out, offset, &scaled, &prepared, first, &summary, scratch);
            }
        }
    }
    let xor = prepare_xor(values, scratch);
    let as_xor = RAW_HEADER_SIZE + xor.size_bytes < raw_size;
    let mut at = write_start(out, offset, if as_xor { ENCODING_XOR } else { ENCODING_RAW }, values.len());
    at = write_float(out, at, summary.min);
    at = write_float(out, at, summary.max);
    at = write_float(out, at, summary.sum);
    if as_xor {
        return pack_xor(&xor, values[0], scratch, out, at);
    }
    for value in values {
        at = write_word(out, at, value.to_bits());
    }
    at
}

pub fn write_start(out: &mut [u8], at: usize, encoding: u8, count: usize) -> usize {
    out[at] = encoding;
    write_varint(out, at + 1, count as u64)
}

/// Writes a column of equal values, without its checksum.
pub fn write_constant(value: f64, count: usize, out: &mut [u8], offset: usize, scratch: &mut Scratch) -> usize {
    match scale_values(&[value], &mut scratch.integers, &mut scratch.exceptions) {
        None => {
            let at = write_start(out, offset, ENCODING_CONSTANT, count);
            write_word(out, at, value.to_bits())
        }
        Some(scaled) => {
            let at = write_start(out, offset, ENCODING_CONSTANT_DECIMAL, count);
            out[at] = scaled.scale as u8;
            write_signed_varint(out, at + 1, scratch.integers[0] as i64)
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn write_decimals(
    values: &[f64],
    out: &mut [u8],
    offset: usize,
    scaled: &ScaledValues,
    prepared: &PreparedIntegers,
    first: f64,
    summary: &Summary,
    scratch: &mut Scratch,
) -> usize {
    let exception_count = scaled.exception_count;
    let has_number = scratch.exceptions[..exception_count].iter().any(|&position| !values[position as usize].is_nan());
    let mut at = write_start(out, offset, ENCODING_DECIMALS, values.len());
    out[at] = scaled.scale as u8
        | if has_number { BOUNDS_RAW } else { 0 }
        | if exception_count > 0 { WITH_EXCEPTIONS } else { 0 }
        | if prepared.divisor != 1.0 { WITH_DIVISOR } else { 0 };
    at += 1;
    if prepared.divisor != 1.0 {
        at = write_varint(out, at, prepared.divisor as u64);
    }
    at = write_signed_varint(out, at, first as i64);
    if has_number {
        at = write_float(out, at, summary.min);
        at = write_float(out, at, summary.max);
    } else {
        // The first of them is 0.
        let Extremes { min: least, max: greatest } = extremes_of(&scratch.integers[..values.len()]);
        at = write_varint(out, at, -least as u64);
        at = write_varint(out, at, greatest as u64);
    }
    at = write_float(out, at, summary.sum);
    at = pack_prepared(prepared, scratch, out, at);
    if exception_count == 0 {
        return at;
    }
    at = write_varint(out, at, exception_count as u64);
    let exceptions = &scratch.exceptions[..exception_count];
    at = write_positions(exceptions, values.len(), false, out, at);
    for &position in exceptions {
        at = write_word(out, at, values[position as usize].to_bits());
    }
    at
}

/// What the header says: -0 counts as 0, NaN not at all. A NaN sum has the standard quiet bits.
fn summarize(values: &[f64]) -> Summary {
    let Extremes { min, max } = extremes_of(values);
    let mut sum = 0.0;
    for &value in values {
        sum += if value.is_nan() { -0.0 } else { value };
    }
    // Where there are no numbers, nothing took the place of the infinities that `extremes_of` begins with.
    let any = min <= max;
    Summary {
        min: if any { min + 0.0 } else { QUIET_NAN },
        max: if any { max + 0.0 } else { QUIET_NAN },
        sum: if sum.is_nan() { QUIET_NAN } else { sum },
    }
}

/// The bits that JavaScript gives its NaN.
const QUIET_NAN: f64 = f64::from_bits(0x7ff8_0000_0000_0000);

/// Decodes the column `bytes[offset..end]` into the start of `out` and returns how many values it held.
pub fn decode_sealed_values(
    bytes: &[u8],
    offset: usize,
    end: usize,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<usize> {
    let mut reader = open_column(bytes, offset, end)?;
    let encoding = read_encoding(&mut reader, ENCODING_RAW)?;
    let count = read_count(&mut reader)?;
    if out.len() < count {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    decode_column(&mut reader, encoding, 0..count, &mut out[..count], scratch)?;
    Ok(count)
}

/// The same for a column that is known to hold `out.len()` values, of which only those at `wanted` have to be right behind it.
pub fn decode_sealed_part(
    bytes: &[u8],
    offset: usize,
    end: usize,
    wanted: Range<usize>,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<()> {
    let mut reader = open_column(bytes, offset, end)?;
    let encoding = read_encoding(&mut reader, ENCODING_RAW)?;
    if read_count(&mut reader)? != out.len() {
        return Err(corrupt(offset));
    }
    decode_column(&mut reader, encoding, wanted, out, scratch)
}

fn decode_column(
    reader: &mut ByteReader,
    encoding: u8,
    wanted: Range<usize>,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<()> {
    match encoding {
        ENCODING_DECIMALS => decode_decimals(reader, wanted, out, scratch)?,
        ENCODING_CONSTANT_DECIMAL => out[wanted].fill(read_constant_decimal(reader)?),
        ENCODING_CONSTANT => out[wanted].fill(reader.float()?),
        ENCODING_XOR => {
            reader.skip(24)?;
            unpack_xor(reader, scratch, out)?;
        }
        _ => {
            reader.skip(24)?;
            let at = reader.skip(8 * out.len())?;
            for (index, slot) in out.iter_mut().enumerate() {
                *slot = f64::from_bits(word_at(reader.bytes, at + 8 * index));
            }
        }
    }
    if reader.at != reader.end {
        return Err(corrupt(reader.at));
    }
    Ok(())
}

/// A reader over the column without its checksum.
pub fn open_column(bytes: &[u8], offset: usize, end: usize) -> Result<ByteReader<'_>> {
    if offset > end || end > bytes.len() {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    if end - offset < CHECKSUM_SIZE {
        return Err(truncated(offset));
    }
    Ok(ByteReader { bytes, at: offset, end: end - CHECKSUM_SIZE })
}

pub fn read_encoding(reader: &mut ByteReader, encoding_max: u8) -> Result<u8> {
    let start = reader.at;
    let encoding = reader.byte()?;
    if encoding > encoding_max {
        return Err(CodecError::at_bit(CodecErrorCode::UnsupportedEncoding, start * 8));
    }
    Ok(encoding)
}

pub fn read_count(reader: &mut ByteReader) -> Result<usize> {
    let start = reader.at;
    let count = reader.varint()?;
    if count < 1 || count > SAMPLES_PER_CHUNK_MAX as i64 {
        return Err(corrupt(start));
    }
    Ok(count as usize)
}

/// Reads a divisor, which is in [1, 2^52].
pub fn read_divisor(reader: &mut ByteReader) -> Result<i64> {
    let start = reader.at;
    let divisor = reader.varint()?;
    if !(1..=DIFFERENCE_MAX).contains(&divisor) {
        return Err(corrupt(start));
    }
    Ok(divisor)
}

fn read_constant_decimal(reader: &mut ByteReader) -> Result<f64> {
    let start = reader.at;
    let scale = usize::from(reader.byte()?);
    if scale > SCALE_MAX {
        return Err(corrupt(start));
    }
    Ok(read_scaled(reader)? as f64 / POWERS_OF_TEN[scale])
}

fn read_scaled(reader: &mut ByteReader) -> Result<i64> {
    let start = reader.at;
    let integer = reader.signed_varint()?;
    if integer.abs() > SCALED_MAX {
        return Err(corrupt(start));
    }
    Ok(integer)
}

fn decode_decimals(
    reader: &mut ByteReader,
    wanted: Range<usize>,
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<()> {
    let start = reader.at;
    let flags = reader.byte()?;
    let scale = usize::from(flags & 31);
    if scale > SCALE_MAX {
        return Err(corrupt(start));
    }
    let divisor = if flags & WITH_DIVISOR != 0 { read_divisor(reader)? } else { 1 };
    let first = read_scaled(reader)?;
    if flags & BOUNDS_RAW != 0 {
        // Min, then max: each is truncated at its own start.
        reader.skip(8)?;
        reader.skip(8)?;
    } else {
        // In floats, as TypeScript computes them: hostile products round alike.
        let start = reader.at;
        let least = first as f64 - divisor as f64 * reader.varint()? as f64;
        let greatest = first as f64 + divisor as f64 * reader.varint()? as f64;
        if least < -(SCALED_MAX as f64) || greatest > SCALED_MAX as f64 {
            return Err(corrupt(start));
        }
    }
    reader.skip(8)?;
    let count = out.len();
    unpack_integers(reader, first, divisor, POWERS_OF_TEN[scale], wanted, scratch, out)?;
    if flags & WITH_EXCEPTIONS == 0 {
        return Ok(());
    }
    let start = reader.at;
    let stored = reader.varint()?;
    if stored < 1 || stored > count as i64 {
        return Err(corrupt(start));
    }
    let stored = stored as usize;
    let Scratch { words, positions, .. } = scratch;
    read_positions(reader, stored, count, false, words, positions)?;
    let at = reader.skip(8 * stored)?;
    for (index, &position) in positions[..stored].iter().enumerate() {
        out[position as usize] = f64::from_bits(word_at(reader.bytes, at + 8 * index));
    }
    Ok(())
}

/// Checks a sealed column against its checksum.
pub fn verify_sealed_column(bytes: &[u8], offset: usize, end: usize) -> Result<()> {
    let reader = open_column(bytes, offset, end)?;
    let at = reader.end;
    let stored = u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if stored != crc32c(&bytes[offset..at], 0) {
        return Err(CodecError::at_bit(CodecErrorCode::ChecksumMismatch, at * 8));
    }
    Ok(())
}
