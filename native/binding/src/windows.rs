//! The window of every minute, for JavaScript: a call for the rows of a slice of series, one to scan and one to fold them.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_windows::{
    fold_window as fold, read_rows, scan_window as scan, BadCall, Cells, Found, Groups, Progress, Recent, RowPage,
    Rows, Samples, Scanned, Slice, States, Wanted, Window, RUN_STRIDE,
};

use crate::column::{check_disjoint, disjoint, index, Column};

/// Reads the rows of `slots` from place `from` on, see `WindowKernels.readRecentRows`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn read_recent_rows(
    offset_pages: Vec<Column<u32>>,
    value_pages: Vec<Column<f64>>,
    counts: Column<u8>,
    last_chunks: Column<u32>,
    slots: Column<u32>,
    from: f64,
    count: f64,
    start_offset: f64,
    end_offset: f64,
    base_ms: f64,
    runs: Column<u32>,
    times_out: Column<f64>,
    values_out: Column<f64>,
    progress: Column<u32>,
) -> Result<f64> {
    let outputs = [runs.span(), times_out.span(), values_out.span(), progress.span()];
    let mut spans = outputs.to_vec();
    spans.extend([counts.span(), last_chunks.span(), slots.span()]);
    spans.extend(offset_pages.iter().map(Column::span));
    spans.extend(value_pages.iter().map(Column::span));
    check_disjoint(outputs.len(), &spans)?;
    let pages: Vec<RowPage> = offset_pages
        .iter()
        .zip(&value_pages)
        // SAFETY: `check_disjoint` has found that no output overlaps another column.
        .map(|(offsets, values)| unsafe { RowPage { offsets: offsets.as_slice(), values: values.as_slice() } })
        .collect();
    disjoint!(runs, times_out, values_out, progress; counts, last_chunks, slots);
    let count = index("count", count, slots.len())?;
    let from = index("from", from, count)?;
    let start = index("startOffset", start_offset, u32::MAX as usize)? as u32;
    let end = index("endOffset", end_offset, u32::MAX as usize)? as u32;
    let Some(&[run_count, times_length, values_length, page_count, page]) = progress.first_chunk::<5>() else {
        return Err(invalid("progress has five numbers"));
    };
    let mut out = Recent {
        runs,
        times: times_out,
        values: values_out,
        progress: Progress {
            run_count: run_count as usize,
            times_length: times_length as usize,
            values_length: values_length as usize,
            page_count: page_count as usize,
            page,
        },
    };
    let rows = Rows { slots: &slots[..count], pages: &pages, counts, last_chunks };
    let read = read_rows(&rows, from, Wanted { start, end, base_ms }, &mut out).map_err(bad_call)?;
    let Progress { run_count, times_length, values_length, page_count, page } = out.progress;
    let lengths = [run_count, times_length, values_length, page_count].map(|length| length as u32);
    progress[..4].copy_from_slice(&lengths);
    progress[4] = page;
    Ok(read as f64)
}

/// Scans the samples of a slice of members, see `WindowKernels.scanWindow`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn scan_window(
    members: Column<u32>,
    skips: Column<u8>,
    member_columns: Column<u8>,
    count: f64,
    runs: Column<u32>,
    run_count: f64,
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
    masks: Column<u8>,
    tallies: Column<u32>,
) -> Result<()> {
    disjoint!(
        state_values_ms, state_values, state_markers_ms, counts, sums, mins, maxs, lasts, last_times, increases, lives,
        lived_before, masks, tallies; members, skips, member_columns, runs, times, values
    );
    let count = index("count", count, members.len())?;
    let run_count = index("runCount", run_count, runs.len() / RUN_STRIDE)?;
    let slice = Slice { members: &members[..count], skips, columns: member_columns };
    let samples = Samples { runs: &runs[..run_count * RUN_STRIDE], times, values };
    let window = Window { end_ms, resolution_ms, lookback_ms };
    let mut states = States { values_ms: state_values_ms, values: state_values, markers_ms: state_markers_ms };
    let mut found = Found { counts, sums, mins, maxs, lasts, last_times, increases, lives, lived_before, masks };
    let found = scan(&slice, &samples, window, &mut states, &mut found).map_err(bad_call)?;
    let Some(tallies) = tallies.first_chunk_mut::<4>() else { return Err(invalid("tallies has four numbers")) };
    *tallies = [found.sample_count, found.unknown_count, found.ended_count, found.written_count];
    Ok(())
}

/// Folds what was scanned of a slice into the cells of groups, see `WindowKernels.foldWindow`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn fold_window(
    members: Column<u32>,
    count: f64,
    counts: Column<f64>,
    sums: Column<f64>,
    mins: Column<f64>,
    maxs: Column<f64>,
    lasts: Column<f64>,
    last_times: Column<f64>,
    increases: Column<f64>,
    lives: Column<u8>,
    lived_before: Column<u8>,
    resolution_ms: f64,
    group_starts: Column<u32>,
    group_counts: Column<u32>,
    groups: Column<u32>,
    each: Column<u8>,
    absolutes: Column<u8>,
    fold_starts: Column<u32>,
    fold_counts: Column<u8>,
    codes: Column<u8>,
    cell_starts: Column<u32>,
    cells: Column<f64>,
    contributed: Column<u32>,
    living: Column<u32>,
) -> Result<()> {
    disjoint!(
        cells, contributed, living; members, counts, sums, mins, maxs, lasts, last_times, increases, lives, lived_before,
        group_starts, group_counts, groups, each, absolutes, fold_starts, fold_counts, codes, cell_starts
    );
    let count = index("count", count, members.len())?;
    let members = &members[..count];
    let scanned =
        Scanned { members, counts, sums, mins, maxs, lasts, last_times, increases, lives, lived_before, resolution_ms };
    let groups =
        Groups { starts: group_starts, counts: group_counts, groups, each, absolutes, fold_starts, fold_counts, codes };
    let mut cells = Cells { starts: cell_starts, values: cells, contributed, living };
    fold(&scanned, &groups, &mut cells).map_err(bad_call)
}

fn bad_call(error: BadCall) -> Error {
    invalid(error.0)
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}
