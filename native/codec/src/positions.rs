//! Ascending positions, as a packed list or a bitmap: the twin of gorilla-codec/src/positions.ts.

use crate::bit_packing::{pack, packed_size, unpack};
use crate::byte_reader::ByteReader;
use crate::error::{corrupt, Result};
use crate::limits::bit_width;

pub fn write_positions(positions: &[u32], length: usize, as_bitmap: bool, out: &mut [u8], at: usize) -> usize {
    if !as_bitmap {
        return pack(positions.iter().map(|&p| u64::from(p)), bit_width(length as u64 - 1), out, at);
    }
    let size = packed_size(length, 1);
    out[at..at + size].fill(0);
    for &position in positions {
        out[at + position as usize / 8] |= 1 << (position % 8);
    }
    at + size
}

/// Reads `count` positions into `positions`; `words` is overwritten.
pub fn read_positions(
    reader: &mut ByteReader,
    count: usize,
    length: usize,
    as_bitmap: bool,
    words: &mut [u64],
    positions: &mut [u32],
) -> Result<()> {
    if !as_bitmap {
        let width = bit_width(length as u64 - 1);
        let start = reader.skip(packed_size(count, width))?;
        unpack(reader.bytes, start, width, &mut words[..count]);
        let mut before = -1;
        for (slot, &word) in positions[..count].iter_mut().zip(&words[..count]) {
            let position = word as i64;
            if position <= before || position >= length as i64 {
                return Err(corrupt(start));
            }
            before = position;
            *slot = position as u32;
        }
        return Ok(());
    }
    let size = packed_size(length, 1);
    let start = reader.skip(size)?;
    let mut found = 0;
    for index in 0..size {
        let mut bits = reader.bytes[start + index];
        while bits != 0 {
            let position = index * 8 + bits.trailing_zeros() as usize;
            if found == count || position >= length {
                return Err(corrupt(start));
            }
            positions[found] = position as u32;
            found += 1;
            bits &= bits - 1;
        }
    }
    if found == count {
        Ok(())
    } else {
        Err(corrupt(start))
    }
}
