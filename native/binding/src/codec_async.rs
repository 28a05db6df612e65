//! The codec's kernels off the main thread.
//!
//! A task owns copies of its inputs and makes its output on its own thread, so nothing that JavaScript does meanwhile (write
//! to a buffer, transfer it away) can meet it. The copies are of compressed bytes, or cost far less than the encoding.

use std::panic::{catch_unwind, AssertUnwindSafe};

use napi::bindgen_prelude::{AsyncTask, Float64Array, Uint32Array, Uint8Array};
use napi::{Env, Error, Result, Status, Task};
use napi_derive::napi;
use varve_codec::limits::SAMPLES_PER_CHUNK_MAX;
use varve_codec::sealed_timestamps::{decode_sealed_timestamps, encode_sealed_timestamps};
use varve_codec::sealed_values::{decode_sealed_values, encode_sealed_values, sealed_size_max};
use varve_codec::Scratch;

use crate::codec::{decode_batch, encode_batch};
use crate::column::{disjoint, Column};

/// Which kind of column a task is about.
#[derive(Clone, Copy)]
enum Kind {
    Values,
    Timestamps,
}

/// What a decoding task brings: the samples of all columns, one behind the other.
#[napi(object)]
pub struct DecodedColumns {
    /// How many samples there are, or a failure as the synchronous kernels return it.
    pub end: f64,
    pub out: Float64Array,
    pub counts: Uint32Array,
}

/// What an encoding task brings: the bytes of all columns, one behind the other.
#[napi(object)]
pub struct EncodedColumns {
    /// How many bytes there are, or a failure as the synchronous kernels return it.
    pub end: f64,
    pub out: Uint8Array,
    pub ends: Uint32Array,
}

pub struct DecodeTask {
    kind: Kind,
    bytes: Vec<u8>,
    ranges: Vec<u32>,
    /// The most samples that the caller has room for.
    room: usize,
}

impl Task for DecodeTask {
    type Output = (f64, Vec<f64>, Vec<u32>);
    type JsValue = DecodedColumns;

    fn compute(&mut self) -> Result<Self::Output> {
        guarded(|| {
            let columns = self.ranges.len() / 2;
            let mut out = vec![0.0; self.room.min(columns.saturating_mul(SAMPLES_PER_CHUNK_MAX))];
            let mut counts = vec![0; columns];
            let mut scratch = Scratch::default();
            let end = decode_batch(&self.ranges, 0, &mut counts, |offset, end, at| match self.kind {
                Kind::Values => decode_sealed_values(&self.bytes, offset, end, &mut out[at..], &mut scratch),
                Kind::Timestamps => decode_sealed_timestamps(&self.bytes, offset, end, &mut out[at..], &mut scratch),
            })?;
            out.truncate(counts.iter().map(|&count| count as usize).sum());
            Ok((end, out, counts))
        })
    }

    fn resolve(&mut self, _: Env, (end, out, counts): Self::Output) -> Result<DecodedColumns> {
        Ok(DecodedColumns { end, out: out.into(), counts: counts.into() })
    }
}

pub struct EncodeTask {
    kind: Kind,
    column: Vec<f64>,
    ranges: Vec<u32>,
}

impl Task for EncodeTask {
    type Output = (f64, Vec<u8>, Vec<u32>);
    type JsValue = EncodedColumns;

    fn compute(&mut self) -> Result<Self::Output> {
        guarded(|| {
            let columns = self.ranges.len() / 2;
            let mut out = Vec::new();
            let mut ends = vec![0; columns];
            let mut scratch = Scratch::default();
            let end = encode_batch(&self.ranges, 0, &mut ends, |from, to, at| {
                let column = self.column.get(from..to).unwrap_or(&[]);
                // Room for this column alone: most take a small part of it.
                out.resize(at + sealed_size_max(column.len()), 0);
                match self.kind {
                    Kind::Values => encode_sealed_values(column, &mut out, at, &mut scratch),
                    Kind::Timestamps => encode_sealed_timestamps(column, &mut out, at, &mut scratch),
                }
            })?;
            out.truncate(ends.iter().copied().max().unwrap_or(0) as usize);
            Ok((end, out, ends))
        })
    }

    fn resolve(&mut self, _: Env, (end, out, ends): Self::Output) -> Result<EncodedColumns> {
        Ok(EncodedColumns { end, out: out.into(), ends: ends.into() })
    }
}

/// A panic on the worker's thread would end the process: here it becomes a rejected promise.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(Status::GenericFailure, "the codec panicked".to_owned())))
}

/// Decodes value columns on another thread.
#[napi(catch_unwind)]
pub fn decode_sealed_values_async(bytes: Column<u8>, ranges: Column<u32>, room: f64) -> Result<AsyncTask<DecodeTask>> {
    disjoint!(; bytes, ranges);
    let task = DecodeTask { kind: Kind::Values, bytes: bytes.to_vec(), ranges: ranges.to_vec(), room: room as usize };
    Ok(AsyncTask::new(task))
}

/// Decodes timestamp columns on another thread.
#[napi(catch_unwind)]
pub fn decode_sealed_timestamps_async(
    bytes: Column<u8>,
    ranges: Column<u32>,
    room: f64,
) -> Result<AsyncTask<DecodeTask>> {
    disjoint!(; bytes, ranges);
    let task =
        DecodeTask { kind: Kind::Timestamps, bytes: bytes.to_vec(), ranges: ranges.to_vec(), room: room as usize };
    Ok(AsyncTask::new(task))
}

/// Encodes value columns on another thread.
#[napi(catch_unwind)]
pub fn encode_sealed_values_async(values: Column<f64>, ranges: Column<u32>) -> Result<AsyncTask<EncodeTask>> {
    disjoint!(; values, ranges);
    Ok(AsyncTask::new(EncodeTask { kind: Kind::Values, column: values.to_vec(), ranges: ranges.to_vec() }))
}

/// Encodes timestamp columns on another thread.
#[napi(catch_unwind)]
pub fn encode_sealed_timestamps_async(
    timestamps_ms: Column<f64>,
    ranges: Column<u32>,
) -> Result<AsyncTask<EncodeTask>> {
    disjoint!(; timestamps_ms, ranges);
    Ok(AsyncTask::new(EncodeTask { kind: Kind::Timestamps, column: timestamps_ms.to_vec(), ranges: ranges.to_vec() }))
}
