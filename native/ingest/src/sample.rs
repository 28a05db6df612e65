//! One sample message: the twin of packages/coordinator/src/ingest/scan-sample.ts.

use crate::fault::{self, Fault};
use crate::protobuf::{skip, tag, varint, Budget};

/// A value, a timestamp, a start timestamp: what comes more often repeats one of them.
const FIELD_COUNT_USEFUL: usize = 3;

#[derive(Default)]
pub struct Sample {
    pub timestamp_ms: f64,
    pub value_bits: u64,
    pub start_timestamp_ms: f64,
}

/// The whole rest of a series as nearly all senders write it: one sample message of a value and a timestamp whose varint has
/// six bytes (the years 2004 to 2109), and nothing more. `None` for any other: `scan` is then the way.
#[inline]
pub fn ordinary(bytes: &[u8], at: usize, end: usize) -> Option<(u64, f64)> {
    let field: &[u8; 18] = bytes.get(at..end)?.try_into().ok()?;
    let last =
        u64::from_le_bytes([field[10], field[11], field[12], field[13], field[14], field[15], field[16], field[17]])
            >> 8;
    const FRAME: [u8; 3] = [0x12, 16, 0x09];
    if field[..3] != FRAME || last & 0x80_8080_8080_80ff != 0x00_8080_8080_8010 {
        return None;
    }
    let seven = |index: u32| (last >> (8 * (index + 1)) & 0x7f) << (7 * index);
    let timestamp = seven(0) | seven(1) | seven(2) | seven(3) | seven(4) | seven(5);
    Some((bits_at(field, 3), timestamp as f64))
}

#[inline]
pub fn scan(bytes: &[u8], mut at: usize, end: usize, with_start: bool, budget: &mut Budget) -> Result<Sample, Fault> {
    let mut sample = Sample::default();
    // The form that senders write: value, then timestamp, and nothing more.
    if end - at > 10 && bytes[at] == 0x09 && bytes[at + 9] == 0x10 {
        if let Some((timestamp, next)) = varint(bytes, at + 10, end) {
            if next == end {
                sample.value_bits = bits_at(bytes, at + 1);
                sample.timestamp_ms = timestamp as i64 as f64;
                return Ok(sample);
            }
        }
    }
    let mut known = 0;
    while at < end {
        let field_at = at;
        let (tag, next) = tag(bytes, at, end)?;
        at = next;
        if matches!(tag >> 3, 1 | 2) || (tag >> 3 == 3 && with_start) {
            known += 1;
            if known > FIELD_COUNT_USEFUL {
                budget.take_idle(field_at)?;
            }
        }
        match tag >> 3 {
            1 => {
                if tag & 7 != 1 {
                    return fault::at(fault::WIRE_TYPE, field_at);
                }
                if at + 8 > end {
                    return fault::at(fault::FIELD_TOO_LONG, field_at);
                }
                sample.value_bits = bits_at(bytes, at);
                at += 8;
            }
            field if field == 2 || (field == 3 && with_start) => {
                if tag & 7 != 0 {
                    return fault::at(fault::WIRE_TYPE, field_at);
                }
                let Some((value, next)) = varint(bytes, at, end) else { return fault::at(fault::VARINT, field_at) };
                at = next;
                if field == 2 {
                    sample.timestamp_ms = value as i64 as f64;
                } else {
                    sample.start_timestamp_ms = value as i64 as f64;
                }
            }
            _ => at = skip(bytes, at, end, tag, field_at, budget)?,
        }
    }
    Ok(sample)
}

#[inline]
fn bits_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}
