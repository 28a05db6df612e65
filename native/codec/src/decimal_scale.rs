//! Finds the decimal scale of a run of values: the twin of gorilla-codec/src/decimal-scale.ts, which explains it.

use varve_lanes::wide;

use crate::limits::{POWERS_OF_TEN, SCALED_MAX, SCALE_MAX};

/// 1.5 * 2^52: adding and subtracting it rounds a number below 2^51 to an integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const BOUND: f64 = SCALED_MAX as f64;

pub struct ScaledValues {
    pub scale: usize,
    pub exception_count: usize,
}

/// Writes scaled integers and the positions of exceptions; `None` if the run is none of decimals.
pub fn scale_values(values: &[f64], integers: &mut [f64], exceptions: &mut [u32]) -> Option<ScaledValues> {
    if fits(values[0], 1.0) && scale_all(values, 1.0, integers) {
        return Some(ScaledValues { scale: 0, exception_count: 0 });
    }
    let exceptions_max = values.len() >> 2;
    let mut scale = 0;
    let mut visited = 0u32;
    let mut misfits = 0;
    for &value in values {
        if fits(value, POWERS_OF_TEN[scale]) {
            continue;
        }
        match scale_of(value, scale + 1) {
            Some(wanted) => {
                visited |= 1 << scale;
                scale = wanted;
            }
            None => {
                misfits += 1;
                if misfits > exceptions_max {
                    return None;
                }
            }
        }
    }
    for lower in (0..scale).rev() {
        if visited & 1 << lower != 0 {
            let bound = exceptions_max.min(3 * (scale - lower) * values.len() / 80);
            if misfits_at(values, POWERS_OF_TEN[lower], bound) <= bound {
                scale = lower;
                break;
            }
        }
    }
    convert(values, scale, integers, exceptions, exceptions_max)
}

#[inline(always)]
fn fits(value: f64, power: f64) -> bool {
    let integer = value * power + ROUNDER - ROUNDER;
    // Bits, so that -0 is no 0; NaN and infinities fail the bound.
    (value.abs() <= BOUND) & (integer.abs() <= BOUND) & ((integer / power).to_bits() == value.to_bits())
}

wide! {
    /// Writes the scaled integers and says whether all values fit.
    fn scale_all(values: &[f64], power: f64, integers: &mut [f64]) -> bool {
        let mut misfit = false;
        for (&value, slot) in values.iter().zip(integers) {
            *slot = value * power + ROUNDER - ROUNDER;
            misfit |= !fits(value, power);
        }
        !misfit
    }
}

/// The smallest scale from `from` on at which the value fits.
#[cold]
fn scale_of(value: f64, from: usize) -> Option<usize> {
    let magnitude = value.abs();
    if magnitude.is_nan() || magnitude > BOUND {
        return None;
    }
    let largest = (from..=SCALE_MAX).rev().find(|&scale| magnitude * POWERS_OF_TEN[scale] <= BOUND)?;
    if !fits(value, POWERS_OF_TEN[largest]) {
        return None;
    }
    (from..=largest).find(|&scale| fits(value, POWERS_OF_TEN[scale]))
}

fn misfits_at(values: &[f64], power: f64, bound: usize) -> usize {
    let mut misfits = 0;
    for &value in values {
        if misfits > bound {
            break;
        }
        misfits += usize::from(!fits(value, power));
    }
    misfits
}

fn convert(
    values: &[f64],
    scale: usize,
    integers: &mut [f64],
    exceptions: &mut [u32],
    exceptions_max: usize,
) -> Option<ScaledValues> {
    let power = POWERS_OF_TEN[scale];
    if scale_all(values, power, integers) {
        return Some(ScaledValues { scale, exception_count: 0 });
    }
    let mut exception_count = 0;
    for (index, (&value, slot)) in values.iter().zip(integers.iter_mut()).enumerate() {
        *slot = value * power + ROUNDER - ROUNDER;
        if !fits(value, power) {
            if exception_count == exceptions_max {
                return None;
            }
            exceptions[exception_count] = index as u32;
            exception_count += 1;
        }
    }
    if exception_count > 0 {
        // An exception repeats its neighbour: the one before, or the first that fits.
        let mut next_exception = 0;
        let first_fit = (0..values.len()).find(|&index| fits(values[index], power))?;
        let mut last = integers[first_fit];
        for (index, slot) in integers[..values.len()].iter_mut().enumerate() {
            if next_exception < exception_count && exceptions[next_exception] == index as u32 {
                next_exception += 1;
                *slot = last;
            } else {
                last = *slot;
            }
        }
    }
    Some(ScaledValues { scale, exception_count })
}
