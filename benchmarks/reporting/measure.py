# SPDX-License-Identifier: MIT
"""Runs the program, and runs again what was disturbed by others on the machine."""

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from . import plan, results

# Of the machine's CPU time, used by others or stolen: more than this disturbs a measurement.
DISTURBED = 0.04
TRIES = 4
QUIET_WAIT = 20  # Seconds to wait for the others to end, before each further try.

_NOT_COUNTERS = {
    "name", "run_name", "run_type", "family_index", "per_family_instance_index", "repetitions",
    "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit",
}


def _say(text):
    print(text, file=sys.stderr, flush=True)


def _machine_seconds():
    """CPU time used or stolen on the whole machine."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds():
    times = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(t.ru_utime + t.ru_stime for t in times)


class Disturbance:
    """The part of the machine that others used since this was made."""

    def __init__(self):
        self._start = (time.monotonic(), _machine_seconds(), _own_seconds())

    def share(self):
        start, machine, own = self._start
        now = _machine_seconds()
        if machine is None or now is None:
            return 0.0
        others = (now - machine) - (_own_seconds() - own)
        return max(others, 0) / ((time.monotonic() - start) * os.cpu_count())


def _run(program, part, prefix=()):
    """Counters by row of one run."""
    command = [*prefix, str(program), f"--benchmark_filter={part.filter}", f"--benchmark_min_time={part.seconds}",
               "--benchmark_format=json"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if not process.stdout:
        sys.exit(f"{' '.join(command)}\nwrote nothing, status {process.returncode}\n{process.stderr}")
    rows = {}
    for run in json.loads(process.stdout)["benchmarks"]:
        if run.get("error_occurred"):
            _say(f"  {run['name']}: {run['error_message']}")
            continue
        rows[run["name"]] = {k: v for k, v in run.items() if k not in _NOT_COUNTERS and isinstance(v, (int, float))}
    return rows


def _wait_for_quiet(until):
    while time.monotonic() < until:
        disturbance = Disturbance()
        time.sleep(0.5)
        if disturbance.share() <= DISTURBED:
            return


def _run_undisturbed(program, part, disturbed, patience):
    """The least disturbed of at most TRIES runs, while patience lasts; notes each that was done again."""
    prefix = ("taskset", "-c", str(os.cpu_count() - 1)) if part.pinned else ()
    best = None
    for _ in range(TRIES):
        disturbance = Disturbance()
        rows = _run(program, part, prefix)
        share = disturbance.share()
        if best is None or share < best[0]:
            best = (share, rows)
        if share <= DISTURBED or time.monotonic() > patience:
            break
        disturbed.append(f"{part.name}: {share:.0%}")
        _wait_for_quiet(min(patience, time.monotonic() + QUIET_WAIT))
    return best


def _add(rows, name, counters):
    for counter, value in counters.items():
        rows.setdefault(name, {}).setdefault(counter, []).append(float(f"{value:.5g}"))


def _instructions(program, names):
    """Instructions for each request in the part that is measured, by callgrind."""
    counts = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                       "--toggle-collect=*measured_steps*"]
            rows = _run(program, plan.Part(name, f"^{re.escape(name)}$", 0), command)
            with open(f"{folder}/out") as file:
                total = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
        if total and name in rows:
            counts[name] = int(total.group(1)) / rows[name]["requests"]
    return counts


def _header_cost(root, compiler):
    """Seconds to parse the umbrella header, over the standard headers that it includes."""
    umbrella = "#include <batchwright/batchwright.hpp>\n"
    base = [compiler, "-std=c++20", "-O0", "-x", "c++", "-"]
    listed = subprocess.run([*base, "-M", f"-I{root}/include"], input=umbrella, capture_output=True, text=True, check=True)
    headers = re.findall(r"\S+/include/batchwright/\S+\.hpp", listed.stdout)
    standard = set()
    for header in headers:
        with open(header) as file:
            standard.update(re.findall(r"^#include <([a-z_0-9]+)>$", file.read(), re.M))
    alone = "".join(f"#include <{name}>\n" for name in sorted(standard))
    seconds = {"with": [], "without": []}
    for _ in range(5):
        for kind, source in (("with", umbrella), ("without", alone)):
            start = time.monotonic()
            subprocess.run([*base, "-fsyntax-only", f"-I{root}/include"], input=source, text=True, check=True)
            seconds[kind].append(time.monotonic() - start)
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    return {"umbrella_s": medians["with"], "standard_s": medians["without"], "ratio": medians["with"] / medians["without"]}


def everything(root, build, rounds, only, patience):
    program = build / "benchmarks/batchwright_benchmarks"
    parts = [part for part in plan.parts() if only in part.name]
    if not shutil.which("taskset"):
        parts = [part for part in parts if not part.pinned]
    rows = {}
    disturbed = []
    start = time.monotonic()
    patience += start
    left = 0.0
    runs = 0
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}, {time.monotonic() - start:.0f} s")
        for part in parts:
            if part.rounds and number >= part.rounds:
                continue
            share, found = _run_undisturbed(program, part, disturbed, patience)
            runs += 1
            left = max(left, share)
            for name, counters in found.items():
                _add(rows, results.key(name, part.pinned), counters)
    for part in plan.steady_parts():
        if only in part.name:
            for name, counters in _run_undisturbed(program, part, disturbed, patience)[1].items():
                _add(rows, f"steady {name}", counters)
    measured = time.monotonic() - start
    if only in plan.counted_part().name and shutil.which("valgrind"):
        _say(f"instructions, {measured:.0f} s")
        names = [name for name in rows if name.startswith(("Depth/scheduler/", "Features/scheduler/"))]
        for name, count in _instructions(program, names).items():
            _add(rows, name, {"instructions_per_request": count})
    if only in "header":
        cache = (build / "CMakeCache.txt").read_text()
        compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M).group(1)
        _add(rows, "Header/umbrella", _header_cost(root, compiler))
    return {
        "seconds": round(measured),
        "runs": runs,
        "done_again": disturbed,
        "most_disturbed": round(left, 3),
        "rows": rows,
    }
