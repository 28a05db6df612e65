//! Columns of time-series samples to bytes and back: the twin of `packages/gorilla-codec`, byte for byte.
//!
//! A plain crate that knows nothing of Node. The TypeScript is the reference; `vectors/` and the conformance tests of
//! gorilla-codec hold the two together.

pub mod crc32c;
