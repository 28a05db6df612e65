//! Folds over columns as they lie in a sealed block: each is decoded, computed and folded while it is in the processor's cache,
//! and nothing is written to memory but the cells of the groups.
//!
//! A series is a place in the block, with one chunk of one timestamp column; one with several is left to the caller. Windows
//! are found when a timestamp column is first met and kept in slots, as long as there are some; those of other columns are
//! found for each series anew.

mod columns;
mod folding;
mod slots;

use std::cell::RefCell;

use varve_codec::error::CodecError;
use varve_codec::Scratch;

use crate::parts::group_parts;
use crate::{BadCall, Cells, Fold, Function, Rows, WindowShape, Working, FOUND, LEFT};

pub use columns::SealedColumns;
use folding::{Folding, SERIES_PER_PART};
pub use slots::SealedSlots;
use slots::{find_slots, OwnWindows, Slots};

/// What is asked of the columns.
pub struct SealedRequest<'a> {
    pub function: Function,
    pub shape: WindowShape<'a>,
    /// The range in seconds for a growth per second, else 1.
    pub divisor: f64,
    /// Only samples in `[start_ms, end_ms)` are there.
    pub start_ms: f64,
    pub end_ms: f64,
    /// Values need not be read where none of them is NaN.
    pub presence_only: bool,
    /// Of `Function::Predict`: how many seconds ahead, then the time in milliseconds from which, each by step.
    pub arguments: &'a [f64],
}

impl SealedRequest<'_> {
    fn steps(&self) -> Outcome<usize> {
        let steps = self.shape.ends_ms.len();
        if self.function == Function::Predict && self.arguments.len() != 2 * steps {
            return Err(BadCall("there must be two arguments a step").into());
        }
        Ok(steps)
    }
}

/// Why a fold was given up.
#[derive(Debug, PartialEq, Eq)]
pub enum SealedFault {
    Call(BadCall),
    Codec(CodecError),
}

impl From<BadCall> for SealedFault {
    fn from(error: BadCall) -> Self {
        SealedFault::Call(error)
    }
}

impl From<CodecError> for SealedFault {
    fn from(error: CodecError) -> Self {
        SealedFault::Codec(error)
    }
}

type Outcome<T> = Result<T, SealedFault>;

/// So many values are worth that threads are woken.
const SHARED_MIN: u64 = 32 * 1024;

/// Memory of one thread.
#[derive(Default)]
struct Workspace {
    codec: Scratch,
    times: Vec<f64>,
    column: Vec<f64>,
    /// Stands for values that nobody looks at.
    zeros: Vec<f64>,
    values: Vec<f64>,
    presence: Vec<u8>,
    working: Working,
    own: OwnWindows,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::new(Workspace::default());
}

/// Folds the series into the cells of their groups, `found[i]` says what became of each; returns how many samples they have in
/// the range, those left to the caller not counted.
pub fn fold_sealed(
    columns: &SealedColumns,
    request: &SealedRequest,
    series: &[u32],
    groups: &[u32],
    slots: &mut SealedSlots,
    cells: &mut Cells,
    found: &mut [u8],
) -> Outcome<u64> {
    if groups.len() < series.len() || found.len() < series.len() {
        return Err(BadCall("groups and found must be as long as series").into());
    }
    let steps = request.steps()?;
    find_slots(columns, request, series, slots)?;
    let skips_values = request.presence_only && cells.fold == Fold::Count && request.function == Function::Latest;
    let fold = Folding { columns, request, series, groups, slots: Slots::of(slots, steps), steps, skips_values };
    let threads = if skips_values || fold.sample_count(|_| true)? < SHARED_MIN { 1 } else { varve_pool::threads() };
    let cells = cells.shared(steps);
    if threads < 2 {
        fold.by_groups(&(0..u32::MAX), &cells, found)?;
    } else if let Some(parts) = group_parts(&groups[..series.len()], steps, threads) {
        fold.by_parts(parts, &cells, found)?;
    } else {
        fold.by_rows(threads, &cells, found)?;
    }
    fold.sample_count(|i| found[i] != LEFT)
}

/// Writes the row of each series that has one behind the row before it, unless a series is left to the caller: then there are no rows,
/// so that theirs keep the order of their series. Returns how many samples the series have in the range.
pub fn write_sealed(
    columns: &SealedColumns,
    request: &SealedRequest,
    series: &[u32],
    slots: &mut SealedSlots,
    rows: &mut Rows,
    found: &mut [u8],
) -> Outcome<u64> {
    let steps = request.steps()?;
    if found.len() < series.len() {
        return Err(BadCall("found must be as long as series").into());
    }
    let range = rows.start * steps..(rows.start + series.len()) * steps;
    let (Some(values), Some(presence)) = (rows.values.get_mut(range.clone()), rows.presence.get_mut(range)) else {
        return Err(BadCall("there is no room for the rows").into());
    };
    find_slots(columns, request, series, slots)?;
    let slots = Slots::of(slots, steps);
    let fold = Folding { columns, request, series, groups: &[], slots, steps, skips_values: false };
    let width = if fold.sample_count(|_| true)? < SHARED_MIN { series.len() } else { SERIES_PER_PART };
    fold.compute_rows(0..series.len(), width, values, presence, found)?;
    if found[..series.len()].contains(&LEFT) {
        presence.fill(0);
        return Ok(0);
    }
    let mut next = 0;
    for (i, _) in found[..series.len()].iter().enumerate().filter(|(_, &found)| found == FOUND) {
        if next < i {
            values.copy_within(i * steps..(i + 1) * steps, next * steps);
            presence.copy_within(i * steps..(i + 1) * steps, next * steps);
        }
        next += 1;
    }
    presence[next * steps..].fill(0);
    fold.sample_count(|_| true)
}
