/**
 * What TypeScript and the binary agree on: the names of the kernels, their parameters, and what their numbers mean. A binary of
 * another version is passed over.
 *
 * Raised, here and in native/binding/src/lib.rs, by every change after which an older binary would fail or answer otherwise;
 * interface.test.ts notices those of names and parameters.
 */
export const INTERFACE_VERSION = 8
