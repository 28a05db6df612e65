//! The label cache of packages/coordinator/src/ingest/label-cache.ts, as a reader of its arrays.

pub const ENTRY_STRIDE: usize = 5;
const ENTRY_OFFSET: usize = 0;
const ENTRY_LENGTH: usize = 1;
const ENTRY_HASH: usize = 2;
const ENTRY_REF: usize = 3;
const ENTRY_NEXT: usize = 4;
const PROBES_MAX: u32 = 32;

pub struct Cache<'a> {
    pub seed: u32,
    /// The last series of the request before, plus 1.
    pub last_entry: u32,
    pub slots: &'a [i32],
    pub entries: &'a mut [u32],
    pub arena: &'a [u8],
}

impl Cache<'_> {
    /// The entry that came behind `previous` last time.
    #[inline]
    pub fn predicted(&self, previous: Option<usize>) -> Option<usize> {
        let next = self.entries[previous? * ENTRY_STRIDE + ENTRY_NEXT];
        (next as usize).checked_sub(1)
    }

    #[inline]
    pub fn length_of(&self, entry: usize) -> usize {
        self.entries[entry * ENTRY_STRIDE + ENTRY_LENGTH] as usize
    }

    #[inline]
    pub fn bytes_of(&self, entry: usize) -> &[u8] {
        let offset = self.entries[entry * ENTRY_STRIDE + ENTRY_OFFSET] as usize;
        &self.arena[offset..offset + self.length_of(entry)]
    }

    #[inline]
    pub fn ref_of(&self, entry: usize) -> u32 {
        self.entries[entry * ENTRY_STRIDE + ENTRY_REF]
    }

    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let hash = hash_span(bytes, self.seed);
        let mask = (self.slots.len() as u32).wrapping_sub(1);
        for probe in 0..PROBES_MAX {
            let slot = self.slots[(hash.wrapping_add(probe) & mask) as usize];
            let entry = usize::try_from(slot - 1).ok()?;
            if self.entries[entry * ENTRY_STRIDE + ENTRY_HASH] == hash
                && self.length_of(entry) == bytes.len()
                && self.bytes_of(entry) == bytes
            {
                return Some(entry);
            }
        }
        None
    }

    /// Looks a series up that was not predicted, and predicts it for the next time.
    pub fn find_after(&mut self, previous: Option<usize>, bytes: &[u8]) -> Option<usize> {
        let entry = self.find(bytes)?;
        if let Some(previous) = previous {
            self.entries[previous * ENTRY_STRIDE + ENTRY_NEXT] = entry as u32 + 1;
        }
        Some(entry)
    }
}

pub fn hash_span(bytes: &[u8], seed: u32) -> u32 {
    let mut hash = seed ^ (bytes.len() as u32).wrapping_mul(0x85eb_ca6b);
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        hash = (hash ^ word).wrapping_mul(0x9e37_79b1).rotate_left(13);
    }
    for &byte in rest {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x27d4_eb2f).rotate_left(13);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}
