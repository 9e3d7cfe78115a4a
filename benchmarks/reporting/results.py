# SPDX-License-Identifier: MIT
"""The measured values: of each row, pinned to one core or not, each counter in each round."""

import json
import statistics


def load(path):
    return json.loads(path.read_text())


def save(path, data):
    """One row a line, so that a difference can be read."""
    head = {key: value for key, value in data.items() if key != "rows"}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in data["rows"].items()]
    lines.append('"rows": {\n' + ",\n".join(rows) + "\n}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def key(name, pinned=False):
    return ("pinned " if pinned else "") + name


class Rows:
    def __init__(self, data):
        self._rows = data["rows"]

    def __contains__(self, name):
        return name in self._rows

    def names(self, prefix):
        return [name for name in self._rows if name.startswith(prefix)]

    def values(self, name, counter):
        return self._rows.get(name, {}).get(counter, [])

    def counters(self, name):
        return list(self._rows[name])

    def median(self, name, counter):
        """None where it was not measured."""
        values = self.values(name, counter)
        return statistics.median(values) if values else None

    def spread(self, name, counter):
        """Half the distance of the quartiles, relative to the median."""
        values = self.values(name, counter)
        if len(values) < 4 or statistics.median(values) == 0:
            return None
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return (high - low) / 2 / abs(statistics.median(values))

    def speedup(self, name, base, counter="ns_per_request"):
        """How many times faster than `base`, by medians."""
        mine, its = self.median(name, counter), self.median(base, counter)
        return None if not mine or its is None else its / mine
