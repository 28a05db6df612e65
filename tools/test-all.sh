#!/usr/bin/env bash
# Everything that must pass: installs what the tests need, builds, checks, tests.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/install-test-deps.sh
npm ci --no-audit --no-fund
npm run build
if command -v cargo >/dev/null; then npm run build:native; (cd native && cargo test --quiet); else echo 'no cargo: the tests run on TypeScript alone'; fi
npm run check
npm test
