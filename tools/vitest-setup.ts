/**
 * Generated tests draw from one seed, so that a run can be repeated and a release is judged by the same cases as the commit
 * before it. `SEED=8123 npm test` draws others; a failure prints its own seed and path.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env.SEED ?? 1) })
