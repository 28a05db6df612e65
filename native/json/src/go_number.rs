//! A number in Go's shortest form: exponents below 1e-6 and from 1e21 on, with at least two digits.

use crate::NUMBER_SIZE_MAX;

/// From here to `PLAIN_END` the shortest text of a number has no exponent, but integers have a `.0` behind them.
const PLAIN_START: f64 = 1e-5;
const PLAIN_END: f64 = 1e16;

/// Integers below this are written by their own digits, in half the time.
const SHORT_INTEGER_END: f64 = 100_000_000.0;
const PAIRS: [[u8; 2]; 100] = pairs();

/// Writes the number and returns the offset behind it; `out` has room for `NUMBER_SIZE_MAX` bytes there.
pub fn write_number(value: f64, out: &mut [u8], at: usize) -> usize {
    let slot = &mut out[at..at + NUMBER_SIZE_MAX];
    let mut length = 0;
    if value.is_sign_negative() {
        slot[0] = b'-';
        length = 1;
    }
    let magnitude = value.abs();
    let mut buffer = zmij::Buffer::new();
    if magnitude < SHORT_INTEGER_END && magnitude.trunc() == magnitude {
        return at + put_integer(magnitude as u32, slot, length);
    }
    if (PLAIN_START..PLAIN_END).contains(&magnitude) {
        let text = buffer.format_finite(magnitude).as_bytes();
        return at + put(slot, length, text.strip_suffix(b".0").unwrap_or(text));
    }
    if magnitude.is_finite() {
        return at + write_far(buffer.format_finite(magnitude).as_bytes(), slot, length);
    }
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    };
    at + put(slot, 0, text)
}

/// `00`, `01`, … `99`.
const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
}

/// Below `SHORT_INTEGER_END`. The eight digits are made whole, and those that lead with a zero are left out.
#[inline]
fn put_integer(number: u32, slot: &mut [u8], at: usize) -> usize {
    let (high, low) = (number / 10_000, number % 10_000);
    let mut digits = [0; 8];
    for (i, pair) in [high / 100, high % 100, low / 100, low % 100].into_iter().enumerate() {
        digits[i * 2..i * 2 + 2].copy_from_slice(&PAIRS[pair as usize]);
    }
    let text = u64::from_le_bytes(digits);
    // The last digit stays, whatever it is.
    let zeros = ((text ^ 0x3030_3030_3030_3030 | 1 << 56).trailing_zeros() / 8) as usize;
    slot[at..at + 8].copy_from_slice(&(text >> (zeros * 8)).to_le_bytes());
    at + 8 - zeros
}

/// Copies by words where a copy of unknown length would be a call.
#[inline]
fn put(slot: &mut [u8], at: usize, text: &[u8]) -> usize {
    let length = text.len();
    if (8..=24).contains(&length) {
        let (first, last) = (word(text, 0), word(text, length - 8));
        let middle = word(text, (length - 8).min(8));
        slot[at..at + 8].copy_from_slice(&first);
        slot[at + (length - 8).min(8)..][..8].copy_from_slice(&middle);
        slot[at + length - 8..at + length].copy_from_slice(&last);
    } else {
        slot[at..at + length].copy_from_slice(text);
    }
    at + length
}

#[inline]
fn word(text: &[u8], at: usize) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(&text[at..at + 8]);
    word
}

/// A number that is given with an exponent, as Go has it: some have none there, and those that do have two digits at least.
fn write_far(text: &[u8], slot: &mut [u8], at: usize) -> usize {
    let Some(exponent_at) = text.iter().position(|&byte| byte == b'e') else {
        return put(slot, at, text);
    };
    let mantissa = &text[..exponent_at];
    let exponent: i32 = exponent_of(&text[exponent_at + 1..]);
    let fraction = mantissa.get(2..).unwrap_or(&[]);
    if (-6..21).contains(&exponent) {
        return write_plain(mantissa[0], fraction, exponent, slot, at);
    }
    let at = put(slot, at, mantissa);
    let at = put(slot, at, if exponent < 0 { b"e-" } else { b"e+" });
    let exponent = exponent.unsigned_abs();
    let hundreds = [b'0' + (exponent / 100) as u8];
    let at = if exponent < 100 { at } else { put(slot, at, &hundreds) };
    put(slot, at, &[b'0' + (exponent / 10 % 10) as u8, b'0' + (exponent % 10) as u8])
}

/// `d.fraction` times ten to the exponent, without an exponent.
fn write_plain(digit: u8, fraction: &[u8], exponent: i32, slot: &mut [u8], at: usize) -> usize {
    if exponent < 0 {
        let at = put(slot, at, b"0.");
        let at = put(slot, at, &b"00000"[..(-exponent - 1) as usize]);
        let at = put(slot, at, &[digit]);
        return put(slot, at, fraction);
    }
    let whole = exponent as usize;
    let mut at = put(slot, at, &[digit]);
    for place in 0..whole {
        at = put(slot, at, &[fraction.get(place).copied().unwrap_or(b'0')]);
    }
    if fraction.len() > whole {
        at = put(slot, at, b".");
        at = put(slot, at, &fraction[whole..]);
    }
    at
}

/// With or without a sign.
fn exponent_of(text: &[u8]) -> i32 {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    if text.first() == Some(&b'-') {
        -number
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = [0; NUMBER_SIZE_MAX + 1];
        let end = write_number(value, &mut out, 1);
        String::from_utf8(out[1..end].to_vec()).expect("ASCII")
    }

    #[test]
    fn numbers_read_as_go_writes_them() {
        for (value, wanted) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (10.0, "10"),
            (-90_210.0, "-90210"),
            (99_999_999.0, "99999999"),
            (100_000_000.0, "100000000"),
            (-12.5, "-12.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1.25e-5, "0.0000125"),
            (9.999e-7, "9.999e-07"),
            (-1e-10, "-1e-10"),
            (5e-324, "5e-324"),
            (1e-5, "0.00001"),
            (1.25e-6, "0.00000125"),
            (1e15, "1000000000000000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (9_999_999_999_999_998.0, "9999999999999998"),
            (1e16, "10000000000000000"),
            (1.2345e20, "123450000000000000000"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (1.5e99, "1.5e+99"),
            (1.5e300, "1.5e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text(value), wanted);
        }
    }
}
