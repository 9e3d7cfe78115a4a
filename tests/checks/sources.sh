#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks what holds for all files: the licence line, and no real sleep in a test.
# Usage: sources.sh [repository root]
set -euo pipefail
cd "${1:-.}"
failed=0

find CMakeLists.txt cmake include tests benchmarks examples .ci -type f \
  \( -name '*.hpp' -o -name '*.cpp' -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt -o -path .ci/run \) \
  -print0 | xargs -0 awk '
    function finish() { if (name != "" && !licensed) { print name ": lacks its SPDX-License-Identifier line"; failed = 1 } }
    FNR == 1 { finish(); name = FILENAME; licensed = 0 }
    FNR <= 2 && /^(\/\/|#) SPDX-License-Identifier: [A-Za-z0-9.-]+$/ { licensed = 1 }
    END { finish(); exit failed }' || failed=1

# Time in a test is the test runtime's. One smoke test, and only it, knows the real clock.
sleeps='sleep_for|sleep_until|(^|[^a-z_.>])(usleep|nanosleep|clock_nanosleep|sleep) *\('
if grep -rnE "$sleeps" tests --include='*.cpp' --include='*.hpp' | grep -v '^tests/real_time_smoke_test\.cpp:'; then
  echo "a test sleeps in real time"
  failed=1
fi

[[ $failed = 0 ]] && echo "licence lines are there, no test sleeps"
exit $failed
