//! Columns and limits of a scan: the layout is that of packages/coordinator/src/ingest/write-columns.ts.

pub const UNKNOWN_STRIDE: usize = 4;
pub const EXTRA_STRIDE: usize = 6;
pub const SYMBOL_STRIDE: usize = 2;

pub const EXTRA_HISTOGRAM: u32 = 1;
pub const EXTRA_EXEMPLAR: u32 = 2;
pub const EXTRA_METADATA: u32 = 3;

/// Indexes into `Columns::status`.
pub mod status {
    pub const FAULT: usize = 0;
    pub const FAULT_OFFSET: usize = 1;
    pub const SAMPLE_COUNT: usize = 2;
    pub const UNKNOWN_COUNT: usize = 3;
    pub const EXTRA_COUNT: usize = 4;
    pub const SERIES_COUNT: usize = 5;
    pub const SCRATCH_END: usize = 6;
    pub const HAS_START: usize = 7;
    pub const SYMBOL_COUNT: usize = 8;
    pub const FIRST_LABELS: usize = 9;
    pub const FIRST_LABELS_LENGTH: usize = 10;
    pub const LAST_ENTRY: usize = 11;
    pub const BODY_SIZE: usize = 12;
    pub const LENGTH: usize = 16;
}

pub struct Limits {
    pub series_count_max: usize,
    pub sample_count_max: usize,
    pub extra_count_max: usize,
    pub symbol_count_max: usize,
    pub decoded_size_max: usize,
    pub label_size_max: usize,
    pub label_total_max: usize,
    pub idle_field_count_max: usize,
}

/// The caller's memory. `status` has `status::LENGTH` elements; the others as many as they have: less than a limit is the limit.
pub struct Columns<'a> {
    pub status: &'a mut [u32],
    pub series_refs: &'a mut [u32],
    pub timestamps_ms: &'a mut [f64],
    pub values: &'a mut [f64],
    pub start_timestamps_ms: &'a mut [f64],
    pub unknowns: &'a mut [u32],
    pub extras: &'a mut [u32],
    pub symbols: &'a mut [u32],
}

impl Columns<'_> {
    pub fn sample_count_max(&self, limits: &Limits) -> usize {
        [self.series_refs.len(), self.timestamps_ms.len(), self.values.len(), self.start_timestamps_ms.len()]
            .into_iter()
            .fold(limits.sample_count_max, usize::min)
    }

    pub fn series_count_max(&self, limits: &Limits) -> usize {
        limits.series_count_max.min(self.unknowns.len() / UNKNOWN_STRIDE)
    }

    pub fn extra_count_max(&self, limits: &Limits) -> usize {
        limits.extra_count_max.min(self.extras.len() / EXTRA_STRIDE)
    }
}
