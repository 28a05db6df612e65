/** Typed arrays that grow by doubling: the caller keeps the result and its own length. */

export function grownU8(array: Uint8Array, lengthMin: number): Uint8Array {
  if (array.length >= lengthMin) return array
  const grown = new Uint8Array(grownLength(array.length, lengthMin))
  grown.set(array)
  return grown
}

export function grownU16(array: Uint16Array, lengthMin: number): Uint16Array {
  if (array.length >= lengthMin) return array
  const grown = new Uint16Array(grownLength(array.length, lengthMin))
  grown.set(array)
  return grown
}

export function grownU32(array: Uint32Array, lengthMin: number): Uint32Array {
  if (array.length >= lengthMin) return array
  const grown = new Uint32Array(grownLength(array.length, lengthMin))
  grown.set(array)
  return grown
}

export function grownF64(array: Float64Array, lengthMin: number): Float64Array {
  if (array.length >= lengthMin) return array
  const grown = new Float64Array(grownLength(array.length, lengthMin))
  grown.set(array)
  return grown
}

/** Half as much again: doubling would leave up to half of a large table empty. */
function grownLength(length: number, lengthMin: number): number {
  return Math.max(lengthMin, Math.ceil(length * 1.5), 16)
}
