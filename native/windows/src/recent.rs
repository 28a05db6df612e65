//! The newest samples of series out of one page of raw rows: the twin of packages/tsdb-core/src/head/recent-samples.ts.

use crate::BadCall;

/// Slots of one page, and samples of a row: those of packages/tsdb-core/src/head/row-slab.ts.
const SLOTS_PER_PAGE: usize = 64;
const ROW_SAMPLES: usize = 48;
const PAGE_SAMPLES: usize = SLOTS_PER_PAGE * ROW_SAMPLES;

/// Sample i of lane l stands at `i * 64 + l`.
pub struct RowPage<'a> {
    pub offsets: &'a [u32],
    pub values: &'a [f64],
}

/// One series' row: its lane in the page, how many samples it has, and whether a full row of it was compressed before.
#[derive(Clone, Copy)]
pub struct Row {
    pub lane: usize,
    pub count: usize,
    pub has_chunk: bool,
}

/// Where samples go; the first `length` are taken.
pub struct Recent<'a> {
    pub times: &'a mut [f64],
    pub values: &'a mut [f64],
    pub length: usize,
}

/// Adds the row's samples with offsets in `[start, end)`. False: some of them may stand elsewhere, and nothing is added.
pub fn read_row(
    page: &RowPage,
    row: Row,
    start: u32,
    end: u32,
    base_ms: f64,
    out: &mut Recent,
) -> Result<bool, BadCall> {
    if page.offsets.len() < PAGE_SAMPLES || page.values.len() < PAGE_SAMPLES {
        return Err(BadCall("a page is too short"));
    }
    let Row { lane, count, has_chunk } = row;
    if lane >= SLOTS_PER_PAGE || count > ROW_SAMPLES {
        return Err(BadCall("a row is none of its page"));
    }
    let offset_at = |i: usize| page.offsets[i * SLOTS_PER_PAGE + lane];
    let mut last = count;
    while last > 0 && offset_at(last - 1) >= end {
        last -= 1;
    }
    let mut first = last;
    while first > 0 && offset_at(first - 1) >= start {
        first -= 1;
    }
    // Samples of the last chunk stand in the places behind the row until newer ones take them.
    let mut kept = ROW_SAMPLES;
    if first == 0 && has_chunk {
        while kept > count && offset_at(kept - 1) >= start {
            kept -= 1;
        }
        if kept == count {
            return Ok(false);
        }
    }
    let old = kept..ROW_SAMPLES;
    let old = old.take_while(|&i| offset_at(i) < end);
    for i in old.chain(first..last) {
        let (Some(time), Some(value)) = (out.times.get_mut(out.length), out.values.get_mut(out.length)) else {
            return Err(BadCall("no room for samples"));
        };
        *time = base_ms + f64::from(offset_at(i));
        *value = page.values[i * SLOTS_PER_PAGE + lane];
        out.length += 1;
    }
    Ok(true)
}

/// Reads rows one after the other and notes in `ends[i]` where the samples of row i end. Returns how many were read: the next
/// one, if there is one, is left to the caller.
pub fn read_rows(
    page: &RowPage,
    rows: impl Iterator<Item = Row>,
    (start, end): (u32, u32),
    base_ms: f64,
    out: &mut Recent,
    ends: &mut [u32],
) -> Result<usize, BadCall> {
    let mut read = 0;
    for (row, end_at) in rows.zip(ends) {
        if !read_row(page, row, start, end, base_ms, out)? {
            break;
        }
        *end_at = out.length as u32;
        read += 1;
    }
    Ok(read)
}
