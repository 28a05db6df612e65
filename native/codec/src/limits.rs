//! Bounds that every encoding shares: gorilla-codec/src/limits.ts.

pub const SAMPLES_PER_CHUNK_MAX: usize = 65_535;
/// 2^53: beyond it a float64 skips integers.
pub const INTEGER_EXACT_MAX: i64 = 1 << 53;
/// A scaled value stays within ±2^50.
pub const SCALED_MAX: i64 = 1 << 50;
/// Differences of scaled values, and divisors, stay within 2^52.
pub const DIFFERENCE_MAX: i64 = 1 << 52;
pub const SCALE_MAX: usize = 22;

pub const POWERS_OF_TEN: [f64; SCALE_MAX + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// How many bits a non-negative integer needs; 0 for 0.
pub fn bit_width(value: u64) -> u32 {
    64 - value.leading_zeros()
}
