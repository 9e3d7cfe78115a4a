#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Breaks each rule of the other checks in a small tree and expects to be told so.
# Usage: selftest.sh
set -euo pipefail
checks=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# header <path> <line>...: a well-formed header around the lines, includes first.
header() {
  local path=$1 guard
  shift
  guard=BATCHWRIGHT_$(tr 'a-z/.' 'A-Z__' <<< "$path")
  mkdir -p "$(dirname "include/batchwright/$path")"
  {
    echo "// SPDX-License-Identifier: MIT"
    printf '#ifndef %s\n#define %s\n' "$guard" "$guard"
    for line in "$@"; do [[ $line = '#'* ]] && echo "$line"; done
    echo "namespace batchwright::inline v0_1 {"
    for line in "$@"; do [[ $line = '#'* ]] || echo "$line"; done
    echo "}  // namespace batchwright::inline v0_1"
    echo "#endif  // $guard"
  } > "include/batchwright/$path"
}

make_good_tree() {
  mkdir "$work/good" && cd "$work/good"
  mkdir -p cmake tests benchmarks examples docs .ci
  echo "# SPDX-License-Identifier: MIT" | tee CMakeLists.txt cmake/a.cmake > .ci/run
  header version.hpp '#define BATCHWRIGHT_VERSION_MAJOR 0' '#define BATCHWRIGHT_VERSION_MINOR 1'
  header errors.hpp 'inline void fail() { throw 1; }'
  header runtime.hpp '#include <thread>' '#include "version.hpp"'
  header policy.hpp '#include "version.hpp"'
  header detail/queue.hpp '#include "../policy.hpp"'
  header detail/scheduler.hpp '#include "queue.hpp"' '// never a throw here'
  header testing/test_runtime.hpp '#include "../runtime.hpp"'
  header dynamic_batcher.hpp '#include "detail/scheduler.hpp"' '#include "errors.hpp"' '#include "runtime.hpp"'
  printf '%s\n' '// SPDX-License-Identifier: MIT' '#ifndef BATCHWRIGHT_BATCHWRIGHT_HPP' \
    '#define BATCHWRIGHT_BATCHWRIGHT_HPP' '#include "dynamic_batcher.hpp"' \
    '#endif  // BATCHWRIGHT_BATCHWRIGHT_HPP' > include/batchwright/batchwright.hpp
  printf '%s\n' '// SPDX-License-Identifier: MIT' '#include <batchwright/batchwright.hpp>' '' 'int main() {}' \
    > examples/quickstart.cpp
  { echo '# Title'; echo '```cpp'; sed 1d examples/quickstart.cpp; echo '```'; } > README.md
  { echo '// SPDX-License-Identifier: MIT'; echo 'void f() { std::this_thread::sleep_for(1ms); }'; } \
    > tests/real_time_smoke_test.cpp
  { echo '// SPDX-License-Identifier: MIT'; echo 'TEST(Policy, Waits) {}'; echo '// TEST(Policy, Sleeps)'
    echo 'TEST_F(QueueTest,'; echo '       IsEmpty) {}'; echo 'TEST_P(Seeds, Agree) {}'; } > tests/policy_test.cpp
  echo 'Shown by `Policy.Waits`, `QueueTest.IsEmpty` and `Seeds.Agree` in `docs/a.md`.' > docs/a.md
}

good_tree() {
  cd "$work"
  rm -rf tree
  cp -r good tree
  cd tree
}

# passes <check>; catches <check> <part of the message> <command that breaks the tree>
passes() {
  good_tree
  bash "$checks/$1.sh" . > "$work/out" 2>&1 && return
  echo "$1 refuses a good tree:"; cat "$work/out"; failed=1
}
catches() {
  good_tree
  eval "$3"
  if bash "$checks/$1.sh" . > "$work/out" 2>&1; then
    echo "$1 passes after: $3"; failed=1
  elif ! grep -qF -- "$2" "$work/out"; then
    echo "$1 does not say '$2' after: $3"; cat "$work/out"; failed=1
  fi
}
append() { echo "$2" >> "$1"; }
lengthen() { for _ in $(seq "$2"); do echo '// long'; done >> "include/batchwright/$1"; }
inside() { sed -i "/^namespace batchwright/a $2" "include/batchwright/$1"; }
included() { sed -i "3a #include $2" "include/batchwright/$1"; }

make_good_tree

passes layers
catches layers 'layer 1 includes dynamic_batcher.hpp of layer 4' "included policy.hpp '\"dynamic_batcher.hpp\"'"
catches layers 'cycle: detail/queue.hpp -> detail/other.hpp -> detail/queue.hpp' "header detail/other.hpp '#include \"queue.hpp\"'; included detail/queue.hpp '\"other.hpp\"'"
catches layers 'no line of layers.txt names this header' "header stray.hpp"
catches layers 'is no header of the library' "included policy.hpp '\"absent.hpp\"'"
catches layers 'needs <mutex>' "included policy.hpp '<mutex>'"
catches layers 'needs <thread>' "included detail/queue.hpp '\"../runtime.hpp\"'"
catches layers 'needs a clock' "inside detail/queue.hpp 'inline auto f() { return std::chrono::steady_clock::now(); }'"
catches layers 'but of layer 3' "header batch.hpp; included detail/scheduler.hpp '\"../batch.hpp\"'; included dynamic_batcher.hpp '\"batch.hpp\"'"
catches layers '<iostream> is banned' "included runtime.hpp '<iostream>'"
catches layers 'relative and quoted' "included runtime.hpp '<batchwright/version.hpp>'"
catches layers 'must not be reached from the umbrella' "included batchwright.hpp '\"testing/test_runtime.hpp\"'"
catches layers 'must not be reached from the umbrella' "header timeline.hpp; included batchwright.hpp '\"timeline.hpp\"'"
catches layers 'is not reached from the umbrella' "header ticket.hpp"
catches layers 'pure header detail/scheduler.hpp is missing' "rm include/batchwright/detail/scheduler.hpp"

passes headers
catches headers 'must be // SPDX-License-Identifier: MIT' "sed -i 1d include/batchwright/policy.hpp"
catches headers 'the include guard must be' "sed -i s/POLICY_HPP/POLICY_H/ include/batchwright/policy.hpp"
catches headers 'not #pragma once' "included policy.hpp '<a>'; sed -i 's/#include <a>/#pragma once/' include/batchwright/policy.hpp"
catches headers 'a macro must begin with BATCHWRIGHT_' "sed -i '3a #define LIKELY' include/batchwright/policy.hpp"
catches headers 'stands outside the namespace' "append include/batchwright/policy.hpp 'inline int escaped = 0;'"
catches headers 'must be `namespace batchwright::inline v0_1 {' "sed -i 's/inline v0_1 {/inline v0_2 {/' include/batchwright/policy.hpp"
catches headers 'must be `namespace batchwright::inline v0_2 {' "sed -i 's/MINOR 1/MINOR 2/' include/batchwright/version.hpp"
catches headers 'must be `namespace batchwright::inline v0_1 {' "sed -i 's/batchwright::inline v0_1 {/batchwright {/' include/batchwright/policy.hpp"
catches headers 'a namespace is not closed' "sed -i 's|^}  // namespace.*|}|' include/batchwright/policy.hpp"
catches headers 'stand in errors.hpp alone' "inside policy.hpp 'inline void f() { throw 1; }'"
catches headers '400 are allowed' "lengthen policy.hpp 400"
catches headers '150 are allowed' "for f in policy runtime errors version detail/queue; do lengthen \$f.hpp 160; done"
catches headers 'nothing but includes' "append include/batchwright/batchwright.hpp '#pragma GCC poison x'"

passes sources
catches sources 'tests/a_test.cpp: lacks its SPDX' "append tests/a_test.cpp 'int a;'"
for call in 'std::this_thread::sleep_for(1ms);' 'std::this_thread::sleep_until(then);' '::usleep(5);' 'sleep(1);'; do
  catches sources 'sleeps in real time' "append tests/a_test.cpp '// SPDX-License-Identifier: MIT'; append tests/a_test.cpp '$call'"
done

passes readme
catches readme '-int main() { }' "sed -i 's/main() {}/main() { }/' README.md"
catches readme 'has no ```cpp block' "echo '# Title' > README.md"
catches readme 'must begin before line 40' "seq 40 | cat - README.md > longer; mv longer README.md"
catches readme 'is no part of examples/quickstart.cpp' "printf '%s\n' '<!-- examples/quickstart.cpp -->' '\`\`\`cpp' 'int other();' '\`\`\`' >> README.md"

passes docs
catches docs 'docs/a.md:2: no test in tests/ is called Policy.Wait' "append docs/a.md 'Also \`Policy.Wait\`.'"
catches docs 'docs/b.md:1: no test in tests/ is called Queue.Waits' "append docs/b.md '\`Queue.Waits\`'"
catches docs 'is called Policy.Sleeps' "append docs/a.md '\`Policy.Sleeps\`'"
catches docs 'is called Policy.Waits' "rm tests/policy_test.cpp"

[[ $failed = 0 ]] && echo "every planted fault was caught"
exit $failed
