//! The golden and reject vectors of vectors/chunk and vectors/column-run, which the TypeScript codec runs too.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use varve_codec::column_run::{decode_column_run, encode_column_run};
use varve_codec::error::{CodecError, CodecErrorCode, Result};
use varve_codec::gorilla::{decode_gorilla, encode_gorilla, gorilla_size_max};
use varve_codec::limits::SAMPLES_PER_CHUNK_MAX;
use varve_codec::sealed_timestamps::{decode_sealed_timestamps, encode_sealed_timestamps};
use varve_codec::sealed_values::{decode_sealed_values, encode_sealed_values, verify_sealed_column};
use varve_codec::xor_chunk::{decode_xor_chunk, encode_xor_chunk};
use varve_codec::Scratch;

struct Vector {
    name: String,
    document: Value,
    bytes: Vec<u8>,
}

fn vectors(folder: &str) -> Vec<Vector> {
    vectors_in(&format!("chunk/{folder}"))
}

fn vectors_in(folder: &str) -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no vectors", folder.display());
    let read = |path: PathBuf| {
        let document: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a document")).expect("JSON");
        let bytes = fs::read(folder.join(text(&document, "encoded"))).expect("the bytes");
        Vector { name: text(&document, "name"), document, bytes }
    };
    paths.into_iter().map(read).collect()
}

fn text(document: &Value, field: &str) -> String {
    document[field].as_str().unwrap_or_else(|| panic!("a string in {field}")).to_owned()
}

fn column(document: &Value, field: &str, number: impl Fn(&str) -> f64) -> Vec<f64> {
    document[field].as_array().expect("a list").iter().map(|item| number(item.as_str().expect("a string"))).collect()
}

fn encode(format: &str, timestamps: &[f64], values: &[f64]) -> Result<Vec<u8>> {
    let mut out = vec![0; gorilla_size_max(timestamps.len().max(values.len())) + 200];
    let mut scratch = Scratch::default();
    let end = match format {
        "sealed-values" => encode_sealed_values(values, &mut out, 0, &mut scratch),
        "sealed-timestamps" => encode_sealed_timestamps(timestamps, &mut out, 0, &mut scratch),
        "gorilla" => encode_gorilla(timestamps, values, &mut out, 0),
        _ => encode_xor_chunk(timestamps, values, &mut out, 0),
    }?;
    out.truncate(end);
    Ok(out)
}

/// Timestamps and values as bits.
fn decode(format: &str, bytes: &[u8]) -> Result<(Vec<u64>, Vec<u64>)> {
    let mut timestamps = vec![0.0; SAMPLES_PER_CHUNK_MAX];
    let mut values = vec![0.0; SAMPLES_PER_CHUNK_MAX];
    let mut scratch = Scratch::default();
    let end = bytes.len();
    let (times, count) = match format {
        "sealed-values" => (0, decode_sealed_values(bytes, 0, end, &mut values, &mut scratch)?),
        "sealed-timestamps" => (decode_sealed_timestamps(bytes, 0, end, &mut timestamps, &mut scratch)?, 0),
        "gorilla" => [decode_gorilla(bytes, 0, end, &mut timestamps, &mut values)?; 2].into(),
        _ => [decode_xor_chunk(bytes, 0, end, &mut timestamps, &mut values)?; 2].into(),
    };
    Ok((bits(&timestamps[..times]), bits(&values[..count])))
}

fn bits(column: &[f64]) -> Vec<u64> {
    column.iter().map(|number| number.to_bits()).collect()
}

fn from_bits(item: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(item.trim_start_matches("0x"), 16).expect("bits"))
}

fn code_of(document: &Value) -> CodecErrorCode {
    match text(document, "code").as_str() {
        "TRUNCATED" => CodecErrorCode::Truncated,
        "CORRUPT_CHUNK" => CodecErrorCode::CorruptChunk,
        "UNSUPPORTED_ENCODING" => CodecErrorCode::UnsupportedEncoding,
        other => panic!("unknown code {other}"),
    }
}

fn lengths_of(document: &Value) -> Vec<u32> {
    document["lengths"].as_array().expect("a list").iter().map(|item| item.as_u64().expect("a length") as u32).collect()
}

#[test]
fn column_runs_encode_to_their_bytes_and_decode_to_their_bits() {
    let mut scratch = Scratch::default();
    for Vector { name, document, bytes } in vectors_in("column-run") {
        let lengths = lengths_of(&document);
        let values = column(&document, "valueBits", from_bits);
        let mut out = vec![0; 9 * values.len() + 192 * lengths.len()];
        let end = encode_column_run(&values, &lengths, &mut out, 0, &mut scratch).expect("room");
        assert_eq!(&out[..end], bytes, "{name}");
        let mut decoded = vec![0.0; values.len()];
        let end = decode_column_run(&bytes, 0, bytes.len(), &lengths, &mut decoded, &mut scratch);
        assert_eq!((end, bits(&decoded)), (Ok(bytes.len()), bits(&values)), "{name}");
    }
}

#[test]
fn rejected_column_runs_fail_with_their_code_at_their_offset() {
    for Vector { name, document, bytes } in vectors_in("column-run/reject") {
        let lengths = lengths_of(&document);
        let mut out = vec![0.0; lengths.iter().sum::<u32>() as usize];
        let decoded = decode_column_run(&bytes, 0, bytes.len(), &lengths, &mut out, &mut Scratch::default());
        let bit_offset = document["bitOffset"].as_i64().expect("an offset");
        assert_eq!(decoded, Err(CodecError { code: code_of(&document), bit_offset }), "{name}");
    }
}

#[test]
fn golden_vectors_encode_to_their_bytes_and_decode_to_their_bits() {
    for Vector { name, document, bytes } in vectors("") {
        let format = text(&document, "format");
        let timestamps = column(&document, "timestamps", |item| item.parse().expect("a number"));
        let values = column(&document, "valueBits", from_bits);
        assert_eq!(encode(&format, &timestamps, &values).as_deref(), Ok(&bytes[..]), "{name}");
        assert_eq!(decode(&format, &bytes), Ok((bits(&timestamps), bits(&values))), "{name}");
        if format.starts_with("sealed") {
            assert_eq!(verify_sealed_column(&bytes, 0, bytes.len()), Ok(()), "{name}");
        }
    }
}

#[test]
fn reject_vectors_fail_with_their_code_at_their_offset() {
    for Vector { name, document, bytes } in vectors("reject") {
        let code = code_of(&document);
        let bit_offset = text(&document, "bitOffset").parse().expect("an offset");
        assert_eq!(decode(&text(&document, "format"), &bytes), Err(CodecError { code, bit_offset }), "{name}");
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_column_breaks_its_checksum() {
    for Vector { name, document, mut bytes } in vectors("") {
        if !text(&document, "format").starts_with("sealed") {
            continue;
        }
        for bit in 0..8 * bytes.len() {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(verify_sealed_column(&bytes, 0, bytes.len()).is_err(), "{name}, bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
