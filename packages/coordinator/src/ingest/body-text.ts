/** The text of a body, decoded where it lies: another copy of 32 MiB would be a stall of its own. */
export function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
}
