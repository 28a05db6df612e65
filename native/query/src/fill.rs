//! Windows of a column of timestamps, and the frames of growths: the twin of packages/promql (`operators/windows.ts`,
//! `functions/growth-frame.ts`), operation by operation.

use varve_lanes::wide;

use crate::growth::find_ends;
use crate::BadCall;

/// What the windows look like: that of step s ends `after_ms` behind `ends_ms[s]`, and begins `range_ms` and `before_ms`
/// before that.
pub struct WindowShape<'a> {
    pub ends_ms: &'a [f64],
    pub range_ms: f64,
    pub before_ms: f64,
    pub after_ms: f64,
}

/// Where a slot's frame goes: four columns of `seconds`, one behind the other.
pub struct Frame<'a> {
    pub presence: &'a mut [u8],
    pub seconds: &'a mut [f64],
    /// The range in seconds for a growth per second, else 1.
    pub divisor: f64,
}

/// Fills `first` and `end`, and the frame if there is one; returns the least of sampled over to_start.
pub fn fill_windows(
    shape: &WindowShape,
    times_ms: &[f64],
    first: &mut [i32],
    end: &mut [i32],
    frame: Option<Frame>,
) -> Result<f64, BadCall> {
    let steps = shape.ends_ms.len();
    if first.len() != steps || end.len() != steps {
        return Err(BadCall("a slot must have as many windows as there are ends"));
    }
    let (mut low, mut high) = (0, 0);
    for step in 0..steps {
        let start_ms = shape.ends_ms[step] - shape.range_ms - shape.before_ms;
        let end_ms = shape.ends_ms[step] + shape.after_ms;
        while high < times_ms.len() && times_ms[high] <= end_ms {
            high += 1;
        }
        while low < high && times_ms[low] <= start_ms {
            low += 1;
        }
        (first[step], end[step]) = (low as i32, high as i32);
    }
    let Some(Frame { presence, seconds, divisor }) = frame else { return Ok(f64::INFINITY) };
    if presence.len() != steps || seconds.len() != 4 * steps {
        return Err(BadCall("a slot must have a frame as long as its windows"));
    }
    if times_ms.is_empty() {
        presence.fill(0);
        seconds.fill(0.0);
        return Ok(f64::INFINITY);
    }
    let (sampled, rest) = seconds.split_at_mut(steps);
    let (to_start, rest) = rest.split_at_mut(steps);
    let (to_end, factor) = rest.split_at_mut(steps);
    find_ends(times_ms, first, end, sampled, to_start);
    Ok(fill_frame(shape.ends_ms, shape.range_ms, first, end, presence, sampled, to_start, to_end, factor, divisor))
}

wide! {
    /// `sampled` and `to_start` hold the first and the last times of the windows before.
    fn fill_frame(
        ends_ms: &[f64],
        range_ms: f64,
        first: &[i32],
        end: &[i32],
        presence: &mut [u8],
        sampled: &mut [f64],
        to_start: &mut [f64],
        to_end: &mut [f64],
        factor: &mut [f64],
        divisor: f64,
    ) -> f64 {
        let steps = ends_ms.len();
        let (first, end, presence) = (&first[..steps], &end[..steps], &mut presence[..steps]);
        let (sampled, to_start) = (&mut sampled[..steps], &mut to_start[..steps]);
        let (to_end, factor) = (&mut to_end[..steps], &mut factor[..steps]);
        let mut reach_min = f64::INFINITY;
        for step in 0..steps {
            let (first_ms, last_ms) = (sampled[step], to_start[step]);
            let apart = end[step] - 1 - first[step];
            let present = apart > 0;
            let seconds = (last_ms - first_ms) / 1000.0;
            let between = seconds / f64::from(apart);
            let threshold = between * 1.1;
            let left = (first_ms - (ends_ms[step] - range_ms)) / 1000.0;
            let left = if left >= threshold { between / 2.0 } else { left };
            let right = (ends_ms[step] - last_ms) / 1000.0;
            let right = if right >= threshold { between / 2.0 } else { right };
            presence[step] = u8::from(present);
            // Where there is no result nothing reaches anywhere.
            sampled[step] = if present { seconds } else { 0.0 };
            to_start[step] = if present { left } else { 0.0 };
            to_end[step] = right;
            factor[step] = (seconds + left + right) / seconds / divisor;
            let reach = seconds / left;
            reach_min = if present & (reach < reach_min) { reach } else { reach_min };
        }
        reach_min
    }
}
