//! Snappy's block format, decoded strictly: the twin of packages/coordinator/src/snappy/decode.ts, where it is drawn.

use crate::fault::{self, Fault};

/// Bytes that are moved at once, however few of them are wanted: what is too much is written over by what follows.
const WIDE: usize = 16;
/// The longest copy. A fast step writes so many bytes from where it begins, and reads as many of the input.
const STEP_MAX: usize = 64;
/// Tag and offset of a copy, before the bytes of the next step.
const TAG_SIZE_MAX: usize = 4;

/// Decodes one block into the front of `output` and returns its size.
pub fn decode(input: &[u8], output: &mut [u8], size_max: usize) -> Result<usize, Fault> {
    let Some((declared, mut at)) = declared_size(input) else { return fault::at(fault::SNAPPY_LENGTH, 0) };
    if declared > size_max || declared > output.len() {
        return fault::at(fault::SNAPPY_TOO_LARGE, 0);
    }
    let mut out = 0;
    loop {
        (at, out) = fast_steps(input, at, output, out, declared);
        if at == input.len() {
            break;
        }
        (at, out) = step(input, at, output, out, declared)?;
    }
    if out != declared {
        return fault::at(fault::SNAPPY_TOO_SHORT, at);
    }
    Ok(out)
}

/// Takes the steps that need no closer look: far from both ends, lengths in the tag, copies from `WIDE` bytes back and more.
/// Returns where it stopped. How long a step is decides nothing about the way that the processor goes.
fn fast_steps(input: &[u8], mut at: usize, output: &mut [u8], mut out: usize, declared: usize) -> (usize, usize) {
    let input_end = input.len().saturating_sub(TAG_SIZE_MAX + STEP_MAX);
    // A step writes `STEP_MAX` bytes from `out` on.
    let out_end = declared.min(output.len().saturating_sub(STEP_MAX));
    while at < input_end && out < out_end {
        // SAFETY: `at + TAG_SIZE_MAX + STEP_MAX < input.len()`, by the condition of the loop.
        let (tag, bytes) = unsafe { (*input.get_unchecked(at), input.as_ptr().add(at + 1)) };
        if tag & 3 == 0 {
            let length = usize::from(tag >> 2) + 1;
            if length > 60 || length > declared - out {
                break;
            }
            // SAFETY: `STEP_MAX` bytes are there to be read, as above, and to be written: `out + STEP_MAX <= output.len()`.
            // Input and output are different slices.
            unsafe {
                let to = output.as_mut_ptr().add(out);
                move_wide(bytes, to);
                if length > WIDE {
                    for from in [WIDE, 2 * WIDE, 3 * WIDE] {
                        move_wide(bytes.add(from), to.add(from));
                    }
                }
            }
            at += 1 + length;
            out += length;
            continue;
        }
        // SAFETY: two bytes behind the tag are there to be read, as above.
        let offset = usize::from(u16::from_le_bytes(unsafe { bytes.cast::<[u8; 2]>().read() }));
        let long = tag & 3 == 2;
        let length = if long { usize::from(tag >> 2) + 1 } else { 4 + usize::from(tag >> 2 & 7) };
        let back = if long { offset } else { usize::from(tag >> 5) << 8 | (offset & 0xff) };
        if tag & 3 == 3 || back < WIDE || back > out || length > declared - out {
            break;
        }
        // SAFETY: `back <= out`, so that reading begins inside of the output, and with `back >= WIDE` each move reads bytes
        // before those that it writes, all of them before `out + STEP_MAX <= output.len()`.
        unsafe {
            let to = output.as_mut_ptr().add(out);
            let from = to.sub(back);
            for done in [0, WIDE, 2 * WIDE, 3 * WIDE] {
                move_wide(from.add(done), to.add(done));
            }
        }
        at += if long { 3 } else { 2 };
        out += length;
    }
    (at, out)
}

/// # Safety
/// `WIDE` bytes can be read at `from` and written at `to`.
#[inline(always)]
unsafe fn move_wide(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; arrays of bytes lie anywhere. The value is read whole before it is written.
    unsafe { to.cast::<[u8; WIDE]>().write(from.cast::<[u8; WIDE]>().read()) }
}

/// Takes one step of any kind, with all checks.
fn step(input: &[u8], mut at: usize, output: &mut [u8], out: usize, declared: usize) -> Result<(usize, usize), Fault> {
    let end = input.len();
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
        output[out..out + length].copy_from_slice(&input[at..at + length]);
        return Ok((at + length, out + length));
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
    let from = out - back;
    if back >= length {
        output.copy_within(from..from + length, out);
    } else {
        for index in 0..length {
            output[out + index] = output[from + index];
        }
    }
    Ok((at, out + length))
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
