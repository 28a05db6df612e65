//! Range functions over the series of a batch, for JavaScript: one call a batch.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_query::{fill_windows as fill, Frame, WindowShape};
use varve_query::{fold_series as fold, write_rows as write, BadCall, Cells, Fold, Function, Rows};
use varve_query::{SeriesColumns, WindowColumns};

use crate::column::{disjoint, index, Column};

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
