/** How the head keeps full rows: as small sealed columns of the codec. */
export {
  decodeSealedTimestamps as decodeTimestamps,
  decodeSealedValues as decodeValues,
  encodeSealedLanes as encodeLanes,
  encodeSealedTimestamps as encodeTimestamps,
  encodeSealedValuesBatch as encodeValuesBatch,
  sealedTimestampsSizeMax as rowTimestampsSizeMax,
  sealedValuesAreNumbers as valuesAreNumbers,
  sealedValuesSizeMax as rowValuesSizeMax,
} from '@varve/gorilla-codec'
