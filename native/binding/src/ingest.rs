//! The ingest kernel for JavaScript.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_ingest::{scan_write, status, Cache, Columns, Limits, Source};

use crate::column::{disjoint, Column};

/// Numbers in `parameters`.
const PARAMETER_COUNT: usize = 11;

/// Decodes and scans one remote write request into the caller's columns; returns the fault, 0 for none.
///
/// `parameters`: most series, samples, extras, symbols; most decoded bytes, label bytes of a series; seed and last entry
/// of the cache; most labels and idle fields of a request; 0 for a body to be decoded, else the size
/// of one that stands decoded in the scratch memory, plus 1.
#[napi(catch_unwind, js_name = "scanWrite")]
#[allow(clippy::too_many_arguments)]
pub fn scan_write_js(
    version: u32,
    body: Column<u8>,
    scratch: Column<u8>,
    parameters: Column<u32>,
    slots: Column<i32>,
    entries: Column<u32>,
    arena: Column<u8>,
    status_column: Column<u32>,
    series_refs: Column<u32>,
    timestamps_ms: Column<f64>,
    values: Column<f64>,
    start_timestamps_ms: Column<f64>,
    unknowns: Column<u32>,
    extras: Column<u32>,
    symbols: Column<u32>,
) -> Result<u32> {
    disjoint!(
        scratch, entries, status_column, series_refs, timestamps_ms, values, start_timestamps_ms, unknowns, extras,
        symbols;
        body, parameters, slots, arena
    );
    if !(1..=2).contains(&version) {
        return invalid(format!("version is {version}, wanted 1 or 2"));
    }
    if parameters.len() < PARAMETER_COUNT || status_column.len() < status::LENGTH {
        return invalid(format!("wanted {PARAMETER_COUNT} parameters and {} numbers of status", status::LENGTH));
    }
    if !slots.len().is_power_of_two() {
        return invalid(format!("the cache has {} slots, wanted a power of two", slots.len()));
    }
    let limit = |index: usize| parameters[index] as usize;
    let limits = Limits {
        series_count_max: limit(0),
        sample_count_max: limit(1),
        extra_count_max: limit(2),
        symbol_count_max: limit(3),
        decoded_size_max: limit(4),
        label_size_max: limit(5),
        label_total_max: limit(8),
        idle_field_count_max: limit(9),
    };
    let mut cache = Cache { seed: parameters[6], last_entry: parameters[7], slots, entries, arena };
    let mut columns = Columns {
        status: &mut status_column[..status::LENGTH],
        series_refs,
        timestamps_ms,
        values,
        start_timestamps_ms,
        unknowns,
        extras,
        symbols,
    };
    let source = match limit(10) {
        0 => Source::Block(body),
        size => Source::Decoded(size - 1),
    };
    Ok(scan_write(version, source, scratch, &mut cache, &mut columns, &limits))
}

fn invalid<T>(message: String) -> Result<T> {
    Err(Error::new(Status::InvalidArg, message))
}
