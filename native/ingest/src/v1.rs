//! Remote write 1.0: the twin of packages/coordinator/src/ingest/scan-write-v1.ts, where the message is drawn.

use crate::columns::{Columns, Limits, EXTRA_EXEMPLAR, EXTRA_METADATA};
use crate::fault::{self, Fault};
use crate::found::Found;
use crate::label_cache::Cache;
use crate::protobuf::{skip, span, tag, varint, Budget};
use crate::sample;

pub fn scan(
    scratch: &mut [u8],
    size: usize,
    cache: &mut Cache,
    columns: &mut Columns,
    limits: &Limits,
) -> Result<(), Fault> {
    let mut found = Found::new(columns, cache, limits);
    let mut budget = Budget::new(limits.idle_field_count_max, limits.label_total_max);
    let mut tail = size;
    let mut at = 0;

    while at < size {
        let field_at = at;
        let (outer_tag, next) = tag(scratch, at, size)?;
        let field = outer_tag >> 3;
        if field != 1 && field != 3 {
            at = skip(scratch, next, size, outer_tag, field_at, &mut budget)?;
            continue;
        }
        if outer_tag & 7 != 2 {
            return fault::at(fault::WIRE_TYPE, field_at);
        }
        let (message_at, end) = span(scratch, next, size, field_at)?;
        at = message_at;
        if field == 3 {
            found.add_extra(EXTRA_METADATA, at, end, field_at)?;
            at = end;
            continue;
        }

        // One series. Its label bytes are labels.0..labels.1.
        found.begin_series(field_at)?;
        let mut entry = found.predicted(cache).filter(|&predicted| {
            let to = at + cache.length_of(predicted);
            to <= end && (to == end || scratch[to] != 0x0a) && scratch[at..to] == *cache.bytes_of(predicted)
        });
        match entry {
            Some(predicted) => {
                at += cache.length_of(predicted);
                if let Some((value_bits, timestamp_ms)) = sample::ordinary(scratch, at, end) {
                    found.check_room(at)?;
                    found.add_sample(timestamp_ms, f64::from_bits(value_bits));
                    found.end_series(cache, (message_at, at), entry);
                    at = end;
                    continue;
                }
            }
            None => {
                while at < end && scratch[at] == 0x0a {
                    budget.take_label(at)?;
                    at = span(scratch, at + 1, end, at)?.1;
                }
            }
        }
        let mut labels = (message_at, at);
        let mut scattered = false;
        while at < end {
            let inner_at = at;
            let (inner_tag, next) = tag(scratch, at, end)?;
            let inner_field = inner_tag >> 3;
            if inner_field > 4 {
                at = skip(scratch, next, end, inner_tag, inner_at, &mut budget)?;
                continue;
            }
            if inner_tag & 7 != 2 {
                return fault::at(fault::WIRE_TYPE, inner_at);
            }
            let (from, to) = span(scratch, next, end, inner_at)?;
            at = to;
            match inner_field {
                2 => {
                    found.check_room(inner_at)?;
                    let sample = sample::scan(scratch, from, to, false, &mut budget)?;
                    found.add_sample(sample.timestamp_ms, f64::from_bits(sample.value_bits));
                }
                1 => {
                    budget.take_label(inner_at)?;
                    scattered = true;
                }
                3 => found.add_extra(EXTRA_EXEMPLAR, from, to, inner_at)?,
                _ => {
                    found.add_histogram(from, to, inner_at)?;
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
        if entry.is_none() && labels_length > 0 && labels_length <= limits.label_size_max {
            entry = found.look_up(cache, &scratch[labels.0..labels.1]);
        }
        found.end_series(cache, labels, entry);
    }
    if size > 0 && found.is_empty() {
        return fault::at(fault::NOTHING_KNOWN, 0);
    }
    found.finish(tail);
    Ok(())
}

/// Copies all label fields of a series whose frame has been checked behind `tail`, one after the other.
fn gather_labels(scratch: &mut [u8], mut at: usize, end: usize, mut tail: usize) -> Option<usize> {
    while at < end {
        let (field_tag, next) = tag(scratch, at, end).ok()?;
        if field_tag >> 3 != 1 {
            at = skip(scratch, next, end, field_tag, at, &mut Budget::endless()).ok()?;
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
