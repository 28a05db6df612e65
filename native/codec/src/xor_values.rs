//! Float64 values xor-ed with the one before: the twin of gorilla-codec/src/xor-values.ts, which draws them.

use crate::bit_reader::BitReader;
use crate::bit_writer::BitWriter;
use crate::error::{CodecError, CodecErrorCode, Result};

/// What encoder and decoder remember between two values.
pub struct XorState {
    pub bits: u64,
    leading: u32,
    trailing: u32,
}

impl XorState {
    /// The first difference always opens a window: none has 65 leading zeros.
    pub fn encoder(first: u64) -> Self {
        XorState { bits: first, leading: 65, trailing: 0 }
    }

    pub fn decoder(first: u64) -> Self {
        XorState { bits: first, leading: 0, trailing: 0 }
    }

    #[inline]
    pub fn append(&mut self, writer: &mut BitWriter, bits: u64) {
        let xor = bits ^ self.bits;
        if xor == 0 {
            writer.write(0, 1);
            return;
        }
        self.bits = bits;
        let leading = xor.leading_zeros().min(31);
        let trailing = xor.trailing_zeros();
        if leading >= self.leading && trailing >= self.trailing {
            writer.write(0b10, 2);
            writer.write(xor >> self.trailing, 64 - self.leading - self.trailing);
            return;
        }
        self.leading = leading;
        self.trailing = trailing;
        let length = 64 - leading - trailing;
        writer.write(u64::from(0b11 << 11 | leading << 6 | length & 63), 13);
        writer.write(xor >> trailing, length);
    }

    /// Reads the next value into `self.bits`.
    #[inline]
    pub fn read(&mut self, reader: &mut BitReader) -> Result<()> {
        if reader.bit()? == 0 {
            return Ok(());
        }
        if reader.bit()? == 1 {
            let start = reader.position();
            let window = reader.bits(11)? as u32;
            let length = if window & 63 == 0 { 64 } else { window & 63 };
            self.leading = window >> 6;
            if self.leading + length > 64 {
                return Err(CodecError::at_bit(CodecErrorCode::CorruptChunk, start));
            }
            self.trailing = 64 - self.leading - length;
        }
        let length = 64 - self.leading - self.trailing;
        let xor = if length > 32 {
            let upper = reader.bits(length - 32)?;
            upper << 32 | reader.bits(32)?
        } else {
            reader.bits(length)?
        };
        self.bits ^= xor << self.trailing;
        Ok(())
    }
}
