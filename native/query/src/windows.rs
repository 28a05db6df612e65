//! Where the samples of each series lie, and those of each window.

use std::ops::Range;

use varve_lanes::wide;

use crate::BadCall;

/// Sample j of series i is `values[offsets[i] + j]`; its windows are those of slot `slots[i]`.
pub struct SeriesColumns<'a> {
    pub values: &'a [f64],
    /// One more than there are series.
    pub offsets: &'a [u32],
    pub slots: &'a [u32],
}

impl<'a> SeriesColumns<'a> {
    pub fn count(&self) -> Result<usize, BadCall> {
        if self.offsets.len() != self.slots.len() + 1 {
            return Err(BadCall("offsets must be one more than slots"));
        }
        Ok(self.slots.len())
    }

    pub fn samples(&self, i: usize) -> Result<&'a [f64], BadCall> {
        self.values
            .get(self.offsets[i] as usize..self.offsets[i + 1] as usize)
            .ok_or(BadCall("offsets must rise and stay within values"))
    }
}

/// Windows by slot: those of slot k at `k * steps`, the columns of its frame at `k * steps` and `k * 4 * steps`.
pub struct WindowColumns<'a> {
    pub steps: usize,
    pub first: &'a [i32],
    pub end: &'a [i32],
    /// Of growths only, see packages/promql/src/functions/growth-frame.ts.
    pub presence: &'a [u8],
    pub seconds: &'a [f64],
    /// What a growth or a sum is divided by, in seconds; 1 if it is not per second.
    pub divisor: f64,
}

/// The windows of one slot; all columns are by step.
pub struct Windows<'a> {
    pub first: &'a [i32],
    pub end: &'a [i32],
    pub presence: &'a [u8],
    pub sampled: &'a [f64],
    pub to_start: &'a [f64],
    pub to_end: &'a [f64],
    pub factor: &'a [f64],
    pub divisor: f64,
    /// Each window begins and ends one sample behind the one before it, as where the step is that of the samples.
    pub in_step: bool,
    /// The least of sampled over to_start, where a window has a result.
    pub reach_min: f64,
}

impl<'a> WindowColumns<'a> {
    pub fn of(&self, slot: u32, framed: bool) -> Result<Windows<'a>, BadCall> {
        let steps = self.steps;
        let at = slot as usize * steps;
        let (Some(first), Some(end)) = (self.first.get(at..at + steps), self.end.get(at..at + steps)) else {
            return Err(BadCall("a slot has no windows"));
        };
        if !framed {
            let (bytes, floats): (&[u8], &[f64]) = (&[], &[]);
            return Ok(Windows {
                first,
                end,
                presence: bytes,
                sampled: floats,
                to_start: floats,
                to_end: floats,
                factor: floats,
                divisor: self.divisor,
                in_step: false,
                reach_min: 0.0,
            });
        }
        let (Some(presence), Some(seconds)) =
            (self.presence.get(at..at + steps), self.seconds.get(at * 4..(at + steps) * 4))
        else {
            return Err(BadCall("a slot has no frame"));
        };
        let column = |i: usize| &seconds[i * steps..(i + 1) * steps];
        Ok(Windows {
            first,
            end,
            presence,
            sampled: column(0),
            to_start: column(1),
            to_end: column(2),
            factor: column(3),
            divisor: self.divisor,
            in_step: rises_by_one(first) & rises_by_one(end),
            reach_min: least_quotient(column(0), column(1)),
        })
    }
}

impl<'a> Windows<'a> {
    /// Those of some steps.
    pub fn steps(&self, steps: &Range<usize>) -> Windows<'a> {
        let of = |column: &'a [f64]| if column.is_empty() { column } else { &column[steps.clone()] };
        Windows {
            first: &self.first[steps.clone()],
            end: &self.end[steps.clone()],
            presence: if self.presence.is_empty() { self.presence } else { &self.presence[steps.clone()] },
            sampled: of(self.sampled),
            to_start: of(self.to_start),
            to_end: of(self.to_end),
            factor: of(self.factor),
            divisor: self.divisor,
            in_step: self.in_step,
            reach_min: self.reach_min,
        }
    }

    /// The samples of a step, as indexes; none where the window is empty or not within the samples.
    #[inline(always)]
    pub fn range(&self, step: usize, count: usize) -> Option<(usize, usize)> {
        let (from, to) = (self.first[step] as usize, self.end[step] as usize);
        (from < to && to <= count).then_some((from, to))
    }
}

wide! {
    pub fn rises_by_one(column: &[i32]) -> bool {
        let later = column.get(1..).unwrap_or_default();
        let mut rises = true;
        for i in 0..later.len() {
            rises &= later[i] == column[i].wrapping_add(1);
        }
        rises
    }
}

wide! {
    /// NaN, which is 0 over 0, is passed over.
    pub fn least_quotient(numerators: &[f64], denominators: &[f64]) -> f64 {
        numerators.iter().zip(denominators).fold(f64::INFINITY, |least, (&numerator, &denominator)| {
            let quotient = numerator / denominator;
            if quotient < least { quotient } else { least }
        })
    }
}
