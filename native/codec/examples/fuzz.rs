//! Hostile bytes for every decoder: `cargo run --example fuzz -- 10000000 1` (inputs, seed).
//!
//! Damages the golden vectors of vectors/chunk and decodes what comes of it. Run it with checks on (a debug build, or
//! RUSTFLAGS="-Zsanitizer=address" on a compiler that has it): a decoder must return, never panic and never read or write
//! outside its columns. Every hundredth input is a batch of runs besides, large enough for several threads.

use std::env;
use std::fs;
use std::path::Path;

use varve_codec::column_parts::{decode_runs, Run};
use varve_codec::error::CodecErrorCode;
use varve_codec::gorilla::decode_gorilla;
use varve_codec::sealed_timestamps::decode_sealed_timestamps;
use varve_codec::sealed_values::{decode_sealed_values, verify_sealed_column};
use varve_codec::xor_chunk::decode_xor_chunk;
use varve_codec::Scratch;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn main() {
    let arguments: Vec<u64> = env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let inputs = arguments.first().copied().unwrap_or(100_000);
    let mut random = Random(arguments.get(1).copied().unwrap_or(1));
    let seeds = seed_chunks();
    let mut scratch = Scratch::default();
    let mut decoded = 0u64;
    let mut refused = 0u64;
    for input in 0..inputs {
        let bytes = damaged(&mut random, &seeds);
        let room = [0, 1, 60, 60, 300][random.below(5)];
        // Exactly as long as they may be, so that a sanitizer sees a step beyond.
        let mut timestamps = vec![0.0; room];
        let mut values = vec![0.0; room];
        let end = bytes.len();
        let verdicts = [
            decode_sealed_values(&bytes, 0, end, &mut values, &mut scratch),
            decode_sealed_timestamps(&bytes, 0, end, &mut timestamps, &mut scratch),
            decode_gorilla(&bytes, 0, end, &mut timestamps, &mut values),
            decode_xor_chunk(&bytes, 0, end, &mut timestamps, &mut values),
            verify_sealed_column(&bytes, 0, end).map(|()| 0),
        ];
        for verdict in verdicts {
            match verdict {
                Ok(count) => {
                    assert!(count <= room, "input {input}: {count} samples in {room} slots");
                    decoded += 1;
                }
                Err(error) => {
                    assert!(error.bit_offset <= 8 * end as i64, "input {input}: offset {}", error.bit_offset);
                    refused += 1;
                }
            }
        }
    }
    for _ in 0..inputs / 100 {
        check_runs(&mut random, &seeds);
    }
    println!("{inputs} inputs: {decoded} decoded, {refused} refused, none worse");
}

/// A batch of damaged runs has the outcome of its runs one by one, and those before the first bad one their values.
fn check_runs(random: &mut Random, seeds: &[Vec<u8>]) {
    let mut pages: Vec<Vec<u8>> = Vec::new();
    let mut runs: Vec<Run> = Vec::new();
    let mut room = 0;
    let (mut whole, mut scratch) = (vec![0.0; 65_535], Scratch::default());
    let damages = [0, 0, 1, 50][random.below(4)];
    for _ in 0..200 {
        let is_damaged = random.below(100) < damages;
        let seed = &seeds[random.below(seeds.len())];
        let bytes = if is_damaged { damaged(random, seeds) } else { seed.clone() };
        let decoded = decode_sealed_values(&bytes, 0, bytes.len(), &mut whole, &mut scratch);
        let Some(count) = decoded.ok().or(is_damaged.then_some(1 + random.below(300))) else { continue };
        let first = random.below(count + 1);
        let end = first + random.below(count - first + 1);
        let mut run = [pages.len(), 0, bytes.len(), count, first, end, room].map(|number| number as u32);
        if is_damaged && random.below(4) == 0 {
            run[random.below(7)] = [0, 1, 1000, u32::MAX][random.below(4)];
        }
        room += end - first + random.below(2);
        pages.push(bytes);
        runs.push(run);
    }
    let pages: Vec<&[u8]> = pages.iter().map(Vec::as_slice).collect();
    let mut alone = vec![-7.0; room];
    let wanted = runs.iter().try_for_each(|run| decode_runs(&pages, &[*run], &mut alone));
    // So many times that it is worth a thread, each time in memory of its own.
    let times = 32 * 1024 / room.max(1) + 1;
    let repeated: Vec<Run> = (0..times)
        .flat_map(|time| {
            runs.iter().map(move |run| {
                let mut run = *run;
                run[6] = run[6].saturating_add((time * room) as u32);
                run
            })
        })
        .collect();
    let mut together = vec![-7.0; times * room];
    let outcome = decode_runs(&pages, &repeated, &mut together);
    match wanted {
        Ok(()) => {
            assert_eq!(outcome, Ok(()));
            for part in together.chunks(room.max(1)) {
                let is_same = part.iter().zip(&alone).all(|(one, other)| one.to_bits() == other.to_bits());
                assert!(is_same, "the same values each time");
            }
        }
        // A place beyond the output of one time may lie within that of all.
        Err(error) => assert!(outcome == Err(error) || error.code == CodecErrorCode::OutputTooSmall, "{outcome:?}"),
    }
}

fn seed_chunks() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/chunk");
    let entries = fs::read_dir(folder).expect("the vectors").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "bin")).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a vector")).collect()
}

fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let front = if random.below(3) > 0 { bytes.len().min(24) } else { bytes.len() };
        let at = random.below(front);
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 127, 128, 255][random.below(5)],
            2 => bytes.truncate(random.below(bytes.len() + 1)),
            3 => bytes.insert(at, random.next() as u8),
            _ => {
                let last = bytes.len().min(at + random.below(12));
                for byte in &mut bytes[at..last] {
                    *byte = random.next() as u8;
                }
            }
        }
    }
    bytes.shrink_to_fit();
    bytes
}
