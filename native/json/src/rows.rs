//! Series of an answer: `{"metric":{…},"values":[[1700000000,"0.5"],…]},{…}`, or with `"value":[…]` at one moment.

use crate::{write_samples, Heads, LabelSets, FRAME_SIZE, NUMBER_SIZE_MAX};

/// What stands around labels and samples, at most.
const ROW_FRAME_SIZE: usize = 32;

/// Series of `step_count` samples each, at the same times.
pub struct Rows<'a> {
    pub values: &'a [f64],
    /// 0 for a sample that is not there; without any all of them are.
    pub presence: &'a [u8],
    /// Where the samples of each series begin, and which label set it has.
    pub firsts: &'a [u32],
    pub sets: &'a [u32],
    pub step_count: usize,
    /// One moment instead of a range: its one sample is no list.
    pub is_instant: bool,
}

/// Where the writing goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The first series that is not written.
    pub next: usize,
    /// The end of what is written.
    pub at: usize,
    /// Room that the next series needs, when that is why it was not written.
    pub wanted: usize,
}

/// Writes series `[from.next, to)` behind `from.at`, with commas between them and before the first unless a `[` stands there, until
/// `stop` is reached or there is no room. A series without samples is left out. `None` when the columns do not fit each other.
pub fn write_rows(
    rows: &Rows,
    labels: &LabelSets,
    heads: &Heads,
    to: usize,
    stop: usize,
    out: &mut [u8],
    from: Place,
) -> Option<Place> {
    let steps = rows.step_count;
    let samples_size = heads.bytes.len().checked_add(steps.checked_mul(NUMBER_SIZE_MAX + FRAME_SIZE)?)?;
    let mut place = Place { wanted: 0, ..from };
    while place.next < to && place.at < stop {
        let pairs = labels.pairs_of(*rows.sets.get(place.next)?)?;
        let first = *rows.firsts.get(place.next)? as usize;
        let samples = first..first.checked_add(steps)?;
        let values = rows.values.get(samples.clone())?;
        let presence = if rows.presence.is_empty() { rows.presence } else { rows.presence.get(samples)? };
        let wanted = ROW_FRAME_SIZE.checked_add(samples_size)?.checked_add(labels.size_max(pairs)?)?;
        if out.len().checked_sub(place.at)? < wanted {
            place.wanted = wanted;
            break;
        }
        let mut at = place.at;
        if at == 0 || out[at - 1] != b'[' {
            at = put(out, at, b",");
        }
        at = put(out, at, br#"{"metric":"#);
        at = labels.write(pairs, out, at)?;
        at = put(out, at, if rows.is_instant { br#","value":"# } else { br#","values":["# });
        let end = write_samples(values, presence, heads, out, at)?;
        if end > at {
            place.at = put(out, end, if rows.is_instant { b"}" } else { b"]}" });
        }
        place.next += 1;
    }
    Some(place)
}

fn put(out: &mut [u8], at: usize, text: &[u8]) -> usize {
    out[at..at + text.len()].copy_from_slice(text);
    at + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: LabelSets = LabelSets {
        texts: br#""a""b""c""#,
        starts: &[0, 3, 6],
        ends: &[3, 6, 9],
        pairs: &[0, 1, 0, 2],
        offsets: &[0, 1, 2],
    };
    const HEADS: Heads = Heads { bytes: b"[1,\"[2,\"", ends: &[4, 8] };
    const ROWS: Rows = Rows {
        values: &[1.0, 2.0, 3.0, 4.0, 5.5, 6.0],
        presence: &[1, 1, 0, 0, 1, 0],
        firsts: &[4, 2, 0],
        sets: &[0, 1, 1],
        step_count: 2,
        is_instant: false,
    };
    const START: Place = Place { next: 0, at: 1, wanted: 0 };

    #[test]
    fn rows_are_written_until_the_stop_and_those_without_samples_are_left_out() {
        let mut out = [b'['; 512];
        let place = write_rows(&ROWS, &LABELS, &HEADS, 3, 512, &mut out, START).expect("fits");
        let text = br#"[{"metric":{"a":"b"},"values":[[1,"5.5"]]},{"metric":{"a":"c"},"values":[[1,"1"],[2,"2"]]}"#;
        assert_eq!(&out[..place.at], text);
        assert_eq!((place.next, place.wanted), (3, 0));
        let mut out = [b'['; 512];
        let place = write_rows(&ROWS, &LABELS, &HEADS, 3, 2, &mut out, START).expect("fits");
        assert_eq!(place.next, 1);
        let rest = write_rows(&ROWS, &LABELS, &HEADS, 3, 512, &mut out, place).expect("fits");
        assert_eq!(&out[..rest.at], text);
        let whole = Rows { presence: &[], firsts: &[1], sets: &[0], ..ROWS };
        let place = write_rows(&whole, &LABELS, &HEADS, 1, 512, &mut out, START).expect("fits");
        assert_eq!(&out[..place.at], br#"[{"metric":{"a":"b"},"values":[[1,"2"],[2,"3"]]}"#);
    }

    #[test]
    fn one_moment_has_one_sample() {
        let mut out = [b'['; 512];
        let rows = Rows { step_count: 1, is_instant: true, firsts: &[4, 2], sets: &[0, 1], ..ROWS };
        let heads = Heads { bytes: b"[1,\"", ends: &[4] };
        let place = write_rows(&rows, &LABELS, &heads, 2, 512, &mut out, START).expect("fits");
        assert_eq!(&out[..place.at], br#"[{"metric":{"a":"b"},"value":[1,"5.5"]}"#);
    }

    #[test]
    fn no_room_says_how_much_is_wanted_and_what_does_not_fit_is_refused() {
        let mut out = [b'['; 512];
        let place = write_rows(&ROWS, &LABELS, &HEADS, 3, 512, &mut out[..20], START).expect("fits");
        assert_eq!((place.next, place.at), (0, 1));
        let enough = place.wanted + 1;
        assert_eq!(
            write_rows(&ROWS, &LABELS, &HEADS, 1, 512, &mut out[..enough], START).map(|place| place.next),
            Some(1)
        );
        let absent = Rows { firsts: &[5], sets: &[0], ..ROWS };
        assert_eq!(write_rows(&absent, &LABELS, &HEADS, 1, 512, &mut out, START), None);
        let unlabelled = Rows { firsts: &[0], sets: &[2], ..ROWS };
        assert_eq!(write_rows(&unlabelled, &LABELS, &HEADS, 1, 512, &mut out, START), None);
        assert_eq!(write_rows(&ROWS, &LABELS, &HEADS, 4, 512, &mut out, START), None);
        let short = Heads { bytes: b"[1,\"", ends: &[4] };
        assert_eq!(write_rows(&ROWS, &LABELS, &short, 1, 512, &mut out, START), None);
    }
}
