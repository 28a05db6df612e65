//! Label sets as JSON objects: the texts of a query, each escaped once, and pairs of them.

/// Label sets as ids into a table of texts.
pub struct LabelSets<'a> {
    /// JSON strings, quotes included.
    pub texts: &'a [u8],
    /// Text i is `texts[starts[i]..ends[i]]`.
    pub starts: &'a [u32],
    pub ends: &'a [u32],
    /// Set s is `pairs[2 * offsets[s]..2 * offsets[s + 1]]`: name, value, name, value …
    pub pairs: &'a [u32],
    pub offsets: &'a [u32],
}

impl<'a> LabelSets<'a> {
    /// `None` for a set that is not there.
    pub fn pairs_of(&self, set: u32) -> Option<&'a [u32]> {
        let start = *self.offsets.get(set as usize)? as usize * 2;
        let end = *self.offsets.get(set as usize + 1)? as usize * 2;
        self.pairs.get(start..end)
    }

    /// Bytes of the object, at most; `None` when a text is not there.
    pub fn size_max(&self, pairs: &[u32]) -> Option<usize> {
        let mut size = 2;
        for &text in pairs {
            size += self.text(text)?.len() + 1;
        }
        Some(size)
    }

    /// Writes the object and returns the offset behind it; `out` has room for `size_max` bytes there.
    pub fn write(&self, pairs: &[u32], out: &mut [u8], at: usize) -> Option<usize> {
        let mut at = at;
        out[at] = b'{';
        for (i, &text) in pairs.iter().enumerate() {
            let text = self.text(text)?;
            if i > 0 {
                at += 1;
                out[at] = if i % 2 == 0 { b',' } else { b':' };
            }
            out[at + 1..at + 1 + text.len()].copy_from_slice(text);
            at += text.len();
        }
        out[at + 1] = b'}';
        Some(at + 2)
    }

    #[inline]
    fn text(&self, id: u32) -> Option<&'a [u8]> {
        let start = *self.starts.get(id as usize)? as usize;
        let end = *self.ends.get(id as usize)? as usize;
        self.texts.get(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_objects_and_ids_that_are_not_there_are_refused() {
        let sets = LabelSets {
            texts: br#""a""b""c""#,
            starts: &[0, 3, 6],
            ends: &[3, 6, 9],
            pairs: &[0, 1, 2, 1, 0, 3],
            offsets: &[0, 0, 1, 2, 3],
        };
        let mut out = [0; 64];
        let mut object = |set| {
            let pairs = sets.pairs_of(set)?;
            let size_max = sets.size_max(pairs)?;
            let end = sets.write(pairs, &mut out, 1)?;
            assert!(end - 1 <= size_max);
            Some(String::from_utf8(out[1..end].to_vec()).expect("ASCII"))
        };
        assert_eq!(object(0).as_deref(), Some("{}"));
        assert_eq!(object(1).as_deref(), Some(r#"{"a":"b"}"#));
        assert_eq!(object(2).as_deref(), Some(r#"{"c":"b"}"#));
        assert_eq!(object(3), None);
        assert_eq!(object(4), None);
        let both = LabelSets { offsets: &[0, 2], ..sets };
        let end = both.write(both.pairs_of(0).expect("there"), &mut out, 0).expect("texts");
        assert_eq!(&out[..end], br#"{"a":"b","c":"b"}"#);
    }
}
