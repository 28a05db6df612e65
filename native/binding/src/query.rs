//! Range functions over the series of a batch, for JavaScript: one call a batch.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_query::{fill_windows as fill, Frame, WindowShape};
use varve_query::{
    fold_sealed as fold_columns, write_sealed as write_columns, SealedColumns, SealedFault, SealedRequest, SealedSlots,
};
use varve_query::{fold_series as fold, write_rows as write, BadCall, Cells, Fold, Function, Rows};
use varve_query::{SeriesColumns, WindowColumns};

use crate::codec::failure;
use crate::column::{check_disjoint, disjoint, index, Column};

/// Folds the rows of the series into the cells of their groups, and writes into `found` what became of each series.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn fold_series(
    function: u32,
    fold_code: u32,
    values: Column<f64>,
    offsets: Column<u32>,
    slots: Column<u32>,
    steps: f64,
    divisor: f64,
    first: Column<i32>,
    end: Column<i32>,
    presence: Column<u8>,
    seconds: Column<f64>,
    groups: Column<u32>,
    a: Column<f64>,
    b: Column<f64>,
    c: Column<f64>,
    flags: Column<u8>,
    found: Column<u8>,
) -> Result<()> {
    disjoint!(a, b, c, flags, found; values, offsets, slots, first, end, presence, seconds, groups);
    let steps = index("steps", steps, first.len())?;
    let Some(fold_kind) = Fold::from_code(fold_code) else { return Err(invalid("unknown fold")) };
    let windows = WindowColumns { steps, first, end, presence, seconds, divisor };
    let mut cells = Cells { fold: fold_kind, a, b, c, flags };
    let series = SeriesColumns { values, offsets, slots };
    fold(function_of(function)?, &series, &windows, groups, &mut cells, found).map_err(bad_call)
}

/// What both kernels over sealed columns are handed: checks it, and calls `work` with columns, request and slots.
/// `outputs` are what `work` fills besides, of which each is a slice there.
macro_rules! with_sealed {
    (
        $function:ident, $parameters:ident, $arguments:ident, $pages:ident, $page_chunks:ident, $chunk_offsets:ident,
        $chunk_ends:ident, $chunk_times:ident, $numbers:ident, $times:ident, $time_offsets:ident, $time_counts:ident,
        $series:ident, $ends_ms:ident, $slot_columns:ident, $first:ident, $end:ident, $presence:ident, $seconds:ident,
        $facts:ident; $($output:ident),*; $($input:ident),*; |$columns:ident, $request:ident, $slots:ident| $work:expr
    ) => {{
        let outputs = [
            $slot_columns.span(), $first.span(), $end.span(), $presence.span(), $seconds.span(), $facts.span(),
            $($output.span()),*
        ];
        let spans: Vec<_> = outputs.into_iter().chain($pages.iter().map(Column::span)).collect();
        check_disjoint(outputs.len(), &spans)?;
        disjoint!(
            $slot_columns, $first, $end, $presence, $seconds, $facts, $($output),*;
            $parameters, $arguments, $page_chunks, $chunk_offsets, $chunk_ends, $chunk_times, $numbers, $times, $time_offsets,
            $time_counts, $series, $ends_ms $(, $input)*
        );
        // SAFETY: pages are only read, and overlap no output, as has been checked.
        let pages: Vec<&[u8]> = $pages.iter().map(|page| unsafe { page.as_slice() }).collect();
        let &[range_ms, divisor, start_ms, end_ms, presence_only, page_start] = $parameters else {
            return Err(invalid("there must be six parameters"));
        };
        let $columns = SealedColumns {
            pages: &pages,
            page_start: index("pageStart", page_start, $page_chunks.len())?,
            page_chunks: $page_chunks,
            chunk_offsets: $chunk_offsets,
            chunk_ends: $chunk_ends,
            chunk_times: $chunk_times,
            numbers: $numbers,
            times: $times,
            time_offsets: $time_offsets,
            time_counts: $time_counts,
        };
        let $request = SealedRequest {
            function: function_of($function)?,
            shape: WindowShape { ends_ms: $ends_ms, range_ms, before_ms: 0.0, after_ms: 0.0 },
            divisor,
            start_ms,
            end_ms,
            presence_only: presence_only == 1.0,
            arguments: $arguments,
        };
        let mut $slots = SealedSlots {
            columns: $slot_columns,
            first: $first,
            end: $end,
            presence: $presence,
            seconds: $seconds,
            facts: $facts,
        };
        match $work {
            Ok(sample_count) => Ok(sample_count as f64),
            Err(SealedFault::Codec(error)) => Ok(failure(error)),
            Err(SealedFault::Call(error)) => Err(bad_call(error)),
        }
    }};
}

/// Folds series of a sealed block, whose values are decoded one by one, into the cells of their groups; returns how many samples
/// they have in the range, or the failure of a column that cannot be decoded.
///
/// `parameters`: rangeMs, divisor, startMs, endMs, 1 where values need not be read, the number of the first page.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn fold_sealed(
    function: u32,
    parameters: Column<f64>,
    arguments: Column<f64>,
    pages: Vec<Column<u8>>,
    page_chunks: Column<u32>,
    chunk_offsets: Column<u32>,
    chunk_ends: Column<f64>,
    chunk_times: Column<u32>,
    numbers: Column<u8>,
    times: Column<u8>,
    time_offsets: Column<u32>,
    time_counts: Column<u32>,
    series: Column<u32>,
    ends_ms: Column<f64>,
    slot_columns: Column<u32>,
    first: Column<i32>,
    end: Column<i32>,
    presence: Column<u8>,
    seconds: Column<f64>,
    facts: Column<f64>,
    found: Column<u8>,
    fold_code: u32,
    groups: Column<u32>,
    a: Column<f64>,
    b: Column<f64>,
    c: Column<f64>,
    flags: Column<u8>,
) -> Result<f64> {
    with_sealed!(
        function, parameters, arguments, pages, page_chunks, chunk_offsets, chunk_ends, chunk_times, numbers, times, time_offsets,
        time_counts, series, ends_ms, slot_columns, first, end, presence, seconds, facts; found, a, b, c, flags; groups;
        |columns, request, slots| {
            let Some(fold) = Fold::from_code(fold_code) else { return Err(invalid("unknown fold")) };
            let mut cells = Cells { fold, a, b, c, flags };
            fold_columns(&columns, &request, series, groups, &mut slots, &mut cells, found)
        }
    )
}

/// Writes the rows of series of a sealed block from `row_start` on; none where a series is left to the caller.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn write_sealed(
    function: u32,
    parameters: Column<f64>,
    arguments: Column<f64>,
    pages: Vec<Column<u8>>,
    page_chunks: Column<u32>,
    chunk_offsets: Column<u32>,
    chunk_ends: Column<f64>,
    chunk_times: Column<u32>,
    numbers: Column<u8>,
    times: Column<u8>,
    time_offsets: Column<u32>,
    time_counts: Column<u32>,
    series: Column<u32>,
    ends_ms: Column<f64>,
    slot_columns: Column<u32>,
    first: Column<i32>,
    end: Column<i32>,
    presence: Column<u8>,
    seconds: Column<f64>,
    facts: Column<f64>,
    found: Column<u8>,
    row_start: f64,
    out_values: Column<f64>,
    out_presence: Column<u8>,
) -> Result<f64> {
    with_sealed!(
        function, parameters, arguments, pages, page_chunks, chunk_offsets, chunk_ends, chunk_times, numbers, times, time_offsets,
        time_counts, series, ends_ms, slot_columns, first, end, presence, seconds, facts; found, out_values, out_presence;;
        |columns, request, slots| {
            let start = index("rowStart", row_start, out_presence.len())?;
            let mut rows = Rows { start, values: out_values, presence: out_presence };
            write_columns(&columns, &request, series, &mut slots, &mut rows, found)
        }
    )
}

/// Writes the rows of the series that have samples, from `row_start` on, up to the first series that is left to the caller;
/// returns how many series it has looked at.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn write_rows(
    function: u32,
    values: Column<f64>,
    offsets: Column<u32>,
    slots: Column<u32>,
    steps: f64,
    divisor: f64,
    first: Column<i32>,
    end: Column<i32>,
    presence: Column<u8>,
    seconds: Column<f64>,
    row_start: f64,
    out_values: Column<f64>,
    out_presence: Column<u8>,
    found: Column<u8>,
) -> Result<f64> {
    disjoint!(out_values, out_presence, found; values, offsets, slots, first, end, presence, seconds);
    let steps = index("steps", steps, first.len())?;
    let row_start = index("rowStart", row_start, out_presence.len())?;
    let windows = WindowColumns { steps, first, end, presence, seconds, divisor };
    let series = SeriesColumns { values, offsets, slots };
    let mut rows = Rows { start: row_start, values: out_values, presence: out_presence };
    write(function_of(function)?, &series, &windows, &mut rows, found).map(|count| count as f64).map_err(bad_call)
}

/// Fills slot `slot` of the windows with those over `times_ms[from, to)`, and of the frames if there are any; returns the least
/// of sampled over to_start.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn fill_windows(
    times_ms: Column<f64>,
    from: f64,
    to: f64,
    ends_ms: Column<f64>,
    range_ms: f64,
    before_ms: f64,
    after_ms: f64,
    divisor: f64,
    slot: f64,
    first: Column<i32>,
    end: Column<i32>,
    presence: Column<u8>,
    seconds: Column<f64>,
) -> Result<f64> {
    disjoint!(first, end, presence, seconds; times_ms, ends_ms);
    let to = index("to", to, times_ms.len())?;
    let from = index("from", from, to)?;
    let steps = ends_ms.len();
    let slots = first.len().min(end.len()) / steps.max(1);
    let at = index("slot", slot, slots.saturating_sub(1))? * steps;
    let (Some(first), Some(end)) = (first.get_mut(at..at + steps), end.get_mut(at..at + steps)) else {
        return Err(invalid("there is no such slot"));
    };
    let frame = match (presence.get_mut(at..at + steps), seconds.get_mut(at * 4..(at + steps) * 4)) {
        (Some(presence), Some(seconds)) => Some(Frame { presence, seconds, divisor }),
        _ => None,
    };
    let shape = WindowShape { ends_ms, range_ms, before_ms, after_ms };
    fill(&shape, &times_ms[from..to], first, end, frame).map_err(bad_call)
}

fn function_of(code: u32) -> Result<Function> {
    Function::from_code(code).ok_or_else(|| invalid("unknown function"))
}

fn bad_call(error: BadCall) -> Error {
    invalid(error.0)
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}
