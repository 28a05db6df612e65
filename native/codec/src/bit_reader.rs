//! Reads bits, highest first, and never past the end: the twin of gorilla-codec/src/bit-reader.ts.

use crate::error::{CodecError, CodecErrorCode, Result};

pub struct BitReader<'a> {
    bytes: &'a [u8],
    end: usize,
    /// The next byte to fetch.
    at: usize,
    /// Bits that are fetched and not yet read, from bit 63 down; below them zeros.
    held: u64,
    held_bits: u32,
}

impl<'a> BitReader<'a> {
    /// A reader over `bytes[offset..end]`.
    pub fn open(bytes: &'a [u8], offset: usize, end: usize) -> Result<Self> {
        if offset > end || end > bytes.len() {
            return Err(CodecError::call(CodecErrorCode::InvalidArgument));
        }
        Ok(BitReader { bytes, end, at: offset, held: 0, held_bits: 0 })
    }

    /// The bit to be read next, from the start of the buffer.
    pub fn position(&self) -> usize {
        self.at * 8 - self.held_bits as usize
    }

    #[inline]
    pub fn bit(&mut self) -> Result<u64> {
        self.bits(1)
    }

    /// Reads ones up to the first zero, which it reads too, or up to `max` of them; returns how many.
    #[inline]
    pub fn ones(&mut self, max: u32) -> Result<u32> {
        let mut count = 0;
        while count < max && self.bit()? == 1 {
            count += 1;
        }
        Ok(count)
    }

    /// Reads 1 to 56 bits.
    #[inline]
    pub fn bits(&mut self, count: u32) -> Result<u64> {
        if self.held_bits < count {
            self.fetch(count)?;
        }
        let bits = self.held >> (64 - count);
        self.held <<= count;
        self.held_bits -= count;
        Ok(bits)
    }

    /// Reads 64 bits, as two halves: each is truncated at its own start, as in TypeScript.
    pub fn word(&mut self) -> Result<u64> {
        let high = self.bits(32)?;
        Ok(high << 32 | self.bits(32)?)
    }

    #[inline]
    fn fetch(&mut self, count: u32) -> Result<()> {
        if self.end - self.at >= 8 {
            let word = u64::from_be_bytes(self.bytes[self.at..self.at + 8].try_into().expect("eight bytes"));
            self.held |= word >> self.held_bits;
            let size = (63 - self.held_bits) / 8;
            self.at += size as usize;
            self.held_bits += 8 * size;
            // What was taken of the byte behind is dropped, so that it is not there twice.
            self.held &= u64::MAX << (64 - self.held_bits);
            return Ok(());
        }
        while self.held_bits <= 56 && self.at < self.end {
            self.held |= u64::from(self.bytes[self.at]) << (56 - self.held_bits);
            self.at += 1;
            self.held_bits += 8;
        }
        if self.held_bits < count {
            return Err(CodecError::at_bit(CodecErrorCode::Truncated, self.position()));
        }
        Ok(())
    }
}
