#!/usr/bin/env node
import module from 'node:module'
import v8 from 'node:v8'

// Node 22 keeps compiled modules between runs, which halves the time to start; Node 20 does not know it.
module.enableCompileCache?.()

// Request bodies lie outside of V8's heap, which is small, and each collection of the whole heap lets the two together grow by
// 8 MiB only: under ingest that was a collection every 160 requests, and a sixth of all CPU time. Twice the heap is
// a handful of them, for some 25 MiB more memory. Measured: benchmarks/results/ingest.md.
v8.setFlagsFromString('--heap-growing-percent=200')

const { main } = await import('../dist/main.js')

process.exitCode = await main(process.argv.slice(2))
