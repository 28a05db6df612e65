//! The N-API module of Varve: converts, calls, maps the error; no logic.
//!
//! One file a topic, over one plain crate a topic. Rules of the border:
//! - every exported function is `#[napi(catch_unwind)]`: a panic becomes an error, never the end of the process;
//! - typed arrays come in as [`column::Column`], whose slices exist only after `disjoint!` has checked that no output
//!   overlaps anything else;
//! - offsets and counts come in as `f64` and are checked: what JavaScript sends may be negative, fractional or NaN.

mod codec;
mod codec_async;
mod column;
mod ingest;
mod json;
mod query;
mod windows;

use napi_derive::napi;

/// What this binary and its callers agree on: names, parameters and meanings. That of native/src/interface.ts, which says when
/// it is raised.
const INTERFACE_VERSION: u32 = 8;

/// The loader takes a binary only if it says the version that it knows.
#[napi(catch_unwind)]
pub fn interface_version() -> u32 {
    INTERFACE_VERSION
}
