import { defineConfig } from 'vitest/config'

// Tests run from the sources: the export condition `source` of every package points there.
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'], externalConditions: ['source'] } },
  test: {
    include: [
      'packages/**/src/**/*.test.ts',
      'native/src/**/*.test.ts',
      'simulation/src/**/*.test.ts',
      'benchmarks/src/**/*.test.ts',
      'end-to-end/src/**/*.test.ts',
      'tools/**/*.test.ts',
    ],
    setupFiles: ['tools/vitest-setup.ts'],
    pool: 'forks',
    // Real servers are waited for in real time: on a busy machine one may come too late once. What is wrong fails every time.
    retry: process.env.CI ? 2 : 0,
    // Against hanging, not to measure: many times what the slowest takes, so that a slow machine fails none.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    // What is polled comes soon or never; vitest's own second is less than a busy machine takes for a request.
    expect: { poll: { timeout: 15_000 } },
  },
})
