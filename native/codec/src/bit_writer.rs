//! Appends bits to a byte buffer, highest bit first: the twin of gorilla-codec/src/bit-writer.ts.

pub struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Bits that wait, from bit 63 down.
    held: u64,
    held_bits: u32,
}

impl<'a> BitWriter<'a> {
    /// Writes from `at` on; the caller has made room for all that follows, and 8 bytes more.
    pub fn new(out: &'a mut [u8], at: usize) -> Self {
        BitWriter { out, at, held: 0, held_bits: 0 }
    }

    /// Appends the low `count` bits, 1 to 64 of them; those above must be zero.
    #[inline]
    pub fn write(&mut self, bits: u64, count: u32) {
        let free = 64 - self.held_bits;
        if count < free {
            self.held |= bits << (free - count);
            self.held_bits += count;
            return;
        }
        let rest = count - free;
        let word = self.held | bits >> rest;
        self.out[self.at..self.at + 8].copy_from_slice(&word.to_be_bytes());
        self.at += 8;
        self.held = if rest == 0 { 0 } else { bits << (64 - rest) };
        self.held_bits = rest;
    }

    /// Writes the waiting bits, filled up to a byte with zeros, and returns the offset behind them.
    pub fn finish(self) -> usize {
        let size = self.held_bits.div_ceil(8) as usize;
        self.out[self.at..self.at + size].copy_from_slice(&self.held.to_be_bytes()[..size]);
        self.at + size
    }
}
