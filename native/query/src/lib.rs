//! Range functions over the series of a batch, each folded into its group as it is computed, or written as a row: the twin of
//! packages/promql (`functions/`, `operators/accumulators.ts`), operation by operation, so that results have the same bits.
//!
//! Windows are the caller's, found once for a column of timestamps. A series that needs more than plain floats (NaN, which may
//! be a staleness marker) is left to the caller, except for `latest`, which knows the marker.

// A step is an index into half a dozen columns at once.
#![allow(clippy::needless_range_loop)]

use std::cell::RefCell;

mod fill;
mod fold;
mod growth;
mod over_time;
mod parts;
mod regression;
mod sealed;
mod windows;

pub use fill::{fill_windows, Frame, WindowShape};
pub use fold::{Cells, Fold};
pub use sealed::{fold_sealed, write_sealed, SealedColumns, SealedFault, SealedRequest, SealedSlots};
pub use windows::{SeriesColumns, WindowColumns};

use windows::Windows;

/// What is computed at each step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// An instant selector: the newest sample of the window, unless it is a staleness marker.
    Latest,
    /// rate and increase.
    Growth,
    Delta,
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Last,
    /// Of sealed columns only, and where windows hardly overlap.
    Deriv,
    Predict,
}

impl Function {
    /// By the number that TypeScript sends.
    pub fn from_code(code: u32) -> Option<Self> {
        use Function::*;
        [Latest, Growth, Delta, Sum, Avg, Min, Max, Count, Last, Deriv, Predict].get(code as usize).copied()
    }

    fn has_frame(self) -> bool {
        matches!(self, Function::Growth | Function::Delta)
    }
}

/// What became of a series.
pub const LEFT: u8 = 0;
pub const EMPTY: u8 = 1;
pub const FOUND: u8 = 2;
/// Of a series of a sealed block: there is not even a sample in the range.
pub const ABSENT: u8 = 3;

/// Memory for one series at a time.
#[derive(Default)]
struct Scratch {
    values: Vec<f64>,
    presence: Vec<u8>,
    working: Working,
}

/// What the functions work with.
#[derive(Default)]
struct Working {
    prefixes: over_time::Prefixes,
    bests: over_time::Bests,
    ends: growth::Ends,
    indexes: Vec<u32>,
}

/// What is wrong with a call.
#[derive(Debug, PartialEq, Eq)]
pub struct BadCall(pub &'static str);

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Folds the series into the cells of their groups: `groups[i]`, and `found[i]` says what became of it.
///
/// Where it is much, several threads do it, each some groups or some steps: the rows of a cell are added in the same order.
pub fn fold_series(
    function: Function,
    series: &SeriesColumns,
    windows: &WindowColumns,
    groups: &[u32],
    cells: &mut Cells,
    found: &mut [u8],
) -> Result<(), BadCall> {
    let count = series.count()?;
    if groups.len() < count || found.len() < count {
        return Err(BadCall("groups and found must be as long as series"));
    }
    let cells = cells.shared(windows.steps);
    let fold = |part: &parts::Part, found: &mut [u8]| {
        SCRATCH.with_borrow_mut(|scratch| fold_part(function, series, windows, groups, &cells, part, found, scratch))
    };
    let Some(mut shares) = parts::parts_of(function, series, windows.steps, &groups[..count]) else {
        return fold(&parts::Part { groups: 0..u32::MAX, steps: 0..windows.steps }, found);
    };
    varve_pool::for_each(&mut shares, |share| {
        share.found.resize(count, LEFT);
        share.outcome = fold(&share.part, &mut share.found);
    });
    found[..count].fill(LEFT);
    for share in shares {
        share.outcome?;
        // Left by one is left by all; a series has a row if it has one at any step.
        found.iter_mut().zip(&share.found).for_each(|(all, &one)| *all = one.max(*all));
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn fold_part(
    function: Function,
    series: &SeriesColumns,
    windows: &WindowColumns,
    groups: &[u32],
    cells: &fold::SharedCells,
    part: &parts::Part,
    found: &mut [u8],
    scratch: &mut Scratch,
) -> Result<(), BadCall> {
    scratch.values.resize(part.steps.len(), 0.0);
    scratch.presence.resize(part.steps.len(), 0);
    let Scratch { values, presence, working } = scratch;
    let mut slots = Slots { windows, framed: function.has_frame(), last: None };
    for i in 0..series.count()? {
        if !part.groups.contains(&groups[i]) {
            continue;
        }
        let window = slots.of(series.slots[i])?;
        let samples = within(function, series.samples(i)?, window);
        found[i] = row(function, samples, &window.steps(&part.steps), values, presence, working);
        if found[i] == FOUND {
            // SAFETY: parts do not overlap, so the cells of these groups at these steps are this thread's.
            unsafe { cells.add_row(groups[i] as usize, &part.steps, values, presence) }?;
        }
    }
    Ok(())
}

/// Where rows go: row r has `[r * steps, (r + 1) * steps)` of both columns. Rows from `start` on are absent before.
pub struct Rows<'a> {
    pub start: usize,
    pub values: &'a mut [f64],
    pub presence: &'a mut [u8],
}

/// Writes the row of each series that has a sample behind the row before it, up to the first series that is left to the caller,
/// so that rows keep the order of their series; returns how many series it has looked at.
pub fn write_rows(
    function: Function,
    series: &SeriesColumns,
    windows: &WindowColumns,
    rows: &mut Rows,
    found: &mut [u8],
) -> Result<usize, BadCall> {
    SCRATCH.with_borrow_mut(|scratch| write(function, series, windows, rows, found, &mut scratch.working))
}

fn write(
    function: Function,
    series: &SeriesColumns,
    windows: &WindowColumns,
    rows: &mut Rows,
    found: &mut [u8],
    working: &mut Working,
) -> Result<usize, BadCall> {
    let count = series.count()?;
    if found.len() < count {
        return Err(BadCall("found must be as long as series"));
    }
    let steps = windows.steps;
    let mut next = rows.start;
    let mut slots = Slots { windows, framed: function.has_frame(), last: None };
    for i in 0..count {
        let window = slots.of(series.slots[i])?;
        let samples = within(function, series.samples(i)?, window);
        let range = next * steps..(next + 1) * steps;
        let (Some(out_values), Some(out_presence)) = (rows.values.get_mut(range.clone()), rows.presence.get_mut(range))
        else {
            return Err(BadCall("there is no room for the rows"));
        };
        found[i] = row(function, samples, window, out_values, out_presence, working);
        if found[i] == FOUND {
            next += 1;
            continue;
        }
        out_presence.fill(0);
        if found[i] == LEFT {
            return Ok(i + 1);
        }
    }
    Ok(count)
}

/// Neighbours mostly have the same windows.
struct Slots<'w, 'a> {
    windows: &'w WindowColumns<'a>,
    framed: bool,
    last: Option<(u32, Windows<'a>)>,
}

impl<'a> Slots<'_, 'a> {
    fn of(&mut self, slot: u32) -> Result<&Windows<'a>, BadCall> {
        let known = self.last.take().filter(|&(last, _)| last == slot);
        let found = match known {
            Some(known) => known,
            None => (slot, self.windows.of(slot, self.framed)?),
        };
        Ok(&self.last.insert(found).1)
    }
}

/// Without the staleness marker that the series ends with, if no window reaches to it: the caller has seen it too then.
fn within<'a>(function: Function, samples: &'a [f64], windows: &Windows) -> &'a [f64] {
    match samples {
        [before @ .., last]
            if last.to_bits() == over_time::STALE_BITS
                && function != Function::Latest
                && windows.end.last().is_none_or(|&end| end as usize <= before.len()) =>
        {
            before
        }
        _ => samples,
    }
}

/// Computes one row. All of `presence` is written, and `values` where it is 1.
fn row(
    function: Function,
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    working: &mut Working,
) -> u8 {
    if samples.is_empty() {
        return EMPTY;
    }
    let Working { prefixes, bests, ends, indexes } = working;
    let computed = match function {
        Function::Latest => over_time::latest(samples, windows, values, presence),
        Function::Growth => growth::growth(samples, windows, values, presence, ends, indexes),
        Function::Delta => growth::delta(samples, windows, values, presence, ends),
        Function::Sum => over_time::sums(samples, windows, values, presence, prefixes, false),
        Function::Avg => over_time::sums(samples, windows, values, presence, prefixes, true),
        Function::Min => over_time::least(samples, windows, values, presence, bests),
        Function::Max => over_time::greatest(samples, windows, values, presence, bests),
        Function::Count => over_time::counts(samples, windows, values, presence),
        Function::Last => over_time::lasts(samples, windows, values, presence),
        // These need timestamps.
        Function::Deriv | Function::Predict => false,
    };
    if !computed {
        LEFT
    } else if presence.contains(&1) {
        FOUND
    } else {
        EMPTY
    }
}

varve_lanes::wide! {
    /// True where a value is NaN. Without a branch: every sample of every query comes by.
    fn has_nan(samples: &[f64]) -> bool {
        samples.iter().fold(false, |found, value| found | value.is_nan())
    }
}
