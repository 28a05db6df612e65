//! Numbers of one width, side by side, lowest bit first: the twin of gorilla-codec/src/bit-packing.ts.
//!
//! Eight numbers of `W` bits are `W` bytes, so a group of eight begins on a byte and every shift in it is a constant: one
//! function a width, made by the compiler.

/// How many bytes `count` numbers of `width` bits take.
pub fn packed_size(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Packs the low `width` bits of each number and returns the next offset.
pub fn pack(numbers: impl Iterator<Item = u64>, width: u32, out: &mut [u8], mut at: usize) -> usize {
    if width == 0 {
        return at;
    }
    let mask = u64::MAX >> (64 - width);
    let mut held: u64 = 0;
    let mut held_bits = 0;
    for number in numbers {
        let number = number & mask;
        held |= number << held_bits;
        held_bits += width;
        if held_bits >= 64 {
            out[at..at + 8].copy_from_slice(&held.to_le_bytes());
            at += 8;
            held_bits -= 64;
            // What of the number is not written yet; a shift by 64 would be its whole width.
            held = if held_bits == 0 { 0 } else { number >> (width - held_bits) };
        }
    }
    let rest = held_bits.div_ceil(8) as usize;
    out[at..at + rest].copy_from_slice(&held.to_le_bytes()[..rest]);
    at + rest
}

/// Unpacks `out.len()` numbers of `width` bits from `bytes[at..]`, whose run the caller has checked to be inside.
pub fn unpack(bytes: &[u8], at: usize, width: u32, out: &mut [u64]) {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                0 => out.fill(0),
                $($width => unpack_groups::<$width>(bytes, at, out),)*
                _ => unreachable!("a width of at most 64 bits"),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39
        40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64);
}

/// A group of eight, and the 8 bytes that its last number is loaded with (9 where a number may cross them).
const fn group_reach(width: usize) -> usize {
    7 * width / 8 + if width > 57 { 9 } else { 8 }
}

/// How many numbers come out of one loaded word: the processor then shifts them side by side.
const fn numbers_per_word(width: usize) -> usize {
    // The first of them begins at most 7 bits into the word, or 4 where there are four: they are 4 · width bits apart.
    if width <= 8 {
        8
    } else if width <= 15 {
        4
    } else if width <= 28 {
        2
    } else {
        1
    }
}

fn unpack_groups<const W: usize>(bytes: &[u8], at: usize, out: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<const W: usize>(bytes: &[u8], at: usize, out: &mut [u64]) {
            unpack_groups_anywhere::<W>(bytes, at, out)
        }
        if W <= 57 && std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has been asked for what the function is compiled for.
            return unsafe { avx2::<W>(bytes, at, out) };
        }
    }
    unpack_groups_anywhere::<W>(bytes, at, out)
}

#[inline(always)]
fn unpack_groups_anywhere<const W: usize>(bytes: &[u8], at: usize, out: &mut [u64]) {
    let mask = u64::MAX >> (64 - W);
    let reach = group_reach(W);
    let mut start = at;
    let mut done = 0;
    let (groups, _) = out.as_chunks_mut::<8>();
    for group in groups {
        let Some(run) = bytes.get(start..start + reach) else { break };
        for first in (0..8).step_by(numbers_per_word(W)) {
            let byte = first * W / 8;
            let word = u64::from_le_bytes(run[byte..byte + 8].try_into().expect("eight bytes"));
            for (index, slot) in group.iter_mut().enumerate().skip(first).take(numbers_per_word(W)) {
                let shift = index * W - byte * 8;
                let mut number = word >> shift;
                if W > 57 && shift + W > 64 {
                    number |= u64::from(run[byte + 8]) << (64 - shift);
                }
                *slot = number & mask;
            }
        }
        start += W;
        done += 8;
    }
    for (index, slot) in out[done..].iter_mut().enumerate() {
        *slot = number_at(bytes, start, index * W, W) & mask;
    }
}

/// One number, byte by byte: for the end of the buffer, where a whole word may not be read.
fn number_at(bytes: &[u8], start: usize, bit: usize, width: usize) -> u64 {
    let first = start + bit / 8;
    let last = start + (bit + width - 1) / 8;
    let mut wide: u128 = 0;
    for (index, &byte) in bytes[first..=last].iter().enumerate() {
        wide |= u128::from(byte) << (8 * index);
    }
    (wide >> (bit % 8)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_gives_back_what_was_packed_at_every_distance_from_the_end() {
        for width in 0..=64 {
            for count in [0, 1, 7, 8, 9, 31, 64, 65] {
                let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
                let numbers: Vec<u64> =
                    (0..count as u64).map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask).collect();
                let size = packed_size(count, width);
                for slack in [0, 3, 20] {
                    let mut bytes = vec![0xaa; 1 + size + slack];
                    assert_eq!(pack(numbers.iter().copied(), width, &mut bytes, 1), 1 + size);
                    let mut out = vec![7; count];
                    unpack(&bytes, 1, width, &mut out);
                    assert_eq!(out, numbers, "width {width}, count {count}, slack {slack}");
                }
            }
        }
    }
}
