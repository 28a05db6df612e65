//! Value columns that stand side by side: the twin of gorilla-codec/src/lane-columns.ts, which draws them.
//!
//! Eight columns are a cache line wide, so what a light plan asks of them is found for eight at once, row by row. Columns of
//! whole numbers are then packed from where they stand; others are copied out and take the way of single columns.

use varve_lanes::wide;

use crate::bit_packing::pack;
use crate::byte_writer::{write_float, write_signed_varint, write_varint};
use crate::error::{CodecError, CodecErrorCode, Result};
use crate::integer_plan::{light_plan, Extremes, LightExtremes, TRANSFORM_NONE};
use crate::limits::{SAMPLES_PER_CHUNK_MAX, SCALED_MAX};
use crate::scratch::Scratch;
use crate::sealed_values::{
    encode_sealed_values_lightly, seal_column, sealed_size_max, write_constant, write_start, CHECKSUM_SIZE,
    ENCODING_DECIMALS, RAW_HEADER_SIZE,
};

const BLOCK: usize = 8;
const NO_BLOCK: usize = usize::MAX;
const BOUND: f64 = SCALED_MAX as f64;
/// As in decimal_scale.rs: adding and subtracting it rounds a number below 2^51 to an integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Rows of `stride` values, one after the other; column l is `values[row * stride + l]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f64],
    pub stride: usize,
    pub row_count: usize,
}

/// What is known of eight columns, the first of which is `from`.
struct Block {
    from: usize,
    firsts: [f64; BLOCK],
    sums: [f64; BLOCK],
    plain_mins: [f64; BLOCK],
    plain_maxs: [f64; BLOCK],
    delta_mins: [f64; BLOCK],
    delta_maxs: [f64; BLOCK],
    /// No bit is set where all values are whole numbers that scale 0 takes.
    misfits: [u64; BLOCK],
    /// Bits in which values differ from the first one.
    changes: [u64; BLOCK],
}

/// Encodes the columns of `lanes` one behind the other and notes where each ends. A column that equals the same one of `like`,
/// bit by bit, takes no bytes; `like` may be empty.
pub fn encode_lanes(
    matrix: Matrix,
    like: &[f64],
    lanes: &[u8],
    out: &mut [u8],
    offset: usize,
    ends: &mut [u32],
    scratch: &mut Scratch,
) -> Result<usize> {
    let Matrix { values, stride, row_count } = matrix;
    let is_count = (1..=SAMPLES_PER_CHUNK_MAX).contains(&row_count) && stride >= 1;
    if !is_count
        || stride.checked_mul(row_count).is_none_or(|size| size > values.len())
        || (!like.is_empty() && like.len() < stride * row_count)
        || ends.len() < lanes.len()
        || lanes.iter().any(|&lane| usize::from(lane) >= stride)
    {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    }
    let mut at = offset;
    let mut block = Block::nothing();
    for (&lane, end) in lanes.iter().zip(ends) {
        if at > out.len() || out.len() - at < sealed_size_max(row_count) {
            return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
        }
        let lane = usize::from(lane);
        if !is_like(matrix, like, lane) {
            let from = lane - lane % BLOCK;
            if from != block.from && from + BLOCK <= stride {
                look(matrix, from, &mut block);
            }
            at = match block.encode(matrix, lane, out, at, scratch) {
                Some(next) => next,
                None => encode_copied(matrix, lane, out, at, scratch)?,
            };
        }
        *end = at as u32;
    }
    Ok(at)
}

fn is_like(Matrix { values, stride, row_count }: Matrix, like: &[f64], lane: usize) -> bool {
    let cells = || (0..row_count).map(|row| row * stride + lane);
    !like.is_empty() && cells().all(|cell| values[cell].to_bits() == like[cell].to_bits())
}

fn encode_copied(matrix: Matrix, lane: usize, out: &mut [u8], at: usize, scratch: &mut Scratch) -> Result<usize> {
    let mut column = std::mem::take(&mut scratch.lane);
    for (slot, row) in column[..matrix.row_count].iter_mut().zip(matrix.values.chunks_exact(matrix.stride)) {
        *slot = row[lane];
    }
    let end = encode_sealed_values_lightly(&column[..matrix.row_count], out, at, scratch);
    scratch.lane = column;
    end
}

wide! {
    /// Looks at columns `[from, from + 8)`, of which there are so many.
    fn look(matrix: Matrix, from: usize, block: &mut Block) {
        let Matrix { values, stride, row_count } = matrix;
        let mut found = Block::nothing();
        found.from = from;
        let mut before = [0.0; BLOCK];
        for row in 0..row_count {
            let cells: &[f64; BLOCK] = values[row * stride + from..][..BLOCK].try_into().expect("eight values");
            if row == 0 {
                found.firsts = *cells;
            }
            for (lane, &value) in cells.iter().enumerate() {
                let whole = value + ROUNDER - ROUNDER;
                // Bits, so that -0 is no 0; NaN and infinities fail the bound.
                found.misfits[lane] |= (value.to_bits() ^ whole.to_bits()) | u64::from(value.abs() > BOUND || value.is_nan());
                found.changes[lane] |= value.to_bits() ^ found.firsts[lane].to_bits();
                found.sums[lane] += value;
            }
            if row > 0 {
                for (lane, &value) in cells.iter().enumerate() {
                    let delta = value - before[lane];
                    found.plain_mins[lane] = if value < found.plain_mins[lane] { value } else { found.plain_mins[lane] };
                    found.plain_maxs[lane] = if value > found.plain_maxs[lane] { value } else { found.plain_maxs[lane] };
                    found.delta_mins[lane] = if delta < found.delta_mins[lane] { delta } else { found.delta_mins[lane] };
                    found.delta_maxs[lane] = if delta > found.delta_maxs[lane] { delta } else { found.delta_maxs[lane] };
                }
            }
            before = *cells;
        }
        *block = found;
    }
}

impl Block {
    fn nothing() -> Block {
        Block {
            from: NO_BLOCK,
            firsts: [0.0; BLOCK],
            sums: [0.0; BLOCK],
            plain_mins: [f64::INFINITY; BLOCK],
            plain_maxs: [f64::NEG_INFINITY; BLOCK],
            delta_mins: [f64::INFINITY; BLOCK],
            delta_maxs: [f64::NEG_INFINITY; BLOCK],
            misfits: [0; BLOCK],
            changes: [0; BLOCK],
        }
    }

    /// Encodes a column of equal values or of whole numbers; `None`: it is another, or takes too many bits.
    fn encode(
        &self,
        matrix: Matrix,
        lane: usize,
        out: &mut [u8],
        offset: usize,
        scratch: &mut Scratch,
    ) -> Option<usize> {
        let i = lane.checked_sub(self.from).filter(|&i| i < BLOCK)?;
        let Matrix { values, stride, row_count } = matrix;
        let first = self.firsts[i];
        if self.changes[i] == 0 {
            let end = write_constant(first, row_count, out, offset, scratch);
            return Some(seal_column(out, offset, end));
        }
        if self.misfits[i] != 0 {
            return None;
        }
        let plain = Extremes { min: self.plain_mins[i], max: self.plain_maxs[i] };
        let delta = Extremes { min: self.delta_mins[i], max: self.delta_maxs[i] };
        let plan = light_plan(first, &LightExtremes { plain, delta }, row_count - 1)?;
        let mut at = write_start(out, offset, ENCODING_DECIMALS, row_count);
        // Scale 0, no exceptions, no divisor.
        out[at] = 0;
        at = write_signed_varint(out, at + 1, first as i64);
        at = write_varint(out, at, (first - plain.min).max(0.0) as u64);
        at = write_varint(out, at, (plain.max - first).max(0.0) as u64);
        at = write_float(out, at, self.sums[i]);
        out[at] = plan.transform;
        out[at + 1] = plan.width as u8;
        at = write_signed_varint(out, at + 2, plan.base as i64);
        let cell = |row: usize| values[row * stride + lane];
        at = if plan.transform == TRANSFORM_NONE {
            let low = first + plan.base;
            pack((1..row_count).map(|row| (cell(row) - low) as i64 as u64), plan.width, out, at)
        } else {
            let mut before = first;
            let lows = (1..row_count).map(|row| {
                let value = cell(row);
                let low = value - before - plan.base;
                before = value;
                low as i64 as u64
            });
            pack(lows, plan.width, out, at)
        };
        let is_smaller = at - offset + CHECKSUM_SIZE < RAW_HEADER_SIZE + 8 * row_count;
        is_smaller.then(|| seal_column(out, offset, at))
    }
}
