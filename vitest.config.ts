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
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
