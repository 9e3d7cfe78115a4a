# SPDX-License-Identifier: MIT
"""The report for people."""

from . import goals, plan, results

_VERDICT = {True: "met", False: "**missed**", None: "not measured"}


def _table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


def _number(value):
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _throughput(rows, names, pinned, greedy):
    """Nanoseconds for each request of the baseline, and how many times faster the others are; behind each
    the spread of its own time."""
    base = "guide_port"
    names = [name for name in names
             if any(results.key(plan.row(name, cell, greedy), pinned) in rows for cell in plan.CELLS)]
    lines = []
    for cell in plan.CELLS:
        window, producers, batch = cell
        key = {name: results.key(plan.row(name, cell, greedy), pinned) for name in (base, *names)}
        if key[base] not in rows:
            continue

        def spread(name):
            value = rows.spread(key[name], "ns_per_request")
            return "" if value is None else f" ±{value:.0%}"

        line = [str(window), str(producers), str(batch) + ("*" if cell == plan.TIMER_BOUND and not greedy else ""),
                _number(rows.median(key[base], "ns_per_request")) + spread(base)]
        for name in names:
            ratio = rows.speedup(key[name], key[base])
            line.append("" if ratio is None else f"{ratio:.2f}{spread(name)}")
        lines.append(line)
    return _table(["W", "P", "B", "guide_port, ns", *names], lines) if lines else []


def _costs(rows, names, pinned, counter):
    lines = []
    for cell in plan.CELLS:
        line = [str(value) for value in cell]
        line += [_number(rows.median(results.key(plan.row(name, cell), pinned), counter)) for name in names]
        lines.append(line)
    return _table(["W", "P", "B", *names], lines)


def _others(rows, prefix, counters):
    lines = []
    for name in rows.names(prefix):
        line = [f"`{name}`"]
        for counter in counters:
            values = rows.values(name, counter)
            if not values:
                line.append("")
            elif len(values) == 1:
                line.append(_number(values[0]))
            else:
                line.append(f"{_number(rows.median(name, counter))} ({_number(min(values))} to {_number(max(values))})")
        lines.append(line)
    return _table(["row", *counters], lines) if lines else []


_OTHERS = (
    ("The machine itself", "Machine/", ("ns_per_request",)),
    ("A lone request", "Lone/", ("p50_us", "p99_us")),
    ("N full batches at N idle executors", "Burst/", ("p50_us", "first_wake_p50_us", "bare_wake_p50_us", "in_bare_wakes")),
    ("Deep queues", "Depth/", ("ns_per_request", "instructions_per_request")),
    ("Features that requests do not use", "Features/", ("ns_per_request", "instructions_per_request")),
    ("Refusals by a full queue", "Refusal/", ("ns_per_request", "allocs_per_request")),
    ("A blocking call on an idle batcher", "Caller/", ("ns_per_request", "allocs_per_request")),
    ("A predictor that computes", "Service/", ("of_back_to_back", "mean_batch", "switches_per_batch", "cpu_us_per_batch")),
    ("Open loop, worth something within 20 ms", "Goodput/", ("of_capacity", "p50_us", "p99_us", "answered_late")),
    ("Idle", "Idle/", ("switches_per_second", "cpu_us_per_second")),
    ("Metrics read all the time", "Metrics/", ("lost_percent", "snapshot_us")),
)


def report(data, path):
    rows = results.Rows(data)
    lines = [
        f"# Benchmarks of {data['date']}",
        "",
        f"{data['machine']}; {data['compiler']}. {data['rounds']} interleaved rounds in {data['seconds']} s. "
        f"{len(data['done_again'])} of {data['runs'] + len(data['done_again'])} runs were disturbed by others and done "
        f"again; the most that others had of the machine in a run that counts is {data['most_disturbed']:.1%}."
        + ("" if not data.get("measured_anew") else f" Measured anew later: {', '.join(data['measured_anew'])}."),
        "",
        f"![speed over guide_port]({path.with_suffix('.svg').name})",
        "",
        "## Goals",
        "",
    ]
    lines += _table(["goal", "measured", ""],
                    [(what, text, _VERDICT.get(met, met)) for what, text, met in goals.evaluate(rows)])
    lines += [
        "## Throughput",
        "",
        "P producers keep W requests outstanding each; batches of at most B. Times are for each request, `guide_port`'s in "
        "nanoseconds, the others' as times faster than it: ratios of medians, ± half the quartiles' distance. "
        "* is bound by its timer: W is less than B.",
        "",
    ]
    others = ("concurrentqueue", "promise_floor", *plan.INLINE)
    for title, names, pinned, greedy in (
        ("Window 1 ms, predictor on the dispatcher's thread", others, False, False),
        ("The same, pinned to one core", others, True, False),
        ("Greedy", plan.INLINE, False, True),
        ("Greedy, pinned to one core", plan.INLINE, True, True),
        ("Window 1 ms, one executor", plan.EXECUTOR, False, False),
    ):
        table = list(_throughput(rows, names, pinned, greedy))
        if table:
            lines += [f"### {title}", "", *table]
    for title, counter in (("CPU time, ns a request", "cpu_ns_per_request"),
                           ("Allocations a request", "allocs_per_request"),
                           ("Context switches per 1000 requests", "switches_per_1000")):
        if plan.row("guide_port", plan.CELLS[0]) in rows:
            lines += [f"### {title}, window 1 ms", "", *_costs(rows, ("guide_port", *others), False, counter)]
    for title, prefix, counters in _OTHERS:
        table = list(_others(rows, prefix, counters))
        if table:
            lines += [f"## {title}", "", "Medians (least to most).", "", *table]
    return "\n".join(lines).rstrip() + "\n"
