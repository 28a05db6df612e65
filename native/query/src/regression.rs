//! deriv and predict_linear where windows hardly overlap: the twin of `fitLine` in packages/promql/src/functions/regression.ts.

use crate::over_time::two_sum_error;
use crate::windows::Windows;
use crate::{has_nan, EMPTY, FOUND, LEFT};

/// Windows that together hold more than so many times the samples are left to running sums, which are the caller's.
const OVERLAP_MIN: usize = 4;

/// One series, without a marker at its end; the windows may reach one sample further.
pub struct Lines<'a> {
    pub values: &'a [f64],
    pub times_ms: &'a [f64],
    pub windows: &'a Windows<'a>,
}

impl Lines<'_> {
    /// `ahead`: how many seconds, and from when, by step; without it the slope is computed.
    pub fn row(&self, ahead: Option<(&[f64], &[f64])>, values: &mut [f64], presence: &mut [u8]) -> u8 {
        presence.fill(0);
        if self.values.is_empty() {
            return EMPTY;
        }
        let count = self.values.len();
        let held: usize = (0..values.len()).map(|step| self.range(step).map_or(0, |(from, to)| to - from)).sum();
        if held > OVERLAP_MIN * count || has_nan(self.values) {
            return LEFT;
        }
        let mut found = EMPTY;
        for step in 0..values.len() {
            let Some((from, to)) = self.range(step).filter(|(from, to)| to - from > 1) else { continue };
            values[step] = match ahead {
                Some((seconds, start_ms)) => {
                    let (slope, intercept) = self.fit(from, to, start_ms[step]);
                    slope * seconds[step] + intercept
                }
                None => self.fit(from, to, self.times_ms[from]).0,
            };
            presence[step] = 1;
            found = FOUND;
        }
        found
    }

    fn range(&self, step: usize) -> Option<(usize, usize)> {
        let (from, to) = (self.windows.first[step] as usize, self.windows.end[step] as usize);
        let to = to.min(self.values.len());
        (from < to).then_some((from, to))
    }

    /// The slope a second, and the value at the intercept time.
    fn fit(&self, from: usize, to: usize, intercept_ms: f64) -> (f64, f64) {
        let (values, times_ms) = (&self.values[from..to], &self.times_ms[from..to]);
        let first = values[0];
        let (mut x, mut y, mut xy, mut xx) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
        let mut constant = true;
        for (&value, &time_ms) in values.iter().zip(times_ms) {
            constant &= value == first;
            let at = (time_ms - intercept_ms) / 1000.0;
            x.add(at);
            y.add_bounded(value);
            xy.add_bounded(at * value);
            xx.add(at * at);
        }
        if constant {
            return if first.abs() == f64::INFINITY { (f64::NAN, f64::NAN) } else { (0.0, first) };
        }
        let count = values.len() as f64;
        let (x, y, xy, xx) = (x.sum + x.error, y.sum + y.error, xy.sum + xy.error, xx.sum + xx.error);
        let covariance = xy - (x * y) / count;
        let variance = xx - (x * x) / count;
        let slope = covariance / variance;
        (slope, y / count - (slope * x) / count)
    }
}

#[derive(Default)]
struct Sum {
    sum: f64,
    error: f64,
}

impl Sum {
    #[inline(always)]
    fn add(&mut self, value: f64) {
        let total = self.sum + value;
        self.error += two_sum_error(self.sum, value, total);
        self.sum = total;
    }

    /// A sum that has overflowed has no error.
    #[inline(always)]
    fn add_bounded(&mut self, value: f64) {
        let total = self.sum + value;
        let error = self.error + two_sum_error(self.sum, value, total);
        self.error = if total.abs() == f64::INFINITY { 0.0 } else { error };
        self.sum = total;
    }
}
