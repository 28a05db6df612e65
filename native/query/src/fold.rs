//! Rows into groups: the twin of packages/promql/src/operators/accumulators.ts.

use std::marker::PhantomData;
use std::ops::Range;

use varve_lanes::wide;

use crate::over_time::two_sum_error;
use crate::BadCall;

/// What a group keeps of its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    /// a: sums, b: compensations, flags: seen.
    Sum,
    /// a: sums (means once the flag is set), b: compensations, c: counts, flags: the sum has overflowed.
    Avg,
    /// a: the best value, flags: seen.
    Min,
    Max,
    /// a: counts.
    Count,
    /// a: means, b: squares, c: counts.
    Variance,
}

impl Fold {
    /// By the number that TypeScript sends.
    pub fn from_code(code: u32) -> Option<Self> {
        use Fold::*;
        [Sum, Avg, Min, Max, Count, Variance].get(code as usize).copied()
    }
}

/// Cells by group and step: group g has `[g * steps, (g + 1) * steps)` of each column that the fold uses.
pub struct Cells<'a> {
    pub fold: Fold,
    pub a: &'a mut [f64],
    pub b: &'a mut [f64],
    pub c: &'a mut [f64],
    pub flags: &'a mut [u8],
}

impl Cells<'_> {
    /// What several threads fill at once, each its own part.
    pub(crate) fn shared(&mut self, steps: usize) -> SharedCells<'_> {
        let Cells { fold, a, b, c, flags } = self;
        let (a, b, c, flags) = (Shared::of(a), Shared::of(b), Shared::of(c), Shared::of(flags));
        SharedCells { fold: *fold, steps, a, b, c, flags }
    }
}

/// The same cells, for parts of groups and steps that do not overlap.
pub(crate) struct SharedCells<'a> {
    fold: Fold,
    steps: usize,
    a: Shared<'a, f64>,
    b: Shared<'a, f64>,
    c: Shared<'a, f64>,
    flags: Shared<'a, u8>,
}

impl SharedCells<'_> {
    /// Adds a row to the cells of `group` at `steps`. `presence` is 1 where the row has a value.
    ///
    /// # Safety
    /// Nobody else may add to any of these cells meanwhile.
    pub unsafe fn add_row(
        &self,
        group: usize,
        steps: &Range<usize>,
        values: &[f64],
        presence: &[u8],
    ) -> Result<(), BadCall> {
        let range = group * self.steps + steps.start..group * self.steps + steps.end;
        // SAFETY: that nobody else has these cells is the caller's promise; the columns themselves do not overlap.
        let (a, b, c, flags) =
            unsafe { (|| self.a.get(&range), || self.b.get(&range), || self.c.get(&range), || self.flags.get(&range)) };
        match self.fold {
            Fold::Count => count(a()?, presence),
            Fold::Sum => sum(a()?, b()?, flags()?, values, presence),
            Fold::Min => least(a()?, flags()?, values, presence),
            Fold::Max => greatest(a()?, flags()?, values, presence),
            Fold::Avg => avg(a()?, b()?, c()?, flags()?, values, presence),
            Fold::Variance => variance(a()?, b()?, c()?, values, presence),
        }
        Ok(())
    }
}

struct Shared<'a, T> {
    data: *mut T,
    length: usize,
    column: PhantomData<&'a mut [T]>,
}

impl<'a, T> Shared<'a, T> {
    fn of(column: &'a mut [T]) -> Self {
        Shared { data: column.as_mut_ptr(), length: column.len(), column: PhantomData }
    }

    /// # Safety
    /// No other reference to these elements may be alive.
    #[allow(clippy::mut_from_ref)]
    unsafe fn get(&self, range: &Range<usize>) -> Result<&mut [T], BadCall> {
        if range.start > range.end || range.end > self.length {
            return Err(BadCall("a group has no cells"));
        }
        // SAFETY: the range lies within the column, and is the caller's alone.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.data.add(range.start), range.end - range.start) })
    }
}

// SAFETY: `get` gives out elements, which may be sent to another thread, to one caller at a time.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

wide! {
    fn count(counts: &mut [f64], presence: &[u8]) {
        for (count, &present) in counts.iter_mut().zip(presence) {
            *count += present as f64;
        }
    }
}

/// Kahan's sum.
fn sum(sums: &mut [f64], compensations: &mut [f64], seen: &mut [u8], values: &[f64], presence: &[u8]) {
    if all_present(presence) {
        add_compensated(sums, compensations, values);
        seen.fill(1);
    } else {
        add_present(sums, compensations, seen, values, presence);
    }
}

wide! {
    /// Without a branch on what is found: it is mostly all of them.
    fn all_present(presence: &[u8]) -> bool {
        presence.iter().fold(1, |all, &present| all & present) == 1
    }
}

wide! {
    fn add_compensated(sums: &mut [f64], compensations: &mut [f64], values: &[f64]) {
        let steps = sums.len();
        let (compensations, values) = (&mut compensations[..steps], &values[..steps]);
        for s in 0..steps {
            let total = sums[s] + values[s];
            let error = two_sum_error(sums[s], values[s], total);
            let compensation = compensations[s] + error;
            compensations[s] = if error.is_nan() { 0.0 } else { compensation };
            sums[s] = total;
        }
    }
}

wide! {
    fn add_present(sums: &mut [f64], compensations: &mut [f64], seen: &mut [u8], values: &[f64], presence: &[u8]) {
        let steps = sums.len();
        let (compensations, seen) = (&mut compensations[..steps], &mut seen[..steps]);
        let (values, presence) = (&values[..steps], &presence[..steps]);
        for s in 0..steps {
            let present = presence[s] == 1;
            let total = sums[s] + values[s];
            let error = two_sum_error(sums[s], values[s], total);
            let compensation = if error.is_nan() { 0.0 } else { compensations[s] + error };
            compensations[s] = if present { compensation } else { compensations[s] };
            sums[s] = if present { total } else { sums[s] };
            seen[s] |= presence[s];
        }
    }
}

wide! {
    fn least(best: &mut [f64], seen: &mut [u8], values: &[f64], presence: &[u8]) {
        extreme(best, seen, values, presence, |x, y| x < y);
    }
}

wide! {
    fn greatest(best: &mut [f64], seen: &mut [u8], values: &[f64], presence: &[u8]) {
        extreme(best, seen, values, presence, |x, y| x > y);
    }
}

#[inline(always)]
fn extreme(best: &mut [f64], seen: &mut [u8], values: &[f64], presence: &[u8], better: impl Fn(f64, f64) -> bool) {
    let steps = best.len();
    let (seen, values, presence) = (&mut seen[..steps], &values[..steps], &presence[..steps]);
    for s in 0..steps {
        // NaN yields to any value.
        let yields = (seen[s] == 0) | better(values[s], best[s]) | best[s].is_nan();
        best[s] = if (presence[s] == 1) & yields { values[s] } else { best[s] };
        seen[s] |= presence[s];
    }
}

fn avg(
    sums: &mut [f64],
    compensations: &mut [f64],
    counts: &mut [f64],
    incremental: &mut [u8],
    values: &[f64],
    presence: &[u8],
) {
    if stays_finite(sums, counts, incremental, values, presence) {
        add_counted(sums, compensations, counts, values, presence);
        return;
    }
    for s in 0..sums.len() {
        if presence[s] == 0 {
            continue;
        }
        let value = values[s];
        counts[s] += 1.0;
        let count = counts[s];
        if count == 1.0 {
            sums[s] = value;
            continue;
        }
        if incremental[s] == 0 {
            let total = sums[s] + value;
            if total.abs() != f64::INFINITY {
                compensations[s] += two_sum_error(sums[s], value, total);
                sums[s] = total;
                continue;
            }
            // The sum would overflow: from here on, the mean so far.
            incremental[s] = 1;
            sums[s] /= count - 1.0;
            compensations[s] /= count - 1.0;
        }
        let weight = (count - 1.0) / count;
        let mean = weight * sums[s];
        let part = value / count;
        let total = mean + part;
        let error = two_sum_error(mean, part, total);
        compensations[s] = if total.abs() == f64::INFINITY { 0.0 } else { weight * compensations[s] + error };
        sums[s] = total;
    }
}

wide! {
    /// Whether no cell has overflowed, nor will by this row.
    fn stays_finite(sums: &[f64], counts: &[f64], incremental: &[u8], values: &[f64], presence: &[u8]) -> bool {
        let steps = sums.len();
        let (counts, incremental) = (&counts[..steps], &incremental[..steps]);
        let (values, presence) = (&values[..steps], &presence[..steps]);
        let mut overflows = false;
        for s in 0..steps {
            let is_infinite = (sums[s] + values[s]).abs() == f64::INFINITY;
            overflows |= (presence[s] == 1) & ((incremental[s] != 0) | ((counts[s] != 0.0) & is_infinite));
        }
        !overflows
    }
}

wide! {
    /// The mean as long as it is a sum: its first value as it is, others with their errors beside.
    fn add_counted(
        sums: &mut [f64], compensations: &mut [f64], counts: &mut [f64], values: &[f64], presence: &[u8],
    ) {
        let steps = sums.len();
        let (compensations, counts) = (&mut compensations[..steps], &mut counts[..steps]);
        let (values, presence) = (&values[..steps], &presence[..steps]);
        for s in 0..steps {
            let (is_present, is_first) = (presence[s] == 1, counts[s] == 0.0);
            let total = sums[s] + values[s];
            let compensation = compensations[s] + two_sum_error(sums[s], values[s], total);
            compensations[s] = if is_present & !is_first { compensation } else { compensations[s] };
            let sum = if is_first { values[s] } else { total };
            sums[s] = if is_present { sum } else { sums[s] };
            counts[s] += presence[s] as f64;
        }
    }
}

/// Welford's recurrence.
fn variance(means: &mut [f64], squares: &mut [f64], counts: &mut [f64], values: &[f64], presence: &[u8]) {
    for s in 0..means.len() {
        if presence[s] == 0 {
            continue;
        }
        let value = values[s];
        counts[s] += 1.0;
        if counts[s] == 1.0 {
            means[s] = value;
            squares[s] = if value.is_finite() { 0.0 } else { f64::NAN };
            continue;
        }
        let delta = value - means[s];
        means[s] += delta / counts[s];
        squares[s] += delta * (value - means[s]);
    }
}
