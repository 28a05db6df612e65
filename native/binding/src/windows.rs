//! The window of every minute, for JavaScript: a call for the rows of a page, and one for a slice of series.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_windows::{read_rows, scan_window as scan, BadCall, Found, Recent, Row, RowPage, Samples, States, Window};

use crate::column::{disjoint, index, Column};

const SLOTS_PER_PAGE: u32 = 64;
/// No chunk, in the column of last chunks.
const NONE: u32 = 0xffff_ffff;

/// Reads the rows of slots `[from, to)` of one page, see `WindowKernels.readRecentRows`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn read_recent_rows(
    offsets: Column<u32>,
    values: Column<f64>,
    counts: Column<u8>,
    last_chunks: Column<u32>,
    slots: Column<u32>,
    from: f64,
    to: f64,
    start_offset: f64,
    end_offset: f64,
    base_ms: f64,
    times_out: Column<f64>,
    values_out: Column<f64>,
    sample_offsets: Column<u32>,
) -> Result<f64> {
    disjoint!(times_out, values_out, sample_offsets; offsets, values, counts, last_chunks, slots);
    let to = index("to", to, slots.len())?;
    let from = index("from", from, to)?;
    let start = index("startOffset", start_offset, u32::MAX as usize)? as u32;
    let end = index("endOffset", end_offset, u32::MAX as usize)? as u32;
    if sample_offsets.len() <= to {
        return Err(invalid("there are fewer sample offsets than slots"));
    }
    let known = counts.len().min(last_chunks.len());
    if slots[from..to].iter().any(|&slot| slot as usize >= known) {
        return Err(invalid("a slot has no row"));
    }
    let rows = slots[from..to].iter().map(|&slot| Row {
        lane: (slot % SLOTS_PER_PAGE) as usize,
        count: usize::from(counts[slot as usize]),
        has_chunk: last_chunks[slot as usize] != NONE,
    });
    let length = sample_offsets[from] as usize;
    let mut out = Recent { times: times_out, values: values_out, length };
    let page = RowPage { offsets, values };
    let ends = &mut sample_offsets[from + 1..to + 1];
    let read = read_rows(&page, rows, (start, end), base_ms, &mut out, ends).map_err(bad_call)?;
    Ok((from + read) as f64)
}

/// Scans the samples of a slice of members, see `WindowKernels.scanWindow`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn scan_window(
    members: Column<u32>,
    skips: Column<u8>,
    count: f64,
    sample_offsets: Column<u32>,
    times: Column<f64>,
    values: Column<f64>,
    end_ms: f64,
    resolution_ms: f64,
    lookback_ms: f64,
    state_values_ms: Column<f64>,
    state_values: Column<f64>,
    state_markers_ms: Column<f64>,
    counts: Column<f64>,
    sums: Column<f64>,
    mins: Column<f64>,
    maxs: Column<f64>,
    lasts: Column<f64>,
    last_times: Column<f64>,
    increases: Column<f64>,
    lives: Column<u8>,
    lived_before: Column<u8>,
) -> Result<()> {
    disjoint!(
        state_values_ms, state_values, state_markers_ms, counts, sums, mins, maxs, lasts, last_times, increases, lives,
        lived_before; members, skips, sample_offsets, times, values
    );
    let count = index("count", count, members.len())?;
    let samples = Samples { offsets: sample_offsets, times, values };
    let window = Window { end_ms, resolution_ms, lookback_ms };
    let mut states = States { values_ms: state_values_ms, values: state_values, markers_ms: state_markers_ms };
    let mut found = Found { counts, sums, mins, maxs, lasts, last_times, increases, lives, lived_before };
    scan(&members[..count], skips, &samples, window, &mut states, &mut found).map_err(bad_call)
}

fn bad_call(error: BadCall) -> Error {
    invalid(error.0)
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}
