//! rate, increase and delta: the twin of packages/promql/src/functions/rate.ts.

use crate::has_nan;
use crate::windows::Windows;

/// Returns false for a series with NaN.
pub fn growth(
    samples: &[f64],
    windows: &Windows,
    values: &mut [f64],
    presence: &mut [u8],
    resets: &mut Vec<u32>,
) -> bool {
    if rises(samples) {
        presence.copy_from_slice(windows.presence);
        without_resets(samples, windows, values);
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

pub fn delta(samples: &[f64], windows: &Windows, values: &mut [f64], presence: &mut [u8]) -> bool {
    if has_nan(samples) {
        return false;
    }
    presence.copy_from_slice(windows.presence);
    for step in 0..values.len() {
        if let Some((first, last)) = ends(samples, windows, step) {
            values[step] = (last - first) * windows.factor[step];
        }
    }
    true
}

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

/// The first and the last value of a window that has a result.
#[inline(always)]
fn ends(samples: &[f64], windows: &Windows, step: usize) -> Option<(f64, f64)> {
    if windows.presence[step] == 0 {
        return None;
    }
    let (first, last) = (windows.first[step] as usize, (windows.end[step] as usize).wrapping_sub(1));
    Some((*samples.get(first)?, *samples.get(last)?))
}

fn without_resets(samples: &[f64], windows: &Windows, values: &mut [f64]) {
    let steps = values.len();
    let (sampled, to_start) = (&windows.sampled[..steps], &windows.to_start[..steps]);
    for step in 0..steps {
        let Some((first, last)) = ends(samples, windows, step) else { continue };
        let result = last - first;
        values[step] = result * windows.factor[step];
        // A counter is never below 0, so it cannot have grown from further left than there.
        if result > 0.0 && first >= 0.0 && sampled[step] * first < to_start[step] * result {
            let to_zero = sampled[step] * (first / result);
            values[step] =
                result * ((sampled[step] + to_zero + windows.to_end[step]) / sampled[step] / windows.divisor);
        }
    }
}

fn with_resets(samples: &[f64], windows: &Windows, values: &mut [f64], resets: &[u32]) {
    let mut low = 0;
    for step in 0..values.len() {
        let Some((first, last)) = ends(samples, windows, step) else { continue };
        let (from, to) = (windows.first[step] as u32, windows.end[step] as u32);
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
