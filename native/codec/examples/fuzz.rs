//! Hostile bytes for every decoder: `cargo run --example fuzz -- 10000000 1` (inputs, seed).
//!
//! Damages the golden vectors of vectors/chunk and decodes what comes of it. Run it with checks on (a debug build, or
//! RUSTFLAGS="-Zsanitizer=address" on a compiler that has it): a decoder must return, never panic and never read or write
//! outside its columns.

use std::env;
use std::fs;
use std::path::Path;

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
    println!("{inputs} inputs: {decoded} decoded, {refused} refused, none worse");
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
