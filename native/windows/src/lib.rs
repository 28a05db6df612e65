//! The window of every minute: the newest samples of many series, and what each of them contributes.
//!
//! Twins, operation by operation, so that results have the same bits: `recent.rs` of
//! packages/tsdb-core/src/head/recent-samples.ts, `scan.rs` of packages/aggregator/src/windows/slice-scan.ts.

mod recent;
mod scan;

pub use recent::{read_rows, Progress, Recent, RowPage, Rows, Wanted, RUN_STRIDE};
pub use scan::{scan_window, Found, Samples, Slice, States, Tallies, Window};

/// What is wrong with a call.
#[derive(Debug, PartialEq, Eq)]
pub struct BadCall(pub &'static str);
