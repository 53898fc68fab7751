#!/bin/sh
# Everything from a fresh clone: install, build, test. The last line is the test runner's.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh
npm run --silent build
exec npx vitest run "$@"
