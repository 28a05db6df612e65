//! Protobuf on the wire: the twin of packages/coordinator/src/ingest/protobuf-field.ts.

use crate::fault::{self, Fault};

const GROUP_DEPTH_MAX: u32 = 100;

/// The varint at `at` and where it ends; `None` if it is cut short by `end` or has more than 10 bytes.
#[inline]
pub fn varint(bytes: &[u8], at: usize, end: usize) -> Option<(u64, usize)> {
    if at < end && bytes[at] < 0x80 {
        return Some((u64::from(bytes[at]), at + 1));
    }
    let mut value = 0u64;
    for (index, &byte) in bytes[at.min(end)..end].iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, at + index + 1));
        }
    }
    None
}

/// A tag and where it ends.
#[inline]
pub fn tag(bytes: &[u8], at: usize, end: usize) -> Result<(u32, usize), Fault> {
    let Some((value, next)) = varint(bytes, at, end) else { return fault::at(fault::VARINT, at) };
    match u32::try_from(value) {
        Ok(tag) if tag >= 8 => Ok((tag, next)),
        _ => fault::at(fault::TAG, at),
    }
}

/// Begin and end of a field with a length, whose tag stands at `tag_at`; `at` is behind the tag.
#[inline]
pub fn span(bytes: &[u8], at: usize, end: usize, tag_at: usize) -> Result<(usize, usize), Fault> {
    let Some((length, from)) = varint(bytes, at, end) else { return fault::at(fault::VARINT, tag_at) };
    if length > (end - from) as u64 {
        return fault::at(fault::FIELD_TOO_LONG, tag_at);
    }
    Ok((from, from + length as usize))
}

/// What a scan may still meet of fields that cost time and bring nothing.
pub struct Budget {
    idle_left: usize,
    labels_left: usize,
    spent: bool,
}

impl Budget {
    pub fn new(idle_field_count_max: usize, label_count_max: usize) -> Self {
        Budget { idle_left: idle_field_count_max, labels_left: label_count_max, spent: false }
    }

    /// For bytes that were counted before.
    pub fn endless() -> Self {
        Budget::new(usize::MAX, usize::MAX)
    }

    /// Counts a field that only repeats another, whose tag stands at `tag_at`.
    pub fn take_idle(&mut self, tag_at: usize) -> Result<(), Fault> {
        self.skipped().map_or_else(|| fault::at(fault::TOO_MANY_IDLE_FIELDS, tag_at), Ok)
    }

    #[inline]
    pub fn take_label(&mut self, tag_at: usize) -> Result<(), Fault> {
        let Some(left) = self.labels_left.checked_sub(1) else { return fault::at(fault::TOO_MANY_LABELS, tag_at) };
        self.labels_left = left;
        Ok(())
    }

    fn skipped(&mut self) -> Option<()> {
        match self.idle_left.checked_sub(1) {
            Some(left) => {
                self.idle_left = left;
                Some(())
            }
            None => {
                self.spent = true;
                None
            }
        }
    }
}

/// Where an unknown field ends, whose tag stands at `tag_at`; `at` is behind the tag. It counts, as does each field of a group.
pub fn skip(bytes: &[u8], at: usize, end: usize, tag: u32, tag_at: usize, budget: &mut Budget) -> Result<usize, Fault> {
    match skip_field(bytes, at, end, tag, budget, 0) {
        Some(to) => Ok(to),
        None if budget.spent => fault::at(fault::TOO_MANY_IDLE_FIELDS, tag_at),
        None => fault::at(skip_fault(tag), tag_at),
    }
}

fn skip_field(bytes: &[u8], at: usize, end: usize, tag: u32, budget: &mut Budget, depth: u32) -> Option<usize> {
    budget.skipped()?;
    match tag & 7 {
        0 => varint(bytes, at, end).map(|(_, next)| next),
        1 => (at + 8 <= end).then_some(at + 8),
        2 => {
            let (length, from) = varint(bytes, at, end)?;
            (length <= (end - from) as u64).then(|| from + length as usize)
        }
        3 => skip_group(bytes, at, end, tag >> 3, budget, depth + 1),
        5 => (at + 4 <= end).then_some(at + 4),
        _ => None,
    }
}

fn skip_group(bytes: &[u8], mut at: usize, end: usize, field: u32, budget: &mut Budget, depth: u32) -> Option<usize> {
    if depth > GROUP_DEPTH_MAX {
        return None;
    }
    while at < end {
        let (tag, next) = tag(bytes, at, end).ok()?;
        if tag & 7 == 4 {
            return (tag >> 3 == field).then_some(next);
        }
        at = skip_field(bytes, next, end, tag, budget, depth)?;
    }
    None
}

fn skip_fault(tag: u32) -> u32 {
    match tag & 7 {
        0 => fault::VARINT,
        3 => fault::GROUP,
        4 | 6 | 7 => fault::NO_WIRE_TYPE,
        _ => fault::FIELD_TOO_LONG,
    }
}
