//! A few series of a block by hand, and calls that must be refused. Bit for bit the kernel is compared with folds over batches, and
//! with TypeScript, in packages/promql/src/operators/sealed-fold.test.ts.

use varve_codec::sealed_timestamps::encode_sealed_timestamps;
use varve_codec::sealed_values::{encode_sealed_values, sealed_size_max};
use varve_codec::Scratch;
use varve_query::{fold_sealed, BadCall, Cells, Fold, Function, WindowShape, ABSENT, FOUND, LEFT};
use varve_query::{SealedColumns, SealedFault, SealedRequest, SealedSlots};

const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Series of one timestamp column with samples at 1, 2, 3 and 4 s; the last series has two chunks.
struct Block {
    values: Vec<u8>,
    ends: Vec<f64>,
    times: Vec<u8>,
}

impl Block {
    fn of(columns: &[[f64; 4]]) -> Block {
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for column in columns {
            let start = values.len();
            values.resize(start + sealed_size_max(4), 0);
            let end = encode_sealed_values(column, &mut values, start, &mut Scratch::default()).unwrap();
            values.truncate(end);
            ends.push(end as f64);
        }
        let mut times = vec![0; sealed_size_max(4)];
        let stamps = [1000.0, 2000.0, 3000.0, 4000.0];
        let end = encode_sealed_timestamps(&stamps, &mut times, 0, &mut Scratch::default()).unwrap();
        times.truncate(end);
        Block { values, ends, times }
    }

    /// Sums of `last_over_time` over 2 s at 2 and 4 s, of two groups; and what became of each series.
    fn sums(
        &self,
        pages: &[&[u8]],
        series: &[u32],
        slot_count: usize,
    ) -> Result<(Vec<f64>, Vec<u8>, u64), SealedFault> {
        let chunk_count = self.ends.len() as u32;
        let mut chunk_offsets: Vec<u32> = (0..chunk_count - 1).collect();
        chunk_offsets.push(chunk_count);
        let columns = SealedColumns {
            pages,
            page_start: 0,
            page_chunks: &[0],
            chunk_offsets: &chunk_offsets,
            chunk_ends: &self.ends,
            chunk_times: &vec![0; self.ends.len()],
            numbers: &[],
            times: &self.times,
            time_offsets: &[0, self.times.len() as u32],
            time_counts: &[4],
        };
        let shape = WindowShape { ends_ms: &[2000.0, 4000.0], range_ms: 2000.0, before_ms: 0.0, after_ms: 0.0 };
        let request = SealedRequest {
            function: Function::Last,
            shape,
            divisor: 1.0,
            start_ms: 1500.0,
            end_ms: 9000.0,
            presence_only: false,
            arguments: &[],
        };
        let (mut first, mut end, mut facts) =
            (vec![0; 2 * slot_count], vec![0; 2 * slot_count], vec![0.0; 2 * slot_count]);
        let mut slots = SealedSlots {
            columns: &mut [0; 4],
            first: &mut first,
            end: &mut end,
            presence: &mut [],
            seconds: &mut [],
            facts: &mut facts,
        };
        let (mut a, mut b, mut flags, mut found) = (vec![0.0; 4], vec![0.0; 4], vec![0; 4], vec![9; series.len()]);
        let mut cells = Cells { fold: Fold::Sum, a: &mut a, b: &mut b, c: &mut [], flags: &mut flags };
        let groups: Vec<u32> = series.iter().map(|one| one % 2).collect();
        let count = fold_sealed(&columns, &request, series, &groups, &mut slots, &mut cells, &mut found)?;
        Ok((a, found, count))
    }
}

#[test]
fn folds_series_with_and_without_a_slot_for_their_windows() {
    let block =
        Block::of(&[[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, STALE], [0.5, 0.25, 0.125, 0.5], [7.0; 4], [7.0; 4]]);
    for slot_count in [0, 1] {
        let (sums, found, count) = block.sums(&[&block.values], &[0, 1, 2], slot_count).unwrap();
        // The marker ends its series; the window at 4 s still has the sample before it.
        assert_eq!((sums, count), (vec![2.25, 4.5, 20.0, 30.0], 9), "{slot_count} slots");
        assert_eq!(found, vec![FOUND; 3]);
    }
}

#[test]
fn leaves_what_it_cannot_do() {
    let block = Block::of(&[[1.0, 2.0, f64::NAN, 4.0], [1.0; 4], [7.0; 4], [7.0; 4]]);
    let (sums, found, count) = block.sums(&[&block.values], &[0, 1, 2], 8).unwrap();
    assert_eq!((sums, found, count), (vec![0.0, 0.0, 1.0, 1.0], vec![LEFT, FOUND, LEFT], 3));
}

#[test]
fn knows_series_without_a_sample_in_the_range() {
    let mut block = Block::of(&[[1.0; 4], [1.0; 4], [1.0; 4]]);
    let stamps = [1.0, 2.0, 3.0, 4.0];
    block.times = vec![0; sealed_size_max(4)];
    let end = encode_sealed_timestamps(&stamps, &mut block.times, 0, &mut Scratch::default()).unwrap();
    block.times.truncate(end);
    assert_eq!(block.sums(&[&block.values], &[0], 8).unwrap(), (vec![0.0; 4], vec![ABSENT], 0));
}

#[test]
fn refuses_what_is_not_there() {
    let block = Block::of(&[[1.0, 2.0, 3.0, 4.0], [7.0; 4], [7.0; 4]]);
    let refused = |result: Result<_, SealedFault>| match result {
        Err(SealedFault::Call(BadCall(message))) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(block.sums(&[], &[0], 8)), "a page is not in memory");
    assert_eq!(refused(block.sums(&[&[]], &[0], 8)), "a page is not in memory");
    assert_eq!(refused(block.sums(&[&block.values], &[7], 8)), "there is no such series");
    let mut bytes = block.values.clone();
    bytes[0] = 99;
    assert!(matches!(block.sums(&[&bytes], &[0], 8), Err(SealedFault::Codec(_))));
    assert!(matches!(block.sums(&[&block.values[..3]], &[0], 8), Err(SealedFault::Codec(_))));
}
