#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints for each header how many of its lines the tests of a coverage build have run, and what they
# have not. Usage: coverage_report.sh <repository root> <build tree>
set -euo pipefail
include=$(cd "$1" && pwd)/include/
build=$(cd "$2" && pwd)

find "$build" -name '*.gcda' -print0 | xargs -0 -r -n 16 gcov --stdout 2>/dev/null | awk -v include="$include" '
  /^ *-: *0:Source:/ { file = substr($0, index($0, "Source:") + 7); ours = index(file, include) == 1; next }
  !ours { next }
  {
    # "  count:  line:text"; count is - where there is no code, ##### where it never ran.
    split($0, field, ":"); count = field[1]; line = field[2]; gsub(/[ *]/, "", count); line += 0
    if (count == "-" || line == 0) next
    if (!((file, line) in seen)) { seen[file, line] = 1; ++lines[file] }
    if (count !~ /^[#=]/ && !((file, line) in hit)) { hit[file, line] = 1; ++hits[file] }
  }
  END {
    for (file in lines) {
      missed = ""
      for (i = 1; i <= 1000; ++i) if ((file, i) in seen && !((file, i) in hit)) missed = missed " " i
      printf "%5.1f %%  %4d of %4d  %s%s\n", 100 * hits[file] / lines[file], hits[file], lines[file], substr(file, length(include) + 1), missed == "" ? "" : "  missed:" missed | "LC_ALL=C sort -n"
      all += lines[file]; run += hits[file]
    }
    close("LC_ALL=C sort -n")
    if (all == 0) { print "no coverage data: run the coverage workflow"; exit 1 }
    printf "%5.1f %%  %4d of %4d  all headers\n", 100 * run / all, run, all
  }
'
