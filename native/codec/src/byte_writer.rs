//! Writes the fields that `byte_reader` reads. The caller has made room: each function returns the next offset.

pub fn write_varint(out: &mut [u8], mut at: usize, mut value: u64) -> usize {
    while value >= 128 {
        out[at] = value as u8 | 128;
        at += 1;
        value >>= 7;
    }
    out[at] = value as u8;
    at + 1
}

pub fn write_signed_varint(out: &mut [u8], at: usize, value: i64) -> usize {
    let sign = u8::from(value < 0);
    let magnitude = value.unsigned_abs();
    if magnitude < 64 {
        out[at] = (magnitude as u8) << 1 | sign;
        return at + 1;
    }
    out[at] = 128 | (magnitude as u8 & 63) << 1 | sign;
    write_varint(out, at + 1, magnitude >> 6)
}

pub fn write_word(out: &mut [u8], at: usize, value: u64) -> usize {
    out[at..at + 8].copy_from_slice(&value.to_le_bytes());
    at + 8
}

pub fn write_float(out: &mut [u8], at: usize, value: f64) -> usize {
    write_word(out, at, value.to_bits())
}

pub fn write_u32(out: &mut [u8], at: usize, value: u32) -> usize {
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    at + 4
}
