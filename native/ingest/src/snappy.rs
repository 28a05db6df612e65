//! Snappy's block format, decoded strictly: the twin of packages/coordinator/src/snappy/decode.ts, where it is drawn.

use crate::fault::{self, Fault};

/// Copies and literals up to this length are done as one fixed-size move where there is room behind them.
const WIDE: usize = 16;

/// Decodes one block into the front of `output` and returns its size.
pub fn decode(input: &[u8], output: &mut [u8], size_max: usize) -> Result<usize, Fault> {
    let Some((declared, mut at)) = declared_size(input) else { return fault::at(fault::SNAPPY_LENGTH, 0) };
    if declared > size_max || declared > output.len() {
        return fault::at(fault::SNAPPY_TOO_LARGE, 0);
    }
    let end = input.len();
    let room = output.len();
    let mut out = 0;
    while at < end {
        let start = at;
        let tag = input[at];
        at += 1;
        if tag & 3 == 0 {
            let mut length = usize::from(tag >> 2) + 1;
            if length > 60 {
                let extra = length - 60;
                if at + extra > end {
                    return fault::at(fault::SNAPPY_TRUNCATED, start);
                }
                length = input[at..at + extra].iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)) + 1;
                at += extra;
            }
            if length > declared - out {
                return fault::at(fault::SNAPPY_LITERAL_OVERRUN, start);
            }
            if length > end - at {
                return fault::at(fault::SNAPPY_TRUNCATED, start);
            }
            if length <= WIDE && at + WIDE <= end && out + WIDE <= room {
                let wide: [u8; WIDE] = fixed(input, at);
                output[out..out + WIDE].copy_from_slice(&wide);
            } else {
                output[out..out + length].copy_from_slice(&input[at..at + length]);
            }
            out += length;
            at += length;
            continue;
        }
        let (length, back, size) = match tag & 3 {
            1 if at < end => (4 + usize::from(tag >> 2 & 7), usize::from(tag >> 5) << 8 | usize::from(input[at]), 1),
            2 if at + 2 <= end => {
                (usize::from(tag >> 2) + 1, usize::from(u16::from_le_bytes([input[at], input[at + 1]])), 2)
            }
            3 if at + 4 <= end => {
                let back = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], input[at + 3]]);
                (usize::from(tag >> 2) + 1, back as usize, 4)
            }
            _ => return fault::at(fault::SNAPPY_TRUNCATED, start),
        };
        at += size;
        if back == 0 || back > out {
            return fault::at(fault::SNAPPY_COPY_BEFORE_START, start);
        }
        if length > declared - out {
            return fault::at(fault::SNAPPY_COPY_OVERRUN, start);
        }
        copy_back(output, out, back, length);
        out += length;
    }
    if out != declared {
        return fault::at(fault::SNAPPY_TOO_SHORT, at);
    }
    Ok(out)
}

/// Repeats what stands `back` bytes before `out`, which may overlap what it makes.
#[inline]
fn copy_back(output: &mut [u8], out: usize, back: usize, length: usize) {
    let from = out - back;
    if back >= WIDE && out + 4 * WIDE <= output.len() {
        // Steps of 16 bytes never read what the same step writes; those too many are written over by what follows.
        let mut done = 0;
        while done < length {
            let wide: [u8; WIDE] = fixed(output, from + done);
            output[out + done..out + done + WIDE].copy_from_slice(&wide);
            done += WIDE;
        }
    } else if back >= length {
        output.copy_within(from..from + length, out);
    } else {
        for index in 0..length {
            output[out + index] = output[from + index];
        }
    }
}

#[inline]
fn fixed(bytes: &[u8], at: usize) -> [u8; WIDE] {
    let mut wide = [0; WIDE];
    wide.copy_from_slice(&bytes[at..at + WIDE]);
    wide
}

/// The length that the block declares, and where it ends.
fn declared_size(input: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for (index, &byte) in input.iter().take(5).enumerate() {
        if index == 4 && byte > 0x0f {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value as usize, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut output = vec![0; 200];
        decode(input, &mut output, 100).map(|size| output[..size].to_vec())
    }

    #[test]
    fn repeats_a_pattern_when_a_copy_overlaps_itself() {
        assert_eq!(run(&[7, 0x04, 0x61, 0x62, 0x12, 2, 0]).unwrap(), b"abababa");
    }

    #[test]
    fn refuses_what_its_twin_refuses() {
        let cases: &[(&[u8], u32, usize)] = &[
            (&[], fault::SNAPPY_LENGTH, 0),
            (&[0xff, 0xff, 0xff, 0xff, 0x10], fault::SNAPPY_LENGTH, 0),
            (&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], fault::SNAPPY_TOO_LARGE, 0),
            (&[3, 0x08, 1], fault::SNAPPY_TRUNCATED, 1),
            (&[3, 0xf4], fault::SNAPPY_TRUNCATED, 1),
            (&[1, 0x04, 1, 2], fault::SNAPPY_LITERAL_OVERRUN, 1),
            (&[4, 0x00, 1, 0x01, 2], fault::SNAPPY_COPY_BEFORE_START, 3),
            (&[3, 0x00, 1, 0x01, 1], fault::SNAPPY_COPY_OVERRUN, 3),
            (&[5, 0x00, 1, 0x02, 1], fault::SNAPPY_TRUNCATED, 3),
            (&[5, 0x00, 1], fault::SNAPPY_TOO_SHORT, 3),
        ];
        for &(input, fault, offset) in cases {
            assert_eq!(run(input), Err(Fault { fault, offset }), "{input:?}");
        }
    }
}
