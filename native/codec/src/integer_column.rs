//! A bare column of integers: the twin of gorilla-codec/src/integer-column.ts, which explains it.

use crate::byte_reader::ByteReader;
use crate::byte_writer::{write_signed_varint, write_varint};
use crate::error::{corrupt, Result};
use crate::limits::{DIFFERENCE_MAX, SCALED_MAX};
use crate::packed_integers::{pack_prepared, prepare_integers, unpack_integers, Effort};
use crate::scratch::Scratch;

/// Whether all values are integers within ±2^50, and none is -0.
pub fn is_integer_column(values: &[f64]) -> bool {
    let fits = |value: &f64| value.abs() <= SCALED_MAX as f64 && value.trunc() == *value;
    values.iter().all(|value| fits(value) && value.to_bits() != (-0.0f64).to_bits())
}

/// Writes the values, which are such a column and not more than a chunk holds, and returns the next offset.
pub fn encode_integer_column(values: &[f64], out: &mut [u8], offset: usize, scratch: &mut Scratch) -> usize {
    let count = values.len();
    scratch.integers[..count].copy_from_slice(values);
    let first = values[0];
    let prepared = prepare_integers(scratch, count, Effort::Full);
    let at = write_signed_varint(out, offset, first as i64);
    let at = write_varint(out, at, prepared.divisor as u64);
    if count == 1 {
        return at;
    }
    pack_prepared(&prepared, scratch, out, at)
}

/// Reads `out.len()` integers, at least one; the reader then stands behind them.
pub fn decode_integer_column(reader: &mut ByteReader, out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    let first = reader.signed_varint()?;
    let divisor_at = reader.at;
    let divisor = reader.varint()?;
    if !(1..=DIFFERENCE_MAX).contains(&divisor) {
        return Err(corrupt(divisor_at));
    }
    if out.len() == 1 {
        out[0] = first as f64;
        return Ok(());
    }
    unpack_integers(reader, first, divisor, 1.0, 0..out.len(), scratch, out)
}
