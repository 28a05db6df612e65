//! The newest sample, and sum, avg, min, max, count and last over time: the twins of packages/promql/src/functions
//! (`sums-over-time.ts`, `extremes-over-time.ts`, `picks-over-time.ts`) and of `operators/select.ts`.

use std::ops::Range;

use varve_lanes::wide;

use crate::has_nan;
use crate::windows::Windows;

pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

pub fn latest(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8]) -> bool {
    for step in 0..values.len() {
        presence[step] = 0;
        let Some((_, to)) = windows.range(step, samples.len()) else { continue };
        let value = samples[to - 1];
        if value.to_bits() != STALE_BITS {
            values[step] = value;
            presence[step] = 1;
        }
    }
    true
}

pub fn lasts(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8]) -> bool {
    !has_nan(samples) && latest(samples, windows, values, presence)
}

pub fn counts(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8]) -> bool {
    if has_nan(samples) {
        return false;
    }
    for step in 0..values.len() {
        let range = windows.range(step, samples.len());
        presence[step] = range.is_some() as u8;
        values[step] = range.map_or(0.0, |(from, to)| (to - from) as f64);
    }
    true
}

/// Values of windows in tables: row k has the best of each 2^k samples in a row.
#[derive(Default)]
pub struct Bests {
    rows: Vec<Vec<f64>>,
}

pub fn least(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8], bests: &mut Bests) -> bool {
    extremes(samples, windows, values, presence, bests, least_of_pairs, |later, earlier| later <= earlier)
}

pub fn greatest(
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    bests: &mut Bests,
) -> bool {
    extremes(samples, windows, values, presence, bests, greatest_of_pairs, |later, earlier| later >= earlier)
}

/// Of equal values (0 and -0) the latest is taken, as TypeScript does. `wins` compares a later value with an earlier one.
#[inline(always)]
fn extremes(
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    bests: &mut Bests,
    best_of_pairs: impl Fn(&[f64], usize, &mut [f64]),
    wins: impl Fn(f64, f64) -> bool,
) -> bool {
    if has_nan(samples) {
        return false;
    }
    let (mut held, mut longest) = (0, 0);
    for step in 0..values.len() {
        let length = windows.range(step, samples.len()).map_or(0, |(from, to)| to - from);
        held += length;
        longest = longest.max(length);
    }
    // Windows that hardly overlap are looked through one by one.
    let row_count = if held <= 4 * samples.len() { 0 } else { longest.max(1).ilog2() as usize };
    let Bests { rows } = bests;
    if rows.len() < row_count {
        rows.resize(row_count, Vec::new());
    }
    for row in 0..row_count {
        let (lower, upper) = rows.split_at_mut(row);
        let lower = lower.last().map_or(samples, Vec::as_slice);
        let distance = 1 << row;
        upper[0].resize(lower.len() - distance, 0.0);
        best_of_pairs(lower, distance, &mut upper[0]);
    }
    for step in 0..values.len() {
        let Some((from, to)) = windows.range(step, samples.len()) else {
            presence[step] = 0;
            continue;
        };
        presence[step] = 1;
        let row = if row_count == 0 { 0 } else { (to - from).ilog2() as usize };
        values[step] = if row_count == 0 {
            samples[from + 1..to]
                .iter()
                .fold(samples[from], |best, &value| if wins(value, best) { value } else { best })
        } else {
            // Two runs of samples, which may overlap, make up the window.
            let column = if row == 0 { samples } else { rows[row - 1].as_slice() };
            let (earlier, later) = (column[from], column[to - (1 << row)]);
            if wins(later, earlier) {
                later
            } else {
                earlier
            }
        };
    }
    true
}

wide! {
    fn least_of_pairs(lower: &[f64], distance: usize, out: &mut [f64]) {
        let later = &lower[distance..];
        for ((best, &earlier), &later) in out.iter_mut().zip(lower).zip(later) {
            *best = if later <= earlier { later } else { earlier };
        }
    }
}

wide! {
    fn greatest_of_pairs(lower: &[f64], distance: usize, out: &mut [f64]) {
        let later = &lower[distance..];
        for ((best, &earlier), &later) in out.iter_mut().zip(lower).zip(later) {
            *best = if later >= earlier { later } else { earlier };
        }
    }
}

/// Windows are added up one by one while together they hold at most so many times the column's samples.
const OVERLAP_MIN: usize = 4;
/// A window's sum is trusted when it is at least this part of the magnitudes that went into the prefix sums: 2^-60.
const TRUSTED_PART: f64 = 1.0 / (1u64 << 60) as f64;

/// Sums of the samples before each one, in two doubles each.
#[derive(Default)]
pub struct Prefixes {
    high: Vec<f64>,
    low: Vec<f64>,
    magnitude: Vec<f64>,
    not_finite: Vec<u32>,
    not_zero: Vec<u32>,
}

pub fn sums(
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    prefixes: &mut Prefixes,
    mean: bool,
) -> bool {
    if has_nan(samples) {
        return false;
    }
    let steps = values.len();
    if let Some(range) = copy_one_each(samples, windows, values, presence) {
        divide_sums(&mut values[range], windows.divisor);
        return true;
    }
    let held = windows.end.iter().zip(windows.first).map(|(&to, &from)| i64::from(to) - i64::from(from));
    let prefixed = held.map(|count| count.max(0)).sum::<i64>() > (samples.len() * OVERLAP_MIN) as i64;
    if prefixed {
        prefixes.fill(samples);
    }
    for step in 0..steps {
        let Some((from, to)) = windows.range(step, samples.len()) else {
            presence[step] = 0;
            continue;
        };
        presence[step] = 1;
        let difference = if prefixed { prefixes.difference(from, to) } else { None };
        let result = match difference {
            Some(sum) if mean => sum / (to - from) as f64,
            Some(sum) => sum,
            None if mean => mean_of(&samples[from..to]),
            None => sum_of(&samples[from..to]),
        };
        values[step] = result / windows.divisor;
    }
    true
}

/// The steps whose windows hold one sample each, one after the other, as those of downsampled columns mostly do, if no step
/// before or behind them has any.
fn one_sample_each(windows: &Windows, count: usize) -> Option<Range<usize>> {
    let (first, end) = (windows.first, windows.end);
    let from = (0..first.len()).find(|&step| end[step] > first[step])?;
    let to = 1 + (from..first.len()).rfind(|&step| end[step] > first[step])?;
    let range = from..to;
    let start = first[from];
    let last = i64::from(start) + range.len() as i64;
    (last <= count as i64 && are_consecutive(&first[range.clone()], &end[range.clone()], start)).then_some(range)
}

wide! {
    fn are_consecutive(first: &[i32], end: &[i32], start: i32) -> bool {
        let end = &end[..first.len()];
        let mut differ = 0;
        for i in 0..first.len() {
            let wanted = start.wrapping_add(i as i32);
            differ |= (first[i] ^ wanted) | (end[i] ^ wanted.wrapping_add(1));
        }
        differ == 0
    }
}

/// Takes the sample of each window where each holds one, and says in which steps; none where they do not.
fn copy_one_each(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8]) -> Option<Range<usize>> {
    let range = one_sample_each(windows, samples.len())?;
    let from = windows.first[range.start] as usize;
    values[range.clone()].copy_from_slice(&samples[from..from + range.len()]);
    presence[..range.start].fill(0);
    presence[range.clone()].fill(1);
    presence[range.end..].fill(0);
    Some(range)
}

wide! {
    /// A sum begins at 0, which is not -0; so does that of a mean.
    fn divide_sums(sums: &mut [f64], divisor: f64) {
        for sum in sums {
            *sum = (0.0 + *sum) / divisor;
        }
    }
}

impl Prefixes {
    fn fill(&mut self, samples: &[f64]) {
        let Prefixes { high, low, magnitude, not_finite, not_zero } = self;
        for column in [&mut *high, &mut *low, &mut *magnitude] {
            column.clear();
            column.push(0.0);
        }
        for column in [&mut *not_finite, &mut *not_zero] {
            column.clear();
            column.push(0);
        }
        let (mut sum_high, mut sum_low, mut sum_magnitude, mut bad, mut some) = (0.0, 0.0, 0.0, 0, 0);
        for &value in samples {
            if value.is_finite() {
                let total = sum_high + value;
                sum_low += two_sum_error(sum_high, value, total);
                // Renormalised, so that the low part stays below the high part's last bit.
                sum_high = total + sum_low;
                sum_low += total - sum_high;
                sum_magnitude += value.abs();
            } else {
                bad += 1;
            }
            some += u32::from(value != 0.0);
            high.push(sum_high);
            low.push(sum_low);
            magnitude.push(sum_magnitude);
            not_finite.push(bad);
            not_zero.push(some);
        }
    }

    /// The sum of a window, or none where it has to be added up.
    fn difference(&self, from: usize, to: usize) -> Option<f64> {
        if self.not_finite[to] != self.not_finite[from] {
            return None;
        }
        let difference = self.high[to] - self.high[from];
        let error = two_sum_error(self.high[to], -self.high[from], difference);
        let sum = difference + (error + (self.low[to] - self.low[from]));
        if sum.abs() > self.magnitude[to] * TRUSTED_PART {
            Some(sum)
        } else if self.not_zero[to] == self.not_zero[from] {
            // Counted, since a magnitude stays as it is when much smaller ones are added to it.
            Some(0.0)
        } else {
            None
        }
    }
}

/// Exactly `a + b - total` for `total = a + b`, if it did not overflow.
#[inline(always)]
pub fn two_sum_error(a: f64, b: f64, total: f64) -> f64 {
    let part = total - a;
    a - (total - part) + (b - part)
}

fn sum_of(samples: &[f64]) -> f64 {
    let (mut sum, mut compensation) = (0.0f64, 0.0);
    for &value in samples {
        let total = sum + value;
        let error = two_sum_error(sum, value, total);
        compensation = if error.is_nan() { 0.0 } else { compensation + error };
        sum = total;
    }
    if sum.is_finite() {
        sum + compensation
    } else {
        sum
    }
}

/// The compensated sum over the count; where the sum would overflow, it goes on with the mean so far.
fn mean_of(samples: &[f64]) -> f64 {
    let (mut sum, mut compensation, mut mean, mut incremental) = (samples[0], 0.0, 0.0, false);
    for (i, &value) in samples.iter().enumerate().skip(1) {
        let count = (i + 1) as f64;
        if !incremental {
            let total: f64 = sum + value;
            if total.abs() != f64::INFINITY {
                compensation += two_sum_error(sum, value, total);
                sum = total;
                continue;
            }
            incremental = true;
            mean = sum / (count - 1.0);
            compensation /= count - 1.0;
        }
        let weight = (count - 1.0) / count;
        let scaled = weight * mean;
        let part = value / count;
        let total: f64 = scaled + part;
        let error = two_sum_error(scaled, part, total);
        compensation = if total.abs() == f64::INFINITY { 0.0 } else { weight * compensation + error };
        mean = total;
    }
    let count = samples.len() as f64;
    if incremental {
        mean + compensation
    } else {
        sum / count + compensation / count
    }
}
