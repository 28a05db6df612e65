//! What a scan has found so far, series by series: what both versions of remote write share. The twin of
//! packages/coordinator/src/ingest/found-series.ts.

use crate::columns::{status, Columns, Limits, EXTRA_HISTOGRAM, EXTRA_METADATA, EXTRA_STRIDE, UNKNOWN_STRIDE};
use crate::fault::{self, Fault};
use crate::label_cache::Cache;

pub struct Found<'scan, 'columns> {
    pub columns: &'scan mut Columns<'columns>,
    sample_count_max: usize,
    series_count_max: usize,
    extra_count_max: usize,
    rows: usize,
    unknown_count: usize,
    extra_count: usize,
    series_count: usize,
    /// Where the rows and extras of the present series begin.
    first_row: usize,
    first_extra: usize,
    first_labels: (usize, usize),
    /// The cache's entry of the last known series.
    previous: Option<usize>,
}

impl<'scan, 'columns> Found<'scan, 'columns> {
    pub fn new(columns: &'scan mut Columns<'columns>, cache: &Cache, limits: &Limits) -> Self {
        Found {
            sample_count_max: columns.sample_count_max(limits),
            series_count_max: columns.series_count_max(limits),
            extra_count_max: columns.extra_count_max(limits),
            columns,
            rows: 0,
            unknown_count: 0,
            extra_count: 0,
            series_count: 0,
            first_row: 0,
            first_extra: 0,
            first_labels: (0, 0),
            previous: (cache.last_entry as usize).checked_sub(1),
        }
    }

    /// Begins the series whose field stands at `field_at`.
    #[inline]
    pub fn begin_series(&mut self, field_at: usize) -> Result<(), Fault> {
        if self.series_count == self.series_count_max {
            return fault::at(fault::TOO_MANY_SERIES, field_at);
        }
        self.series_count += 1;
        self.first_row = self.rows;
        self.first_extra = self.extra_count;
        Ok(())
    }

    /// The entry that the cache predicts for the present series.
    #[inline]
    pub fn predicted(&self, cache: &Cache) -> Option<usize> {
        cache.predicted(self.previous)
    }

    /// The entry of these labels, which were not the predicted ones.
    pub fn look_up(&self, cache: &mut Cache, labels: &[u8]) -> Option<usize> {
        cache.find_after(self.previous, labels)
    }

    /// Whether another sample may come; `field_at` is where it stands.
    #[inline]
    pub fn check_room(&self, field_at: usize) -> Result<(), Fault> {
        if self.rows == self.sample_count_max {
            return fault::at(fault::TOO_MANY_SAMPLES, field_at);
        }
        Ok(())
    }

    /// Adds a sample, for which there is room; returns its row.
    #[inline]
    pub fn add_sample(&mut self, timestamp_ms: f64, value: f64) -> usize {
        let row = self.rows;
        self.columns.timestamps_ms[row] = timestamp_ms;
        self.columns.values[row] = value;
        self.rows += 1;
        row
    }

    /// Adds the bytes `[from, to)` of an exemplar or of metadata.
    pub fn add_extra(&mut self, kind: u32, from: usize, to: usize, field_at: usize) -> Result<(), Fault> {
        if self.extra_count == self.extra_count_max {
            return fault::at(fault::TOO_MANY_EXTRAS, field_at);
        }
        let row = if kind == EXTRA_METADATA { 0 } else { self.rows as u32 };
        let extra = &mut self.columns.extras[self.extra_count * EXTRA_STRIDE..][..EXTRA_STRIDE];
        extra.copy_from_slice(&[kind, from as u32, (to - from) as u32, row, 0, 0]);
        self.extra_count += 1;
        Ok(())
    }

    /// Adds the bytes `[from, to)` of a histogram, and the row whose timestamp its decoder will fill in; returns that row.
    pub fn add_histogram(&mut self, from: usize, to: usize, field_at: usize) -> Result<usize, Fault> {
        self.add_extra(EXTRA_HISTOGRAM, from, to, field_at)?;
        self.check_room(field_at)?;
        Ok(self.add_sample(0.0, 0.0))
    }

    /// The present series is whole: its label bytes are `[labels.0, labels.1)`, and `entry` is theirs in the cache.
    #[inline]
    pub fn end_series(&mut self, cache: &Cache, labels: (usize, usize), entry: Option<usize>) {
        let length = labels.1 - labels.0;
        if self.series_count == 1 {
            self.first_labels = (labels.0, length);
        }
        for extra in self.first_extra..self.extra_count {
            self.columns.extras[extra * EXTRA_STRIDE + 4] = labels.0 as u32;
            self.columns.extras[extra * EXTRA_STRIDE + 5] = length as u32;
        }
        match entry {
            Some(known) => {
                self.columns.series_refs[self.first_row..self.rows].fill(cache.ref_of(known));
                self.previous = entry;
            }
            None => {
                let unknown = &mut self.columns.unknowns[self.unknown_count * UNKNOWN_STRIDE..][..UNKNOWN_STRIDE];
                let rows = self.rows - self.first_row;
                unknown.copy_from_slice(&[labels.0 as u32, length as u32, self.first_row as u32, rows as u32]);
                self.unknown_count += 1;
            }
        }
    }

    /// Whether somebody will look at the label bytes of the present series, whose entry this is.
    pub fn keeps_labels(&self, entry: Option<usize>) -> bool {
        entry.is_none() || self.extra_count > self.first_extra || self.series_count == 1
    }

    pub fn is_empty(&self) -> bool {
        self.series_count == 0 && self.extra_count == 0
    }

    /// Writes the counts into the status; `tail` is where the used scratch ends.
    pub fn finish(self, tail: usize) {
        let status = &mut self.columns.status;
        status[status::SAMPLE_COUNT] = self.rows as u32;
        status[status::UNKNOWN_COUNT] = self.unknown_count as u32;
        status[status::EXTRA_COUNT] = self.extra_count as u32;
        status[status::SERIES_COUNT] = self.series_count as u32;
        status[status::SCRATCH_END] = tail as u32;
        status[status::FIRST_LABELS] = self.first_labels.0 as u32;
        status[status::FIRST_LABELS_LENGTH] = self.first_labels.1 as u32;
        status[status::LAST_ENTRY] = self.previous.map_or(0, |entry| entry as u32 + 1);
    }
}
