//! Remote write 2.0: the twin of packages/coordinator/src/ingest/scan-write-v2.ts, where the message is drawn.

use crate::columns::{status, Columns, Limits, EXTRA_EXEMPLAR, EXTRA_METADATA, SYMBOL_STRIDE};
use crate::fault::{self, Fault};
use crate::found::Found;
use crate::label_cache::Cache;
use crate::protobuf::{skip, span, tag, varint, Budget};
use crate::sample;

const REFERENCE_COUNT_MAX: usize = 2048;

pub fn scan(
    scratch: &mut [u8],
    size: usize,
    cache: &mut Cache,
    columns: &mut Columns,
    limits: &Limits,
) -> Result<(), Fault> {
    let mut budget = Budget::new(limits.idle_field_count_max, 2 * limits.label_total_max);
    let symbol_count = scan_symbols(scratch, size, columns, limits, &mut budget)?;
    let mut references = [0u32; REFERENCE_COUNT_MAX];
    let mut found = Found::new(columns, cache, limits);
    let mut tail = size;
    let mut written_total = 0;
    let mut has_start = 0;
    let mut metadata: Option<(usize, usize)> = None;
    let mut metadata_name: Option<u32> = None;
    let mut at = 0;

    while at < size {
        let field_at = at;
        let (outer_tag, next) = tag(scratch, at, size)?;
        if outer_tag >> 3 != 5 {
            at = skip(scratch, next, size, outer_tag, field_at, &mut Budget::endless())?;
            continue;
        }
        let (message_at, end) = span(scratch, next, size, field_at)?;
        at = message_at;
        found.begin_series(field_at)?;
        let mut reference_count = 0;
        let mut has_metadata = false;
        while at < end {
            let inner_at = at;
            let (inner_tag, next) = tag(scratch, at, end)?;
            let field = inner_tag >> 3;
            if field > 5 {
                at = skip(scratch, next, end, inner_tag, inner_at, &mut budget)?;
                continue;
            }
            let (from, to) = match inner_tag & 7 {
                2 => span(scratch, next, end, inner_at)?,
                0 if field == 1 => match varint(scratch, next, end) {
                    Some((_, to)) => (next, to),
                    None => return fault::at(fault::VARINT, inner_at),
                },
                _ => return fault::at(fault::WIRE_TYPE, inner_at),
            };
            at = to;
            match field {
                1 => {
                    if from == to {
                        budget.take_idle(inner_at)?;
                    }
                    let mut reference_at = from;
                    while reference_at < to {
                        budget.take_label(inner_at)?;
                        let Some((reference, next)) = varint(scratch, reference_at, to) else {
                            return fault::at(fault::VARINT, inner_at);
                        };
                        if reference >= symbol_count as u64 {
                            return fault::at(fault::SYMBOL_RANGE, inner_at);
                        }
                        if reference_count < REFERENCE_COUNT_MAX {
                            references[reference_count] = reference as u32;
                        }
                        reference_count += 1;
                        reference_at = next;
                    }
                }
                2 => {
                    found.check_room(inner_at)?;
                    let sample = sample::scan(scratch, from, to, true, &mut budget)?;
                    let row = found.add_sample(sample.timestamp_ms, f64::from_bits(sample.value_bits));
                    found.columns.start_timestamps_ms[row] = sample.start_timestamp_ms;
                    if sample.start_timestamp_ms != 0.0 {
                        has_start = 1;
                    }
                }
                5 => {
                    if has_metadata {
                        budget.take_idle(inner_at)?;
                    }
                    has_metadata = true;
                    if metadata.is_none_or(|(start, stop)| scratch[start..stop] != scratch[from..to]) {
                        metadata_name = None;
                    }
                    metadata = Some((from, to));
                }
                4 => found.add_extra(EXTRA_EXEMPLAR, from, to, inner_at)?,
                _ => {
                    let row = found.add_histogram(from, to, inner_at)?;
                    found.columns.start_timestamps_ms[row] = 0.0;
                }
            }
        }
        if reference_count % 2 != 0 {
            return fault::at(fault::ODD_LABEL_REFERENCES, field_at);
        }

        // The labels in the form of remote write 1.0, at tail..tail + labels_length.
        let kept = &references[..reference_count.min(REFERENCE_COUNT_MAX)];
        let labels_length = written_size(kept, reference_count, found.columns.symbols, limits.label_size_max);
        let written = labels_length <= limits.label_size_max;
        let mut name_symbol = None;
        if written {
            written_total += labels_length;
            if written_total > limits.decoded_size_max || tail + labels_length > scratch.len() {
                return fault::at(fault::LABELS_TOO_LONG, field_at);
            }
            name_symbol = write_labels(scratch, tail, kept, found.columns.symbols);
        }
        if has_metadata {
            if name_symbol.is_none() || metadata_name != name_symbol {
                let (start, stop) = metadata.unwrap_or((0, 0));
                found.add_extra(EXTRA_METADATA, start, stop, field_at)?;
            }
            metadata_name = name_symbol;
        }
        let mut entry = None;
        if written && labels_length > 0 {
            let labels = &scratch[tail..tail + labels_length];
            entry = found
                .predicted(cache)
                .filter(|&predicted| cache.length_of(predicted) == labels_length && cache.bytes_of(predicted) == labels)
                .or_else(|| found.look_up(cache, labels));
        }
        found.end_series(cache, (tail, tail + labels_length), entry);
        if written && found.keeps_labels(entry) {
            tail += labels_length;
        }
    }
    if size > 0 && found.is_empty() && symbol_count == 0 {
        return fault::at(fault::NOTHING_KNOWN, 0);
    }
    found.columns.status[status::HAS_START] = has_start;
    found.columns.status[status::SYMBOL_COUNT] = symbol_count as u32;
    found.finish(tail);
    Ok(())
}

/// Checks the frame of all top-level fields and lists the symbols.
fn scan_symbols(
    scratch: &[u8],
    size: usize,
    columns: &mut Columns,
    limits: &Limits,
    budget: &mut Budget,
) -> Result<usize, Fault> {
    let symbol_count_max = limits.symbol_count_max.min(columns.symbols.len() / SYMBOL_STRIDE);
    let mut count = 0;
    let mut at = 0;
    while at < size {
        let field_at = at;
        let (outer_tag, next) = tag(scratch, at, size)?;
        let field = outer_tag >> 3;
        if field != 4 && field != 5 {
            at = skip(scratch, next, size, outer_tag, field_at, budget)?;
            continue;
        }
        if outer_tag & 7 != 2 {
            return fault::at(fault::WIRE_TYPE, field_at);
        }
        let (from, to) = span(scratch, next, size, field_at)?;
        if field == 4 {
            if count == symbol_count_max {
                return fault::at(fault::TOO_MANY_SYMBOLS, field_at);
            }
            if count == 0 && to != from {
                return fault::at(fault::FIRST_SYMBOL, field_at);
            }
            columns.symbols[count * SYMBOL_STRIDE] = from as u32;
            columns.symbols[count * SYMBOL_STRIDE + 1] = (to - from) as u32;
            count += 1;
        }
        at = to;
    }
    Ok(count)
}

/// The size of the labels written out; more than `max` as soon as that is sure.
fn written_size(kept: &[u32], reference_count: usize, symbols: &[u32], max: usize) -> usize {
    let mut size = 0;
    for pair in kept.chunks_exact(2) {
        let inner = inner_size(symbol(symbols, pair[0]).1, symbol(symbols, pair[1]).1);
        size += 1 + length_size(inner) + inner;
        if size > max {
            return size;
        }
    }
    if reference_count > kept.len() {
        return max + 1;
    }
    size
}

/// Writes the labels to `tail`, and returns the symbol of the metric's name.
fn write_labels(scratch: &mut [u8], tail: usize, kept: &[u32], symbols: &[u32]) -> Option<u32> {
    let mut name_symbol = None;
    let mut to = tail;
    for pair in kept.chunks_exact(2) {
        let (name_at, name_length) = symbol(symbols, pair[0]);
        let (value_at, value_length) = symbol(symbols, pair[1]);
        if scratch[name_at..name_at + name_length] == *b"__name__" {
            name_symbol = Some(pair[1]);
        }
        scratch[to] = 0x0a;
        to = write_length(scratch, to + 1, inner_size(name_length, value_length));
        scratch[to] = 0x0a;
        to = write_length(scratch, to + 1, name_length);
        scratch.copy_within(name_at..name_at + name_length, to);
        to += name_length;
        scratch[to] = 0x12;
        to = write_length(scratch, to + 1, value_length);
        scratch.copy_within(value_at..value_at + value_length, to);
        to += value_length;
    }
    name_symbol
}

fn symbol(symbols: &[u32], reference: u32) -> (usize, usize) {
    let at = reference as usize * SYMBOL_STRIDE;
    (symbols[at] as usize, symbols[at + 1] as usize)
}

fn inner_size(name_length: usize, value_length: usize) -> usize {
    2 + length_size(name_length) + name_length + length_size(value_length) + value_length
}

fn length_size(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

fn write_length(bytes: &mut [u8], mut at: usize, mut length: usize) -> usize {
    while length >= 0x80 {
        bytes[at] = (length & 0x7f) as u8 | 0x80;
        length >>= 7;
        at += 1;
    }
    bytes[at] = length as u8;
    at + 1
}
