//! Windows of timestamp columns: found when a column is first met, and kept in slots as long as there are some.

use std::ops::Range;

use super::{Outcome, SealedColumns, SealedRequest, Workspace, WORKSPACE};
use crate::windows::{least_quotient, rises_by_one, Windows};
use crate::{fill_windows, BadCall, Frame};

/// Windows by slot, as in `WindowColumns`, and which timestamp column has which: the caller's, from call to call.
pub struct SealedSlots<'a> {
    /// How many slots are taken; then three numbers a timestamp column: 0, or its slot + 1, or `NO_SLOT`, and the first and the end
    /// of its timestamps in the range.
    pub columns: &'a mut [u32],
    pub first: &'a mut [i32],
    pub end: &'a mut [i32],
    pub presence: &'a mut [u8],
    pub seconds: &'a mut [f64],
    /// Two numbers a slot: `Windows::reach_min`, and 1 where `Windows::in_step`.
    pub facts: &'a mut [f64],
}

/// Of a timestamp column that was met when all slots were taken.
const NO_SLOT: u32 = u32::MAX;

/// Gives timestamp columns that are met for the first time a slot with their windows.
pub(super) fn find_slots(
    columns: &SealedColumns,
    request: &SealedRequest,
    series: &[u32],
    slots: &mut SealedSlots,
) -> Outcome<()> {
    let steps = request.shape.ends_ms.len();
    let framed = request.function.has_frame();
    let time_count = columns.time_offsets.len().saturating_sub(1);
    let slot_count = slots.first.len().checked_div(steps).unwrap_or(0);
    if slots.columns.len() != 1 + 3 * time_count {
        return Err(BadCall("slots must have three numbers a timestamp column").into());
    }
    if slots.end.len() < slot_count * steps || slots.facts.len() < 2 * slot_count {
        return Err(BadCall("columns of windows must be as long as each other").into());
    }
    if framed && (slots.presence.len() < slot_count * steps || slots.seconds.len() < 4 * slot_count * steps) {
        return Err(BadCall("a slot has no frame").into());
    }
    let used = slots.columns[0] as usize;
    if used > slot_count {
        return Err(BadCall("more slots are taken than there are").into());
    }
    let mut met = Vec::new();
    for &one in series {
        let Some(chunk) = columns.only_chunk(one)? else { continue };
        let column = columns.time_column(chunk)?;
        let slot = &mut slots.columns[1 + 3 * column];
        if *slot == 0 {
            met.push(column);
            let next = used + met.len();
            *slot = if next <= slot_count { next as u32 } else { NO_SLOT };
        }
    }
    let next = slot_count.min(used + met.len());
    slots.columns[0] = next as u32;
    let range = used * steps..next * steps;
    let frames = if framed { (range.clone(), 4 * used * steps..4 * next * steps) } else { (0..0, 0..0) };
    let mut first = slots.first[range.clone()].chunks_mut(steps.max(1));
    let mut end = slots.end[range].chunks_mut(steps.max(1));
    let mut presence = slots.presence[frames.0].chunks_mut(steps.max(1));
    let mut seconds = slots.seconds[frames.1].chunks_mut(4 * steps.max(1));
    let mut facts = slots.facts[2 * used..2 * next].chunks_mut(2);
    let mut fills = Vec::with_capacity(met.len());
    for &column in &met {
        let slot = first.next().zip(end.next()).zip(facts.next());
        let slot =
            slot.map(|((first, end), facts)| Slot { first, end, facts, frame: presence.next().zip(seconds.next()) });
        fills.push(Fill { column, slot, range: Ok(0..0) });
    }
    varve_pool::for_each(&mut fills, |fill| fill.range = fill_slot(columns, request, fill));
    for fill in fills {
        let range = fill.range?;
        slots.columns[2 + 3 * fill.column] = range.start as u32;
        slots.columns[3 + 3 * fill.column] = range.end as u32;
    }
    Ok(())
}

struct Fill<'a> {
    column: usize,
    /// None where all are taken.
    slot: Option<Slot<'a>>,
    /// Of its timestamps, those in the range.
    range: Outcome<Range<usize>>,
}

struct Slot<'a> {
    first: &'a mut [i32],
    end: &'a mut [i32],
    frame: Option<(&'a mut [u8], &'a mut [f64])>,
    facts: &'a mut [f64],
}

fn fill_slot(columns: &SealedColumns, request: &SealedRequest, fill: &mut Fill) -> Outcome<Range<usize>> {
    WORKSPACE.with_borrow_mut(|Workspace { codec, times, .. }| {
        let range = columns.read_times(fill.column, request, times, codec)?;
        let Some(Slot { first, end, frame, facts }) = &mut fill.slot else { return Ok(range) };
        let frame = frame.as_mut().map(|(presence, seconds)| Frame { presence, seconds, divisor: request.divisor });
        facts[0] = fill_windows(&request.shape, &times[range.clone()], first, end, frame)?;
        facts[1] = f64::from(u8::from(rises_by_one(first) & rises_by_one(end)));
        Ok(range)
    })
}

/// What of the slots is only read from now on.
pub(super) struct Slots<'a> {
    pub(super) columns: &'a [u32],
    first: &'a [i32],
    end: &'a [i32],
    presence: &'a [u8],
    seconds: &'a [f64],
    facts: &'a [f64],
    steps: usize,
}

impl<'a> Slots<'a> {
    pub(super) fn of(slots: &'a SealedSlots, steps: usize) -> Self {
        let SealedSlots { columns, first, end, presence, seconds, facts } = slots;
        Slots { columns, first, end, presence, seconds, facts, steps }
    }

    /// The windows of a timestamp column and which of its timestamps are in the range, if it has a slot.
    pub(super) fn get(&self, column: usize, request: &SealedRequest) -> Option<(Windows<'a>, Range<usize>)> {
        let &[slot, from, to] = self.columns.get(1 + 3 * column..4 + 3 * column)? else { return None };
        if slot == NO_SLOT {
            return None;
        }
        let slot = (slot as usize).checked_sub(1)?;
        let steps = slot * self.steps..(slot + 1) * self.steps;
        let frame = request
            .function
            .has_frame()
            .then(|| (&self.presence[steps.clone()], &self.seconds[4 * steps.start..4 * steps.end]));
        let facts = (self.facts[2 * slot], self.facts[2 * slot + 1] == 1.0);
        let windows = windows_of(&self.first[steps.clone()], &self.end[steps], frame, facts, request.divisor);
        Some((windows, from as usize..to as usize))
    }
}

fn windows_of<'a>(
    first: &'a [i32],
    end: &'a [i32],
    frame: Option<(&'a [u8], &'a [f64])>,
    (reach_min, in_step): (f64, bool),
    divisor: f64,
) -> Windows<'a> {
    let steps = first.len();
    let (presence, seconds) = frame.unwrap_or((&[], &[]));
    let column = |i: usize| if seconds.is_empty() { seconds } else { &seconds[i * steps..(i + 1) * steps] };
    Windows {
        first,
        end,
        presence,
        sampled: column(0),
        to_start: column(1),
        to_end: column(2),
        factor: column(3),
        divisor,
        in_step,
        reach_min,
    }
}

/// Windows of one series.
#[derive(Default)]
pub(super) struct OwnWindows {
    first: Vec<i32>,
    end: Vec<i32>,
    presence: Vec<u8>,
    seconds: Vec<f64>,
}

impl OwnWindows {
    pub(super) fn find(&mut self, request: &SealedRequest, times: &[f64]) -> Outcome<Windows<'_>> {
        let steps = request.shape.ends_ms.len();
        let framed = request.function.has_frame();
        self.first.resize(steps, 0);
        self.end.resize(steps, 0);
        self.presence.resize(steps, 0);
        self.seconds.resize(4 * steps, 0.0);
        let OwnWindows { first, end, presence, seconds } = self;
        let frame = framed.then(|| Frame { presence, seconds, divisor: request.divisor });
        fill_windows(&request.shape, times, first, end, frame)?;
        let frame = framed.then_some((presence.as_slice(), seconds.as_slice()));
        let reach_min = if framed { least_quotient(&seconds[..steps], &seconds[steps..2 * steps]) } else { 0.0 };
        let in_step = framed && rises_by_one(first) & rises_by_one(end);
        Ok(windows_of(first, end, frame, (reach_min, in_step), request.divisor))
    }
}
