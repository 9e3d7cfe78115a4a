#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A test that a page in docs/ names as `Suite.Name` exists in tests/.
# Usage: docs.sh [repository root]
set -euo pipefail
cd "${1:-.}"

lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

# A declaration may be broken after its comma, so lines are joined; what a comment names is no test.
find tests -name '*.cpp' -exec sed 's|//.*||' {} + | tr -s '[:space:]' ' ' |
  { grep -oE '\bTEST(_F|_P)?\( ?\w+, ?\w+ ?\)' || true; } |
  sed -E 's/^[^(]*\( ?(\w+), ?(\w+) ?\)$/\1.\2/' | sort -u > "$lists/tests"

failed=0
named=0
while IFS=: read -r page line name; do
  named=$((named + 1))
  name=${name//\`/}
  grep -qxF -- "$name" "$lists/tests" && continue
  echo "$page:$line: no test in tests/ is called $name"
  failed=1
done < <(grep -noHE '`[A-Z][A-Za-z0-9]*\.[A-Z][A-Za-z0-9]*`' docs/*.md)

[[ $failed = 0 ]] && echo "docs/ names $named tests, and each exists"
exit $failed
