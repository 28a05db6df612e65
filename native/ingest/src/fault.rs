//! Fault numbers: the twin of `FAULT` in packages/coordinator/src/wire-error.ts, where the texts are.

pub const NONE: u32 = 0;
pub const SNAPPY_LENGTH: u32 = 1;
pub const SNAPPY_TOO_LARGE: u32 = 2;
pub const SNAPPY_TRUNCATED: u32 = 3;
pub const SNAPPY_LITERAL_OVERRUN: u32 = 4;
pub const SNAPPY_COPY_BEFORE_START: u32 = 5;
pub const SNAPPY_COPY_OVERRUN: u32 = 6;
pub const SNAPPY_TOO_SHORT: u32 = 7;
pub const VARINT: u32 = 8;
pub const TAG: u32 = 9;
pub const FIELD_TOO_LONG: u32 = 10;
pub const WIRE_TYPE: u32 = 11;
pub const NO_WIRE_TYPE: u32 = 12;
pub const GROUP: u32 = 13;
pub const TOO_MANY_SERIES: u32 = 14;
pub const TOO_MANY_SAMPLES: u32 = 15;
pub const LABELS_TOO_LONG: u32 = 16;
pub const SYMBOL_RANGE: u32 = 17;
pub const ODD_LABEL_REFERENCES: u32 = 18;
pub const FIRST_SYMBOL: u32 = 19;
pub const TOO_MANY_SYMBOLS: u32 = 20;
pub const TOO_MANY_EXTRAS: u32 = 21;
pub const SCATTERED_LABELS: u32 = 22;
pub const NOTHING_KNOWN: u32 = 23;
pub const TOO_MANY_IDLE_FIELDS: u32 = 24;
pub const TOO_MANY_LABELS: u32 = 25;

/// What is wrong and where: an offset in the compressed body for snappy's faults, else in the decoded one.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub fault: u32,
    pub offset: usize,
}

pub fn at<T>(fault: u32, offset: usize) -> Result<T, Fault> {
    Err(Fault { fault, offset })
}
