#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks the form of every header: licence line, include guard, namespace, macro names, length.
# Usage: headers.sh [repository root]
set -euo pipefail
cd "${1:-.}/include"

number() { sed -n "s/^#define BATCHWRIGHT_VERSION_$1 \([0-9]*\)$/\1/p" batchwright/version.hpp; }
version="v$(number MAJOR)_$(number MINOR)"

find . -name '*.hpp' | sed 's|^\./||' | LC_ALL=C sort | xargs awk -v version="$version" '
  function fail(message) { print message; failed = 1 }

  function finish() {
    if (name == "") return
    if (depth) fail(name ": a namespace is not closed by `}  // namespace ...`")
    if (guards != 3) fail(name ": the include guard must be #ifndef, #define, #endif  // " guard)
    length_of[++files] = lines
    if (lines > 400) fail(name ": " lines " lines, 400 are allowed")
  }

  FNR == 1 {
    finish()
    name = FILENAME; depth = 0; guards = 0; continued = 0
    guard = toupper(name); gsub(/[^A-Z0-9]/, "_", guard)
    if ($0 != "// SPDX-License-Identifier: MIT") fail(name ":1: must be // SPDX-License-Identifier: MIT")
  }
  { lines = FNR; at = name ":" FNR ": " }

  $0 == "#ifndef " guard || $0 == "#define " guard || $0 == "#endif  // " guard { ++guards; next }
  /^#[ \t]*pragma[ \t]+once/ { fail(at "include guards, not #pragma once") }
  /^[ \t]*#[ \t]*define/ {
    macro = $0; sub(/^[ \t]*#[ \t]*define[ \t]+/, "", macro)
    if (macro !~ /^BATCHWRIGHT_/) fail(at "a macro must begin with BATCHWRIGHT_")
  }
  # Preprocessor lines with their continuations, comments and blank lines may stand anywhere.
  continued || /^[ \t]*#/ { continued = /\\$/; next }
  /^[ \t]*(\/\/.*)?$/ { next }

  # Everything that a program could see stands between a namespace line and its closing comment.
  /^(inline )?namespace/ {
    # Nested ones are free; the outermost one is ours, or std for a specialization.
    if (!depth && $0 !~ "^namespace batchwright::inline " version "(::[a-z_:]+)? \\{$" && !/^namespace std \{$/)
      fail(at "must be `namespace batchwright::inline " version " {`, with ::detail and the like behind it")
    ++depth
    next
  }
  /^}  \/\/ namespace/ { if (--depth < 0) { fail(at "closes no namespace"); depth = 0 } next }
  !depth { fail(at "stands outside the namespace") }

  /(^|[^A-Za-z0-9_"])(throw|try|catch)([^A-Za-z0-9_"]|$)/ {
    code = $0; sub(/\/\/.*/, "", code); gsub(/"[^"]*"/, "", code)
    if (name !~ /^batchwright\/(errors\.hpp$|testing\/|simulation\/|integration\/)/ && code ~ /(^|[^A-Za-z0-9_])(throw|try|catch)([^A-Za-z0-9_]|$)/)
      fail(at "throw, try and catch stand in errors.hpp alone")
  }

  END {
    finish()
    if (files == 0) { print "no headers"; exit 1 }
    for (i = 2; i <= files; ++i)
      for (j = i; j > 1 && length_of[j] < length_of[j - 1]; --j) { t = length_of[j]; length_of[j] = length_of[j - 1]; length_of[j - 1] = t }
    median = length_of[int((files + 1) / 2)]
    if (median > 150) fail("the median header has " median " lines, 150 are allowed")
    if (!failed) print files " headers are well-formed; median " median " lines, longest " length_of[files]
    exit failed
  }
'

# The umbrella is nothing but includes.
if grep -vE '^(#(include|ifndef|define|endif).*|//.*|)$' batchwright/batchwright.hpp; then
  echo "batchwright/batchwright.hpp: nothing but includes"
  exit 1
fi
