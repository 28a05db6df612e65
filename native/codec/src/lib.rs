//! Columns of time-series samples to bytes and back: the twin of `packages/gorilla-codec`, byte for byte.
//!
//! A plain crate that knows nothing of Node. The TypeScript is the reference; `vectors/` and the conformance tests of
//! gorilla-codec hold the two together. Formats: docs/formats/chunk.md.

mod bit_packing;
mod bit_reader;
mod bit_writer;
mod byte_reader;
mod byte_writer;
pub mod column_parts;
pub mod column_run;
pub mod crc32c;
mod decimal_scale;
pub mod error;
pub mod gorilla;
mod integer_column;
mod integer_plan;
pub mod lane_columns;
pub mod limits;
mod packed_integers;
mod packed_xor;
mod positions;
mod scratch;
pub mod sealed_timestamps;
pub mod sealed_values;

pub mod xor_chunk;
mod xor_values;

pub use scratch::Scratch;
