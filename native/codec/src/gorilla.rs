//! Gorilla, the encoding of a chunk that still grows: the twin of gorilla-codec/src/gorilla.ts, which draws it.
//!
//! Here whole chunks are encoded at once, since batches cross the border; the bytes are those of appending.

use crate::bit_reader::BitReader;
use crate::bit_writer::BitWriter;
use crate::error::{CodecError, CodecErrorCode, Result};
use crate::limits::{INTEGER_EXACT_MAX, SAMPLES_PER_CHUNK_MAX};
use crate::xor_values::XorState;

/// How many bytes a chunk of `count` samples takes at most.
pub fn gorilla_size_max(count: usize) -> usize {
    20 * count + 16
}

/// A timestamp as an integer, if it is one within ±2^53 and not below `least`.
pub fn checked_timestamp(timestamp_ms: f64, least: i64) -> Result<i64> {
    let exact = INTEGER_EXACT_MAX as f64;
    if timestamp_ms >= least as f64 && timestamp_ms <= exact && timestamp_ms.floor() == timestamp_ms {
        return Ok(timestamp_ms as i64);
    }
    Err(CodecError::call(CodecErrorCode::TimestampOutOfRange))
}

/// Encodes samples as one chunk at `offset` of `out` and returns the offset behind it.
pub fn encode_gorilla(timestamps_ms: &[f64], values: &[f64], out: &mut [u8], offset: usize) -> Result<usize> {
    let count = timestamps_ms.len();
    if count > SAMPLES_PER_CHUNK_MAX {
        return Err(CodecError::call(CodecErrorCode::ChunkFull));
    }
    if values.len() != count {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    if offset > out.len() || out.len() - offset < gorilla_size_max(count) {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    let mut writer = BitWriter::new(out, offset);
    writer.write(count as u64, 16);
    let (Some(&first), Some(&first_value)) = (timestamps_ms.first(), values.first()) else {
        return Ok(writer.finish());
    };
    let mut previous = checked_timestamp(first, -INTEGER_EXACT_MAX)?;
    let mut delta = 0;
    writer.write(previous as u64, 64);
    writer.write(first_value.to_bits(), 64);
    let mut xor = XorState::encoder(first_value.to_bits());
    for (&timestamp_ms, &value) in timestamps_ms[1..].iter().zip(&values[1..]) {
        let timestamp = checked_timestamp(timestamp_ms, previous)?;
        let next = timestamp - previous;
        match next - delta {
            _ if next >= INTEGER_EXACT_MAX => write_escape(&mut writer, timestamp),
            0 => writer.write(0, 1),
            dod @ -64..=63 => writer.write(0b10 << 7 | (dod as u64 & 127), 9),
            dod @ -256..=255 => writer.write(0b110 << 9 | (dod as u64 & 511), 12),
            dod @ -2048..=2047 => writer.write(0b1110 << 12 | (dod as u64 & 4095), 16),
            _ => write_escape(&mut writer, timestamp),
        }
        delta = delta_after_escape(next);
        previous = timestamp;
        xor.append(&mut writer, value.to_bits());
    }
    Ok(writer.finish())
}

fn write_escape(writer: &mut BitWriter, timestamp: i64) {
    writer.write(0b1111, 4);
    writer.write(timestamp as u64, 64);
}

/// A delta too large to be exact in a float64 is forgotten, on both sides.
fn delta_after_escape(delta: i64) -> i64 {
    if delta < INTEGER_EXACT_MAX {
        delta
    } else {
        0
    }
}

/// Decodes the chunk `bytes[offset..end]` into the starts of two columns and returns the sample count.
pub fn decode_gorilla(
    bytes: &[u8],
    offset: usize,
    end: usize,
    timestamps_ms: &mut [f64],
    values: &mut [f64],
) -> Result<usize> {
    let mut reader = BitReader::open(bytes, offset, end)?;
    let count = reader.bits(16)? as usize;
    if timestamps_ms.len() < count || values.len() < count {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    if count == 0 {
        return Ok(0);
    }
    let mut timestamp = read_timestamp(&mut reader, -INTEGER_EXACT_MAX)?;
    let mut delta: i64 = 0;
    let mut xor = XorState::decoder(reader.word()?);
    timestamps_ms[0] = timestamp as f64;
    values[0] = f64::from_bits(xor.bits);
    for (time_slot, value_slot) in timestamps_ms[1..count].iter_mut().zip(&mut values[1..count]) {
        let start = reader.position();
        let ones = reader.ones(4)?;
        if ones > 0 {
            match ones {
                1 => delta += signed(reader.bits(7)?, 7),
                2 => delta += signed(reader.bits(9)?, 9),
                3 => delta += signed(reader.bits(12)?, 12),
                _ => {
                    let next = read_timestamp(&mut reader, timestamp)?;
                    delta = delta_after_escape(next - timestamp);
                    timestamp = next - delta;
                }
            }
            if !(0..INTEGER_EXACT_MAX).contains(&delta) {
                return Err(misplaced(start));
            }
        }
        timestamp += delta;
        if timestamp > INTEGER_EXACT_MAX {
            return Err(misplaced(start));
        }
        xor.read(&mut reader)?;
        *time_slot = timestamp as f64;
        *value_slot = f64::from_bits(xor.bits);
    }
    Ok(count)
}

fn signed(bits: u64, count: u32) -> i64 {
    ((bits << (64 - count)) as i64) >> (64 - count)
}

fn read_timestamp(reader: &mut BitReader, least: i64) -> Result<i64> {
    let start = reader.position();
    let timestamp = reader.word()? as i64;
    if timestamp < least || timestamp > INTEGER_EXACT_MAX {
        return Err(misplaced(start));
    }
    Ok(timestamp)
}

fn misplaced(start: usize) -> CodecError {
    CodecError::at_bit(CodecErrorCode::CorruptChunk, start)
}
