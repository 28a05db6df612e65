//! The newest samples of series out of raw rows: the twin of packages/tsdb-core/src/head/recent-samples.ts.

use crate::BadCall;

/// Slots of one page, and samples of a row: those of packages/tsdb-core/src/head/row-slab.ts.
const SLOTS_PER_PAGE: usize = 64;
const ROW_SAMPLES: usize = 48;
const PAGE_SAMPLES: usize = SLOTS_PER_PAGE * ROW_SAMPLES;
/// No slot, and no chunk.
const NONE: u32 = 0xffff_ffff;
/// Numbers of a run: the place behind its series, how many samples each has, where its times and its values begin.
pub const RUN_STRIDE: usize = 4;

/// Sample i of lane l stands at `i * 64 + l`.
pub struct RowPage<'a> {
    pub offsets: &'a [u32],
    pub values: &'a [f64],
}

/// The rows of the series: the pages are those of the slots, each named once where a series is of another than the one before.
pub struct Rows<'a> {
    pub slots: &'a [u32],
    pub pages: &'a [RowPage<'a>],
    /// By slot: how many samples its row has, and its last chunk.
    pub counts: &'a [u8],
    pub last_chunks: &'a [u32],
}

/// What is wanted: offsets in `[start, end)`; times are told from `base_ms` on.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub start: u32,
    pub end: u32,
    pub base_ms: f64,
}

/// Where samples go, and how far that is done.
pub struct Recent<'a> {
    pub runs: &'a mut [u32],
    pub times: &'a mut [f64],
    pub values: &'a mut [f64],
    pub progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub run_count: usize,
    pub times_length: usize,
    pub values_length: usize,
    /// Pages that were begun, and the number of the last one.
    pub page_count: usize,
    pub page: u32,
}

/// Adds series from place `from` on and returns the place behind the last one: that of a series whose samples may stand elsewhere
/// too, if there is one.
pub fn read_rows(rows: &Rows, from: usize, wanted: Wanted, out: &mut Recent) -> Result<usize, BadCall> {
    if rows.pages.iter().any(|page| page.offsets.len() < PAGE_SAMPLES || page.values.len() < PAGE_SAMPLES) {
        return Err(BadCall("a page is too short"));
    }
    let known = rows.counts.len().min(rows.last_chunks.len());
    let mut place = from;
    while place < rows.slots.len() {
        let slot = rows.slots[place];
        if slot == NONE {
            push_run(out, place + 1, 0, (0, 0))?;
            place += 1;
            continue;
        }
        if slot as usize >= known {
            return Err(BadCall("a slot has no row"));
        }
        let page_number = slot / SLOTS_PER_PAGE as u32;
        if out.progress.page_count == 0 || out.progress.page != page_number {
            out.progress.page = page_number;
            out.progress.page_count += 1;
        }
        let Some(page) = rows.pages.get(out.progress.page_count - 1) else {
            return Err(BadCall("there are fewer pages than slots are of"));
        };
        let lane = slot as usize % SLOTS_PER_PAGE;
        let lanes_max = (SLOTS_PER_PAGE - lane).min(known - slot as usize);
        let width = rows.slots[place..]
            .iter()
            .zip(slot..)
            .take(lanes_max)
            .take_while(|&(&next, wanted)| next == wanted)
            .count();
        match read_lanes(page, rows, slot as usize, width, wanted, out)? {
            None => return Ok(place),
            Some((width, sample_count, starts)) => {
                place += width;
                push_run(out, place, sample_count, starts)?;
            }
        }
    }
    Ok(place)
}

/// Adds the samples of the slot and of those behind it, up to `width`, that have the same times. Returns how many series these
/// are, their samples, and where they went; None: samples of the slot may stand elsewhere, and nothing is added.
#[allow(clippy::type_complexity)]
fn read_lanes(
    page: &RowPage,
    rows: &Rows,
    slot: usize,
    width: usize,
    wanted: Wanted,
    out: &mut Recent,
) -> Result<Option<(usize, usize, (usize, usize))>, BadCall> {
    let Wanted { start, end, base_ms } = wanted;
    let lane = slot % SLOTS_PER_PAGE;
    let count = usize::from(rows.counts[slot]);
    if count > ROW_SAMPLES {
        return Err(BadCall("a row is longer than its page"));
    }
    let mut width = same(&rows.counts[slot..slot + width], |other| usize::from(other) == count);
    let row = |i: usize, width: usize| &page.offsets[i * SLOTS_PER_PAGE + lane..i * SLOTS_PER_PAGE + lane + width];
    let mut last = count;
    while last > 0 && row(last - 1, 1)[0] >= end {
        last -= 1;
    }
    let mut first = last;
    while first > 0 && row(first - 1, 1)[0] >= start {
        first -= 1;
    }
    if last < count {
        width = same(row(last, width), |offset| offset >= end);
    }
    let mut picked = [0usize; ROW_SAMPLES];
    let mut sample_count = 0;
    if first > 0 {
        width = same(row(first - 1, width), |offset| offset < start);
    } else {
        let has_chunk = rows.last_chunks[slot] != NONE;
        width = same(&rows.last_chunks[slot..slot + width], |chunk| (chunk != NONE) == has_chunk);
        if has_chunk {
            // Samples of the last chunk stand in the places behind the row until newer ones take them.
            let mut kept = ROW_SAMPLES;
            while kept > count && row(kept - 1, 1)[0] >= start {
                kept -= 1;
            }
            if kept == count {
                return Ok(None);
            }
            width = same(row(kept - 1, width), |offset| offset < start);
            while kept < ROW_SAMPLES && row(kept, 1)[0] < end {
                picked[sample_count] = kept;
                sample_count += 1;
                kept += 1;
            }
            if kept < ROW_SAMPLES {
                width = same(row(kept, width), |offset| offset >= end);
            }
        }
    }
    for i in first..last {
        picked[sample_count] = i;
        sample_count += 1;
    }
    let picked = &picked[..sample_count];
    for &i in picked {
        let offset = row(i, 1)[0];
        width = same(row(i, width), |other| other == offset);
    }
    let starts = (out.progress.times_length, out.progress.values_length);
    let times = out.times.get_mut(starts.0..starts.0 + sample_count);
    let values = out.values.get_mut(starts.1..starts.1 + sample_count * width);
    let (Some(times), Some(values)) = (times, values) else { return Err(BadCall("no room for samples")) };
    for ((&i, time), to) in picked.iter().zip(times).zip(values.chunks_exact_mut(width)) {
        *time = base_ms + f64::from(row(i, 1)[0]);
        let at = i * SLOTS_PER_PAGE + lane;
        to.copy_from_slice(&page.values[at..at + width]);
    }
    out.progress.times_length += sample_count;
    out.progress.values_length += sample_count * width;
    Ok(Some((width, sample_count, starts)))
}

/// How many of the first ones are as wanted, at least one: it is its own measure.
fn same<T: Copy>(row: &[T], is_wanted: impl Fn(T) -> bool) -> usize {
    // Mostly all are: that is seen without a branch for each.
    if row.iter().fold(true, |all, &value| all & is_wanted(value)) {
        return row.len();
    }
    row.iter().take_while(|&&value| is_wanted(value)).count().max(1)
}

/// Series without samples need no run of their own.
fn push_run(out: &mut Recent, end: usize, sample_count: usize, starts: (usize, usize)) -> Result<(), BadCall> {
    let Recent { runs, progress, .. } = out;
    let mut at = progress.run_count * RUN_STRIDE;
    if sample_count == 0 && at > 0 && runs[at - RUN_STRIDE + 1] == 0 {
        at -= RUN_STRIDE;
    } else {
        progress.run_count += 1;
    }
    let Some(run) = runs.get_mut(at..at + RUN_STRIDE) else { return Err(BadCall("no room for runs")) };
    let starts = if sample_count == 0 { (0, 0) } else { starts };
    run.copy_from_slice(&[end as u32, sample_count as u32, starts.0 as u32, starts.1 as u32]);
    Ok(())
}
