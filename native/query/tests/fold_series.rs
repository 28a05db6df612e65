//! A few series by hand, and calls that must be refused. Bit for bit the kernels are compared with TypeScript in
//! packages/promql/src/operators/batch-kernels.test.ts.

use varve_query::{fold_series, write_rows, BadCall, Cells, Fold, Function, Rows};
use varve_query::{SeriesColumns, WindowColumns, EMPTY, FOUND, LEFT};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Two steps: samples 0 to 2, and samples 1 to 3, of one slot.
const FIRST: [i32; 2] = [0, 1];
const END: [i32; 2] = [3, 4];

fn windows() -> WindowColumns<'static> {
    WindowColumns { steps: 2, first: &FIRST, end: &END, presence: &[], seconds: &[], divisor: 1.0 }
}

/// A frame of samples 10 s apart, without extrapolation.
fn frames() -> WindowColumns<'static> {
    WindowColumns { presence: &[1, 1], seconds: &[20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], ..windows() }
}

fn sums(function: Function, windows: &WindowColumns, values: &[f64], groups: &[u32]) -> (Vec<f64>, Vec<u8>) {
    let offsets: Vec<u32> = (0..=groups.len() as u32).map(|i| i * 4).collect();
    let slots = vec![0; groups.len()];
    let series = SeriesColumns { values, offsets: &offsets, slots: &slots };
    let (mut a, mut b, mut flags, mut found) = (vec![0.0; 4], vec![0.0; 4], vec![0; 4], vec![9; groups.len()]);
    let mut cells = Cells { fold: Fold::Sum, a: &mut a, b: &mut b, c: &mut [], flags: &mut flags };
    fold_series(function, &series, windows, groups, &mut cells, &mut found).unwrap();
    (a, found)
}

#[test]
fn adds_series_to_their_groups() {
    let values = [1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0, 5.0, 5.0, 5.0, 5.0];
    let (cells, found) = sums(Function::Max, &windows(), &values, &[0, 1, 0]);
    assert_eq!((cells, found), (vec![8.0, 9.0, 30.0, 40.0], vec![FOUND; 3]));
}

#[test]
fn divides_sums_by_the_range_and_begins_them_at_zero() {
    let one_each = WindowColumns { first: &[0, 1], end: &[1, 2], divisor: 8.0, ..windows() };
    let (cells, found) = sums(Function::Sum, &one_each, &[4.0, -0.0, 1.0, 1.0], &[0]);
    assert_eq!((cells[0], cells[1].to_bits(), found), (0.5, 0.0f64.to_bits(), vec![FOUND]));
    let (cells, _) = sums(Function::Sum, &WindowColumns { divisor: 2.0, ..windows() }, &[1.0, 2.0, 3.0, 4.0], &[0]);
    assert_eq!(cells[..2], [3.0, 4.5]);
}

#[test]
fn takes_a_sample_a_window_from_the_first_to_the_last_that_has_one() {
    // No window, then one sample each, then none again; and once with a hole, and once with two samples in one.
    for (first, end, wanted) in [
        ([0, 0, 1, 2], [0, 1, 2, 2], [0.0, 1.0, 2.0, 0.0]),
        ([0, 1, 1, 2], [1, 1, 2, 3], [1.0, 0.0, 2.0, 3.0]),
        ([0, 1, 1, 2], [1, 2, 3, 3], [1.0, 2.0, 5.0, 3.0]),
    ] {
        let windows = WindowColumns { steps: 4, first: &first, end: &end, ..windows() };
        let (cells, found) = sums(Function::Sum, &windows, &[1.0, 2.0, 3.0, 4.0], &[0]);
        assert_eq!((&cells[..], found), (&wanted[..], vec![FOUND]));
        let (cells, _) = sums(Function::Max, &windows, &[1.0, 2.0, 3.0, 4.0], &[0]);
        assert_eq!(cells, wanted.map(|sum| if sum == 5.0 { 3.0 } else { sum }));
    }
}

#[test]
fn averages_go_on_with_the_mean_where_a_sum_overflows() {
    let values = [f64::MAX, 1.0, -0.0, 9.0, f64::MAX, 2.0, 9.0, 9.0];
    let one_each = WindowColumns { first: &[0, 1], end: &[1, 2], ..windows() };
    let series = SeriesColumns { values: &values, offsets: &[0, 4, 8], slots: &[0, 0] };
    let (mut a, mut b, mut c, mut flags) = ([0.0; 2], [0.0; 2], [0.0; 2], [0; 2]);
    for _ in 0..2 {
        let mut cells = Cells { fold: Fold::Avg, a: &mut a, b: &mut b, c: &mut c, flags: &mut flags };
        fold_series(Function::Max, &series, &one_each, &[0, 0], &mut cells, &mut [0; 2]).unwrap();
    }
    assert!((a[0] / f64::MAX - 1.0).abs() < 1e-12);
    assert_eq!((a[1], c, flags), (6.0, [4.0, 4.0], [1, 0]));
}

#[test]
fn passes_over_the_marker_at_the_end_where_no_window_reaches_to_it() {
    let values = [1.0, 2.0, 3.0, STALE];
    let before = WindowColumns { end: &[3, 3], ..windows() };
    assert_eq!(sums(Function::Sum, &before, &values, &[0]), (vec![6.0, 5.0, 0.0, 0.0], vec![FOUND]));
    assert_eq!(sums(Function::Sum, &windows(), &values, &[0]).1, [LEFT]);
}

#[test]
fn makes_resets_good() {
    let (cells, found) = sums(Function::Growth, &frames(), &[5.0, 9.0, 2.0, 6.0], &[0]);
    assert_eq!((&cells[..2], found), (&[6.0, 6.0][..], vec![FOUND]));
}

#[test]
fn leaves_series_with_nan_and_knows_the_marker_of_the_newest_sample() {
    let values = [1.0, f64::NAN, 3.0, STALE];
    assert_eq!(sums(Function::Growth, &frames(), &values, &[0]).1, [LEFT]);
    assert_eq!(sums(Function::Sum, &windows(), &values, &[0]).1, [LEFT]);
    let (cells, found) = sums(Function::Latest, &windows(), &values, &[0]);
    assert_eq!((&cells[..2], found), (&[3.0, 0.0][..], vec![FOUND]));
    assert_eq!(sums(Function::Latest, &windows(), &[STALE; 4], &[0]).1, [EMPTY]);
}

#[test]
fn writes_rows_up_to_the_first_series_that_it_leaves() {
    let values = [1.0, 2.0, 3.0, 4.0, 1.0, f64::NAN, 1.0, 1.0, 7.0, 7.0, 7.0, 7.0];
    let series = SeriesColumns { values: &values, offsets: &[0, 4, 8, 12], slots: &[0, 0, 0] };
    let (mut out, mut presence, mut found) = ([0.0; 6], [0; 6], [9; 3]);
    let mut rows = Rows { start: 0, values: &mut out, presence: &mut presence };
    let looked = write_rows(Function::Sum, &series, &windows(), &mut rows, &mut found);
    assert_eq!((looked, found), (Ok(2), [FOUND, LEFT, 9]));
    assert_eq!((out[..2].to_vec(), presence), (vec![6.0, 9.0], [1, 1, 0, 0, 0, 0]));
}

#[test]
fn refuses_what_lies_outside_its_columns() {
    let values = [1.0; 4];
    let call = |offsets: &[u32], slots: &[u32], groups: &[u32]| {
        let series = SeriesColumns { values: &values, offsets, slots };
        let (mut a, mut b, mut flags, mut found) = ([0.0; 2], [0.0; 2], [0; 2], [0; 2]);
        let mut cells = Cells { fold: Fold::Sum, a: &mut a, b: &mut b, c: &mut [], flags: &mut flags };
        fold_series(Function::Max, &series, &windows(), groups, &mut cells, &mut found)
    };
    assert_eq!(call(&[0, 4], &[0], &[0]), Ok(()));
    assert_eq!(call(&[0, 5], &[0], &[0]), Err(BadCall("offsets must rise and stay within values")));
    assert_eq!(call(&[4, 0], &[0], &[0]), Err(BadCall("offsets must rise and stay within values")));
    assert_eq!(call(&[0], &[0], &[0]), Err(BadCall("offsets must be one more than slots")));
    assert_eq!(call(&[0, 4], &[7], &[0]), Err(BadCall("a slot has no windows")));
    assert_eq!(call(&[0, 4], &[0], &[1]), Err(BadCall("a group has no cells")));
    assert_eq!(call(&[0, 4], &[0], &[]), Err(BadCall("groups and found must be as long as series")));
    let windows = WindowColumns { seconds: &[], ..frames() };
    let series = SeriesColumns { values: &values, offsets: &[0, 4], slots: &[0] };
    let mut rows = Rows { start: 0, values: &mut [0.0; 2], presence: &mut [0; 2] };
    let looked = write_rows(Function::Delta, &series, &windows, &mut rows, &mut [0]);
    assert_eq!(looked, Err(BadCall("a slot has no frame")));
}

const STEPS: usize = 600;
const LENGTH: usize = 610;

/// Folds series `[from, to)` of a large batch, each `LENGTH` samples, into `a` and `b`.
fn fold_many(
    function: Function,
    values: &[f64],
    groups: &[u32],
    range: std::ops::Range<usize>,
    a: &mut [f64],
    b: &mut [f64],
) -> Vec<u8> {
    let offsets: Vec<u32> = (range.start..=range.end).map(|i| (i * LENGTH) as u32).collect();
    let slots = vec![0; range.len()];
    let (first, end): (Vec<i32>, Vec<i32>) = (0..STEPS as i32).map(|s| (s, s + 10)).unzip();
    let presence: Vec<u8> = (0..STEPS).map(|s| u8::from(s % 97 != 0)).collect();
    let mut seconds = vec![90.0; STEPS];
    seconds.extend([[4.0; STEPS], [3.0; STEPS], [0.01; STEPS]].concat());
    let windows = WindowColumns {
        steps: STEPS,
        first: &first,
        end: &end,
        presence: &presence,
        seconds: &seconds,
        divisor: 100.0,
    };
    let (mut flags, mut found) = (vec![0; a.len()], vec![9; range.len()]);
    let mut cells = Cells { fold: Fold::Sum, a, b, c: &mut [], flags: &mut flags };
    let series = SeriesColumns { values, offsets: &offsets, slots: &slots };
    fold_series(function, &series, &windows, &groups[range], &mut cells, &mut found).unwrap();
    found
}

#[test]
fn a_large_batch_that_threads_share_has_the_bits_of_its_series_one_by_one() {
    const SERIES: usize = 300;
    let mut values: Vec<f64> =
        (0..SERIES * LENGTH).map(|i| (i % LENGTH) as f64 * 1.1 + ((i * 7919) % 13) as f64 * 0.1).collect();
    values[17 * LENGTH + 300] = STALE;
    for group_count in [1, 2, 40] {
        let groups: Vec<u32> = (0..SERIES as u32).map(|i| i % group_count).collect();
        for function in
            [Function::Growth, Function::Delta, Function::Latest, Function::Sum, Function::Min, Function::Count]
        {
            let cells = group_count as usize * STEPS;
            let (mut a, mut b) = (vec![0.0; cells], vec![0.0; cells]);
            let found = fold_many(function, &values, &groups, 0..SERIES, &mut a, &mut b);
            let (mut a_alone, mut b_alone, mut found_alone) = (vec![0.0; cells], vec![0.0; cells], Vec::new());
            for i in 0..SERIES {
                found_alone.extend(fold_many(function, &values, &groups, i..i + 1, &mut a_alone, &mut b_alone));
            }
            let bits = |column: &[f64]| column.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(&a), bits(&b)), (bits(&a_alone), bits(&b_alone)), "{function:?} in {group_count} groups");
            assert_eq!(found, found_alone, "{function:?} in {group_count} groups");
        }
    }
}

#[test]
fn extremes_of_windows_are_the_latest_of_the_best_whatever_way_they_are_found() {
    let kinds = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, 0.5];
    let samples: Vec<f64> =
        (0..400u64).map(|i| kinds[(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % 7]).collect();
    for length in [1, 2, 3, 7, 40, 64, 399] {
        let (first, end): (Vec<i32>, Vec<i32>) = (0..400).map(|s: i32| ((s - length).max(0), s)).unzip();
        let windows = WindowColumns { steps: 400, first: &first, end: &end, ..windows() };
        let series = SeriesColumns { values: &samples, offsets: &[0, 400], slots: &[0] };
        for (function, sign) in [(Function::Min, 1.0), (Function::Max, -1.0)] {
            let (mut values, mut presence) = (vec![0.0; 400], vec![0; 400]);
            let mut rows = Rows { start: 0, values: &mut values, presence: &mut presence };
            assert_eq!(write_rows(function, &series, &windows, &mut rows, &mut [0]), Ok(1));
            for step in 0..400 {
                let window = &samples[first[step] as usize..end[step] as usize];
                let best = window.iter().copied().reduce(|best, v| if sign * v <= sign * best { v } else { best });
                assert_eq!(presence[step] == 1, best.is_some());
                assert!(
                    best.is_none_or(|best| best.to_bits() == values[step].to_bits()),
                    "{function:?} {length} {step}"
                );
            }
        }
    }
}
