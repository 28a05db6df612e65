//! Remote write 1.0: the twin of packages/coordinator/src/ingest/scan-write-v1.ts, where the message is drawn.

use crate::columns::{
    status, Columns, Limits, EXTRA_EXEMPLAR, EXTRA_HISTOGRAM, EXTRA_METADATA, EXTRA_STRIDE, UNKNOWN_STRIDE,
};
use crate::fault::{self, Fault};
use crate::label_cache::Cache;
use crate::protobuf::{skip, span, tag, varint};
use crate::sample;

pub fn scan(
    scratch: &mut [u8],
    size: usize,
    cache: &mut Cache,
    columns: &mut Columns,
    limits: &Limits,
) -> Result<(), Fault> {
    let sample_count_max = columns.sample_count_max(limits);
    let series_count_max = columns.series_count_max(limits);
    let extra_count_max = columns.extra_count_max(limits);
    let mut rows = 0;
    let mut unknown_count = 0;
    let mut extra_count = 0;
    let mut series_count = 0;
    let mut tail = size;
    let mut first_labels = (0, 0);
    let mut previous = (cache.last_entry as usize).checked_sub(1);
    let mut at = 0;

    while at < size {
        let field_at = at;
        let (outer_tag, next) = tag(scratch, at, size)?;
        let field = outer_tag >> 3;
        if field != 1 && field != 3 {
            at = skip(scratch, next, size, outer_tag, field_at)?;
            continue;
        }
        if outer_tag & 7 != 2 {
            return fault::at(fault::WIRE_TYPE, field_at);
        }
        let (message_at, end) = span(scratch, next, size, field_at)?;
        at = message_at;
        if field == 3 {
            if extra_count == extra_count_max {
                return fault::at(fault::TOO_MANY_EXTRAS, field_at);
            }
            columns.extras[extra_count * EXTRA_STRIDE..][..EXTRA_STRIDE].copy_from_slice(&[
                EXTRA_METADATA,
                at as u32,
                (end - at) as u32,
                0,
                0,
                0,
            ]);
            extra_count += 1;
            at = end;
            continue;
        }

        // One series. Its label bytes are labels.0..labels.1.
        if series_count == series_count_max {
            return fault::at(fault::TOO_MANY_SERIES, field_at);
        }
        series_count += 1;
        let mut entry = cache.predicted(previous).filter(|&predicted| {
            let to = at + cache.length_of(predicted);
            to <= end && (to == end || scratch[to] != 0x0a) && scratch[at..to] == *cache.bytes_of(predicted)
        });
        match entry {
            Some(predicted) => {
                at += cache.length_of(predicted);
                if rows < sample_count_max {
                    if let Some((value_bits, timestamp_ms)) = sample::ordinary(scratch, at, end) {
                        columns.series_refs[rows] = cache.ref_of(predicted);
                        columns.timestamps_ms[rows] = timestamp_ms;
                        columns.values[rows] = f64::from_bits(value_bits);
                        rows += 1;
                        if series_count == 1 {
                            first_labels = (message_at, at - message_at);
                        }
                        previous = entry;
                        at = end;
                        continue;
                    }
                }
            }
            None => {
                while at < end && scratch[at] == 0x0a {
                    at = span(scratch, at + 1, end, at)?.1;
                }
            }
        }
        let mut labels = (message_at, at);
        let first_row = rows;
        let first_extra = extra_count;
        let mut scattered = false;
        while at < end {
            let inner_at = at;
            let (inner_tag, next) = tag(scratch, at, end)?;
            let inner_field = inner_tag >> 3;
            if inner_field > 4 {
                at = skip(scratch, next, end, inner_tag, inner_at)?;
                continue;
            }
            if inner_tag & 7 != 2 {
                return fault::at(fault::WIRE_TYPE, inner_at);
            }
            let (from, to) = span(scratch, next, end, inner_at)?;
            at = to;
            match inner_field {
                2 => {
                    if rows == sample_count_max {
                        return fault::at(fault::TOO_MANY_SAMPLES, inner_at);
                    }
                    let sample = sample::scan(scratch, from, to, false)?;
                    columns.timestamps_ms[rows] = sample.timestamp_ms;
                    columns.values[rows] = f64::from_bits(sample.value_bits);
                    rows += 1;
                }
                1 => scattered = true,
                _ => {
                    if extra_count == extra_count_max {
                        return fault::at(fault::TOO_MANY_EXTRAS, inner_at);
                    }
                    let kind = if inner_field == 3 { EXTRA_EXEMPLAR } else { EXTRA_HISTOGRAM };
                    columns.extras[extra_count * EXTRA_STRIDE..][..4].copy_from_slice(&[
                        kind,
                        from as u32,
                        (to - from) as u32,
                        rows as u32,
                    ]);
                    extra_count += 1;
                    if inner_field == 4 {
                        if rows == sample_count_max {
                            return fault::at(fault::TOO_MANY_SAMPLES, inner_at);
                        }
                        columns.timestamps_ms[rows] = 0.0;
                        columns.values[rows] = 0.0;
                        rows += 1;
                    }
                }
            }
        }
        if scattered {
            entry = None;
            let Some(gathered) = gather_labels(scratch, message_at, end, tail) else {
                return fault::at(fault::SCATTERED_LABELS, field_at);
            };
            labels = (tail, gathered);
            tail = gathered;
        }
        let labels_length = labels.1 - labels.0;
        if series_count == 1 {
            first_labels = (labels.0, labels_length);
        }
        if entry.is_none() && labels_length > 0 && labels_length <= limits.label_size_max {
            entry = cache.find_after(previous, &scratch[labels.0..labels.1]);
        }
        for extra in first_extra..extra_count {
            columns.extras[extra * EXTRA_STRIDE + 4] = labels.0 as u32;
            columns.extras[extra * EXTRA_STRIDE + 5] = labels_length as u32;
        }
        match entry {
            Some(known) => {
                columns.series_refs[first_row..rows].fill(cache.ref_of(known));
                previous = entry;
            }
            None => {
                columns.unknowns[unknown_count * UNKNOWN_STRIDE..][..UNKNOWN_STRIDE].copy_from_slice(&[
                    labels.0 as u32,
                    labels_length as u32,
                    first_row as u32,
                    (rows - first_row) as u32,
                ]);
                unknown_count += 1;
            }
        }
    }
    if size > 0 && series_count == 0 && extra_count == 0 {
        return fault::at(fault::NOTHING_KNOWN, 0);
    }
    columns.status[status::SAMPLE_COUNT] = rows as u32;
    columns.status[status::UNKNOWN_COUNT] = unknown_count as u32;
    columns.status[status::EXTRA_COUNT] = extra_count as u32;
    columns.status[status::SERIES_COUNT] = series_count as u32;
    columns.status[status::SCRATCH_END] = tail as u32;
    columns.status[status::FIRST_LABELS] = first_labels.0 as u32;
    columns.status[status::FIRST_LABELS_LENGTH] = first_labels.1 as u32;
    columns.status[status::LAST_ENTRY] = previous.map_or(0, |entry| entry as u32 + 1);
    Ok(())
}

/// Copies all label fields of a series whose frame has been checked behind `tail`, one after the other.
fn gather_labels(scratch: &mut [u8], mut at: usize, end: usize, mut tail: usize) -> Option<usize> {
    while at < end {
        let (field_tag, next) = tag(scratch, at, end).ok()?;
        if field_tag >> 3 != 1 {
            at = skip(scratch, next, end, field_tag, at).ok()?;
            continue;
        }
        let (length, from) = varint(scratch, next, end)?;
        let to = from + length as usize;
        if tail + 1 + to - next > scratch.len() {
            return None;
        }
        scratch[tail] = 0x0a;
        scratch.copy_within(next..to, tail + 1);
        tail += 1 + to - next;
        at = to;
    }
    Some(tail)
}
