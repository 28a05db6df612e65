/**
 * CRC32C (Castagnoli), the checksum of every Varve format.
 *
 * Eight tables of 256 entries, so that one step consumes eight bytes ("slicing by 8", Kounavis and Berry 2005).
 * Source: RFC 3720, appendix B.4. Rust twin: native/codec/src/crc32c.rs.
 */
import { CodecError } from './errors.js'

/** The polynomial 0x1EDC6F41 with its bits reversed. */
const POLYNOMIAL = 0x82f63b78
const TABLES = buildTables()
const T0 = TABLES.subarray(0, 256)
const T1 = TABLES.subarray(256, 512)
const T2 = TABLES.subarray(512, 768)
const T3 = TABLES.subarray(768, 1024)
const T4 = TABLES.subarray(1024, 1280)
const T5 = TABLES.subarray(1280, 1536)
const T6 = TABLES.subarray(1536, 1792)
const T7 = TABLES.subarray(1792, 2048)

/**
 * The checksum of `bytes[start, end)`, as an unsigned 32-bit number.
 *
 * `seed` is the checksum of what came before, so that pieces can be chained: `crc32c(b, 0, n, crc32c(a, 0, m))` is the
 * checksum of a followed by b. Cost: about 1 ns a byte.
 * @throws {CodecError} `INVALID_ARGUMENT` if the range is not inside the bytes.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  if (!(start >= 0 && start <= end && end <= bytes.length)) {
    throw new CodecError('INVALID_ARGUMENT', `checksum of [${start}, ${end}): there are ${bytes.length} bytes`)
  }
  let crc = ~seed
  let at = start
  for (const stop = end - 7; at < stop; at += 8) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    crc =
      T7[crc & 255] ^
      T6[(crc >>> 8) & 255] ^
      T5[(crc >>> 16) & 255] ^
      T4[crc >>> 24] ^
      T3[bytes[at + 4]] ^
      T2[bytes[at + 5]] ^
      T1[bytes[at + 6]] ^
      T0[bytes[at + 7]]
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[at]) & 255]
  return ~crc >>> 0
}

/** Table k answers for a byte that k further bytes follow. */
function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256]
    tables[index] = (before >>> 8) ^ tables[before & 255]
  }
  return tables
}
