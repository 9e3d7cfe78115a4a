# SPDX-License-Identifier: MIT
"""What the library wants to reach, and whether it does. Ratios are of medians."""

import math

from . import plan, results

MODES = (("unpinned", False, False), ("pinned", True, False), ("greedy", False, True), ("greedy pinned", True, True))


def _mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def _speedups(rows, implementation, base, pinned, greedy, cells):
    found = {}
    for cell in cells:
        if cell == plan.TIMER_BOUND and not greedy:
            continue
        ratio = rows.speedup(results.key(plan.row(implementation, cell, greedy), pinned),
                             results.key(plan.row(base, cell, greedy), pinned))
        if ratio is not None:
            found[cell] = ratio
    return found


def _against(rows, implementation, base, worst, means):
    """`means` maps the outstanding requests, or a predicate over cells, to the geometric mean wanted. The
    goal is about a window of 1 ms, pinned and not; greedy is shown beside it."""
    texts, met = [], []
    for mode, pinned, greedy in MODES:
        ratios = _speedups(rows, implementation, base, pinned, greedy, plan.CELLS)
        if not ratios:
            continue
        parts = []
        for title, chosen, wanted in means:
            values = [ratio for cell, ratio in ratios.items() if chosen(cell)]
            if not values:
                continue
            parts.append(f"{title} {_mean(values):.2f}")
            if not greedy:
                met.append(_mean(values) >= wanted)
        parts.append(f"worst {min(ratios.values()):.2f}")
        if not greedy:
            met.append(min(ratios.values()) >= worst)
        texts.append(f"{mode}: " + ", ".join(parts))
    return "; ".join(texts), all(met) if met else None


def _all(cell):
    return True


def _w(window):
    return lambda cell: cell[0] == window


def _throughput(rows):
    yield ("`future` over `guide_port`: 1.0 in every cell, mean 1.5, 2 at W 64 P 1",
           *_against(rows, "future", "guide_port", 1.0,
                     [("mean", _all, 1.5), ("W 64 P 1", lambda cell: cell[:2] == (64, 1), 2)]))
    yield ("`ticket` over `guide_port`: mean 6 at W 1024, 4 at W 64, 2.5 in every cell",
           *_against(rows, "ticket", "guide_port", 2.5, [("W 1024", _w(1024), 6), ("W 64", _w(64), 4)]))
    for name in ("callback", "coroutine"):
        yield (f"`{name}` over `guide_port`: mean 4 at W 1024, 2.5 at W 64, 1.5 in every cell",
               *_against(rows, name, "guide_port", 1.5, [("W 1024", _w(1024), 4), ("W 64", _w(64), 2.5)]))
    texts, met = [], []
    for mode, pinned, _ in MODES[:2]:
        ratios = _speedups(rows, "future", "promise_floor", pinned, False, plan.CELLS)
        if ratios:
            texts.append(f"{mode}: mean {_mean(ratios.values()):.2f}, worst {min(ratios.values()):.2f}")
            met.append(min(ratios.values()) >= 0.8)
    yield "`future` over `promise_floor`: 0.8", "; ".join(texts), all(met) if met else None


def _extra_wakes(rows):
    """Context switches of all threads stand for wakes: who is woken had gone to sleep."""
    extra = {}
    for name in plan.INLINE:
        for cell in plan.CELLS:
            if cell == plan.TIMER_BOUND:
                continue
            inline, executor = (rows.median(plan.row(name + suffix, cell), "switches_per_1000") for suffix in ("", "_x1"))
            if inline is not None and executor is not None:
                extra[name, cell] = (executor - inline) / 1000 * cell[2]
    if not extra:
        return "", None
    few = sum(switches <= 1 for switches in extra.values())
    (name, (window, producers, batch)), most = max(extra.items(), key=lambda item: item[1])
    text = (f"at most one context switch more in {few} of {len(extra)} cells; the most are {most:.1f}, "
            f"{name} W {window} P {producers} B {batch}")
    return text, few == len(extra)


def _memory(rows):
    names = rows.names("steady ")
    if not names:
        return "", None
    allocations = max(rows.median(name, "allocs_per_request") or 0 for name in names)
    requests = min(rows.median(name, "requests") for name in names)
    growth = max(rows.median(name, "resident_growth_kib") for name in names)
    text = f"at most {allocations:.2g} a request and {growth:.0f} KiB, in {requests / 1e6:.2g} million or more"
    return text, requests >= 1e6 and allocations < 1e-4 and growth * 1024 < requests


def _refusals(rows):
    names = [f"Refusal/{form}" for form in ("try_submit", "callback", "ticket")]
    if any(name not in rows for name in names):
        return "", None
    times = [rows.median(name, "ns_per_request") for name in names]
    allocations = max(rows.median(name, "allocs_per_request") or 0 for name in names)
    return f"{max(times):.0f} ns, {allocations:.2g} allocations", max(times) < 100 and allocations == 0


def _windows(rows):
    texts, met = [], []
    for window in (100, 500, 2000):
        mine, bare = f"Lone/future/window_us:{window}", f"Lone/bare_wait_until/window_us:{window}"
        if mine not in rows or bare not in rows:
            continue
        p50, p99 = (rows.median(mine, counter) for counter in ("p50_us", "p99_us"))
        bare50, bare99 = (rows.median(bare, counter) for counter in ("p50_us", "p99_us"))
        texts.append(f"{window} us: p50 {p50:.0f} (bare {bare50:.0f}), p99 {p99:.0f} (bare {bare99:.0f})")
        met.append(p50 <= bare50 + 10 and p99 <= 1.3 * bare99)
    return "; ".join(texts), all(met) if met else None


def _caller(rows):
    mine, bare = (rows.median(f"Caller/{row}", "ns_per_request") for row in ("runs", "direct"))
    if mine is None or bare is None:
        return "", None
    return f"{mine - bare:.0f} ns", mine - bare < 200


def _greedy_lone(rows, implementation, wakes, more):
    mine = rows.median(f"Lone/{implementation}/window_us:0", "p50_us")
    bare = rows.median("Lone/bare_wake/window_us:0", "p50_us")
    if mine is None or bare is None:
        return "", None
    return f"{mine:.1f} us (bare wake {bare:.1f})", mine <= wakes * bare + more


def _bursts(rows):
    texts, met = [], []
    for name in rows.names("Burst/ticket/"):
        executors = int(name.rsplit(":", 1)[1])
        wakes = rows.median(name, "in_bare_wakes")
        texts.append(f"N {executors}: {wakes:.1f} ({rows.median(name, 'p50_us'):.0f} us)")
        met.append(wakes <= executors + 1)
    return "; ".join(texts), all(met) if met else None


def _adaptive(rows):
    cell = plan.TIMER_BOUND
    ratio = rows.speedup(plan.row("ticket_adaptive", cell), plan.row("ticket", cell, greedy=True))
    return ("", None) if ratio is None else (f"{ratio:.2f}", ratio >= 0.9)


def _depth(rows):
    deep, flat = "Depth/scheduler/queued:1000000/levels:64", "Depth/scheduler/queued:100/levels:1"
    ratio = rows.speedup(flat, deep, "instructions_per_request")
    if ratio is None:
        return "", None
    time = rows.speedup(flat, deep)
    return f"{ratio:.2f} in instructions, {time:.2f} in time", ratio <= 1.5


def _features(rows):
    plain = rows.median("Features/scheduler/plain", "instructions_per_request")
    if not plain:
        return "", None
    unused, used, worst = [], [], 0
    for name in rows.names("Features/scheduler/"):
        feature = name.rsplit("/", 1)[1]
        count = rows.median(name, "instructions_per_request")
        if feature == "plain" or count is None:
            continue
        text = f"{feature} {count / plain - 1:+.1%}"
        if feature in plan.USED_FEATURES:
            used.append(text)
            continue
        unused.append(text)
        worst = max(worst, count / plain)
    return f"{', '.join(unused)}; used by every request of their rows: {', '.join(used)}", worst <= 1.05


def _idle(rows):
    names = [name for name in ("Idle/future", "Idle/future_x1") if name in rows]
    if not names:
        return "", None
    switches = max(max(rows.values(name, "switches_per_second")) for name in names)
    cpu = max(rows.median(name, "cpu_us_per_second") for name in names) / 100
    return f"{switches:.2g} switches a second, {cpu:.2f} ms in 10 s", switches == 0 and cpu < 1


def _service(rows):
    texts = []
    for name in rows.names("Service/"):
        _, implementation, argument = name.split("/")
        length = argument.split(":")[1]
        texts.append(f"{implementation} {length} us: {rows.median(name, 'of_back_to_back'):.3f} "
                     f"({rows.median(name, 'switches_per_batch'):.1f} switches, "
                     f"{rows.median(name, 'cpu_us_per_batch'):.0f} us CPU a batch)")
    goal = rows.median("Service/callback_x1/predictor_us:1000", "of_back_to_back")
    return "; ".join(texts), None if goal is None else goal >= 0.97


def _metrics(rows):
    lost = rows.median("Metrics/snapshot_hz:100", "lost_percent")
    if lost is None:
        return "", None
    values = rows.values("Metrics/snapshot_hz:100", "lost_percent")
    time = rows.median("Metrics/snapshot_hz:100", "snapshot_us")
    text = (f"{lost:.1f} % (rounds from {min(values):.1f} to {max(values):.1f}); {time:.0f} us each, "
            f"{time * 100 / 1e6:.1%} of a core's time")
    return text, "within the noise" if max(values) - min(values) > 2 else lost < 1


def _header(rows):
    ratio = rows.median("Header/umbrella", "ratio")
    return ("", None) if ratio is None else (f"{ratio:.2f}", ratio <= 1.3)


def evaluate(rows):
    """Yields what, measured, and whether it is met: None for what was not measured, a text where that cannot be
    told."""
    yield from _throughput(rows)
    yield "executors 1, the same table: at most one extra wake a batch", *_extra_wakes(rows)
    yield "allocations in a million requests: 0; resident size flat (less than a byte a request)", *_memory(rows)
    yield "a million refusals by `try_submit`, callback, ticket: 0 allocations, under 100 ns each", *_refusals(rows)
    yield "lone request, lateness beyond its window: p50 of a bare timed wait + 10 us, p99 1.3 times its", *_windows(rows)
    yield "lone request, greedy, p50: a bare wake + 6 us", *_greedy_lone(rows, "future", 1, 6)
    yield "the same with an executor: two bare wakes + 10 us", *_greedy_lone(rows, "future_x1", 2, 10)
    yield "`predict_and_wait` run by its caller, over the predictor: under 200 ns", *_caller(rows)
    yield "N full batches at N idle executors: the last starts within N + 1 bare wakes", *_bursts(rows)
    yield "`AdaptivePolicy`, window that the clients cannot fill: 0.9 of greedy", *_adaptive(rows)
    yield "pure scheduler, a million queued with 64 priorities over 100 with one: 1.5 in instructions", *_depth(rows)
    yield "pure scheduler, a feature on but not used: 5 % more instructions", *_features(rows)
    yield "idle: 0 context switches, under 1 ms CPU in 10 s", *_idle(rows)
    yield "1 ms predictor, callbacks, over the predictor back to back: 0.97", *_service(rows)
    yield "metrics read at 100 Hz: under 1 % throughput lost", *_metrics(rows)
    yield "umbrella header over the standard headers that it includes: 1.3", *_header(rows)
