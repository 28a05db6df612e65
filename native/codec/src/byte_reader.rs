//! Reads the fields of a chunk's header: the twin of gorilla-codec/src/byte-reader.ts.

use crate::error::{corrupt, truncated, Result};
use crate::limits::INTEGER_EXACT_MAX;

pub struct ByteReader<'a> {
    pub bytes: &'a [u8],
    /// The next byte to read.
    pub at: usize,
    pub end: usize,
}

impl ByteReader<'_> {
    /// Moves over `size` bytes and returns where they begin.
    pub fn skip(&mut self, size: usize) -> Result<usize> {
        if size > self.end - self.at {
            return Err(truncated(self.at));
        }
        let start = self.at;
        self.at += size;
        Ok(start)
    }

    pub fn byte(&mut self) -> Result<u8> {
        if self.at >= self.end {
            return Err(truncated(self.at));
        }
        self.at += 1;
        Ok(self.bytes[self.at - 1])
    }

    pub fn varint(&mut self) -> Result<i64> {
        self.varint_rest(self.at, 0, 0)
    }

    pub fn signed_varint(&mut self) -> Result<i64> {
        let start = self.at;
        let first = self.byte()?;
        let mut magnitude = i64::from(first >> 1 & 63);
        if first & 128 != 0 {
            magnitude = self.varint_rest(start, magnitude, 6)?;
        }
        Ok(if first & 1 == 1 { -magnitude } else { magnitude })
    }

    pub fn float(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.word()?))
    }

    /// Eight bytes, lowest first.
    pub fn word(&mut self) -> Result<u64> {
        let start = self.skip(8)?;
        Ok(word_at(self.bytes, start))
    }

    fn varint_rest(&mut self, start: usize, mut magnitude: i64, mut shift: u32) -> Result<i64> {
        for _ in 0..8 {
            let byte = self.byte()?;
            // At most 6 + 8 * 7 = 62 bits: nothing is shifted out.
            magnitude += i64::from(byte & 127) << shift;
            if byte < 128 {
                if magnitude > INTEGER_EXACT_MAX {
                    break;
                }
                return Ok(magnitude);
            }
            shift += 7;
        }
        Err(corrupt(start))
    }
}

/// The eight bytes at `at`, lowest first; the caller has checked that they are there.
pub fn word_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
