//! A few series by hand, and calls that must be refused. Bit for bit the kernels are compared with TypeScript, in
//! packages/tsdb-core/src/head/recent-samples.test.ts and packages/aggregator/src/windows/slice-scan.property.test.ts.

use varve_windows::{
    read_rows, scan_window, BadCall, Found, Progress, Recent, RowPage, Rows, Samples, Slice, States, Tallies, Wanted,
    Window,
};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
const WINDOW: Window = Window { end_ms: 120_000.0, resolution_ms: 60_000.0, lookback_ms: 300_000.0 };
const NONE: u32 = u32::MAX;

/// Lanes 3 to 7 have samples 10, 20, … in all of their 48 places, lane 7 has its last one later; the others are empty.
fn page() -> (Vec<u32>, Vec<f64>) {
    let (mut offsets, mut values) = (vec![0; 64 * 48], vec![0.0; 64 * 48]);
    for i in 0..48 {
        for lane in 3..8 {
            offsets[i * 64 + lane] = 10 * (i as u32 + 1) + u32::from(lane == 7 && i == 47);
            values[i * 64 + lane] = i as f64 + 100.0 * lane as f64;
        }
    }
    (offsets, values)
}

#[derive(Debug, PartialEq)]
struct Read {
    to: usize,
    runs: Vec<u32>,
    times: Vec<f64>,
    values: Vec<f64>,
}

fn read(slots: &[u32], count: u8, chunk: u32, (start, end): (u32, u32)) -> Result<Read, BadCall> {
    let (offsets, page_values) = page();
    let (mut runs, mut times, mut values) = (vec![0; 32], vec![0.0; 64], vec![0.0; 512]);
    let progress = Progress { run_count: 0, times_length: 0, values_length: 0, page_count: 0, page: 0 };
    let mut out = Recent { runs: &mut runs, times: &mut times, values: &mut values, progress };
    let pages = [RowPage { offsets: &offsets, values: &page_values }];
    let rows = Rows { slots, pages: &pages, counts: &[count; 64], last_chunks: &[chunk; 64] };
    let to = read_rows(&rows, 0, Wanted { start, end, base_ms: 1000.0 }, &mut out)?;
    let Progress { run_count, times_length, values_length, .. } = out.progress;
    runs.truncate(run_count * 4);
    times.truncate(times_length);
    values.truncate(values_length);
    Ok(Read { to, runs, times, values })
}

#[test]
fn series_with_the_same_times_are_one_run() {
    let found = read(&[3, 4, NONE, 5, 6, 7], 48, NONE, (470, 490)).unwrap();
    assert_eq!(found.to, 6);
    assert_eq!(found.runs, [2, 2, 0, 0, 3, 0, 0, 0, 5, 2, 2, 4, 6, 2, 4, 8]);
    assert_eq!(found.times, [1470.0, 1480.0, 1470.0, 1480.0, 1470.0, 1481.0]);
    assert_eq!(found.values, [346.0, 446.0, 347.0, 447.0, 546.0, 646.0, 547.0, 647.0, 746.0, 747.0]);
    // Beyond the last sample there is nothing to tell them apart, and series without samples are one run, known or not.
    assert_eq!(read(&[3, 4, NONE, 5, 6, 7], 48, NONE, (482, 500)).unwrap().runs, [6, 0, 0, 0]);
    // A sample that is not in the range of all of them divides them.
    assert_eq!(read(&[5, 6, 7], 48, NONE, (470, 481)).unwrap().runs, [2, 2, 0, 0, 3, 1, 2, 4]);
    assert_eq!(read(&[5, 6, 7], 48, NONE, (481, 500)).unwrap().runs, [2, 0, 0, 0, 3, 1, 0, 0]);
}

#[test]
fn a_compressed_row_gives_what_still_stands_there() {
    assert_eq!(read(&[3], 0, 9, (470, 500)).unwrap().times, [1470.0, 1480.0]);
    // Without a chunk those places mean nothing.
    assert_eq!(read(&[3], 0, NONE, (470, 500)).unwrap().times, []);
    // All that stands there is in the range: more may have been.
    let found = read(&[NONE, 3], 0, 9, (10, 500)).unwrap();
    assert_eq!((found.to, found.runs), (1, vec![1, 0, 0, 0]));
}

#[test]
fn rows_outside_of_their_pages_are_refused() {
    assert_eq!(read(&[64], 0, NONE, (0, 1)), Err(BadCall("a slot has no row")));
    assert_eq!(read(&[3], 49, NONE, (0, 1)), Err(BadCall("a row is longer than its page")));
    assert_eq!(read(&[3; 9], 48, NONE, (0, 1000)), Err(BadCall("no room for samples")));
}

struct Scanned {
    columns: [Vec<f64>; 7],
    lives: Vec<u8>,
    lived_before: Vec<u8>,
    masks: Vec<u8>,
    tallies: Result<Tallies, BadCall>,
}

fn scan(members: &[u32], samples: &Samples, states: &mut States) -> Scanned {
    let count = members.len();
    let mut columns: [Vec<f64>; 7] = std::array::from_fn(|_| vec![0.0; count]);
    let (mut lives, mut lived_before, mut masks) = (vec![0; count], vec![0; count], vec![0; count]);
    let [counts, sums, mins, maxs, lasts, last_times, increases] = &mut columns;
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
        masks: &mut masks,
    };
    let slice = Slice { members, skips: &vec![0; count], columns: &[0xff; 16] };
    let tallies = scan_window(&slice, samples, WINDOW, states, &mut found);
    Scanned { columns, lives, lived_before, masks, tallies }
}

#[test]
fn a_counter_grows_over_its_reset_and_a_marker_ends_it() {
    let times = [70_000.0, 80_000.0, 90_000.0, 100_000.0];
    let values = [12.0, 3.0, 5.0, STALE];
    let samples = Samples { runs: &[1, 4, 0, 0], times: &times, values: &values };
    let (mut values_ms, mut last, mut markers) = ([50_000.0], [10.0], [f64::NEG_INFINITY]);
    let mut states = States { values_ms: &mut values_ms, values: &mut last, markers_ms: &mut markers };
    let found = scan(&[0], &samples, &mut states);
    assert_eq!(found.columns.map(|column| column[0]), [3.0, 20.0, 3.0, 12.0, 5.0, 90_000.0, 7.0]);
    assert_eq!((found.lives, found.lived_before, found.masks), (vec![1], vec![1], vec![0x3f]));
    assert_eq!((values_ms, last, markers), ([90_000.0], [5.0], [100_000.0]));
}

#[test]
fn series_side_by_side_are_scanned_as_each_alone() {
    const COUNT: usize = 11;
    let times = [70_000.0, 100_000.0];
    let values: Vec<f64> = (0..2 * COUNT).map(|i| [3.5, 1e16, -2.0, 0.1, f64::INFINITY][i * 7 % 5]).collect();
    let members: Vec<u32> = (0..COUNT as u32).collect();
    let known: Vec<f64> = (0..COUNT).map(|i| if i == 9 { f64::NAN } else { 50_000.0 }).collect();
    let together = {
        let (mut values_ms, mut last, mut markers) = (known.clone(), vec![2.0; COUNT], vec![0.0; COUNT]);
        let mut states = States { values_ms: &mut values_ms, values: &mut last, markers_ms: &mut markers };
        scan(&members, &Samples { runs: &[COUNT as u32, 2, 0, 0], times: &times, values: &values }, &mut states)
    };
    assert_eq!(together.tallies, Ok(Tallies { sample_count: 22, unknown_count: 1, ended_count: 0, written_count: 10 }));
    for lane in 0..COUNT {
        let own = [values[lane], values[COUNT + lane]];
        let (mut values_ms, mut last, mut markers) = ([known[lane]], [2.0], [0.0]);
        let mut states = States { values_ms: &mut values_ms, values: &mut last, markers_ms: &mut markers };
        let alone = scan(&[0], &Samples { runs: &[1, 2, 0, 0], times: &times, values: &own }, &mut states);
        for (column, expected) in together.columns.iter().zip(&alone.columns) {
            assert_eq!(column[lane].to_bits(), expected[0].to_bits(), "series {lane}");
        }
        assert_eq!((together.lives[lane], together.masks[lane]), (alone.lives[0], alone.masks[0]));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut none = States { values_ms: &mut [], values: &mut [], markers_ms: &mut [] };
    let samples = Samples { runs: &[1, 0, 0, 0], times: &[], values: &[] };
    assert_eq!(scan(&[0], &samples, &mut none).tallies, Err(BadCall("a member has no state")));
    let mut states = States { values_ms: &mut [0.0; 2], values: &mut [0.0; 2], markers_ms: &mut [0.0; 2] };
    assert_eq!(scan(&[0, 1], &samples, &mut states).tallies, Err(BadCall("the runs end before their slice")));
    let samples = Samples { runs: &[2, 1, 0, 0], times: &[1.0], values: &[1.0] };
    assert_eq!(scan(&[0], &samples, &mut states).tallies, Err(BadCall("a run ends beside its slice")));
    assert_eq!(scan(&[0, 1], &samples, &mut states).tallies, Err(BadCall("samples end before a run does")));
}
