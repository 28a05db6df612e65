//! Columns of values one behind the other: the twin of gorilla-codec/src/column-run.ts, which explains it.

use crate::byte_reader::ByteReader;
use crate::byte_writer::write_varint;
use crate::error::{corrupt, CodecError, CodecErrorCode, Result};
use crate::integer_column::{decode_integer_column, encode_integer_column, is_integer_column};
use crate::limits::SAMPLES_PER_CHUNK_MAX;
use crate::scratch::Scratch;
use crate::sealed_values::{decode_sealed_values, encode_sealed_values};

const KIND_INTEGERS: u8 = 0;
const KIND_VALUES: u8 = 1;
/// What the size of a sealed column takes at most.
const SIZE_SIZE_MAX: usize = 5;

fn column_size_max(count: usize) -> usize {
    9 * count + 192
}

/// Writes columns of these lengths, whose values stand one behind the other, and returns the next offset.
pub fn encode_column_run(
    values: &[f64],
    lengths: &[u32],
    out: &mut [u8],
    offset: usize,
    scratch: &mut Scratch,
) -> Result<usize> {
    let mut from = 0;
    let mut at = offset;
    for &length in lengths {
        let length = length as usize;
        let column = values.get(from..from + length).filter(|column| column.len() <= SAMPLES_PER_CHUNK_MAX);
        let Some(column) = column else {
            return Err(CodecError::call(CodecErrorCode::InvalidArgument));
        };
        if length == 0 {
            continue;
        }
        if at > out.len() || out.len() - at < column_size_max(length) {
            return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
        }
        if is_integer_column(column) {
            out[at] = KIND_INTEGERS;
            at = encode_integer_column(column, out, at + 1, scratch);
        } else {
            out[at] = KIND_VALUES;
            let sealed_at = at + 1 + SIZE_SIZE_MAX;
            let end = encode_sealed_values(column, out, sealed_at, scratch)?;
            at = write_varint(out, at + 1, (end - sealed_at) as u64);
            out.copy_within(sealed_at..end, at);
            at += end - sealed_at;
        }
        from += length;
    }
    Ok(at)
}

/// Reads columns of these lengths from `bytes[offset, end)`, one behind the other into `out`; returns where they end.
pub fn decode_column_run(
    bytes: &[u8],
    offset: usize,
    end: usize,
    lengths: &[u32],
    out: &mut [f64],
    scratch: &mut Scratch,
) -> Result<usize> {
    if offset > end || end > bytes.len() {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    let mut reader = ByteReader { bytes, at: offset, end };
    let mut rest = out;
    for &length in lengths {
        let length = length as usize;
        if length > SAMPLES_PER_CHUNK_MAX {
            return Err(CodecError::call(CodecErrorCode::InvalidArgument));
        }
        if rest.len() < length {
            return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
        }
        if length == 0 {
            continue;
        }
        let (column, others) = rest.split_at_mut(length);
        rest = others;
        let kind_at = reader.at;
        match reader.byte()? {
            KIND_INTEGERS => decode_integer_column(&mut reader, column, scratch)?,
            KIND_VALUES => {
                let size = reader.varint()? as usize;
                let start = reader.skip(size)?;
                match decode_sealed_values(bytes, start, reader.at, column, scratch) {
                    Ok(decoded) if decoded == length => {}
                    Err(error) if error.code != CodecErrorCode::OutputTooSmall => return Err(error),
                    _ => return Err(corrupt(start)),
                }
            }
            _ => return Err(corrupt(kind_at)),
        }
    }
    Ok(reader.at)
}
