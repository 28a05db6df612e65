//! What a sealed block has in memory, checked where one section says where something lies in another.

use std::ops::Range;

use varve_codec::limits::SAMPLES_PER_CHUNK_MAX;
use varve_codec::sealed_timestamps::decode_sealed_timestamps;
use varve_codec::Scratch;

use super::{Outcome, SealedRequest};
use crate::BadCall;

/// What of a block is looked at. Sections that say where others lie are checked as they are used.
pub struct SealedColumns<'a> {
    /// Pages of the values section from number `page_start` on; one that is not in memory is empty.
    pub pages: &'a [&'a [u8]],
    pub page_start: usize,
    /// The first chunk of each page of the block.
    pub page_chunks: &'a [u32],
    /// Chunks of series s: `[chunk_offsets[s], chunk_offsets[s + 1])`.
    pub chunk_offsets: &'a [u32],
    /// Where each ends in the values section.
    pub chunk_ends: &'a [f64],
    pub chunk_times: &'a [u32],
    /// One bit a chunk: no value is NaN.
    pub numbers: &'a [u8],
    /// The timestamp columns, where each begins, with one more than there are, and how many timestamps each has.
    pub times: &'a [u8],
    pub time_offsets: &'a [u32],
    pub time_counts: &'a [u32],
}

impl SealedColumns<'_> {
    /// None where a series has several, or none.
    pub(super) fn only_chunk(&self, series: u32) -> Outcome<Option<usize>> {
        let at = series as usize;
        let Some(&[from, to]) = self.chunk_offsets.get(at..at.saturating_add(2)) else {
            return Err(BadCall("there is no such series").into());
        };
        if to as usize > self.chunk_ends.len() || from > to {
            return Err(BadCall("a series has chunks that are not there").into());
        }
        Ok((to - from == 1).then_some(from as usize))
    }

    pub(super) fn has_no_chunk(&self, series: u32) -> bool {
        self.chunk_offsets[series as usize] == self.chunk_offsets[series as usize + 1]
    }

    pub(super) fn time_column(&self, chunk: usize) -> Outcome<usize> {
        match self.chunk_times.get(chunk) {
            Some(&column) if (column as usize) + 1 < self.time_offsets.len() => Ok(column as usize),
            _ => Err(BadCall("a chunk has no timestamps").into()),
        }
    }

    /// All timestamps of a column, and which of them are in the range.
    pub(super) fn read_times(
        &self,
        column: usize,
        request: &SealedRequest,
        times: &mut Vec<f64>,
        codec: &mut Scratch,
    ) -> Outcome<Range<usize>> {
        let (offset, end) = (self.time_offsets[column] as usize, self.time_offsets[column + 1] as usize);
        let count = self.count_of(column)?;
        times.resize(times.len().max(count), 0.0);
        if decode_sealed_timestamps(self.times, offset, end, &mut times[..count], codec)? != count {
            return Err(BadCall("a column has fewer timestamps than it should").into());
        }
        let times = &times[..count];
        let from = times.partition_point(|&time| time < request.start_ms);
        let to = times.partition_point(|&time| time < request.end_ms);
        Ok(from..to.max(from))
    }

    pub(super) fn count_of(&self, time_column: usize) -> Outcome<usize> {
        match self.time_counts.get(time_column) {
            Some(&count) if count as usize <= SAMPLES_PER_CHUNK_MAX => Ok(count as usize),
            _ => Err(BadCall("a timestamp column is too long").into()),
        }
    }

    /// Where a chunk's values lie.
    pub(super) fn chunk_bytes(&self, chunk: usize) -> Outcome<(&[u8], usize, usize)> {
        let page = self.page_chunks.partition_point(|&first| first as usize <= chunk).wrapping_sub(1);
        let bytes = self.pages.get(page.wrapping_sub(self.page_start)).filter(|bytes| !bytes.is_empty());
        let (Some(bytes), Some(&first)) = (bytes, self.page_chunks.get(page)) else {
            return Err(BadCall("a page is not in memory").into());
        };
        let end_of = |chunk: usize| if chunk == 0 { 0 } else { self.chunk_ends[chunk - 1] as usize };
        let base = end_of(first as usize);
        Ok((bytes, end_of(chunk).wrapping_sub(base), end_of(chunk + 1).wrapping_sub(base)))
    }

    pub(super) fn is_numbers(&self, chunk: usize) -> bool {
        self.numbers.get(chunk >> 3).is_some_and(|bits| bits & (1 << (chunk & 7)) != 0)
    }
}
