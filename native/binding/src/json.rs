//! The text of samples, for JavaScript: one call a series.

use napi::Result;
use napi_derive::napi;
use varve_json::{write_samples, Heads};

use crate::column::{disjoint, index, Column};

/// Writes the samples of a series as JSON behind `at`; returns the offset behind them, or -1 when `out` may be too small.
#[napi(catch_unwind)]
pub fn write_samples_json(
    values: Column<f64>,
    presence: Column<u8>,
    heads: Column<u8>,
    head_ends: Column<u32>,
    out: Column<u8>,
    at: f64,
) -> Result<f64> {
    disjoint!(out; values, presence, heads, head_ends);
    let at = index("at", at, out.len())?;
    let heads = Heads { bytes: heads, ends: head_ends };
    Ok(write_samples(values, presence, &heads, out, at).map_or(-1.0, |end| end as f64))
}
