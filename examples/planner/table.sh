#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The table of docs/policies.md: each policy in each situation, by the planner.
# Usage: table.sh <the planner>
set -euo pipefail
planner=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

usual=(greedy auto time:max_wait_ms=2 hybrid:size=16,max_wait_ms=2 adaptive:target_ms=10
       latency_fraction aimd:target_ms=10 regression control_limit:limits=3)
deadlines=(deadline deferred early_drop)
within_12=("${deadlines[@]}" auto:objective_ms=12)
within_25=("${deadlines[@]}" auto:objective_ms=25)
clients=(quorum:clients=32)
v100=(--service 0.1438,1.8874)
tight=(--service 1,5 --deadlines)

# situation <column> <figures> <kind of policies besides the usual ones> <option>...: writes lines of
# policy and cell.
situation() {
  local column=$1 figures=$2 more=$3 policy
  shift 3
  local -n besides=$more
  local policies=()
  for policy in "${usual[@]}" "${besides[@]}"; do policies+=(--policy "$policy"); done
  "$planner" "$@" "${policies[@]}" --requests 200000 --seed 1 --json "$work/json" > /dev/null
  awk -v figures="$figures" '
    function figure(key,  text) {
      text = $0
      if (!sub(".*\"" key "\": ", "", text)) return ""
      sub(/[,}].*/, "", text)
      return text
    }
    /"policy"/ {
      policy = $0; sub(/.*"policy": "/, "", policy); sub(/".*/, "", policy)
      cell = figures == "ms" ? sprintf("%.2f, %.1f", figure("mean_ms"), figure("p99_ms")) : sprintf("%.0f", figure(figures))
      print policy "\t" cell
    }' "$work/json" > "$work/$column"
}

none=()
situation 1 ms none --arrivals poisson:493 "${v100[@]}"
situation 2 ms none --arrivals poisson:2466 "${v100[@]}"
situation 3 ms none --arrivals poisson:4438 "${v100[@]}"
situation 4 ms none --arrivals poisson:9862 "${v100[@]}" --executors 4
situation 5 ms none --arrivals mmpp:6000,20,500,80 "${v100[@]}"
situation 6 throughput clients --arrivals closed:32,0.2 "${v100[@]}"
situation 7 throughput clients --arrivals closed:32,5 "${v100[@]}"
situation 8 goodput within_12 --arrivals poisson:2400 "${tight[@]}" --executors 8 --objective 12
situation 9 goodput within_25 --arrivals poisson:500 "${tight[@]}" --objective 25

echo "| policy | 10 % load | 50 % | 90 % | 50 %, 4 executors | bursts | 32 clients, 0.2 ms | 32 clients, 5 ms | deadlines, 8 executors | deadlines, 1 executor |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
for policy in "${usual[@]}" "${clients[@]}" "${within_12[@]}" \
  auto:objective_ms=25; do
  line="| \`$policy\` |"
  for column in 1 2 3 4 5 6 7 8 9; do
    cell=$(awk -F '\t' -v policy="$policy" '$1 == policy { print $2 }' "$work/$column")
    line+=" ${cell:--} |"
  done
  echo "$line"
done
