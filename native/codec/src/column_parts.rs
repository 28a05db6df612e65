//! Parts of sealed value columns, each to its place in one output: what a query wants of many series in one call. Where it is
//! much, several threads decode.

use std::cell::RefCell;

use crate::error::{CodecError, CodecErrorCode, Result};
use crate::limits::SAMPLES_PER_CHUNK_MAX;
use crate::sealed_values::decode_sealed_part;
use crate::Scratch;

/// Numbers of one run: which page its column is in, where the column begins and ends there, how many values it has, which of
/// them are wanted (first, end), and where in the output the first of them goes.
pub const RUN_SIZE: usize = 7;
pub type Run = [u32; RUN_SIZE];

/// Fewer values are decoded sooner, some 25 microseconds, than a thread comes to help.
const SHARED_VALUES_MIN: usize = 32 * 1024;
/// Values to decode in a part: small enough that threads end at about the same time.
const PART_VALUES: usize = 8 * 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
    /// A column of which only a part is wanted.
    static COLUMN: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

struct Part<'a> {
    runs: &'a [Run],
    out: &'a mut [f64],
    /// Where `out` begins in the whole output.
    out_start: usize,
    outcome: Result<()>,
}

/// Decodes them, and fails as the first bad run does; those before it are decoded.
pub fn decode_runs(pages: &[&[u8]], runs: &[Run], out: &mut [f64]) -> Result<()> {
    let Some(mut parts) = parts_of(runs, out) else {
        return decode_part(pages, runs, out, 0);
    };
    varve_pool::for_each(&mut parts, |part| {
        part.outcome = decode_part(pages, part.runs, part.out, part.out_start);
    });
    parts.into_iter().try_for_each(|part| part.outcome)
}

/// None where it is little, or runs do not stand in the output one behind the other.
fn parts_of<'a>(runs: &'a [Run], out: &'a mut [f64]) -> Option<Vec<Part<'a>>> {
    let value_count: usize = runs.iter().map(|run| run[3] as usize).sum();
    if value_count < SHARED_VALUES_MIN || varve_pool::threads() < 2 {
        return None;
    }
    // The counts are not checked yet.
    let mut parts = Vec::with_capacity(runs.len().min(value_count / PART_VALUES + 1));
    let (mut first, mut part_start, mut end, mut part_values) = (0, 0, 0, 0);
    let mut rest = out;
    for (index, run) in runs.iter().enumerate() {
        let (at, length) = (run[6] as usize, (run[5] as usize).checked_sub(run[4] as usize)?);
        if at < end {
            return None;
        }
        if part_values >= PART_VALUES {
            let (mine, others) = rest.split_at_mut_checked(at - part_start)?;
            parts.push(Part { runs: &runs[first..index], out: mine, out_start: part_start, outcome: Ok(()) });
            (first, part_start, rest, part_values) = (index, at, others, 0);
        }
        part_values += run[3] as usize;
        end = at + length;
    }
    parts.push(Part { runs: &runs[first..], out: rest, out_start: part_start, outcome: Ok(()) });
    Some(parts)
}

fn decode_part(pages: &[&[u8]], runs: &[Run], out: &mut [f64], out_start: usize) -> Result<()> {
    SCRATCH.with_borrow_mut(|scratch| {
        COLUMN.with_borrow_mut(|column| {
            runs.iter().try_for_each(|run| decode_run(pages, run, out, out_start, scratch, column))
        })
    })
}

fn decode_run(
    pages: &[&[u8]],
    run: &Run,
    out: &mut [f64],
    out_start: usize,
    scratch: &mut Scratch,
    column: &mut Vec<f64>,
) -> Result<()> {
    let [page, offset, end, count, first, last, at] = run.map(|number| number as usize);
    let (Some(bytes), true) = (pages.get(page), first <= last && last <= count && count <= SAMPLES_PER_CHUNK_MAX)
    else {
        return Err(CodecError::call(CodecErrorCode::InvalidArgument));
    };
    let Some(wanted) = out.get_mut(at - out_start..).and_then(|rest| rest.get_mut(..last - first)) else {
        return Err(CodecError::call(CodecErrorCode::OutputTooSmall));
    };
    let is_whole = wanted.len() == count;
    if !is_whole && column.len() < count {
        column.resize(count, 0.0);
    }
    let target = if is_whole { &mut *wanted } else { &mut column[..count] };
    decode_sealed_part(bytes, offset, end, first..last, target, scratch)?;
    if !is_whole {
        wanted.copy_from_slice(&column[first..last]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed_values::{encode_sealed_values, sealed_size_max};

    const LENGTH: usize = 480;

    /// Two pages of columns in turn, parts of which stand one behind the other in the output.
    fn pages_and_runs(columns: usize) -> (Vec<Vec<u8>>, Vec<Run>, Vec<f64>) {
        let mut pages = vec![Vec::new(), Vec::new()];
        let mut runs = Vec::new();
        let mut wanted: Vec<f64> = Vec::new();
        for column in 0..columns {
            let values: Vec<f64> = (0..LENGTH).map(|i| ((i * column) as f64).sin() * 1e3).collect();
            let page = &mut pages[column % 2];
            let start = page.len();
            page.resize(start + sealed_size_max(LENGTH), 0);
            let end = encode_sealed_values(&values, page, start, &mut Scratch::default()).expect("encodes");
            page.truncate(end);
            let first = column % 7 * 10;
            let [start, end, first] = [start as u32, end as u32, first as u32];
            runs.push([column as u32 % 2, start, end, LENGTH as u32, first, LENGTH as u32, wanted.len() as u32]);
            wanted.extend(&values[first as usize..]);
        }
        (pages, runs, wanted)
    }

    fn slices(pages: &[Vec<u8>]) -> Vec<&[u8]> {
        pages.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn many_runs_are_decoded_as_few_are() {
        let (pages, runs, wanted) = pages_and_runs(200);
        let mut out = vec![0.0; wanted.len()];
        decode_runs(&slices(&pages), &runs, &mut out).expect("decodes");
        assert_eq!(out, wanted);
        assert!(parts_of(&runs, &mut out).is_none_or(|parts| parts.len() > 8), "it is shared where there are threads");
    }

    #[test]
    fn the_first_bad_run_is_reported_and_those_before_it_are_there() {
        let (pages, mut runs, wanted) = pages_and_runs(200);
        let mut out = vec![0.0; wanted.len()];
        runs[150][2] -= 1;
        runs[199][3] += 1;
        let error = decode_runs(&slices(&pages), &runs, &mut out).expect_err("two runs are bad");
        let alone = decode_runs(&slices(&pages), &runs[150..151], &mut vec![0.0; wanted.len()]).expect_err("it is bad");
        assert_eq!((error.code as u8, error.bit_offset), (alone.code as u8, alone.bit_offset));
        let before = runs[150][6] as usize;
        assert_eq!(out[..before], wanted[..before]);
    }

    #[test]
    fn counts_that_no_column_can_have_are_refused_and_take_no_memory() {
        let (pages, mut runs, wanted) = pages_and_runs(200);
        let mut out = vec![0.0; wanted.len()];
        for run in &mut runs[100..] {
            run[3] = u32::MAX;
        }
        assert!(parts_of(&runs, &mut out).is_none_or(|parts| parts.capacity() <= runs.len()));
        let error = decode_runs(&slices(&pages), &runs, &mut out).expect_err("a hundred runs are bad");
        assert_eq!(error.code, CodecErrorCode::InvalidArgument);
    }

    #[test]
    fn runs_in_another_order_are_decoded_by_one_thread() {
        let (pages, mut runs, wanted) = pages_and_runs(200);
        let mut out = vec![0.0; wanted.len()];
        runs.reverse();
        assert!(parts_of(&runs, &mut out).is_none());
        decode_runs(&slices(&pages), &runs, &mut out).expect("decodes");
        assert_eq!(out, wanted);
        assert!(decode_runs(&slices(&pages), &runs, &mut out[1..]).is_err(), "the output is too small");
    }
}
