//! Folds over columns as they lie in a sealed block: each is decoded, computed and folded while it is in the processor's cache,
//! and nothing is written to memory but the cells of the groups.
//!
//! A series is a place in the block, with one chunk of one timestamp column; one with several is left to the caller. Windows
//! are found when a timestamp column is first met and kept in slots, as long as there are some; those of other columns are
//! found for each series anew.

use std::cell::RefCell;
use std::ops::Range;

use varve_codec::error::CodecError;
use varve_codec::limits::SAMPLES_PER_CHUNK_MAX;
use varve_codec::sealed_timestamps::decode_sealed_timestamps;
use varve_codec::sealed_values::decode_sealed_part;
use varve_codec::Scratch;

use crate::fold::SharedCells;
use crate::over_time::STALE_BITS;
use crate::parts::{group_parts, Part};
use crate::windows::{least_quotient, rises_by_one, Windows};
use crate::{fill_windows, regression, row, BadCall, Cells, Fold, Frame, Function, Rows};
use crate::{WindowShape, Working, ABSENT, FOUND, LEFT};

/// What of a block is looked at. Sections that say where others lie are checked as they are used.
pub struct SealedColumns<'a> {
    /// Pages of the values section from number `page_start` on; one that is not in memory is empty.
    pub pages: &'a [&'a [u8]],
    pub page_start: usize,
    /// The first chunk of each page of the block.
    pub page_chunks: &'a [u32],
    /// Chunks of series s: `[chunk_offsets[s], chunk_offsets[s + 1])`.
    pub chunk_offsets: &'a [u32],
    /// Where each ends in the values section.
    pub chunk_ends: &'a [f64],
    pub chunk_times: &'a [u32],
    /// One bit a chunk: no value is NaN.
    pub numbers: &'a [u8],
    /// The timestamp columns, where each begins, with one more than there are, and how many timestamps each has.
    pub times: &'a [u8],
    pub time_offsets: &'a [u32],
    pub time_counts: &'a [u32],
}

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

/// Windows by slot, as in `WindowColumns`, and which timestamp column has which: the caller's, from call to call.
pub struct SealedSlots<'a> {
    /// How many slots are taken; then three numbers a timestamp column: 0, or its slot + 1, or `NO_SLOT`, and the first and the end
    /// of its timestamps in the range.
    pub columns: &'a mut [u32],
    pub first: &'a mut [i32],
    pub end: &'a mut [i32],
    pub presence: &'a mut [u8],
    pub seconds: &'a mut [f64],
    /// Two numbers a slot: `Windows::reach_min`, and 1 where `Windows::in_step`.
    pub facts: &'a mut [f64],
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

/// Of a timestamp column that was met when all slots were taken.
const NO_SLOT: u32 = u32::MAX;
/// So many values are worth that threads are woken.
const SHARED_MIN: u64 = 32 * 1024;
/// Cells of the rows that wait to be folded, half a megabyte.
const ROW_CELLS: usize = 64 * 1024;
/// A thread takes so many series at a time.
const SERIES_PER_PART: usize = 16;
/// Steps that are worth folding by another thread.
const STEPS_PER_PART: usize = 32;

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

/// Windows of one series.
#[derive(Default)]
struct OwnWindows {
    first: Vec<i32>,
    end: Vec<i32>,
    presence: Vec<u8>,
    seconds: Vec<f64>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::new(Workspace::default());
    /// Rows between two threads' work: values and presence.
    static ROWS: RefCell<(Vec<f64>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
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

/// Gives timestamp columns that are met for the first time a slot with their windows.
fn find_slots(
    columns: &SealedColumns,
    request: &SealedRequest,
    series: &[u32],
    slots: &mut SealedSlots,
) -> Outcome<()> {
    let steps = request.shape.ends_ms.len();
    let framed = request.function.has_frame();
    let time_count = columns.time_offsets.len().saturating_sub(1);
    let slot_count = slots.first.len().checked_div(steps).unwrap_or(0);
    if slots.columns.len() != 1 + 3 * time_count {
        return Err(BadCall("slots must have three numbers a timestamp column").into());
    }
    if slots.end.len() < slot_count * steps || slots.facts.len() < 2 * slot_count {
        return Err(BadCall("columns of windows must be as long as each other").into());
    }
    if framed && (slots.presence.len() < slot_count * steps || slots.seconds.len() < 4 * slot_count * steps) {
        return Err(BadCall("a slot has no frame").into());
    }
    let used = slots.columns[0] as usize;
    if used > slot_count {
        return Err(BadCall("more slots are taken than there are").into());
    }
    let mut met = Vec::new();
    for &one in series {
        let Some(chunk) = columns.only_chunk(one)? else { continue };
        let column = columns.time_column(chunk)?;
        let slot = &mut slots.columns[1 + 3 * column];
        if *slot == 0 {
            met.push(column);
            let next = used + met.len();
            *slot = if next <= slot_count { next as u32 } else { NO_SLOT };
        }
    }
    let next = slot_count.min(used + met.len());
    slots.columns[0] = next as u32;
    let range = used * steps..next * steps;
    let frames = if framed { (range.clone(), 4 * used * steps..4 * next * steps) } else { (0..0, 0..0) };
    let mut first = slots.first[range.clone()].chunks_mut(steps.max(1));
    let mut end = slots.end[range].chunks_mut(steps.max(1));
    let mut presence = slots.presence[frames.0].chunks_mut(steps.max(1));
    let mut seconds = slots.seconds[frames.1].chunks_mut(4 * steps.max(1));
    let mut facts = slots.facts[2 * used..2 * next].chunks_mut(2);
    let mut fills = Vec::with_capacity(met.len());
    for &column in &met {
        let slot = first.next().zip(end.next()).zip(facts.next());
        let slot =
            slot.map(|((first, end), facts)| Slot { first, end, facts, frame: presence.next().zip(seconds.next()) });
        fills.push(Fill { column, slot, range: Ok(0..0) });
    }
    varve_pool::for_each(&mut fills, |fill| fill.range = fill_slot(columns, request, fill));
    for fill in fills {
        let range = fill.range?;
        slots.columns[2 + 3 * fill.column] = range.start as u32;
        slots.columns[3 + 3 * fill.column] = range.end as u32;
    }
    Ok(())
}

struct Fill<'a> {
    column: usize,
    /// None where all are taken.
    slot: Option<Slot<'a>>,
    /// Of its timestamps, those in the range.
    range: Outcome<Range<usize>>,
}

struct Slot<'a> {
    first: &'a mut [i32],
    end: &'a mut [i32],
    frame: Option<(&'a mut [u8], &'a mut [f64])>,
    facts: &'a mut [f64],
}

fn fill_slot(columns: &SealedColumns, request: &SealedRequest, fill: &mut Fill) -> Outcome<Range<usize>> {
    WORKSPACE.with_borrow_mut(|Workspace { codec, times, .. }| {
        let range = columns.read_times(fill.column, request, times, codec)?;
        let Some(Slot { first, end, frame, facts }) = &mut fill.slot else { return Ok(range) };
        let frame = frame.as_mut().map(|(presence, seconds)| Frame { presence, seconds, divisor: request.divisor });
        facts[0] = fill_windows(&request.shape, &times[range.clone()], first, end, frame)?;
        facts[1] = f64::from(u8::from(rises_by_one(first) & rises_by_one(end)));
        Ok(range)
    })
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

impl SealedColumns<'_> {
    /// None where a series has several, or none.
    fn only_chunk(&self, series: u32) -> Outcome<Option<usize>> {
        let at = series as usize;
        let Some(&[from, to]) = self.chunk_offsets.get(at..at.saturating_add(2)) else {
            return Err(BadCall("there is no such series").into());
        };
        if to as usize > self.chunk_ends.len() || from > to {
            return Err(BadCall("a series has chunks that are not there").into());
        }
        Ok((to - from == 1).then_some(from as usize))
    }

    fn has_no_chunk(&self, series: u32) -> bool {
        self.chunk_offsets[series as usize] == self.chunk_offsets[series as usize + 1]
    }

    fn time_column(&self, chunk: usize) -> Outcome<usize> {
        match self.chunk_times.get(chunk) {
            Some(&column) if (column as usize) + 1 < self.time_offsets.len() => Ok(column as usize),
            _ => Err(BadCall("a chunk has no timestamps").into()),
        }
    }

    /// All timestamps of a column, and which of them are in the range.
    fn read_times(
        &self,
        column: usize,
        request: &SealedRequest,
        times: &mut Vec<f64>,
        codec: &mut Scratch,
    ) -> Outcome<Range<usize>> {
        let (offset, end) = (self.time_offsets[column] as usize, self.time_offsets[column + 1] as usize);
        let count = self.count_of(column)?;
        times.resize(times.len().max(count), 0.0);
        if decode_sealed_timestamps(self.times, offset, end, &mut times[..count], codec)? != count {
            return Err(BadCall("a column has fewer timestamps than it should").into());
        }
        let times = &times[..count];
        let from = times.partition_point(|&time| time < request.start_ms);
        let to = times.partition_point(|&time| time < request.end_ms);
        Ok(from..to.max(from))
    }

    fn count_of(&self, time_column: usize) -> Outcome<usize> {
        match self.time_counts.get(time_column) {
            Some(&count) if count as usize <= SAMPLES_PER_CHUNK_MAX => Ok(count as usize),
            _ => Err(BadCall("a timestamp column is too long").into()),
        }
    }

    /// Where a chunk's values lie.
    fn chunk_bytes(&self, chunk: usize) -> Outcome<(&[u8], usize, usize)> {
        let page = self.page_chunks.partition_point(|&first| first as usize <= chunk).wrapping_sub(1);
        let bytes = self.pages.get(page.wrapping_sub(self.page_start)).filter(|bytes| !bytes.is_empty());
        let (Some(bytes), Some(&first)) = (bytes, self.page_chunks.get(page)) else {
            return Err(BadCall("a page is not in memory").into());
        };
        let end_of = |chunk: usize| if chunk == 0 { 0 } else { self.chunk_ends[chunk - 1] as usize };
        let base = end_of(first as usize);
        Ok((bytes, end_of(chunk).wrapping_sub(base), end_of(chunk + 1).wrapping_sub(base)))
    }

    fn is_numbers(&self, chunk: usize) -> bool {
        self.numbers.get(chunk >> 3).is_some_and(|bits| bits & (1 << (chunk & 7)) != 0)
    }
}

/// What of the slots is only read from now on.
struct Slots<'a> {
    columns: &'a [u32],
    first: &'a [i32],
    end: &'a [i32],
    presence: &'a [u8],
    seconds: &'a [f64],
    facts: &'a [f64],
    steps: usize,
}

impl<'a> Slots<'a> {
    fn of(slots: &'a SealedSlots, steps: usize) -> Self {
        let SealedSlots { columns, first, end, presence, seconds, facts } = slots;
        Slots { columns, first, end, presence, seconds, facts, steps }
    }

    /// The windows of a timestamp column and which of its timestamps are in the range, if it has a slot.
    fn get(&self, column: usize, request: &SealedRequest) -> Option<(Windows<'a>, Range<usize>)> {
        let &[slot, from, to] = self.columns.get(1 + 3 * column..4 + 3 * column)? else { return None };
        if slot == NO_SLOT {
            return None;
        }
        let slot = (slot as usize).checked_sub(1)?;
        let steps = slot * self.steps..(slot + 1) * self.steps;
        let frame = request
            .function
            .has_frame()
            .then(|| (&self.presence[steps.clone()], &self.seconds[4 * steps.start..4 * steps.end]));
        let facts = (self.facts[2 * slot], self.facts[2 * slot + 1] == 1.0);
        let windows = windows_of(&self.first[steps.clone()], &self.end[steps], frame, facts, request.divisor);
        Some((windows, from as usize..to as usize))
    }
}

fn windows_of<'a>(
    first: &'a [i32],
    end: &'a [i32],
    frame: Option<(&'a [u8], &'a [f64])>,
    (reach_min, in_step): (f64, bool),
    divisor: f64,
) -> Windows<'a> {
    let steps = first.len();
    let (presence, seconds) = frame.unwrap_or((&[], &[]));
    let column = |i: usize| if seconds.is_empty() { seconds } else { &seconds[i * steps..(i + 1) * steps] };
    Windows {
        first,
        end,
        presence,
        sampled: column(0),
        to_start: column(1),
        to_end: column(2),
        factor: column(3),
        divisor,
        in_step,
        reach_min,
    }
}

impl OwnWindows {
    fn find(&mut self, request: &SealedRequest, times: &[f64]) -> Outcome<Windows<'_>> {
        let steps = request.shape.ends_ms.len();
        let framed = request.function.has_frame();
        self.first.resize(steps, 0);
        self.end.resize(steps, 0);
        self.presence.resize(steps, 0);
        self.seconds.resize(4 * steps, 0.0);
        let OwnWindows { first, end, presence, seconds } = self;
        let frame = framed.then(|| Frame { presence, seconds, divisor: request.divisor });
        fill_windows(&request.shape, times, first, end, frame)?;
        let frame = framed.then_some((presence.as_slice(), seconds.as_slice()));
        let reach_min = if framed { least_quotient(&seconds[..steps], &seconds[steps..2 * steps]) } else { 0.0 };
        let in_step = framed && rises_by_one(first) & rises_by_one(end);
        Ok(windows_of(first, end, frame, (reach_min, in_step), request.divisor))
    }
}

/// What all threads look at.
struct Folding<'a> {
    columns: &'a SealedColumns<'a>,
    request: &'a SealedRequest<'a>,
    series: &'a [u32],
    groups: &'a [u32],
    slots: Slots<'a>,
    steps: usize,
    /// Only where samples are is looked at, as long as no value is NaN.
    skips_values: bool,
}

impl Folding<'_> {
    /// Of some of the series, in the range.
    fn sample_count(&self, is_wanted: impl Fn(usize) -> bool) -> Outcome<u64> {
        let mut sample_count = 0;
        for (_, &one) in self.series.iter().enumerate().filter(|&(i, _)| is_wanted(i)) {
            let Some(chunk) = self.columns.only_chunk(one)? else { continue };
            let at = 1 + 3 * self.columns.time_column(chunk)?;
            sample_count += u64::from(self.slots.columns[at + 2].saturating_sub(self.slots.columns[at + 1]));
        }
        Ok(sample_count)
    }

    /// Parts of groups, each by a thread.
    fn by_parts(&self, parts: Vec<Part>, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
        let mut shares: Vec<_> =
            parts.into_iter().map(|part| (part.groups, vec![LEFT; self.series.len()], Ok(()))).collect();
        varve_pool::for_each(&mut shares, |(groups, found, outcome)| *outcome = self.by_groups(groups, cells, found));
        found[..self.series.len()].fill(LEFT);
        for (_, part, outcome) in shares {
            outcome?;
            found.iter_mut().zip(&part).for_each(|(all, &one)| *all = one.max(*all));
        }
        Ok(())
    }

    /// The series of some groups, each into its cells at once.
    fn by_groups(&self, groups: &Range<u32>, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
        WORKSPACE.with_borrow_mut(|workspace| {
            let mut values = std::mem::take(&mut workspace.values);
            let mut presence = std::mem::take(&mut workspace.presence);
            values.resize(self.steps, 0.0);
            presence.resize(self.steps, 0);
            let mut fold = || -> Outcome<()> {
                for i in 0..self.series.len() {
                    if !groups.contains(&self.groups[i]) {
                        continue;
                    }
                    found[i] = self.row(self.series[i], &mut values, &mut presence, workspace)?;
                    if found[i] == FOUND {
                        // SAFETY: parts do not share groups, so the cells of this one are this thread's.
                        unsafe { cells.add_row(self.groups[i] as usize, &(0..self.steps), &values, &presence) }?;
                    }
                }
                Ok(())
            };
            let outcome = fold();
            (workspace.values, workspace.presence) = (values, presence);
            outcome
        })
    }

    /// Rows of some series by all threads, then their steps into the cells by all threads; then the next.
    fn by_rows(&self, threads: usize, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
        let width = (ROW_CELLS / self.steps.max(1)).max(SERIES_PER_PART * threads);
        ROWS.with_borrow_mut(|(values, presence)| {
            let cell_count = width.min(self.series.len()) * self.steps;
            values.resize(values.len().max(cell_count), 0.0);
            presence.resize(presence.len().max(cell_count), 0);
            for from in (0..self.series.len()).step_by(width) {
                let to = self.series.len().min(from + width);
                self.compute_rows(from..to, SERIES_PER_PART, values, presence, &mut found[from..to])?;
                let part_count = (self.steps / STEPS_PER_PART).clamp(1, threads);
                let border = |part: usize| self.steps * part / part_count;
                let mut parts: Vec<_> = (0..part_count).map(|part| (border(part)..border(part + 1), Ok(()))).collect();
                varve_pool::for_each(&mut parts, |(steps, outcome)| {
                    *outcome = self.fold_rows(from..to, steps, values, presence, &found[from..to], cells);
                });
                for (_, outcome) in parts {
                    outcome?;
                }
            }
            Ok(())
        })
    }

    /// Those of `width` series at a time by a thread.
    fn compute_rows(
        &self,
        series: Range<usize>,
        width: usize,
        values: &mut [f64],
        presence: &mut [u8],
        found: &mut [u8],
    ) -> Outcome<()> {
        let width = width.max(1);
        let cells_per_part = (width * self.steps).max(1);
        let columns = values.chunks_mut(cells_per_part).zip(presence.chunks_mut(cells_per_part));
        let mut parts: Vec<_> = self.series[series]
            .chunks(width)
            .zip(columns)
            .zip(found.chunks_mut(width))
            .map(|((series, (values, presence)), found)| (series, values, presence, found, Ok(())))
            .collect();
        varve_pool::for_each(&mut parts, |(series, values, presence, found, outcome)| {
            *outcome = WORKSPACE.with_borrow_mut(|workspace| {
                for (i, &one) in series.iter().enumerate() {
                    let row = i * self.steps..(i + 1) * self.steps;
                    found[i] = self.row(one, &mut values[row.clone()], &mut presence[row], workspace)?;
                }
                Ok(())
            });
        });
        parts.into_iter().try_for_each(|(.., outcome)| outcome)
    }

    fn fold_rows(
        &self,
        series: Range<usize>,
        steps: &Range<usize>,
        values: &[f64],
        presence: &[u8],
        found: &[u8],
        cells: &SharedCells,
    ) -> Outcome<()> {
        for (i, &group) in self.groups[series].iter().enumerate() {
            if found[i] != FOUND {
                continue;
            }
            let row = i * self.steps + steps.start..i * self.steps + steps.end;
            // SAFETY: parts do not share steps, so these cells are this thread's.
            unsafe { cells.add_row(group as usize, steps, &values[row.clone()], &presence[row]) }?;
        }
        Ok(())
    }

    /// Computes one row: decodes the series' values in the range first.
    fn row(&self, series: u32, values: &mut [f64], presence: &mut [u8], workspace: &mut Workspace) -> Outcome<u8> {
        let Workspace { codec, times, column, zeros, working, own, .. } = workspace;
        let (columns, request) = (self.columns, self.request);
        let Some(chunk) = columns.only_chunk(series)? else {
            return Ok(if columns.has_no_chunk(series) { ABSENT } else { LEFT });
        };
        let time_column = columns.time_column(chunk)?;
        let (windows, range) = match self.slots.get(time_column, request) {
            Some(known) => known,
            None => {
                let range = columns.read_times(time_column, request, times, codec)?;
                (own.find(request, &times[range.clone()])?, range)
            }
        };
        if range.is_empty() {
            return Ok(ABSENT);
        }
        if self.skips_values && columns.is_numbers(chunk) {
            zeros.resize(zeros.len().max(range.len()), 0.0);
            return Ok(row(request.function, &zeros[..range.len()], &windows, values, presence, working));
        }
        let count = columns.count_of(time_column)?;
        column.resize(column.len().max(count), 0.0);
        let (bytes, offset, end) = columns.chunk_bytes(chunk)?;
        decode_sealed_part(bytes, offset, end, range.clone(), &mut column[..count], codec)?;
        let samples = &column[range.clone()];
        if matches!(request.function, Function::Deriv | Function::Predict) {
            columns.read_times(time_column, request, times, codec)?;
            let ended = samples[samples.len() - 1].to_bits() == STALE_BITS;
            let count = samples.len() - usize::from(ended);
            let lines =
                regression::Lines { values: &samples[..count], times_ms: &times[range][..count], windows: &windows };
            let ahead = (request.function == Function::Predict).then(|| request.arguments.split_at(self.steps));
            return Ok(lines.row(ahead, values, presence));
        }
        let before = &samples[..samples.len() - 1];
        if request.function == Function::Latest || samples[before.len()].to_bits() != STALE_BITS {
            return Ok(row(request.function, samples, &windows, values, presence, working));
        }
        // The marker that the series has ended with is no sample of a range.
        if windows.end.last().is_none_or(|&end| end as usize <= before.len()) {
            return Ok(row(request.function, before, &windows, values, presence, working));
        }
        columns.read_times(time_column, request, times, codec)?;
        let windows = own.find(request, &times[range.start..range.end - 1])?;
        Ok(row(request.function, before, &windows, values, presence, working))
    }
}
