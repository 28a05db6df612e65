//! A run of float64 bit patterns as xor differences: the twin of gorilla-codec/src/packed-xor.ts, which draws it.

use crate::bit_packing::{pack, packed_size, unpack};
use crate::byte_reader::ByteReader;
use crate::byte_writer::{write_varint, write_word};
use crate::error::{corrupt, Result};
use crate::integer_plan::{PATCHES_BITMAP, PATCHES_LIST, PATCHES_NONE};
use crate::limits::bit_width;
use crate::positions::{read_positions, write_positions};
use crate::scratch::Scratch;

/// A run that is planned and not yet written; its shifted differences stand in `scratch.words`.
#[derive(Default)]
pub struct PreparedXor {
    length: usize,
    shift: u32,
    width: u32,
    patch_form: u8,
    patch_count: usize,
    patch_width: u32,
    pub size_bytes: usize,
}

pub fn prepare_xor(values: &[f64], scratch: &mut Scratch) -> PreparedXor {
    let length = values.len() - 1;
    let words = &mut scratch.words[..length];
    let mut any = 0;
    let mut histogram = [0usize; 65];
    for (slot, pair) in words.iter_mut().zip(values.windows(2)) {
        let xor = pair[0].to_bits() ^ pair[1].to_bits();
        *slot = xor;
        any |= xor;
        histogram[bit_width(xor) as usize] += 1;
    }
    let shift = if any == 0 { 0 } else { any.trailing_zeros() };
    for slot in words {
        *slot >>= shift;
    }
    let mut prepared = choose(&histogram, bit_width(any) - shift, shift, length);
    let patches = match prepared.patch_form {
        PATCHES_NONE => 0,
        PATCHES_BITMAP => packed_size(length, 1),
        _ => packed_size(prepared.patch_count, bit_width(length as u64 - 1)),
    };
    prepared.size_bytes = 8
        + 3
        + 4
        + packed_size(length, prepared.width)
        + patches
        + packed_size(prepared.patch_count, prepared.patch_width);
    prepared
}

fn choose(histogram: &[usize; 65], widest: u32, shift: u32, length: usize) -> PreparedXor {
    let position_bits = if length > 0 { bit_width(length as u64 - 1) as usize } else { 0 };
    let mut best = usize::MAX;
    let mut chosen = PreparedXor { length, shift, ..PreparedXor::default() };
    let mut inside = histogram[0];
    for width in 0..=widest {
        if width > 0 {
            inside += histogram[(width + shift) as usize];
        }
        let patch_count = length - inside;
        let patch_width = if patch_count > 0 { widest - width } else { 0 };
        let mut cost_bits = length * width as usize;
        if patch_count > 0 {
            cost_bits += 24 + length.min(patch_count * position_bits) + patch_count * patch_width as usize;
        }
        if cost_bits >= best {
            continue;
        }
        best = cost_bits;
        let patch_form = if patch_count == 0 {
            PATCHES_NONE
        } else if patch_count * position_bits <= length {
            PATCHES_LIST
        } else {
            PATCHES_BITMAP
        };
        chosen = PreparedXor { width, patch_form, patch_count, patch_width, ..chosen };
    }
    chosen
}

pub fn pack_xor(prepared: &PreparedXor, first: f64, scratch: &mut Scratch, out: &mut [u8], at: usize) -> usize {
    let &PreparedXor { length, shift, width, patch_form, patch_count, patch_width, .. } = prepared;
    let mut at = write_word(out, at, first.to_bits());
    out[at] = shift as u8;
    out[at + 1] = width as u8;
    out[at + 2] = patch_form;
    at += 3;
    let words = &scratch.words[..length];
    if patch_form == PATCHES_NONE {
        return pack(words.iter().copied(), width, out, at);
    }
    at = write_varint(out, at, patch_count as u64);
    out[at] = patch_width as u8;
    at = pack(words.iter().copied(), width, out, at + 1);
    let mut found = 0;
    for (index, &word) in words.iter().enumerate() {
        // Patches exist only below 64 bits of width.
        let above = word >> width;
        if above != 0 {
            scratch.positions[found] = index as u32;
            scratch.patches[found] = above;
            found += 1;
        }
    }
    at = write_positions(&scratch.positions[..found], length, patch_form == PATCHES_BITMAP, out, at);
    pack(scratch.patches[..found].iter().copied(), patch_width, out, at)
}

pub fn unpack_xor(reader: &mut ByteReader, scratch: &mut Scratch, out: &mut [f64]) -> Result<()> {
    let length = out.len() - 1;
    let first = reader.word()?;
    let start = reader.at;
    let shift = u32::from(reader.byte()?);
    if shift > 63 {
        return Err(corrupt(start));
    }
    let start = reader.at;
    let width = u32::from(reader.byte()?);
    if shift + width > 64 {
        return Err(corrupt(start));
    }
    let start = reader.at;
    let patch_form = reader.byte()?;
    if patch_form > PATCHES_BITMAP {
        return Err(corrupt(start));
    }
    let mut patch_count = 0;
    let mut patch_width = 0;
    if patch_form != PATCHES_NONE {
        let start = reader.at;
        let stored = reader.varint()?;
        if stored < 1 || stored > length as i64 {
            return Err(corrupt(start));
        }
        patch_count = stored as usize;
        let start = reader.at;
        patch_width = u32::from(reader.byte()?);
        if shift + width + patch_width > 64 {
            return Err(corrupt(start));
        }
    }
    let lows_at = reader.skip(packed_size(length, width))?;
    let Scratch { words, patches, positions, .. } = scratch;
    let words = &mut words[..length];
    if patch_form != PATCHES_NONE {
        read_after(reader, patch_count, length, patch_form, patch_width, patches, positions, words)?;
    }
    unpack(reader.bytes, lows_at, width, words);
    for (&position, &patch) in positions[..patch_count].iter().zip(&patches[..patch_count]) {
        // A width of 64 leaves patches no bits.
        words[position as usize] |= patch.checked_shl(width).unwrap_or(0);
    }
    let mut bits = first;
    out[0] = f64::from_bits(bits);
    for (slot, &word) in out[1..].iter_mut().zip(words.iter()) {
        bits ^= word << shift;
        *slot = f64::from_bits(bits);
    }
    Ok(())
}

/// Reads positions and patches, which stand behind the lows; `words` is overwritten.
#[allow(clippy::too_many_arguments)]
fn read_after(
    reader: &mut ByteReader,
    count: usize,
    length: usize,
    form: u8,
    width: u32,
    patches: &mut [u64],
    positions: &mut [u32],
    words: &mut [u64],
) -> Result<()> {
    read_positions(reader, count, length, form == PATCHES_BITMAP, words, positions)?;
    let at = reader.skip(packed_size(count, width))?;
    unpack(reader.bytes, at, width, &mut patches[..count]);
    Ok(())
}
