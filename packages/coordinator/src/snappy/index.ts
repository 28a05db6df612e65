export type { SnappyResult } from './decode.js'
export { decodeSnappy, decodeSnappyInTurns, decodeSnappyInto, snappyDecodedSize } from './decode.js'
export { encodeSnappy, snappySizeMax } from './encode.js'
