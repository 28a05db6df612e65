//! The text of series, for JavaScript.

use napi::{Error, Result, Status};
use napi_derive::napi;
use varve_json::{write_rows, Heads, LabelSets, Place, Rows};

use crate::column::{disjoint, index, Column};

/// Numbers of `write_rows_json` in `frame`: three that stay, then three that it moves on.
const FRAME_LENGTH: usize = 6;

/// Writes series of the same times, one after the other, until the end is reached or there is no room; `frame` says from where to where, and
/// then how far it came. Returns false when the columns do not fit each other.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn write_rows_json(
    values: Column<f64>,
    presence: Column<u8>,
    firsts: Column<u32>,
    sets: Column<u32>,
    texts: Column<u8>,
    text_starts: Column<u32>,
    text_ends: Column<u32>,
    pairs: Column<u32>,
    offsets: Column<u32>,
    heads: Column<u8>,
    head_ends: Column<u32>,
    is_instant: bool,
    out: Column<u8>,
    frame: Column<f64>,
) -> Result<bool> {
    disjoint!(out, frame; values, presence, firsts, sets, texts, text_starts, text_ends, pairs, offsets, heads, head_ends);
    let [step_count, to, stop, next, at, _] = *frame else {
        let text = format!("a frame of {} numbers, wanted {FRAME_LENGTH}", frame.len());
        return Err(Error::new(Status::InvalidArg, text));
    };
    let step_count = index("stepCount", step_count, values.len())?;
    let rows = Rows { values, presence, firsts, sets, step_count, is_instant };
    let labels = LabelSets { texts, starts: text_starts, ends: text_ends, pairs, offsets };
    let heads = Heads { bytes: heads, ends: head_ends };
    let to = index("to", to, rows.firsts.len())?;
    let stop = index("stop", stop, out.len())?;
    let from = Place { next: index("next", next, to)?, at: index("at", at, out.len())?, wanted: 0 };
    let Some(place) = write_rows(&rows, &labels, &heads, to, stop, out, from) else {
        return Ok(false);
    };
    frame[3] = place.next as f64;
    frame[4] = place.at as f64;
    frame[5] = place.wanted as f64;
    Ok(true)
}
