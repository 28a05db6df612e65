/**
 * The bytes of a Prometheus block directory: index (version 1 and 2), chunk segments (version 1) and tombstones.
 *
 *     BLOCK/meta.json         range, counts, version 1
 *     BLOCK/index             magic, version, symbols, series, …, table of contents (52 bytes) at the end
 *     BLOCK/chunks/000001 …   magic, version, 3 bytes of padding, then chunks: length, encoding, data, CRC32C
 *     BLOCK/tombstones        magic, version, deleted intervals (series id, first ms, last ms), their CRC32C
 *
 * Integers are big-endian, lengths are unsigned varints, every section ends with the CRC32C of its content.
 * Source: Prometheus, tsdb/docs/format (index.md, chunks.md, tombstones.md).
 */
export const INDEX_MAGIC = 0xbaaad700
export const INDEX_VERSIONS: readonly number[] = [1, 2]
export const INDEX_HEADER_SIZE = 5
/** Six offsets of eight bytes and a checksum. */
export const INDEX_TOC_SIZE = 52
/** A series starts at a multiple of this; its id in a version 2 index is its offset divided by it. */
export const SERIES_ALIGNMENT = 16

export const CHUNKS_MAGIC = 0x85bd40dd
export const CHUNKS_VERSION = 1
export const CHUNKS_HEADER_SIZE = 8

export const TOMBSTONES_MAGIC = 0x0130ba30
export const TOMBSTONES_VERSION = 1
