//! Value columns that stand side by side: the twin of gorilla-codec/src/lane-columns.ts, which draws them.

use crate::error::{CodecError, CodecErrorCode, Result};
use crate::limits::SAMPLES_PER_CHUNK_MAX;
use crate::scratch::Scratch;
use crate::sealed_values::{encode_sealed_values_lightly, sealed_size_max};

/// Rows of `stride` values, one after the other; column l is `values[row * stride + l]`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    pub values: &'a [f64],
    pub stride: usize,
    pub row_count: usize,
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
    let mut column = std::mem::take(&mut scratch.lane);
    let mut failure = None;
    for (&lane, end) in lanes.iter().zip(ends) {
        if at > out.len() || out.len() - at < sealed_size_max(row_count) {
            failure = Some(CodecError::call(CodecErrorCode::OutputTooSmall));
            break;
        }
        let lane = usize::from(lane);
        let column = &mut column[..row_count];
        for (slot, row) in column.iter_mut().zip(values.chunks_exact(stride)) {
            *slot = row[lane];
        }
        if !is_like(column, like, stride, lane) {
            match encode_sealed_values_lightly(column, out, at, scratch) {
                Ok(next) => at = next,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        *end = at as u32;
    }
    scratch.lane = column;
    failure.map_or(Ok(at), Err)
}

fn is_like(column: &[f64], like: &[f64], stride: usize, lane: usize) -> bool {
    !like.is_empty() && column.iter().zip(like.chunks_exact(stride)).all(|(a, row)| a.to_bits() == row[lane].to_bits())
}
