#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The code that the README shows is code that is compiled. Its first ```cpp block is examples/quickstart.cpp
# and begins before line 40; a block under a line `<!-- examples/<name>.cpp -->` is a part of that file.
# Usage: readme.sh [repository root]
set -euo pipefail
cd "${1:-.}"

# The licence line is no part of what is shown.
shown() { sed '1{/SPDX-License-Identifier/d}' "$1" | sed '/./,$!d'; }
blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT

awk -v blocks="$blocks" '
  /^<!-- examples\/.*\.cpp -->$/ { source = $2; next }
  /^```cpp$/ { file = blocks "/" ++count; printf "" > file; print count, NR, (source == "" ? "-" : source); open = 1; source = ""; next }
  /^```$/ { if (open) close(file); open = 0; next }
  open { print > file }
' README.md > "$blocks/index"

read -r _ line _ < "$blocks/index" || { echo 'README.md: has no ```cpp block'; exit 1; }
if ((line >= 40)); then
  echo "README.md:$line: the first program must begin before line 40"
  exit 1
fi
diff -u --label README.md --label examples/quickstart.cpp "$blocks/1" <(shown examples/quickstart.cpp)

while read -r number line source; do
  [[ $source = - ]] && continue
  # Compared without indentation: the README may show the inside of a function or a namespace.
  part=$(sed 's/^ *//' "$blocks/$number")
  whole=$(sed 's/^ *//' "$source")
  if [[ $whole != *"$part"* ]]; then
    echo "README.md:$line: is no part of $source"
    exit 1
  fi
done < "$blocks/index"
echo "the README shows $(wc -l < "$blocks/index") blocks of C++, the first is examples/quickstart.cpp"
