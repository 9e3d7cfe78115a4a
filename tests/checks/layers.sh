#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks every #include of include/batchwright against layers.txt beside this script.
# Usage: layers.sh [repository root]
set -euo pipefail
rules=$(cd "$(dirname "$0")" && pwd)/layers.txt
cd "${1:-.}/include/batchwright"

find . -name '*.hpp' | sed 's|^\./||' | LC_ALL=C sort | xargs awk -v rules="$rules" '
  function fail(message) { print message; failed = 1 }

  # "a/b/../c" -> "a/c"
  function normal(path) {
    while (match(path, /[^\/]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    return path
  }

  function folder(path) { return match(path, /.*\//) ? substr(path, 1, RLENGTH) : "" }

  function layer_of(path,  i) {
    for (i = 1; i <= rule_count; ++i)
      if (path == rule_name[i] || (rule_name[i] ~ /\/\*$/ && index(path, substr(rule_name[i], 1, length(rule_name[i]) - 1)) == 1))
        return rule_layer[i]
    return -1
  }

  # Depth first; `trail` names the way here.
  function find_cycle(path, trail,  i, n, to) {
    if (state[path] == "done") return
    if (state[path] == "open") { fail("cycle: " substr(trail, index(trail, path)) " -> " path); return }
    state[path] = "open"
    n = split(edges[path], to, " ")
    for (i = 1; i <= n; ++i) find_cycle(to[i], trail == "" ? path : trail " -> " path)
    state[path] = "done"
  }

  function mark_reached(path, mark,  i, n, to) {
    if ((mark, path) in reached) return
    reached[mark, path] = 1
    n = split(edges[path], to, " ")
    for (i = 1; i <= n; ++i) mark_reached(to[i], mark)
  }

  BEGIN {
    while ((getline line < rules) > 0) {
      n = split(line, word, " ")
      if (word[1] == "layer") for (i = 3; i <= n; ++i) { rule_name[++rule_count] = word[i]; rule_layer[rule_count] = word[2] }
      if (word[1] == "pure") for (i = 2; i <= n; ++i) pure[word[i]] = 1
      if (word[1] == "impure") for (i = 2; i <= n; ++i) impure[word[i]] = 1
      if (word[1] == "banned") for (i = 2; i <= n; ++i) banned[word[i]] = 1
      if (word[1] == "private") for (i = 2; i <= n; ++i) hidden[word[i] (word[i] ~ /\.hpp$/ ? "" : "/")] = 1
    }
    if (rule_count == 0) { print "no rules in " rules; exit 2 }
    for (i = 1; i < ARGC; ++i) {
      exists[ARGV[i]] = 1
      if (layer_of(ARGV[i]) < 0) fail(ARGV[i] ": no line of layers.txt names this header")
    }
  }

  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    to = normal(folder(FILENAME) part[2])
    if (!(to in exists)) { fail(FILENAME ":" FNR ": \"" part[2] "\" is no header of the library"); next }
    edges[FILENAME] = edges[FILENAME] " " to
    if (layer_of(to) > layer_of(FILENAME))
      fail(FILENAME ":" FNR ": layer " layer_of(FILENAME) " includes " to " of layer " layer_of(to))
    next
  }

  /^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    if (part[2] ~ /^batchwright\//) fail(FILENAME ":" FNR ": inside the library includes are relative and quoted")
    if (part[2] in banned) fail(FILENAME ":" FNR ": <" part[2] "> is banned")
    if (part[2] in impure) needs[FILENAME] = needs[FILENAME] " <" part[2] ">"
    next
  }

  /_clock::now *\(/ && !/^[ \t]*\/\// { needs[FILENAME] = needs[FILENAME] " a clock" }

  END {
    for (i = 1; i < ARGC; ++i) find_cycle(ARGV[i], "")
    for (root in pure) {
      if (!(root in exists)) { fail("pure header " root " is missing"); continue }
      mark_reached(root, root)
      for (i = 1; i < ARGC; ++i) {
        path = ARGV[i]
        if (!((root, path) in reached)) continue
        if (path in needs) fail(path ": is part of the pure " root " and needs" needs[path])
        if (path != root && layer_of(path) > 2) fail(path ": is part of the pure " root " but of layer " layer_of(path))
      }
    }
    mark_reached("batchwright.hpp", "umbrella")
    for (i = 1; i < ARGC; ++i) {
      inside = ("umbrella", ARGV[i]) in reached
      is_private = 0
      for (prefix in hidden) if (index(ARGV[i], prefix) == 1) is_private = 1
      if (is_private && inside) fail(ARGV[i] ": must not be reached from the umbrella")
      if (!is_private && ARGV[i] !~ /^detail\// && !inside) fail(ARGV[i] ": is not reached from the umbrella")
    }
    if (ARGC < 2) fail("no headers")
    if (!failed) print ARGC - 1 " headers keep their layers"
    exit failed
  }
'
