//! The codes of gorilla-codec/src/errors.ts, with the numbers that cross the border.

/// Why a chunk cannot be encoded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CodecErrorCode {
    InvalidArgument = 1,
    TimestampOutOfRange = 2,
    OutputTooSmall = 3,
    ChunkFull = 4,
    Truncated = 5,
    CorruptChunk = 6,
    ChecksumMismatch = 7,
    UnsupportedEncoding = 8,
}

/// A code and the bit of the buffer at which the wrong field begins; -1 where the call is wrong, not the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError {
    pub code: CodecErrorCode,
    pub bit_offset: i64,
}

pub type Result<T> = std::result::Result<T, CodecError>;

impl CodecError {
    pub fn call(code: CodecErrorCode) -> Self {
        CodecError { code, bit_offset: -1 }
    }

    pub fn at_bit(code: CodecErrorCode, bit: usize) -> Self {
        CodecError { code, bit_offset: bit as i64 }
    }
}

#[cold]
pub fn truncated(at: usize) -> CodecError {
    CodecError::at_bit(CodecErrorCode::Truncated, at * 8)
}

#[cold]
pub fn corrupt(at: usize) -> CodecError {
    CodecError::at_bit(CodecErrorCode::CorruptChunk, at * 8)
}
