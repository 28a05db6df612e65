/**
 * A run of native histograms of one series, by columns: what a block stores beside the series' float column.
 *
 *     count           varint
 *     kinds           runs of (length varint, kind u8): bits 0-1 counter reset hint, 2 stale, 3 integer
 *     layouts         varint, then each layout once, in order of first use:
 *                     schema signed varint, zero threshold f64, positive spans, negative spans, custom bounds
 *                     (spans: varint, then offset signed varint and length varint each; bounds: varint, then f64 each)
 *     layout indexes  runs of (length varint, layout varint)
 *     count form      u8: 0 whole, 1 residual
 *     columns         zero counts, counts, sums, then one for each bucket that any histogram has:
 *                     by scale (schema, threshold, bounds: in order of first use), positive before negative, bucket index
 *
 *     The columns are a column run of gorilla-codec; how long each is follows from the layouts.
 *
 * Residual counts are what a count has more than its zero count and buckets hold together: zero unless a histogram
 * contradicts itself. They are used where all histograms are of integers that add up exactly. A bucket that a histogram's layout does
 * not name has no value in its column, so a layout that grows costs nothing for the samples before.
 *
 * There is no checksum: the unit around it has one. Page: docs/formats/histogram-chunk.md.
 */
export const COUNTS_WHOLE = 0
export const COUNTS_RESIDUAL = 1

export const KIND_HINT_MASK = 0b11
export const KIND_STALE = 0b100
export const KIND_INTEGER = 0b1000
/** Bits of a kind that have no meaning yet. */
export const KIND_UNKNOWN = 0b11110000

/** More samples than this make another chunk: what one column of gorilla-codec holds. */
export const HISTOGRAMS_PER_CHUNK_MAX = 65_535
