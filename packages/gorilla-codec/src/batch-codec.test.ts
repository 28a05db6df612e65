import { nativeKernels, nativeStatus } from '@varve/native'
import { test } from 'vitest'
import { describeCodec } from './batch-codec.conformance.js'
import { typescriptCodec } from './batch-codec.js'
import { nativeCodec } from './native-codec.js'

/** A long run takes more: VARVE_HOSTILE_INPUTS=10000000. */
const HOSTILE_INPUTS = Number(process.env.VARVE_HOSTILE_INPUTS ?? 50_000)

// The reference agrees with itself at once; its own run is for the vectors and for what must be refused.
describeCodec(typescriptCodec, 400)

const kernels = nativeKernels()
if (kernels !== undefined) describeCodec(nativeCodec(kernels), HOSTILE_INPUTS)
else test.skip(`native codec: ${nativeStatus().reason}`, () => {})
