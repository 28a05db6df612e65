//! Prometheus' XOR chunk, bit for bit: the twin of gorilla-codec/src/xor-chunk.ts, which draws it.

use crate::bit_reader::BitReader;
use crate::bit_writer::BitWriter;
use crate::error::{CodecError, CodecErrorCode, Result};
use crate::gorilla::{checked_timestamp, gorilla_size_max};
use crate::limits::{INTEGER_EXACT_MAX, SAMPLES_PER_CHUNK_MAX};
use crate::xor_values::XorState;

/// Encodes samples as one XOR chunk at `offset` of `out` and returns the offset behind it.
pub fn encode_xor_chunk(timestamps_ms: &[f64], values: &[f64], out: &mut [u8], offset: usize) -> Result<usize> {
    let count = timestamps_ms.len();
    if count == 0 || count > SAMPLES_PER_CHUNK_MAX || values.len() != count {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    if offset > out.len() || out.len() - offset < gorilla_size_max(count) {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    }
    let mut writer = BitWriter::new(out, offset);
    writer.write(count as u64, 16);
    let mut previous = checked_timestamp(timestamps_ms[0], 1 - INTEGER_EXACT_MAX)?;
    check_inside(previous)?;
    write_varint(&mut writer, ((previous << 1) ^ (previous >> 63)) as u64);
    writer.write(values[0].to_bits(), 64);
    let mut xor = XorState::encoder(values[0].to_bits());
    let mut delta = 0;
    for index in 1..count {
        let timestamp = checked_timestamp(timestamps_ms[index], previous)?;
        let next = timestamp - previous;
        check_inside(timestamp)?;
        check_inside(next)?;
        if index == 1 {
            write_varint(&mut writer, next as u64);
        } else {
            write_delta_of_delta(&mut writer, next - delta);
        }
        delta = next;
        previous = timestamp;
        xor.append(&mut writer, values[index].to_bits());
    }
    Ok(writer.finish())
}

fn check_inside(number: i64) -> Result<()> {
    if number >= INTEGER_EXACT_MAX {
        return Err(CodecError::call(CodecErrorCode::TimestampOutOfRange));
    }
    Ok(())
}

fn write_varint(writer: &mut BitWriter, mut value: u64) {
    while value >= 128 {
        writer.write(value & 127 | 128, 8);
        value >>= 7;
    }
    writer.write(value, 8);
}

fn write_delta_of_delta(writer: &mut BitWriter, dod: i64) {
    match dod {
        0 => writer.write(0, 1),
        -8191..=8192 => writer.write(0b10 << 14 | (dod as u64 & 0x3fff), 16),
        -65535..=65536 => writer.write(0b110 << 17 | (dod as u64 & 0x1_ffff), 20),
        -524_287..=524_288 => writer.write(0b1110 << 20 | (dod as u64 & 0xf_ffff), 24),
        _ => {
            writer.write(0b1111, 4);
            writer.write(dod as u64, 64);
        }
    }
}

/// Decodes the XOR chunk `bytes[offset..end]` into the starts of two columns and returns the sample count.
pub fn decode_xor_chunk(
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
    let mut xor = XorState::decoder(0);
    let mut timestamp: i64 = 0;
    let mut delta: i64 = 0;
    for index in 0..count {
        let start = reader.position();
        match index {
            0 => {
                let zigzag = read_varint(&mut reader)?;
                timestamp = (zigzag >> 1) ^ -(zigzag & 1);
            }
            1 => delta = read_varint(&mut reader)?,
            _ => delta += read_delta_of_delta(&mut reader)?,
        }
        timestamp += delta;
        if delta.abs() >= INTEGER_EXACT_MAX || timestamp.abs() >= INTEGER_EXACT_MAX {
            return Err(CodecError::at_bit(CodecErrorCode::CorruptChunk, start));
        }
        if index == 0 {
            xor.bits = reader.word()?;
        } else {
            xor.read(&mut reader)?;
        }
        timestamps_ms[index] = timestamp as f64;
        values[index] = f64::from_bits(xor.bits);
    }
    Ok(count)
}

/// Reads a varint of at most 8 bytes.
fn read_varint(reader: &mut BitReader) -> Result<i64> {
    let start = reader.position();
    let mut value = 0;
    for index in 0..8 {
        let byte = reader.bits(8)? as i64;
        value |= (byte & 127) << (7 * index);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(CodecError::at_bit(CodecErrorCode::CorruptChunk, start))
}

fn read_delta_of_delta(reader: &mut BitReader) -> Result<i64> {
    let start = reader.position();
    let width = match reader.ones(4)? {
        0 => return Ok(0),
        1 => 14,
        2 => 17,
        3 => 20,
        _ => {
            let dod = reader.word()? as i64;
            // The second difference of rising timestamps is no larger than they are.
            if !(-(1 << 53)..1 << 53).contains(&dod) {
                return Err(CodecError::at_bit(CodecErrorCode::CorruptChunk, start));
            }
            return Ok(dod);
        }
    };
    let bits = reader.bits(width)? as i64;
    Ok(if bits > 1 << (width - 1) { bits - (1 << width) } else { bits })
}
