//! Chooses how a run of integers is packed: the twin of gorilla-codec/src/integer-plan.ts, which explains it.
//!
//! The integers are float64 here too: below 2^53 they are exact, their width is in their exponent, and processors compare
//! and subtract several at once.

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
    pub cost_bits: f64,
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
            cost_bits: f64::INFINITY,
        }
    }
}

type Histogram = [u32; 64];

/// Four histograms in turn, so that equal widths in a row do not wait for each other.
struct Tally([Histogram; 4]);

impl Tally {
    fn new() -> Self {
        Tally([[0; 64]; 4])
    }

    fn of(residuals: &[f64], slot: impl Fn(f64) -> usize) -> Histogram {
        let mut tally = Tally::new();
        let (quads, rest) = residuals.as_chunks::<4>();
        for quad in quads {
            for (histogram, &residual) in tally.0.iter_mut().zip(quad) {
                histogram[slot(residual) & 63] += 1;
            }
        }
        for &residual in rest {
            tally.0[0][slot(residual) & 63] += 1;
        }
        let [mut sum, b, c, d] = tally.0;
        for index in 0..64 {
            sum[index] += b[index] + c[index] + d[index];
        }
        sum
    }
}

/// How many bits the non-negative integer needs: its exponent says so.
pub fn width_of(value: f64) -> u32 {
    ((value.to_bits() >> 52) as u32).saturating_sub(1022)
}

fn power_of_two(width: u32) -> f64 {
    f64::from_bits(u64::from(1023 + width) << 52)
}

/// Extremes of a run of residuals.
#[derive(Clone, Copy)]
struct Extremes {
    min: f64,
    max: f64,
}

/// Plans `integers` (the first is 0, all within ±2^51, at least two) and leaves the residuals of the chosen transform at the
/// start of `residuals`; returns the plan and how many there are.
pub fn plan_integers(integers: &[f64], residuals: &mut [f64], candidate: &mut [f64]) -> (IntegerPlan, usize) {
    let mut plan = IntegerPlan::default();
    let mut chosen = TRANSFORM_NONE;
    for transform in TRANSFORM_NONE..=TRANSFORM_DELTA2 {
        if transform == TRANSFORM_DELTA2 && integers.len() < 4 {
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
            chosen = transform;
        }
    }
    let length = differences(integers, chosen, residuals);
    refine(&residuals[..length], &mut plan);
    (plan, length)
}

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

fn extremes_of(run: &[f64]) -> Extremes {
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
        extremes.min = extremes.min.min(value);
    }
    for &value in max.iter().chain(rest) {
        extremes.max = extremes.max.max(value);
    }
    extremes
}

fn plan_from_pivot(run: &[f64], extremes: Extremes, transform: u8, plan: &mut IntegerPlan) {
    let pivot = typical_of(run);
    let histogram = Tally::of(run, |residual| {
        let distance = residual - pivot;
        // -1 and 0 share a window of one bit; 0 alone needs none.
        let width = 1 + width_of(if distance > 0.0 { distance } else { -distance - 1.0 });
        if distance == 0.0 {
            0
        } else {
            width as usize
        }
    });
    let mut inside = 0;
    let width_max = 1 + width_of(extremes.max - extremes.min);
    for width in 0..width_max {
        inside += histogram[width as usize] as usize;
        let base = if width == 0 { pivot } else { pivot - power_of_two(width - 1) };
        offer(plan, extremes, transform, base, width, run.len() - inside, run.len());
        if inside == run.len() {
            break; // A larger width only costs more.
        }
    }
}

fn refine(run: &[f64], plan: &mut IntegerPlan) {
    let from = plan.base;
    let to = plan.base + power_of_two(plan.width);
    let extremes = extremes_of(run);
    let mut lowest = f64::INFINITY;
    for &residual in run {
        let inside = residual >= from && residual < to && residual < lowest;
        lowest = if inside { residual } else { lowest };
    }
    plan_from_base(run, extremes, lowest, plan);
    if extremes.min < lowest {
        plan_from_base(run, extremes, extremes.min, plan);
    }
}

fn plan_from_base(run: &[f64], extremes: Extremes, base: f64, plan: &mut IntegerPlan) {
    // Slot 63 holds what lies below the base: no width reaches it.
    let histogram = Tally::of(run, |residual| {
        let distance = residual - base;
        if distance >= 0.0 {
            width_of(distance) as usize
        } else {
            63
        }
    });
    let width_max = width_of(extremes.max - base);
    let mut inside = 0;
    for width in 0..=width_max {
        inside += histogram[width as usize] as usize;
        offer(plan, extremes, plan.transform, base, width, run.len() - inside, run.len());
        if inside == run.len() {
            break;
        }
    }
}

/// Takes the offered plan if it costs less than the one held.
fn offer(
    plan: &mut IntegerPlan,
    extremes: Extremes,
    transform: u8,
    base: f64,
    width: u32,
    patch_count: usize,
    length: usize,
) {
    let mut cost_bits = (length * width as usize) as f64;
    let mut patch_form = PATCHES_NONE;
    let mut patch_width = 0;
    let patches_signed = patch_count > 0 && extremes.min < base;
    let list_bits = if patch_count > 0 { patch_count * width_of((length - 1) as f64) as usize } else { 0 };
    if patch_count > 0 {
        // All of the patches but their own bits.
        cost_bits += (list_bits.min(length) + patch_count * PATCH_PENALTY_BITS + 24) as f64;
    }
    if cost_bits >= plan.cost_bits {
        return;
    }
    if patch_count > 0 {
        // Dividing by a power of two is multiplying by its inverse, exactly.
        let unit = f64::from_bits(u64::from(1023 - width) << 52);
        let above = ((extremes.max - base) * unit).floor();
        patch_width = if patches_signed {
            let below = -((extremes.min - base) * unit).floor();
            width_of((2.0 * above - 1.0).max(2.0 * below - 2.0).max(0.0))
        } else {
            width_of(above - 1.0)
        };
        patch_form = if list_bits <= length { PATCHES_LIST } else { PATCHES_BITMAP };
        cost_bits += (patch_count * patch_width as usize) as f64;
    }
    if cost_bits >= plan.cost_bits {
        return;
    }
    *plan = IntegerPlan { transform, base, width, patch_form, patches_signed, patch_width, patch_count, cost_bits };
}

/// Zero where most residuals are zero, else the median of 15 evenly spaced ones.
fn typical_of(run: &[f64]) -> f64 {
    let zeros = run.iter().filter(|&&residual| residual == 0.0).count();
    if 2 * zeros >= run.len() {
        return 0.0;
    }
    median_of_15(run.len(), |index| run[index])
}

/// The median of 15 evenly spaced items of a run, or of all if there are fewer.
pub fn median_of_15(length: usize, item: impl Fn(usize) -> f64) -> f64 {
    let mut samples = [f64::INFINITY; 16];
    let count = length.min(15);
    for (sample, slot) in samples[..count].iter_mut().enumerate() {
        *slot = item(sample * length / count);
    }
    // By counting, which several comparisons at once do: sorting goes a way that the processor cannot foresee.
    let rank = count / 2;
    for &candidate in &samples[..count] {
        let below = samples.iter().map(|&other| usize::from(other < candidate)).sum::<usize>();
        let reached = samples.iter().map(|&other| usize::from(other <= candidate)).sum::<usize>();
        if below <= rank && rank < reached {
            return candidate;
        }
    }
    samples[0]
}
