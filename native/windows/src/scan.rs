//! What series contribute to one window: the twin of packages/aggregator/src/windows/slice-scan.ts, operation by operation.

use crate::BadCall;

const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;
/// As `COUNTER_LOOKBACK_MS` of packages/aggregator/src/windows/series-scan.ts.
const COUNTER_LOOKBACK_MS: f64 = 86_400_000.0;

/// The samples of series i are `[offsets[i], offsets[i + 1])`, all of them in the window.
pub struct Samples<'a> {
    pub offsets: &'a [u32],
    pub times: &'a [f64],
    pub values: &'a [f64],
}

/// The last sample of each member before the window: `values_ms` is NaN where it is unknown.
pub struct States<'a> {
    pub values_ms: &'a mut [f64],
    pub values: &'a mut [f64],
    pub markers_ms: &'a mut [f64],
}

#[derive(Clone, Copy)]
pub struct Window {
    pub end_ms: f64,
    pub resolution_ms: f64,
    pub lookback_ms: f64,
}

/// One element a series. Where a count is 0 the other numbers stay as they are.
pub struct Found<'a> {
    pub counts: &'a mut [f64],
    pub sums: &'a mut [f64],
    pub mins: &'a mut [f64],
    pub maxs: &'a mut [f64],
    pub lasts: &'a mut [f64],
    pub last_times: &'a mut [f64],
    pub increases: &'a mut [f64],
    pub lives: &'a mut [u8],
    pub lived_before: &'a mut [u8],
}

/// Scans the samples of `members`, passing over those of `skips`, and moves their states on to the window's end.
pub fn scan_window(
    members: &[u32],
    skips: &[u8],
    samples: &Samples,
    window: Window,
    states: &mut States,
    found: &mut Found,
) -> Result<(), BadCall> {
    let count = members.len();
    let shortest = [
        skips.len(),
        samples.offsets.len().saturating_sub(1),
        found.counts.len(),
        found.sums.len(),
        found.mins.len(),
        found.maxs.len(),
        found.lasts.len(),
        found.last_times.len(),
        found.increases.len(),
        found.lives.len(),
        found.lived_before.len(),
    ];
    if shortest.into_iter().any(|length| length < count) {
        return Err(BadCall("a column is shorter than the members"));
    }
    let state_count = states.values_ms.len().min(states.values.len()).min(states.markers_ms.len());
    for i in 0..count {
        let member = members[i] as usize;
        if member >= state_count {
            return Err(BadCall("a member has no state"));
        }
        let range = samples.offsets[i] as usize..samples.offsets[i + 1] as usize;
        let (Some(times), Some(values)) = (samples.times.get(range.clone()), samples.values.get(range)) else {
            return Err(BadCall("samples end before a series does"));
        };
        found.counts[i] = 0.0;
        found.lives[i] = 0;
        found.lived_before[i] = 0;
        if skips[i] == 1 || states.values_ms[member].is_nan() {
            continue;
        }
        scan_series(i, member, times, values, window, states, found);
    }
    Ok(())
}

fn scan_series(
    i: usize,
    member: usize,
    times: &[f64],
    values: &[f64],
    window: Window,
    states: &mut States,
    found: &mut Found,
) {
    let Window { end_ms, resolution_ms, lookback_ms } = window;
    let start_ms = end_ms - resolution_ms;
    let mut value_ms = states.values_ms[member];
    let mut marker_ms = states.markers_ms[member];
    let before = states.values[member];
    let mut previous = before;
    let had_before = start_ms - value_ms <= COUNTER_LOOKBACK_MS;
    let age_ms = start_ms - value_ms;
    let lived_before = age_ms < resolution_ms || (age_ms < lookback_ms && value_ms > marker_ms);
    found.lived_before[i] = u8::from(lived_before);
    let mut count = 0u32;
    let (mut sum, mut rest) = (0.0f64, 0.0f64);
    let (mut min, mut max) = (f64::NAN, f64::NAN);
    let mut resets = 0.0;
    let mut first = 0.0;
    for (&time, &value) in times.iter().zip(values) {
        if value.to_bits() == STALE_BITS {
            marker_ms = time;
            continue;
        }
        if count == 0 {
            first = value;
        }
        if value < previous && (count > 0 || had_before) {
            resets += previous;
        }
        let next = sum + value;
        if sum.abs() >= value.abs() {
            rest += sum - next + value;
        } else {
            rest += value - next + sum;
        }
        sum = next;
        if value < min || min.is_nan() {
            min = value;
        }
        if value > max || max.is_nan() {
            max = value;
        }
        previous = value;
        value_ms = time;
        count += 1;
    }
    if count > 0 {
        found.counts[i] = f64::from(count);
        found.sums[i] = if sum.is_finite() { sum + rest } else { sum };
        found.mins[i] = min;
        found.maxs[i] = max;
        found.lasts[i] = previous;
        found.last_times[i] = value_ms;
        found.increases[i] = previous - (if had_before { before } else { first }) + resets;
        states.values_ms[member] = value_ms;
        states.values[member] = previous;
        found.lives[i] = 1;
    } else if value_ms > marker_ms && end_ms - value_ms < lookback_ms {
        found.lives[i] = 1;
    }
    states.markers_ms[member] = marker_ms;
}
