//! Working columns of one thread: gorilla-codec/src/scratch.ts.

use crate::limits::SAMPLES_PER_CHUNK_MAX;

/// As long as the longest chunk; whoever encodes or decodes has one and uses it again.
pub struct Scratch {
    /// Scaled integers, then m[i].
    pub integers: Vec<f64>,
    pub residuals: Vec<f64>,
    pub candidate: Vec<f64>,
    pub words: Vec<u64>,
    pub patches: Vec<u64>,
    pub positions: Vec<u32>,
    pub exceptions: Vec<u32>,
    /// One column that was taken out of many side by side.
    pub lane: Vec<f64>,
}

impl Default for Scratch {
    fn default() -> Self {
        let length = SAMPLES_PER_CHUNK_MAX;
        Scratch {
            integers: vec![0.0; length],
            residuals: vec![0.0; length],
            candidate: vec![0.0; length],
            words: vec![0; length],
            patches: vec![0; length],
            positions: vec![0; length],
            exceptions: vec![0; length],
            lane: vec![0.0; length],
        }
    }
}
