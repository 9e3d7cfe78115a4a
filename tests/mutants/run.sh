#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Plants the bugs of scheduler_mutants.txt one by one and expects tests/detail/scheduler_random_test.cpp
# to fail for each of them at a step that it names, or by a hang or a crash. A line to be replaced that
# is not found exactly once is an error, and so is a bug that does not compile: the list has to follow
# the code.
#
# usage: tests/mutants/run.sh [list]
#   CXX          the compiler, g++ unless set
#   GTEST_FLAGS  how to find and link GoogleTest, "-lgtest -lgtest_main -lpthread" unless set
#   BATCHWRIGHT_RANDOM_STEPS  how many steps are enough, 500,000 unless set: nearly all need a tenth of it
#   JOBS         how many bugs are tried at once, one a processor unless set
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
list=${1:-$here/scheduler_mutants.txt}
test_source=$root/tests/detail/scheduler_random_test.cpp
read -r -a gtest_flags <<<"${GTEST_FLAGS:--lgtest -lgtest_main -lpthread}"
export BATCHWRIGHT_RANDOM_STEPS=${BATCHWRIGHT_RANDOM_STEPS:-500000}

jobs=${JOBS:-$(nproc)}
all_work=$(mktemp -d)
trap 'rm -rf "$all_work"' EXIT
work=$all_work  # Each job has its own.

problems=0

problem() {
  echo "ERROR: $*"
  problems=$((problems + 1))
}

compile() {
  "${CXX:-g++}" -std=c++20 -O0 -w -I"$work/include" -I"$root" "$test_source" -o "$work/test" \
    "${gtest_flags[@]}" >"$work/log" 2>&1
}

# A planted bug may loop or eat memory; both count as caught.
run_test() (
  ulimit -c 0 -v 4194304
  timeout 60 "$work/test" >"$work/log" 2>&1
) 2>/dev/null

fresh_copy() {
  rm -rf "$work/include"
  cp -r "$root/include" "$work/include"
}

# Replaces the one line of $1 that reads $2, indentation aside, by $3.
replace_line() {
  local file=$1 old=$2 new=$3 line found=0
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ ${line#"${line%%[![:space:]]*}"} == "$old" ]]; then
      found=$((found + 1))
      line=$new
    fi
    printf '%s\n' "$line"
  done <"$file" >"$work/replaced"
  mv "$work/replaced" "$file"
  [[ $found -eq 1 ]] || {
    problem "found $found times, not once, in $file: $old"
    return 1
  }
}

plant() {
  local bug=$1 file=$2 old=$3 new=$4 status step
  fresh_copy
  if [[ ! -f $work/include/batchwright/$file ]]; then
    problem "no such file: $file"
    return
  fi
  replace_line "$work/include/batchwright/$file" "$old" "$new" || return
  if ! compile; then
    problem "does not compile: $bug"
    cat "$work/log"
    return
  fi
  run_test
  status=$?
  step=$(grep -o -m 1 'step [0-9]* of all' "$work/log")
  if [[ $status -eq 0 ]]; then
    problem "NOT caught: $bug"
  elif [[ -n $step ]]; then
    echo "caught at ${step% of all}: $bug"
  elif [[ $status -eq 124 ]]; then
    echo "caught by a hang: $bug"
  elif [[ $status -gt 128 ]] || grep -q 'std::bad_alloc' "$work/log"; then
    echo "caught by a crash ($status): $bug"
  else
    problem "ends with $status, but at no step: $bug"
    cat "$work/log"
  fi
}

# Without a planted bug the test must pass, else its failures say nothing.
fresh_copy
if ! compile; then
  cat "$work/log"
  problem "the test does not compile"
  exit 1
fi
if ! run_test; then
  cat "$work/log"
  problem "the test fails without a planted bug"
  exit 1
fi

bugs=() files=() olds=() news=()
bug='' file='' old=''
while IFS= read -r line || [[ -n $line ]]; do
  case $line in
    'bug '*) bug=${line#bug } ;;
    'file '*) file=${line#file } ;;
    '- '*) old=${line#- } ;;
    '+'*)
      new=${line#+}
      bugs+=("$bug") files+=("$file") olds+=("$old") news+=("${new# }")
      bug='' file='' old=''
      ;;
    '' | '#'*) ;;
    *) problem "not understood: $line" ;;
  esac
done <"$list"
[[ ${#bugs[@]} -gt 0 ]] || problem "no bug was planted"

# Tries each `jobs`-th bug from this one on.
try_from() {
  local i
  work=$all_work/$1
  mkdir "$work"
  for ((i = $1; i < ${#bugs[@]}; i += jobs)); do
    plant "${bugs[i]}" "${files[i]}" "${olds[i]}" "${news[i]}"
  done >"$work.said" 2>&1
}
for ((job = 0; job < jobs; ++job)); do try_from "$job" & done
wait
for ((job = 0; job < jobs; ++job)); do cat "$all_work/$job.said"; done

problems=$((problems + $(cat "$all_work"/*.said | grep -c '^ERROR: ')))
echo "${#bugs[@]} bugs planted, $problems problems"
[[ $problems -eq 0 ]]
