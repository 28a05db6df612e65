//! rate, increase and delta: the twin of packages/promql/src/functions/rate.ts.

use varve_lanes::wide;

use crate::has_nan;
use crate::windows::Windows;

/// The first and the last value of each window.
#[derive(Default)]
pub struct Ends {
    first: Vec<f64>,
    last: Vec<f64>,
}

impl Ends {
    fn find<'a>(&'a mut self, samples: &'a [f64], windows: &Windows) -> (&'a [f64], &'a [f64]) {
        let steps = windows.first.len();
        if let (true, [first, ..], [end, ..]) = (windows.in_step, windows.first, windows.end) {
            let (first, last) = (*first as usize, (*end as usize).wrapping_sub(1));
            if let (Some(firsts), Some(lasts)) =
                (samples.get(first..first.wrapping_add(steps)), samples.get(last..last.wrapping_add(steps)))
            {
                return (firsts, lasts);
            }
        }
        self.first.resize(steps, 0.0);
        self.last.resize(steps, 0.0);
        find_ends(samples, windows.first, windows.end, &mut self.first, &mut self.last);
        (&self.first, &self.last)
    }
}

/// Returns false for a series with NaN.
pub fn growth(
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    ends: &mut Ends,
    resets: &mut Vec<u32>,
) -> bool {
    if rises(samples) {
        presence.copy_from_slice(windows.presence);
        without_resets(samples, windows, values, ends);
        return true;
    }
    if has_nan(samples) {
        return false;
    }
    resets.clear();
    resets.extend((1..samples.len()).filter(|&i| samples[i] < samples[i - 1]).map(|i| i as u32));
    presence.copy_from_slice(windows.presence);
    with_resets(samples, windows, values, resets);
    true
}

pub fn delta(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8], ends: &mut Ends) -> bool {
    if has_nan(samples) {
        return false;
    }
    presence.copy_from_slice(windows.presence);
    let (first, last) = ends.find(samples, windows);
    scale_differences(first, last, windows.factor, values);
    true
}

wide! {
    /// No value is NaN or below the one before it. Without a branch: every sample comes by.
    fn rises(samples: &[f64]) -> bool {
        let later = &samples[1..];
        let earlier = &samples[..later.len()];
        let mut rising = !samples[0].is_nan();
        for i in 0..later.len() {
            rising &= later[i] >= earlier[i];
        }
        rising
    }
}

wide! {
    /// A window that has no result may lie anywhere: its ends are then any samples.
    pub fn find_ends(samples: &[f64], first: &[i32], end: &[i32], firsts: &mut [f64], lasts: &mut [f64]) {
        let steps = firsts.len();
        let (first, end, lasts) = (&first[..steps], &end[..steps], &mut lasts[..steps]);
        let top = samples.len() - 1;
        for step in 0..steps {
            firsts[step] = samples[(first[step] as u32 as usize).min(top)];
            lasts[step] = samples[(end[step] as u32 as usize).wrapping_sub(1).min(top)];
        }
    }
}

wide! {
    fn scale_differences(first: &[f64], last: &[f64], factor: &[f64], values: &mut [f64]) {
        let steps = values.len();
        let (first, last, factor) = (&first[..steps], &last[..steps], &factor[..steps]);
        for step in 0..steps {
            values[step] = (last[step] - first[step]) * factor[step];
        }
    }
}

wide! {
    /// Whether, at some step, a counter would have to be below 0 where the window begins.
    fn reaches_zero(first: &[f64], last: &[f64], sampled: &[f64], to_start: &[f64]) -> bool {
        let steps = first.len();
        let (last, sampled, to_start) = (&last[..steps], &sampled[..steps], &to_start[..steps]);
        let mut found = false;
        for step in 0..steps {
            let result = last[step] - first[step];
            found |= (result > 0.0)
                & (first[step] >= 0.0)
                & (sampled[step] * first[step] < to_start[step] * result);
        }
        found
    }
}

fn without_resets(samples: &[f64], windows: &Windows, values: &mut [f64], ends: &mut Ends) {
    let (first, last) = ends.find(samples, windows);
    scale_differences(first, last, windows.factor, values);
    // The growth of all samples is the most that a window can have. The rest is for what was rounded.
    let growth_max = (samples[samples.len() - 1] - samples[0]) * (1.0 + 1e-9);
    if samples[0] * windows.reach_min >= growth_max || !reaches_zero(first, last, windows.sampled, windows.to_start) {
        return;
    }
    // A counter is never below 0, so it cannot have grown from further left than there.
    for step in 0..values.len() {
        let (first, result) = (first[step], last[step] - first[step]);
        let sampled = windows.sampled[step];
        if result > 0.0 && first >= 0.0 && sampled * first < windows.to_start[step] * result {
            let to_zero = sampled * (first / result);
            values[step] = result * ((sampled + to_zero + windows.to_end[step]) / sampled / windows.divisor);
        }
    }
}

fn with_resets(samples: &[f64], windows: &Windows, values: &mut [f64], resets: &[u32]) {
    let mut low = 0;
    for step in 0..values.len() {
        let (from, to) = (windows.first[step] as u32, windows.end[step] as u32);
        if windows.presence[step] == 0 || from >= to || to as usize > samples.len() {
            continue;
        }
        let (first, last) = (samples[from as usize], samples[to as usize - 1]);
        let mut result = last - first;
        while low < resets.len() && resets[low] <= from {
            low += 1;
        }
        for &reset in resets[low..].iter().take_while(|&&reset| reset < to) {
            result += samples[reset as usize - 1];
        }
        let mut scale = windows.factor[step];
        if result > 0.0 && first >= 0.0 {
            let to_zero = windows.sampled[step] * (first / result);
            if to_zero < windows.to_start[step] {
                let sampled = windows.sampled[step];
                scale = (sampled + to_zero + windows.to_end[step]) / sampled / windows.divisor;
            }
        }
        values[step] = result * scale;
    }
}
