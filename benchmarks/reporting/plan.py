# SPDX-License-Identifier: MIT
"""What is run: parts, each one process in each round, so that the implementations that are compared take
turns within seconds of each other."""

import dataclasses
import itertools

PRODUCERS = (1, 2, 4)
WINDOWS = (64, 1024)
BATCHES = (32, 128)
CELLS = list(itertools.product(WINDOWS, PRODUCERS, BATCHES))

INLINE = ("future", "ticket", "callback", "coroutine")
EXECUTOR = tuple(name + "_x1" for name in INLINE)
BASELINES = ("guide_port", "concurrentqueue", "promise_floor")

# Features that each request of their rows uses, because they cannot be left unused.
USED_FEATURES = ("flow", "sticky_lane", "padded", "cheapest")

# One producer can never fill this batch, so with a window all wait for the timer.
TIMER_BOUND = (64, 1, 128)


def row(implementation, cell, greedy=False):
    window, producers, batch = cell
    name = f"Throughput/{implementation}/producers:{producers}/window:{window}/max_batch:{batch}"
    return name + ("/greedy:1" if greedy else "")


@dataclasses.dataclass
class Part:
    name: str
    filter: str
    seconds: float  # Of each row.
    rounds: int = 0  # As many as the others unless set.
    pinned: bool = False


def _throughput(cell, pinned):
    window, producers, batch = cell
    greedy = ("guide_port",) + INLINE
    timed = BASELINES + INLINE + (() if pinned else EXECUTOR + ("ticket_adaptive",))
    where = f"/producers:{producers}/window:{window}/max_batch:{batch}"
    return Part(
        f"throughput P{producers} W{window} B{batch}" + (" pinned" if pinned else ""),
        f"^Throughput/(({'|'.join(timed)}){where}|({'|'.join(greedy)}){where}/greedy:1)$",
        0.08,
        pinned=pinned,
    )


def parts():
    for pinned in (False, True):
        for cell in CELLS:
            yield _throughput(cell, pinned)
    yield Part("lone", "^Lone/(bare_.*|guide_port/.*|future(_x1|_slack_1us)?/.*)", 0.4)
    yield Part("burst", "^Burst/", 0.3)
    yield Part("depth of the scheduler", "^Depth/scheduler", 0.2)
    yield Part("depth of a batcher", "^Depth/ticket", 0.2, rounds=2)
    yield Part("idle", "^Idle/", 10, rounds=1)
    yield Part("service", "^Service/", 0.4)
    yield Part("goodput", "^Goodput/", 1, rounds=3)
    yield Part("features", "^Features/", 0.1)
    yield Part("refusals", "^(Refusal|Caller|Machine)/", 0.1)
    yield Part("metrics", "^Metrics/", 8)


def steady_parts():
    """Long enough for a million requests of each, to see whether memory grows."""
    where = "/producers:2/window:1024/max_batch:32"
    yield Part("steady state of futures", f"^Throughput/future(_x1)?{where}$", 5)
    yield Part("steady state", f"^Throughput/(ticket|callback|coroutine)(_x1)?{where}$", 1.5)


def counted_part():
    """The pure scheduler's rows, of which the instructions are counted."""
    return Part("instructions", "^(Depth/scheduler|Features/scheduler)/", 0)
