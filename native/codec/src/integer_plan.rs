//! Chooses how a run of integers is packed: the twin of gorilla-codec/src/integer-plan.ts, which explains it.
//!
//! The integers are float64 here too: below 2^53 they are exact, their width is in their exponent, and processors compare
//! and subtract several at once.

use varve_lanes::wide;

use crate::limits::bit_width;

pub const TRANSFORM_NONE: u8 = 0;
pub const TRANSFORM_DELTA: u8 = 1;
pub const TRANSFORM_DELTA2: u8 = 2;

pub const PATCHES_NONE: u8 = 0;
pub const PATCHES_LIST: u8 = 1;
pub const PATCHES_BITMAP: u8 = 2;

/// A spread of residuals beyond this is never planned.
const SPREAD_MAX: f64 = (1u64 << 51) as f64;

/// What a patch costs besides its bits, since putting it in its place takes longer than unpacking a number.
const PATCH_PENALTY_BITS: usize = 6;

/// One way to pack one run of residuals, and what it costs.
#[derive(Clone, Debug)]
pub struct IntegerPlan {
    pub transform: u8,
    pub base: f64,
    pub width: u32,
    pub patch_form: u8,
    pub patches_signed: bool,
    pub patch_width: u32,
    pub patch_count: usize,
    pub cost_bits: usize,
}

impl Default for IntegerPlan {
    fn default() -> Self {
        IntegerPlan {
            transform: TRANSFORM_NONE,
            base: 0.0,
            width: 0,
            patch_form: PATCHES_NONE,
            patches_signed: false,
            patch_width: 0,
            patch_count: 0,
            cost_bits: usize::MAX,
        }
    }
}

type Histogram = [u32; 64];

/// Counts residuals by slot, which are found for several at once before they are counted.
///
/// Four counters in turn, so that equal slots in a row do not wait for each other; bytes where none can overflow, since
/// clearing and adding them up is much of the work for the short columns of the head.
#[inline(always)]
fn tally(residuals: &[f64], slot_of: impl Fn(f64) -> u64) -> Histogram {
    macro_rules! counted {
        ($counter:ty) => {{
            let mut counters = [[0 as $counter; 64]; 4];
            let mut slots = [0; 64];
            for some in residuals.chunks(slots.len()) {
                let slots = &mut slots[..some.len()];
                for (slot, &residual) in slots.iter_mut().zip(some) {
                    *slot = slot_of(residual);
                }
                let (quads, rest) = slots.as_chunks::<4>();
                for quad in quads {
                    for (histogram, &slot) in counters.iter_mut().zip(quad) {
                        histogram[slot as usize & 63] += 1;
                    }
                }
                for &slot in rest {
                    counters[0][slot as usize & 63] += 1;
                }
            }
            let [a, b, c, d] = counters;
            std::array::from_fn(|index| u32::from(a[index] + b[index] + c[index] + d[index]))
        }};
    }
    if residuals.len() <= u8::MAX as usize {
        counted!(u8)
    } else {
        counted!(u32)
    }
}

/// The width of a non-negative integer below 2^51, without a look at whether it is 0: with 0.5 added its exponent says so.
#[inline(always)]
fn slot_width(value: f64) -> u64 {
    ((value + 0.5).to_bits() >> 52).wrapping_sub(1022)
}

/// How many bits the non-negative integer needs: its exponent says so.
#[inline(always)]
pub fn width_of(value: f64) -> u32 {
    ((value.to_bits() >> 52) as u32).saturating_sub(1022)
}

#[inline(always)]
fn power_of_two(width: u32) -> f64 {
    f64::from_bits(u64::from(1023 + width) << 52)
}

/// Extremes of a run of numbers.
#[derive(Clone, Copy)]
pub struct Extremes {
    pub min: f64,
    pub max: f64,
}

wide! {
    /// Plans `integers` (the first is 0, all within ±2^51, at least two) and leaves the residuals of the chosen transform at
    /// the start of `residuals`; returns the plan and how many there are.
    ///
    /// Compiled twice as a whole: of a column of the head each loop is some ten rounds, and calling it would cost as much.
    pub fn plan_integers(
        integers: &[f64],
        residuals: &mut Vec<f64>,
        candidate: &mut Vec<f64>,
    ) -> (IntegerPlan, usize) {
        let mut plan = IntegerPlan::default();
        let mut chosen = Extremes { min: 0.0, max: 0.0 };
        let mut chosen_length = 0;
        for transform in TRANSFORM_NONE..=TRANSFORM_DELTA2 {
            if plan.cost_bits == 0 || (transform == TRANSFORM_DELTA2 && integers.len() < 4) {
                break;
            }
            let length = differences(integers, transform, candidate);
            let run = &candidate[..length];
            let extremes = extremes_of(run);
            if extremes.max - extremes.min > SPREAD_MAX {
                continue;
            }
            let before = plan.cost_bits;
            let width = width_of(extremes.max - extremes.min);
            offer(&mut plan, extremes, transform, extremes.min, width, 0, length);
            plan_from_pivot(run, extremes, transform, &mut plan);
            if plan.cost_bits < before {
                std::mem::swap(residuals, candidate);
                (chosen, chosen_length) = (extremes, length);
            }
        }
        refine(&residuals[..chosen_length], chosen, &mut plan);
        (plan, chosen_length)
    }
}

/// A light plan is taken while a number takes at most so many bits.
const LIGHT_WIDTH_MAX: u32 = 16;

/// What a light plan is chosen by: the extremes of all but the first number, and of the differences.
#[derive(Clone, Copy)]
pub struct LightExtremes {
    pub plain: Extremes,
    pub delta: Extremes,
}

/// Chooses the light plan of numbers that begin with `first`; see `planIntegersLightly` in TypeScript.
pub fn light_plan(first: f64, extremes: &LightExtremes, length: usize) -> Option<IntegerPlan> {
    let LightExtremes { plain, delta } = extremes;
    let plain_width = width_of(plain.max - plain.min);
    let delta_width = width_of(delta.max - delta.min);
    let is_plain = plain_width <= delta_width;
    let width = if is_plain { plain_width } else { delta_width };
    if width > LIGHT_WIDTH_MAX {
        return None;
    }
    Some(IntegerPlan {
        transform: if is_plain { TRANSFORM_NONE } else { TRANSFORM_DELTA },
        base: if is_plain { plain.min - first } else { delta.min },
        width,
        cost_bits: length * width as usize,
        ..IntegerPlan::default()
    })
}

wide! {
    /// The light plan of `integers`, from which it subtracts the first, with the residuals written; `None`, with the integers as
    /// they were, if it needs too many bits.
    pub fn plan_integers_lightly(integers: &mut [f64], residuals: &mut [f64]) -> Option<IntegerPlan> {
        let first = integers[0];
        let length = integers.len() - 1;
        for (slot, pair) in residuals[..length].iter_mut().zip(integers.windows(2)) {
            *slot = pair[1] - pair[0];
        }
        let extremes = LightExtremes { plain: extremes_of(&integers[1..]), delta: extremes_of(&residuals[..length]) };
        let plan = light_plan(first, &extremes, length)?;
        for slot in integers.iter_mut() {
            *slot -= first;
        }
        if plan.transform == TRANSFORM_NONE {
            residuals[..length].copy_from_slice(&integers[1..]);
        }
        Some(plan)
    }
}

#[inline(always)]
fn differences(integers: &[f64], transform: u8, out: &mut [f64]) -> usize {
    let count = integers.len();
    match transform {
        TRANSFORM_NONE => {
            out[..count - 1].copy_from_slice(&integers[1..]);
            count - 1
        }
        TRANSFORM_DELTA => {
            for (slot, pair) in out[..count - 1].iter_mut().zip(integers.windows(2)) {
                *slot = pair[1] - pair[0];
            }
            count - 1
        }
        _ => {
            for (slot, triple) in out[..count - 2].iter_mut().zip(integers.windows(3)) {
                *slot = triple[2] + (triple[0] - 2.0 * triple[1]);
            }
            count - 2
        }
    }
}

/// The extremes of what is no NaN; infinities the wrong way round if there is nothing.
#[inline(always)]
pub fn extremes_of(run: &[f64]) -> Extremes {
    let mut min = [f64::INFINITY; 4];
    let mut max = [f64::NEG_INFINITY; 4];
    let (quads, rest) = run.as_chunks::<4>();
    for quad in quads {
        for lane in 0..4 {
            min[lane] = if quad[lane] < min[lane] { quad[lane] } else { min[lane] };
            max[lane] = if quad[lane] > max[lane] { quad[lane] } else { max[lane] };
        }
    }
    let mut extremes = Extremes { min: f64::INFINITY, max: f64::NEG_INFINITY };
    for &value in min.iter().chain(rest) {
        extremes.min = if value < extremes.min { value } else { extremes.min };
    }
    for &value in max.iter().chain(rest) {
        extremes.max = if value > extremes.max { value } else { extremes.max };
    }
    extremes
}

#[inline(always)]
fn plan_from_pivot(run: &[f64], extremes: Extremes, transform: u8, plan: &mut IntegerPlan) {
    let pivot = typical_of(run);
    let histogram = tally(run, |residual| {
        let distance = residual - pivot;
        // -1 and 0 share a window of one bit; 0 alone needs none.
        let reach = if distance < 0.0 { -distance - 1.0 } else { distance };
        slot_width(reach) + u64::from(distance != 0.0)
    });
    let mut inside = 0;
    let width_max = 1 + width_of(extremes.max - extremes.min);
    for width in 0..width_max {
        if run.len() * width as usize >= plan.cost_bits {
            break; // A larger width only costs more.
        }
        inside += histogram[width as usize] as usize;
        let base = if width == 0 { pivot } else { pivot - power_of_two(width - 1) };
        offer(plan, extremes, transform, base, width, run.len() - inside, run.len());
    }
}

#[inline(always)]
fn refine(run: &[f64], extremes: Extremes, plan: &mut IntegerPlan) {
    if plan.cost_bits == 0 {
        return;
    }
    let from = plan.base;
    let to = plan.base + power_of_two(plan.width);
    let mut lowest = [f64::INFINITY; 4];
    let (quads, rest) = run.as_chunks::<4>();
    for quad in quads {
        for lane in 0..4 {
            let inside = quad[lane] >= from && quad[lane] < to && quad[lane] < lowest[lane];
            lowest[lane] = if inside { quad[lane] } else { lowest[lane] };
        }
    }
    let lowest = rest
        .iter()
        .filter(|&&residual| residual >= from && residual < to)
        .chain(&lowest)
        .fold(f64::INFINITY, |least, &residual| if residual < least { residual } else { least });
    plan_from_base(run, extremes, lowest, plan);
    if extremes.min < lowest {
        plan_from_base(run, extremes, extremes.min, plan);
    }
}

#[inline(always)]
fn plan_from_base(run: &[f64], extremes: Extremes, base: f64, plan: &mut IntegerPlan) {
    // Slot 63 holds what lies below the base: no width reaches it.
    let histogram = tally(run, |residual| {
        let distance = residual - base;
        if distance < 0.0 {
            63
        } else {
            slot_width(distance)
        }
    });
    let width_max = width_of(extremes.max - base);
    let mut inside = 0;
    for width in 0..=width_max {
        if run.len() * width as usize >= plan.cost_bits {
            break;
        }
        inside += histogram[width as usize] as usize;
        offer(plan, extremes, plan.transform, base, width, run.len() - inside, run.len());
    }
}

/// Takes the offered plan if it costs less than the one held.
#[inline(always)]
fn offer(
    plan: &mut IntegerPlan,
    extremes: Extremes,
    transform: u8,
    base: f64,
    width: u32,
    patch_count: usize,
    length: usize,
) {
    let mut cost_bits = length * width as usize;
    let mut patch_form = PATCHES_NONE;
    let mut patch_width = 0;
    let patches_signed = patch_count > 0 && extremes.min < base;
    let list_bits = if patch_count > 0 { patch_count * bit_width(length as u64 - 1) as usize } else { 0 };
    if patch_count > 0 {
        // All of the patches but their own bits.
        cost_bits += list_bits.min(length) + patch_count * PATCH_PENALTY_BITS + 24;
    }
    if cost_bits >= plan.cost_bits {
        return;
    }
    if patch_count > 0 {
        // Shifting rounds down, below zero too.
        let above = (extremes.max - base) as i64 >> width;
        patch_width = if patches_signed {
            let below = -((extremes.min - base) as i64 >> width);
            bit_width((2 * above - 1).max(2 * below - 2).max(0) as u64)
        } else {
            bit_width((above - 1) as u64)
        };
        patch_form = if list_bits <= length { PATCHES_LIST } else { PATCHES_BITMAP };
        cost_bits += patch_count * patch_width as usize;
    }
    if cost_bits >= plan.cost_bits {
        return;
    }
    *plan = IntegerPlan { transform, base, width, patch_form, patches_signed, patch_width, patch_count, cost_bits };
}

/// Zero where most residuals are zero, else the median of 15 evenly spaced ones.
#[inline(always)]
fn typical_of(run: &[f64]) -> f64 {
    let zeros = run.iter().filter(|&&residual| residual == 0.0).count();
    if 2 * zeros >= run.len() {
        return 0.0;
    }
    median_of_15(run.len(), |index| run[index])
}

/// The median of 15 evenly spaced items of a run, or of all if there are fewer.
#[inline(always)]
pub fn median_of_15(length: usize, item: impl Fn(usize) -> f64) -> f64 {
    let mut samples = [f64::INFINITY; 16];
    let count = length.min(15);
    for (sample, slot) in samples[..count].iter_mut().enumerate() {
        *slot = item(sample * length / count);
    }
    // By counting, which several comparisons at once do: sorting goes a way that the processor cannot foresee.
    let mut below = [0u64; 16];
    for &other in &samples {
        for (below, &candidate) in below.iter_mut().zip(&samples) {
            *below += u64::from(other < candidate);
        }
    }
    // The largest that has at most half of them below it.
    let half = (count / 2) as u64;
    below.iter().zip(&samples).fold(f64::NEG_INFINITY, |median, (&below, &candidate)| {
        if below <= half && candidate > median {
            candidate
        } else {
            median
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| (i * 7919 % 1013 >> (i % 11)) as f64).collect()
    }

    #[test]
    fn a_tally_counts_every_residual_of_short_and_long_columns() {
        for length in [1, 3, 47, 64, 65, 255, 256, 1021] {
            // All in one slot, which is where a counter of bytes would overflow, and in many.
            for run in [vec![5.0; length], numbers(length)] {
                let mut expected = [0; 64];
                for &number in &run {
                    expected[width_of(number) as usize] += 1;
                }
                assert_eq!(tally(&run, slot_width), expected, "{length} residuals");
            }
        }
    }

    #[test]
    fn the_width_of_a_slot_is_the_width_of_the_number() {
        for width in 0..=51 {
            let power = (1u64 << width) as f64;
            for number in [power - 1.0, power] {
                assert_eq!(slot_width(number), u64::from(width_of(number)), "{number}");
            }
        }
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted_samples() {
        for length in 1..60 {
            let run: Vec<f64> = numbers(length).iter().map(|number| number - 40.0).collect();
            let count = length.min(15);
            let mut sorted: Vec<f64> = (0..count).map(|sample| run[sample * length / count]).collect();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(median_of_15(length, |index| run[index]), sorted[count / 2], "{length} numbers");
        }
    }
}
