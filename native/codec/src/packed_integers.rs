//! A run of integers, as sealed columns store them: the twin of gorilla-codec/src/packed-integers.ts, which draws it.

use varve_lanes::wide;

use std::ops::Range;

use crate::bit_packing::{pack, packed_size, unpack};
use crate::byte_reader::ByteReader;
use crate::byte_writer::{write_signed_varint, write_varint};
use crate::error::{corrupt, Result};
use crate::integer_plan::{
    plan_integers, plan_integers_lightly, IntegerPlan, PATCHES_BITMAP, PATCHES_NONE, TRANSFORM_DELTA, TRANSFORM_DELTA2,
};
use crate::limits::{bit_width, DIFFERENCE_MAX, SCALED_MAX};
use crate::positions::{read_positions, write_positions};
use crate::scratch::Scratch;

/// The header's fields at their longest.
pub const PACKED_INTEGERS_HEADER_SIZE_MAX: usize = 3 + 9 + 9 + 3;

const SIGNED_PATCHES: u8 = 1 << 4;
const WIDTH_MAX: u32 = 52;
const PATCH_WIDTH_MAX: u32 = 53;
const PRODUCT_BITS_MAX: u32 = 60;

/// How long the encoder searches for small bytes. All of them are read alike.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    Full,
    Light,
}

/// A run that is planned and not yet written.
pub struct PreparedIntegers {
    plan: IntegerPlan,
    pub divisor: f64,
    first_delta: f64,
    /// How many residuals stand in `scratch.residuals`.
    length: usize,
    pub size_bytes: usize,
}

/// Plans `scratch.integers[..count]`, which it turns into m.
pub fn prepare_integers(scratch: &mut Scratch, count: usize, effort: Effort) -> PreparedIntegers {
    let integers = &mut scratch.integers[..count];
    if effort == Effort::Light && count >= 2 {
        if let Some(plan) = plan_integers_lightly(integers, &mut scratch.residuals) {
            let size_bytes = PACKED_INTEGERS_HEADER_SIZE_MAX + plan.cost_bits.div_ceil(8);
            return PreparedIntegers { plan, divisor: 1.0, first_delta: 0.0, length: count - 1, size_bytes };
        }
    }
    let divisor = divide_out(integers);
    if count < 2 || divisor == 0.0 {
        scratch.residuals[..count - 1].fill(0.0);
        let plan = IntegerPlan { cost_bits: 0, ..IntegerPlan::default() };
        return PreparedIntegers { plan, divisor: 1.0, first_delta: 0.0, length: count - 1, size_bytes: 3 };
    }
    let (plan, length) = plan_integers(integers, &mut scratch.residuals, &mut scratch.candidate);
    let first_delta = if plan.transform == TRANSFORM_DELTA2 { integers[1] } else { 0.0 };
    let size_bytes = PACKED_INTEGERS_HEADER_SIZE_MAX + plan.cost_bits.div_ceil(8);
    PreparedIntegers { plan, divisor, first_delta, length, size_bytes }
}

/// Writes a prepared run and returns the next offset.
pub fn pack_prepared(prepared: &PreparedIntegers, scratch: &mut Scratch, out: &mut [u8], mut at: usize) -> usize {
    let PreparedIntegers { plan, first_delta, length, .. } = prepared;
    let &IntegerPlan { transform, base, width, patch_form, patches_signed, patch_width, patch_count, .. } = plan;
    out[at] = transform | patch_form << 2 | if patches_signed { SIGNED_PATCHES } else { 0 };
    out[at + 1] = width as u8;
    at = write_signed_varint(out, at + 2, base as i64);
    if transform == TRANSFORM_DELTA2 {
        at = write_signed_varint(out, at, *first_delta as i64);
    }
    let residuals = &scratch.residuals[..*length];
    let base = base as i64;
    if patch_form == PATCHES_NONE {
        return pack(residuals.iter().map(|&residual| (residual as i64 - base) as u64), width, out, at);
    }
    at = write_varint(out, at, patch_count as u64);
    out[at] = patch_width as u8;
    at += 1;
    let mut found = 0;
    for (index, &residual) in residuals.iter().enumerate() {
        // Two's complement does both at once: the shift rounds down, and packing keeps the low bits alone.
        let above = (residual as i64 - base) >> width;
        if above != 0 {
            scratch.positions[found] = index as u32;
            scratch.patches[found] = match (patches_signed, above > 0) {
                (false, _) => above - 1,
                (true, true) => 2 * above - 1,
                (true, false) => -2 * above - 2,
            } as u64;
            found += 1;
        }
    }
    debug_assert_eq!(found, patch_count, "the plan counted the patches");
    at = pack(residuals.iter().map(|&residual| (residual as i64 - base) as u64), width, out, at);
    at = write_positions(&scratch.positions[..found], *length, patch_form == PATCHES_BITMAP, out, at);
    pack(scratch.patches[..found].iter().copied(), patch_width, out, at)
}

/// Reads a run of `out.len()` integers that begins with `first`, and writes them divided by `power`, which is 10^k: those at
/// `wanted` at least, since a division costs as much as all else.
///
/// `divisor` is in [1, 2^52].
pub fn unpack_integers(
    reader: &mut ByteReader,
    first: i64,
    divisor: i64,
    power: f64,
    wanted: Range<usize>,
    scratch: &mut Scratch,
    out: &mut [f64],
) -> Result<()> {
    let count = out.len();
    let start = reader.at;
    let flags = reader.byte()?;
    let transform = flags & 3;
    let patch_form = flags >> 2 & 3;
    let unknown = flags >= 32 || transform > TRANSFORM_DELTA2 || patch_form > PATCHES_BITMAP;
    let skipped = if transform == TRANSFORM_DELTA2 { 2 } else { 1 };
    if unknown || (patch_form == PATCHES_NONE && flags & SIGNED_PATCHES != 0) || count < skipped {
        return Err(corrupt(start));
    }
    let length = count - skipped;
    let width = u32::from(reader.byte()?);
    if width > WIDTH_MAX {
        return Err(corrupt(start + 1));
    }
    let divisor_bits = bit_width(divisor as u64);
    let base = read_difference(reader, divisor_bits)?;
    let first_delta = if transform == TRANSFORM_DELTA2 { read_difference(reader, divisor_bits)? } else { 0 };
    let mut patch_count = 0;
    let mut patch_width = 0;
    if patch_form != PATCHES_NONE {
        let at = reader.at;
        let stored = reader.varint()?;
        if stored < 1 || stored > length as i64 {
            return Err(corrupt(at));
        }
        patch_count = stored as usize;
        let at = reader.at;
        patch_width = u32::from(reader.byte()?);
        if patch_width > PATCH_WIDTH_MAX {
            return Err(corrupt(at));
        }
    }
    if divisor_bits + width + patch_width > PRODUCT_BITS_MAX {
        return Err(corrupt(start + 1));
    }

    let lows_at = reader.skip(packed_size(length, width))?;
    // The lows stand where their numbers will.
    let lows = as_words(&mut out[skipped..]);
    unpack(reader.bytes, lows_at, width, lows);
    if patch_form != PATCHES_NONE {
        let Scratch { words, positions, patches, .. } = scratch;
        read_positions(reader, patch_count, length, patch_form == PATCHES_BITMAP, words, positions)?;
        let patches_at = reader.skip(packed_size(patch_count, patch_width))?;
        let patches = &mut patches[..patch_count];
        unpack(reader.bytes, patches_at, patch_width, patches);
        let signed = flags & SIGNED_PATCHES != 0;
        for (&position, &stored) in positions[..patch_count].iter().zip(patches.iter()) {
            let stored = stored as i64;
            let above = match (signed, stored & 1 == 1) {
                (false, _) => stored + 1,
                (true, true) => stored / 2 + 1,
                (true, false) => -(stored / 2) - 1,
            };
            // Below 2^60 by the check of the widths; a low has no bits in common with it.
            let low = &mut lows[position as usize];
            *low = low.wrapping_add((above << width) as u64);
        }
    }

    let run = Run { first, divisor, scaled_base: base.wrapping_mul(divisor), first_delta: divisor * first_delta };
    match transform {
        TRANSFORM_DELTA => run.deltas(as_words(out)),
        TRANSFORM_DELTA2 => run.deltas2(as_words(out)),
        _ => run.plain(as_words(out)),
    };
    if outside(as_words(out)) >> 52 != 0 {
        return Err(corrupt(start));
    }
    let out = &mut out[wanted];
    if power == 1.0 {
        to_floats(out);
    } else {
        to_quotients(out, power);
    }
    Ok(())
}

/// What turns lows into numbers, in place.
///
/// Until the first number out of range no sum wraps, and from then on the check sees it: see checkRange in TypeScript.
struct Run {
    first: i64,
    divisor: i64,
    scaled_base: i64,
    first_delta: i64,
}

impl Run {
    #[inline(always)]
    fn difference(&self, low: u64) -> i64 {
        self.scaled_base.wrapping_add((low as i64).wrapping_mul(self.divisor))
    }

    fn plain(&self, words: &mut [u64]) {
        words[0] = self.first as u64;
        for slot in &mut words[1..] {
            *slot = self.first.wrapping_add(self.difference(*slot)) as u64;
        }
    }

    fn deltas(&self, words: &mut [u64]) {
        let mut number = self.first;
        words[0] = number as u64;
        for slot in &mut words[1..] {
            number = number.wrapping_add(self.difference(*slot));
            *slot = number as u64;
        }
    }

    fn deltas2(&self, words: &mut [u64]) {
        let mut delta = self.first_delta;
        let mut number = self.first.wrapping_add(delta);
        words[0] = self.first as u64;
        words[1] = number as u64;
        for slot in &mut words[2..] {
            delta = delta.wrapping_add(self.difference(*slot));
            number = number.wrapping_add(delta);
            *slot = number as u64;
        }
    }
}

wide! {
    /// Has bits above the 52nd if any number does not lie within ±2^50.
    fn outside(words: &[u64]) -> u64 {
        words.iter().fold(0, |found, &word| found | out_of_range(word as i64))
    }
}

wide! {
    /// Numbers, which stand in the column as integers, become floats.
    fn to_floats(out: &mut [f64]) {
        for slot in out {
            *slot = float_of(slot.to_bits());
        }
    }
}

wide! {
    fn to_quotients(out: &mut [f64], power: f64) {
        for slot in out {
            *slot = float_of(slot.to_bits()) / power;
        }
    }
}

/// An integer within ±2^51 as a float, by its place among the floats around 1.5 · 2^52, which are one apart: processors
/// convert only one integer at a time, but add several.
#[inline(always)]
fn float_of(word: u64) -> f64 {
    const MIDDLE: f64 = 6_755_399_441_055_744.0;
    f64::from_bits(word.wrapping_add(MIDDLE.to_bits())) - MIDDLE
}

/// Has bits above the 52nd if the number is outside ±2^50; collected by `|` over a column.
#[inline(always)]
fn out_of_range(number: i64) -> u64 {
    // [0, 2^51] is inside. Beyond it the number itself has high bits, or the sum carries into bit 52.
    let moved = number.wrapping_add(SCALED_MAX) as u64;
    moved | moved.wrapping_add((1 << 51) - 1)
}

/// A base or first delta: within ±2^52, and its product with the divisor within 60 bits.
fn read_difference(reader: &mut ByteReader, divisor_bits: u32) -> Result<i64> {
    let at = reader.at;
    let difference = reader.signed_varint()?;
    if divisor_bits + bit_width(difference.unsigned_abs()) > PRODUCT_BITS_MAX || difference.abs() > DIFFERENCE_MAX {
        return Err(corrupt(at));
    }
    Ok(difference)
}

fn as_words(numbers: &mut [f64]) -> &mut [u64] {
    // SAFETY: f64 and u64 have the same size and alignment, and every bit pattern is valid for both.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) }
}

/// Subtracts the first number, divides by the greatest common divisor of the rest and returns it; 0 if all are equal.
fn divide_out(integers: &mut [f64]) -> f64 {
    let first = integers[0];
    let mut divisor = 0.0;
    for pair in integers.windows(2) {
        let distance = (pair[1] - pair[0]).abs();
        if distance == 0.0 {
            continue;
        }
        if divisor == 0.0 {
            divisor = distance;
        } else if (distance / divisor) as i64 as f64 * divisor != distance {
            divisor = greatest_common_divisor(divisor as u64, distance as u64) as f64;
        }
        if divisor == 1.0 {
            break;
        }
    }
    if divisor > 1.0 {
        for slot in integers {
            *slot = (*slot - first) / divisor;
        }
    } else {
        for slot in integers {
            *slot -= first;
        }
    }
    divisor
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
