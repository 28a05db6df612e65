//! The window of every minute: the newest samples of many series, and what each of them contributes.
//!
//! Twins, operation by operation, so that results have the same bits: `recent.rs` of
//! packages/tsdb-core/src/head/recent-samples.ts, `scan.rs` and `fold.rs` of slice-scan.ts and slice-fold.ts in
//! packages/aggregator/src/windows.

mod fold;
mod recent;
mod scan;

pub use fold::{fold_window, Cells, Groups, Scanned};
pub use recent::{read_rows, Progress, Recent, RowPage, Rows, Wanted, RUN_STRIDE};
pub use scan::{scan_window, Found, Samples, Slice, States, Tallies, Window};

/// What is wrong with a call.
#[derive(Debug, PartialEq, Eq)]
pub struct BadCall(pub &'static str);
