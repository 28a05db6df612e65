//! Series of a sealed block: their rows, and how threads share the work of folding them.

use std::cell::RefCell;
use std::ops::Range;

use varve_codec::sealed_values::decode_sealed_part;

use super::{Outcome, SealedColumns, SealedRequest, Slots, Workspace, WORKSPACE};
use crate::fold::SharedCells;
use crate::over_time::STALE_BITS;
use crate::parts::Part;
use crate::{regression, row, Function, ABSENT, FOUND, LEFT};

/// Cells of the rows that wait to be folded, half a megabyte.
const ROW_CELLS: usize = 64 * 1024;
/// A thread takes so many series at a time.
pub(super) const SERIES_PER_PART: usize = 16;
/// Steps that are worth folding by another thread.
const STEPS_PER_PART: usize = 32;

thread_local! {
    /// Rows between two threads' work: values and presence.
    static ROWS: RefCell<(Vec<f64>, Vec<u8>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// What all threads look at.
pub(super) struct Folding<'a> {
    pub(super) columns: &'a SealedColumns<'a>,
    pub(super) request: &'a SealedRequest<'a>,
    pub(super) series: &'a [u32],
    pub(super) groups: &'a [u32],
    pub(super) slots: Slots<'a>,
    pub(super) steps: usize,
    /// Only where samples are is looked at, as long as no value is NaN.
    pub(super) skips_values: bool,
}

impl Folding<'_> {
    /// Of some of the series, in the range.
    pub(super) fn sample_count(&self, is_wanted: impl Fn(usize) -> bool) -> Outcome<u64> {
        let mut sample_count = 0;
        for (_, &one) in self.series.iter().enumerate().filter(|&(i, _)| is_wanted(i)) {
            let Some(chunk) = self.columns.only_chunk(one)? else { continue };
            let at = 1 + 3 * self.columns.time_column(chunk)?;
            sample_count += u64::from(self.slots.columns[at + 2].saturating_sub(self.slots.columns[at + 1]));
        }
        Ok(sample_count)
    }

    /// Parts of groups, each by a thread.
    pub(super) fn by_parts(&self, parts: Vec<Part>, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
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
    pub(super) fn by_groups(&self, groups: &Range<u32>, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
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
    pub(super) fn by_rows(&self, threads: usize, cells: &SharedCells, found: &mut [u8]) -> Outcome<()> {
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
    pub(super) fn compute_rows(
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
