//! A few series by hand, and calls that must be refused. Bit for bit the kernels are compared with TypeScript, in
//! packages/tsdb-core/src/head/recent-samples.test.ts and packages/aggregator/src/windows/slice-scan.property.test.ts.

use varve_windows::{read_rows, scan_window, BadCall, Found, Recent, Row, RowPage, Samples, States, Window};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
const WINDOW: Window = Window { end_ms: 120_000.0, resolution_ms: 60_000.0, lookback_ms: 300_000.0 };

/// Lane 3 has samples 10, 20, … in all of its 48 places; the others are empty.
fn page() -> (Vec<u32>, Vec<f64>) {
    let (mut offsets, mut values) = (vec![0; 64 * 48], vec![0.0; 64 * 48]);
    for i in 0..48 {
        offsets[i * 64 + 3] = 10 * (i as u32 + 1);
        values[i * 64 + 3] = i as f64;
    }
    (offsets, values)
}

fn read(row: Row, range: (u32, u32)) -> Result<(usize, Vec<f64>), BadCall> {
    let (offsets, values) = page();
    let (mut times, mut found, mut ends) = (vec![0.0; 64], vec![0.0; 64], [0]);
    let mut out = Recent { times: &mut times, values: &mut found, length: 0 };
    let page = RowPage { offsets: &offsets, values: &values };
    let read = read_rows(&page, [row].into_iter(), range, 1000.0, &mut out, &mut ends)?;
    let length = out.length;
    assert_eq!(length, ends[0] as usize);
    times.truncate(length);
    Ok((read, times))
}

#[test]
fn a_row_gives_its_samples_of_the_range() {
    let row = Row { lane: 3, count: 48, has_chunk: false };
    assert_eq!(read(row, (460, 480)), Ok((1, vec![1460.0, 1470.0])));
    assert_eq!(read(row, (481, 500)), Ok((1, vec![])));
}

#[test]
fn a_compressed_row_gives_what_still_stands_there() {
    let row = Row { lane: 3, count: 0, has_chunk: true };
    assert_eq!(read(row, (470, 500)), Ok((1, vec![1470.0, 1480.0])));
    // Without a chunk those places mean nothing.
    assert_eq!(read(Row { has_chunk: false, ..row }, (470, 500)), Ok((1, vec![])));
    // All that stands there is in the range: more may have been.
    assert_eq!(read(row, (10, 500)), Ok((0, vec![])));
}

#[test]
fn a_row_outside_of_its_page_is_refused() {
    let row = Row { lane: 64, count: 0, has_chunk: false };
    assert_eq!(read(row, (0, 1)), Err(BadCall("a row is none of its page")));
}

#[test]
fn a_counter_grows_over_its_reset_and_a_marker_ends_it() {
    let times = [70_000.0, 80_000.0, 90_000.0, 100_000.0];
    let values = [12.0, 3.0, 5.0, STALE];
    let samples = Samples { offsets: &[0, 4], times: &times, values: &values };
    let (mut values_ms, mut last, mut markers) = ([50_000.0], [10.0], [f64::NEG_INFINITY]);
    let mut states = States { values_ms: &mut values_ms, values: &mut last, markers_ms: &mut markers };
    let mut columns = [[0.0]; 7];
    let [counts, sums, mins, maxs, lasts, last_times, increases] = &mut columns;
    let (mut lives, mut lived_before) = ([0], [0]);
    let mut found = Found {
        counts,
        sums,
        mins,
        maxs,
        lasts,
        last_times,
        increases,
        lives: &mut lives,
        lived_before: &mut lived_before,
    };
    scan_window(&[0], &[0], &samples, WINDOW, &mut states, &mut found).unwrap();
    assert_eq!(columns.map(|[value]| value), [3.0, 20.0, 3.0, 12.0, 5.0, 90_000.0, 7.0]);
    assert_eq!((lives, lived_before), ([1], [1]));
    assert_eq!((values_ms, last, markers), ([90_000.0], [5.0], [100_000.0]));
}

#[test]
fn a_member_without_a_state_is_refused() {
    let samples = Samples { offsets: &[0, 0], times: &[], values: &[] };
    let mut states = States { values_ms: &mut [], values: &mut [], markers_ms: &mut [] };
    let mut columns = [[0.0]; 7];
    let [counts, sums, mins, maxs, lasts, last_times, increases] = &mut columns;
    let (mut lives, mut lived_before) = ([0], [0]);
    let mut found = Found {
        counts,
        sums,
        mins,
        maxs,
        lasts,
        last_times,
        increases,
        lives: &mut lives,
        lived_before: &mut lived_before,
    };
    let refused = scan_window(&[0], &[0], &samples, WINDOW, &mut states, &mut found);
    assert_eq!(refused, Err(BadCall("a member has no state")));
}
