//! A number in Go's shortest form: exponents below 1e-6 and from 1e21 on, with at least two digits.

use crate::NUMBER_SIZE_MAX;

/// Up to here every integer is a double, and its digits are the shortest text.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes the number and returns the offset behind it; `out` has room for `NUMBER_SIZE_MAX` bytes there.
pub fn write_number(value: f64, out: &mut [u8], at: usize) -> usize {
    let slot = &mut out[at..at + NUMBER_SIZE_MAX];
    if !value.is_finite() {
        let text: &[u8] = if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        };
        return at + put(slot, 0, text);
    }
    let mut length = 0;
    if value.is_sign_negative() {
        slot[0] = b'-';
        length = 1;
    }
    let magnitude = value.abs();
    length = if magnitude < INTEGER_MAX && magnitude.trunc() == magnitude {
        write_integer(magnitude as u64, slot, length)
    } else {
        write_fraction(magnitude, slot, length)
    };
    at + length
}

fn put(slot: &mut [u8], at: usize, text: &[u8]) -> usize {
    slot[at..at + text.len()].copy_from_slice(text);
    at + text.len()
}

fn write_integer(mut number: u64, slot: &mut [u8], at: usize) -> usize {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    put(slot, at, &digits[first..])
}

fn write_fraction(magnitude: f64, slot: &mut [u8], at: usize) -> usize {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(magnitude).as_bytes();
    let Some(exponent_at) = text.iter().position(|&byte| byte == b'e') else {
        // Its own plain form differs by the `.0` of integers alone.
        return put(slot, at, text.strip_suffix(b".0").unwrap_or(text));
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
    let at = if exponent < 10 { put(slot, at, b"0") } else { at };
    write_integer(u64::from(exponent), slot, at)
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

fn exponent_of(text: &[u8]) -> i32 {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'));
    if negative {
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
            (-12.5, "-12.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1.25e-5, "0.0000125"),
            (9.999e-7, "9.999e-07"),
            (-1e-10, "-1e-10"),
            (5e-324, "5e-324"),
            (1e15, "1000000000000000"),
            (1e16, "10000000000000000"),
            (1.2345e20, "123450000000000000000"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e21, "1e+21"),
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
