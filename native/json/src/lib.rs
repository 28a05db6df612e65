//! Samples of a series as JSON text, `[1700000000,"0.5"],[1700000060,"0.75"]`, and whole series of a query's answer.

mod go_number;
mod label_sets;
mod rows;

pub use go_number::write_number;
pub use label_sets::LabelSets;
pub use rows::{write_rows, Place, Rows};

/// Bytes of the longest number.
pub const NUMBER_SIZE_MAX: usize = 32;

/// Bytes around a number: a comma, and the end of the sample.
pub(crate) const FRAME_SIZE: usize = 3;

/// What stands before each number, `[1700000000,"`, one behind the other.
pub struct Heads<'a> {
    pub bytes: &'a [u8],
    /// Where each ends.
    pub ends: &'a [u32],
}

/// Writes the samples that are present, with commas between them, and returns the offset behind them; `None` when `out` may
/// be too small, or the columns do not fit each other. An empty `presence` means all of them.
pub fn write_samples(values: &[f64], presence: &[u8], heads: &Heads, out: &mut [u8], at: usize) -> Option<usize> {
    let count = values.len();
    let size_max = heads.bytes.len().checked_add(count.checked_mul(NUMBER_SIZE_MAX + FRAME_SIZE)?)?;
    let fits = at.checked_add(size_max)? <= out.len();
    if !fits || heads.ends.len() != count || !(presence.is_empty() || presence.len() == count) {
        return None;
    }
    let start = at;
    let mut at = at;
    let mut head_start = 0;
    for (index, &value) in values.iter().enumerate() {
        let head_end = heads.ends[index] as usize;
        let head = heads.bytes.get(head_start..head_end)?;
        head_start = head_end;
        if presence.get(index) == Some(&0) {
            continue;
        }
        if at > start {
            out[at] = b',';
            at += 1;
        }
        out[at..at + head.len()].copy_from_slice(head);
        at += head.len();
        at = write_number(value, out, at);
        out[at] = b'"';
        out[at + 1] = b']';
        at += 2;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_commas_between_them_and_absent_ones_are_left_out() {
        let heads = Heads { bytes: b"[1,\"[2.5,\"[3,\"", ends: &[4, 10, 14] };
        let mut out = [0; 256];
        let text = |out: &[u8], end| String::from_utf8(out[..end].to_vec()).expect("ASCII");
        let end = write_samples(&[1.0, 0.5, -2.0], &[1, 1, 1], &heads, &mut out, 0).expect("room");
        assert_eq!(text(&out, end), r#"[1,"1"],[2.5,"0.5"],[3,"-2"]"#);
        let end = write_samples(&[1.0, 0.5, -2.0], &[0, 1, 0], &heads, &mut out, 0).expect("room");
        assert_eq!(text(&out, end), r#"[2.5,"0.5"]"#);
        assert_eq!(write_samples(&[1.0, 0.5, -2.0], &[0, 0, 0], &heads, &mut out, 7), Some(7));
    }

    #[test]
    fn columns_that_do_not_fit_each_other_and_a_short_output_are_refused() {
        let heads = Heads { bytes: b"[1,\"", ends: &[4] };
        let mut out = [0; 64];
        assert_eq!(write_samples(&[1.0, 2.0], &[], &heads, &mut out, 0), None);
        assert_eq!(write_samples(&[1.0], &[1, 1], &heads, &mut out, 0), None);
        assert_eq!(write_samples(&[1.0], &[], &heads, &mut out, 60), None);
        assert_eq!(write_samples(&[1.0], &[], &Heads { bytes: b"[", ends: &[4] }, &mut out, 0), None);
        assert_eq!(write_samples(&[1.0], &[], &heads, &mut out, 0), Some(7));
    }
}
