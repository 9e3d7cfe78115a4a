#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Plants the bugs of a list one by one, scheduler_mutants.txt unless another is named, and expects the
# tests that a bug names to fail, all of them, or to hang or to crash. Where a bug names none,
# tests/detail/scheduler_random_test.cpp has to, at a step that it says. Without a bug all must pass. A
# line to be replaced that is not found exactly once is an error, and so is a bug that does not compile
# or a test that does not exist: the list has to follow the code.
#
# usage: tests/mutants/run.sh [list]
#   CXX          the compiler, g++ unless set
#   GTEST_FLAGS  how to find and link GoogleTest, "-lgtest -lgtest_main -lpthread" unless set
#   BATCHWRIGHT_RANDOM_STEPS  how many steps are enough, 100,000 unless set: none needs more than half of it
#   JOBS         how many bugs are tried at once, one a processor unless set
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
list=${1:-$here/scheduler_mutants.txt}
random_test=detail/scheduler_random
read -r -a gtest_flags <<<"${GTEST_FLAGS:--lgtest -lgtest_main -lpthread}"
export BATCHWRIGHT_RANDOM_STEPS=${BATCHWRIGHT_RANDOM_STEPS:-100000}

jobs=${JOBS:-$(nproc)}
all_work=$(mktemp -d)
trap 'rm -rf "$all_work"' EXIT
work=$all_work  # Each job has its own.

problems=0

problem() {
  echo "ERROR: $*"
  problems=$((problems + 1))
}

compiler=("${CXX:-g++}" -std=c++20 -O0 -w)

# What no bug changes is read once.
prefix=$all_work/prefix.hpp
printf '#include <%s>\n' gtest/gtest.h algorithm atomic chrono coroutine functional future memory mutex \
  span string thread unordered_map vector >"$prefix"
"${compiler[@]}" -c -x c++-header "$prefix" -o "$prefix.gch" "${gtest_flags[@]}" 2>/dev/null

# Compiles tests/$1_test.cpp.
compile() {
  local defines=()
  [[ $1 == exhaustion ]] && defines=(-DBATCHWRIGHT_NO_POOL)
  "${compiler[@]}" "${defines[@]}" -include "$prefix" -I"$work/include" -I"$root" \
    "$root/tests/$1_test.cpp" -o "$work/test" "${gtest_flags[@]}" >"$work/log" 2>&1
}

# Runs the tests that $1 names, all if it is empty. A planted bug may loop or eat memory; both count as
# caught.
run_test() (
  ulimit -c 0 -v 4194304
  timeout 60 "$work/test" ${1:+--gtest_filter="$1"} >"$work/log" 2>&1
) 2>/dev/null

# Whether each of the tests in $1 has ended as $2 says; an empty $1 names none.
all_ended() {
  local name names
  IFS=: read -r -a names <<<"$1"
  for name in "${names[@]}"; do
    grep -qF "$2 $name (" "$work/log" || return 1
  done
}

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

# Without a planted bug what tests/$1_test.cpp says of the names in $2 must be that they pass, else its
# failures say nothing.
pass() {
  fresh_copy
  if [[ ! -f $root/tests/$1_test.cpp ]]; then
    problem "no such test: $1"
  elif ! compile "$1"; then
    problem "does not compile: $1"
    cat "$work/log"
  elif ! run_test "$2" || ! all_ended "$2" '[       OK ]'; then
    problem "not all of these tests of $1 are there and pass without a planted bug: ${2:-all}"
    cat "$work/log"
  fi
}

plant() {
  local bug=${bugs[$1]} test=${tests[$1]} named=${names[$1]} edit file status step
  fresh_copy
  for ((edit = firsts[$1]; edit < firsts[$1 + 1]; ++edit)); do
    file=${files[edit]}
    if [[ ! -f $work/include/batchwright/$file ]]; then
      problem "no such file: $file"
      return
    fi
    replace_line "$work/include/batchwright/$file" "${olds[edit]}" "${news[edit]}" || return
  done
  if ! compile "$test"; then
    problem "does not compile: $bug"
    cat "$work/log"
    return
  fi
  run_test "$named"
  status=$?
  step=$(grep -o -m 1 'step [0-9]* of all' "$work/log")
  if [[ $status -eq 0 ]]; then
    problem "NOT caught: $bug"
  elif [[ -z $named && -n $step ]]; then
    echo "caught at ${step% of all}: $bug"
  elif [[ $status -eq 124 ]]; then
    echo "caught by a hang${named:+ of $named}: $bug"
  elif [[ $status -gt 128 ]] || grep -q 'std::bad_alloc' "$work/log"; then
    echo "caught by a crash ($status)${named:+ of $named}: $bug"
  elif [[ -n $named ]] && all_ended "$named" '[  FAILED  ]'; then
    echo "caught by $named: $bug"
  else
    problem "ends with $status, but not as it should: $bug"
    cat "$work/log"
  fi
}

# Of each bug the test and the names in it, and where its edits begin; of each edit the file and the two
# lines.
bugs=() tests=() names=() firsts=() files=() olds=() news=()
file='' old=''
declare -A named_in=()  # By test: all names that occur with it.
while IFS= read -r line || [[ -n $line ]]; do
  case $line in
    'bug '*)
      bugs+=("${line#bug }") tests+=("$random_test") names+=('') firsts+=(${#olds[@]})
      file='' old=''
      ;;
    'file '*) file=${line#file } ;;
    'test '*' '*)
      line=${line#test }
      tests[-1]=${line%% *} names[-1]=${line#* }
      ;;
    '- '*) old=${line#- } ;;
    '+'*)
      new=${line#+}
      files+=("$file") olds+=("$old") news+=("${new# }")
      old=''
      ;;
    '' | '#'*) ;;
    *) problem "not understood: $line" ;;
  esac
done <"$list"
firsts+=(${#olds[@]})
[[ ${#bugs[@]} -gt 0 ]] || problem "no bug was planted"
for ((i = 0; i < ${#bugs[@]}; ++i)); do
  [[ ${firsts[i]} -lt ${firsts[i + 1]} ]] || problem "replaces nothing: ${bugs[i]}"
  test=${tests[i]}
  known=${named_in[$test]:-}
  named_in[$test]=$known${known:+:}${names[i]}
done
paths=("${!named_in[@]}")

pass_at() { pass "${paths[$1]}" "${named_in[${paths[$1]}]}"; }

# Does $1 with each number below $2, shared out among the jobs.
share_out() {
  local job
  for ((job = 0; job < jobs; ++job)); do
    (
      work=$all_work/$job
      mkdir -p "$work"
      for ((i = job; i < $2; i += jobs)); do "$1" "$i"; done >"$work.said" 2>&1
    ) &
  done
  wait
  for ((job = 0; job < jobs; ++job)); do cat "$all_work/$job.said"; done
  problems=$((problems + $(cat "$all_work"/*.said | grep -c '^ERROR: ')))
}

share_out pass_at "${#paths[@]}"
[[ $problems -eq 0 ]] || exit 1
share_out plant "${#bugs[@]}"
echo "${#bugs[@]} bugs planted, $problems problems"
[[ $problems -eq 0 ]]
