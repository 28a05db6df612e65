//! Range functions over the series of a batch, for JavaScript: one call a batch.

use napi::{Error, Result, Status};
use napi_derive::napi;
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

fn function_of(code: u32) -> Result<Function> {
    Function::from_code(code).ok_or_else(|| invalid("unknown function"))
}

fn bad_call(error: BadCall) -> Error {
    invalid(error.0)
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}
