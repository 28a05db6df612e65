export type { SnappyResult } from './decode.js'
export { decodeSnappy, decodeSnappyInTurns, decodeSnappyInto, snappyDecodedSize } from './decode.js'
export { encodeSnappy, encodeSnappyInTurns, snappySizeMax } from './encode.js'
