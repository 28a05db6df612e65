/**
 * The bytes of a block file: where things stand and what they are called. Page: docs/formats/block.md.
 *
 *     header (64) · values · time columns · section · section · … · footer · trailer (32)
 *
 * Every checksum starts from the block's identity (namespace, shard, range, generation), so that an intact unit of
 * another block is not taken for one of this.
 */
import { crc32c } from '@varve/gorilla-codec'

/** "VARVEBLK" */
export const BLOCK_MAGIC = Uint8Array.of(0x56, 0x41, 0x52, 0x56, 0x45, 0x42, 0x4c, 0x4b)
export const BLOCK_VERSION = 1
export const HEADER_SIZE_BYTES = 64
export const TRAILER_SIZE_BYTES = 32
/** A chunk of a block holds so many samples, but for the last of a series: 4 h at 15 s. */
export const SAMPLES_PER_CHUNK = 960

/** Sections, in the order in which they stand in the file and in the digest. */
export const Section = {
  Values: 1,
  TimeColumns: 2,
  TimeDirectory: 3,
  Symbols: 4,
  Series: 5,
  Chunks: 6,
  Postings: 7,
  Histograms: 8,
} as const
export type Section = (typeof Section)[keyof typeof Section]

/** How a section is stored. */
export const STORED_PLAIN = 0
export const STORED_LZ4 = 1

/** Header flags. */
export const HAS_STARTS = 1
export const HAS_ABSENT = 2
export const HAS_COLUMNS = 4

/** What a block is, besides its samples. All of it stands in its name and in the manifest. */
export interface BlockIdentity {
  readonly namespace: string
  readonly shard: number
  readonly startMs: number
  readonly endMs: number
  readonly generation: number
}

/** Where checksums of this block start from. */
export function identitySeed(identity: BlockIdentity): number {
  const text = `${identity.namespace}/${identity.shard}/${identity.startMs}-${identity.endMs}-${identity.generation}`
  const bytes = new TextEncoder().encode(text)
  return crc32c(bytes, 0, bytes.length)
}

/** Checksums of a section start from this. */
export function sectionSeed(seed: number, section: number): number {
  return (seed ^ Math.imul(section, 0x9e3779b1)) >>> 0
}

/**
 * What the checksum of a value column is XORed with on disk: it ties the column to its place in its block.
 */
export function columnMask(seed: number, offset: number): number {
  let mask = Math.imul((offset >>> 0) ^ seed, 0x85ebca6b) ^ Math.floor(offset / 0x1_0000_0000)
  mask = Math.imul(mask ^ (mask >>> 15), 0xc2b2ae35)
  return mask ^ (mask >>> 13)
}

/** XORs the last four bytes of a column, lowest first. */
export function maskColumn(bytes: Uint8Array, end: number, mask: number): void {
  bytes[end - 4] ^= mask & 0xff
  bytes[end - 3] ^= (mask >>> 8) & 0xff
  bytes[end - 2] ^= (mask >>> 16) & 0xff
  bytes[end - 1] ^= (mask >>> 24) & 0xff
}

export function blockFileName(identity: Pick<BlockIdentity, 'startMs' | 'endMs' | 'generation'>): string {
  return `${identity.startMs}-${identity.endMs}-${identity.generation}.block`
}

/** Start, end and generation of a block's name, or `undefined` when it is none. */
export function parseBlockFileName(name: string): { startMs: number; endMs: number; generation: number } | undefined {
  const match = /^(\d{1,16})-(\d{1,16})-(\d{1,10})\.block$/.exec(name)
  return match === null
    ? undefined
    : { startMs: Number(match[1]), endMs: Number(match[2]), generation: Number(match[3]) }
}
