//! What series contribute to one window: the twin of packages/aggregator/src/windows/slice-scan.ts, operation by operation.

use varve_lanes::wide;

use crate::recent::RUN_STRIDE;
use crate::BadCall;

const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;
/// As `COUNTER_LOOKBACK_MS` of packages/aggregator/src/windows/series-scan.ts.
const COUNTER_LOOKBACK_MS: f64 = 86_400_000.0;
/// The bits of columns that members write: those of `COLUMNS` before `value` in packages/aggregator/src/windows/plan.ts.
const MEMBER_COLUMNS: u8 = 0x3f;
/// Series of a run that are scanned side by side: their sums stay in registers.
const LANES: usize = 8;

/// Runs of series with the same times, all of them in the window: see `RecentSamples` of packages/tsdb-core/src/shard.ts.
pub struct Samples<'a> {
    pub runs: &'a [u32],
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

/// The series of a slice, by place.
pub struct Slice<'a> {
    pub members: &'a [u32],
    pub skips: &'a [u8],
    /// By member: the columns that it keeps, as bits.
    pub columns: &'a [u8],
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
    /// The columns that the series writes.
    pub masks: &'a mut [u8],
}

/// What is to be looked at series by series.
#[derive(Default, Debug, PartialEq, Eq, Clone, Copy)]
pub struct Tallies {
    pub sample_count: u32,
    /// Series with samples whose state is not known.
    pub unknown_count: u32,
    /// Series that end in the window, and columns of which say so.
    pub ended_count: u32,
    pub written_count: u32,
}

/// Scans the samples of the slice's members, passing over those that it skips, and moves their states on to the window's end.
pub fn scan_window(
    slice: &Slice,
    samples: &Samples,
    window: Window,
    states: &mut States,
    found: &mut Found,
) -> Result<Tallies, BadCall> {
    let count = slice.members.len();
    let shortest = [
        slice.skips.len(),
        found.counts.len(),
        found.sums.len(),
        found.mins.len(),
        found.maxs.len(),
        found.lasts.len(),
        found.last_times.len(),
        found.increases.len(),
        found.lives.len(),
        found.lived_before.len(),
        found.masks.len(),
    ];
    if shortest.into_iter().any(|length| length < count) {
        return Err(BadCall("a column is shorter than the members"));
    }
    let known = states.values_ms.len().min(states.values.len()).min(states.markers_ms.len()).min(slice.columns.len());
    if slice.members.iter().any(|&member| member as usize >= known) {
        return Err(BadCall("a member has no state"));
    }
    let mut tallies = Tallies::default();
    let mut place = 0;
    for run in samples.runs.chunks_exact(RUN_STRIDE) {
        let [end, sample_count, times_at, values_at] = [run[0], run[1], run[2], run[3]].map(|number| number as usize);
        if end < place || end > count {
            return Err(BadCall("a run ends beside its slice"));
        }
        let width = end - place;
        let times = samples.times.get(times_at..times_at + sample_count);
        let values = samples.values.get(values_at..values_at + sample_count * width);
        let (Some(times), Some(values)) = (times, values) else {
            return Err(BadCall("samples end before a run does"));
        };
        scan_run(slice, place, width, times, values, window, states, found, &mut tallies);
        place = end;
    }
    if place != count {
        return Err(BadCall("the runs end before their slice"));
    }
    Ok(tallies)
}

wide! {
    fn scan_run(
        slice: &Slice<'_>,
        place: usize,
        width: usize,
        times: &[f64],
        values: &[f64],
        window: Window,
        states: &mut States<'_>,
        found: &mut Found<'_>,
        tallies: &mut Tallies,
    ) {
        let mut lane = 0;
        while lane < width {
            let is_wide = width - lane >= LANES
                && !times.is_empty()
                && scan_lanes(slice, place, lane, width, times, values, window, states, found, tallies);
            if is_wide {
                lane += LANES;
                continue;
            }
            for lane in lane..width.min(lane + LANES) {
                scan_series(slice, place + lane, lane, width, times, values, window, states, found, tallies);
            }
            lane += LANES;
        }
    }
}

/// Scans `LANES` series of a run at once. False: one of them is to be passed over, or has a value that is no number.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn scan_lanes(
    slice: &Slice,
    place: usize,
    lane: usize,
    width: usize,
    times: &[f64],
    values: &[f64],
    window: Window,
    states: &mut States,
    found: &mut Found,
    tallies: &mut Tallies,
) -> bool {
    let from = place + lane;
    let to = from + LANES;
    let mut members = [0usize; LANES];
    let mut skips = 0;
    for (l, member) in members.iter_mut().enumerate() {
        *member = slice.members[from + l] as usize;
        skips |= slice.skips[from + l];
    }
    let values_ms = members.map(|member| states.values_ms[member]);
    let before = members.map(|member| states.values[member]);
    let markers_ms = members.map(|member| states.markers_ms[member]);
    let mut all = skips == 0;
    for value_ms in values_ms {
        all &= !value_ms.is_nan();
    }
    for row in values.chunks_exact(width) {
        for value in &row[lane..lane + LANES] {
            all &= !value.is_nan();
        }
    }
    if !all {
        return false;
    }

    let Window { end_ms, resolution_ms, lookback_ms } = window;
    let start_ms = end_ms - resolution_ms;
    let ages_ms = values_ms.map(|value_ms| start_ms - value_ms);
    // No value is less than NaN: what was too long before is as if it were none.
    let mut previous = [f64::NAN; LANES];
    for l in 0..LANES {
        if ages_ms[l] <= COUNTER_LOOKBACK_MS {
            previous[l] = before[l];
        }
    }
    let mut first = [0.0; LANES];
    first.copy_from_slice(&values[lane..lane + LANES]);
    let (mut mins, mut maxs) = (first, first);
    let (mut sums, mut rests, mut resets) = ([0.0f64; LANES], [0.0f64; LANES], [0.0f64; LANES]);
    for row in values.chunks_exact(width) {
        let row = &row[lane..lane + LANES];
        for l in 0..LANES {
            let value = row[l];
            resets[l] += if value < previous[l] { previous[l] } else { 0.0 };
            let sum = sums[l];
            let next = sum + value;
            let is_larger = sum.abs() >= value.abs();
            let (large, small) = if is_larger { (sum, value) } else { (value, sum) };
            rests[l] += large - next + small;
            sums[l] = next;
            mins[l] = if value < mins[l] { value } else { mins[l] };
            maxs[l] = if value > maxs[l] { value } else { maxs[l] };
            previous[l] = value;
        }
    }

    let last_time = times[times.len() - 1];
    found.counts[from..to].fill(times.len() as f64);
    found.mins[from..to].copy_from_slice(&mins);
    found.maxs[from..to].copy_from_slice(&maxs);
    found.lasts[from..to].copy_from_slice(&previous);
    found.last_times[from..to].fill(last_time);
    found.lives[from..to].fill(1);
    for l in 0..LANES {
        let had_before = ages_ms[l] <= COUNTER_LOOKBACK_MS;
        let base = if had_before { before[l] } else { first[l] };
        found.increases[from + l] = previous[l] - base + resets[l];
        found.sums[from + l] = if sums[l].is_finite() { sums[l] + rests[l] } else { sums[l] };
        let is_alive = ages_ms[l] < resolution_ms || (ages_ms[l] < lookback_ms && values_ms[l] > markers_ms[l]);
        found.lived_before[from + l] = u8::from(is_alive);
    }
    for (l, member) in members.into_iter().enumerate() {
        states.values_ms[member] = last_time;
        states.values[member] = previous[l];
        let mask = slice.columns[member] & MEMBER_COLUMNS;
        found.masks[from + l] = mask;
        tallies.written_count += u32::from(mask != 0);
    }
    tallies.sample_count += (times.len() * LANES) as u32;
    true
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn scan_series(
    slice: &Slice,
    i: usize,
    lane: usize,
    width: usize,
    times: &[f64],
    values: &[f64],
    window: Window,
    states: &mut States,
    found: &mut Found,
    tallies: &mut Tallies,
) {
    let Window { end_ms, resolution_ms, lookback_ms } = window;
    let member = slice.members[i] as usize;
    let start_ms = end_ms - resolution_ms;
    let mut value_ms = states.values_ms[member];
    found.counts[i] = 0.0;
    found.lives[i] = 0;
    found.lived_before[i] = 0;
    found.masks[i] = 0;
    if slice.skips[i] == 1 {
        return;
    }
    tallies.sample_count += times.len() as u32;
    if value_ms.is_nan() {
        tallies.unknown_count += u32::from(!times.is_empty());
        return;
    }
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
    for (&time, row) in times.iter().zip(values.chunks_exact(width)) {
        let value = row[lane];
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
    let mut writes = count > 0;
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
    } else if lived_before {
        writes = true;
        tallies.ended_count += u32::from(slice.columns[member] & MEMBER_COLUMNS != 0);
    }
    states.markers_ms[member] = marker_ms;
    if writes {
        found.masks[i] = slice.columns[member] & MEMBER_COLUMNS;
        tallies.written_count += u32::from(found.masks[i] != 0);
    }
}
