# SPDX-License-Identifier: MIT
"""The chart: for each cell, how many times faster than guide_port, on a logarithmic scale."""

import math

from . import plan, results

_SHOWN = (("promise_floor", "#9aa0a6"), ("future", "#1f77b4"), ("ticket", "#2ca02c"), ("callback", "#ff7f0e"),
          ("coroutine", "#9467bd"))
_WIDTH, _HEIGHT = 1000, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 64, 72
_LOW, _TICKS = 0.25, (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


def _text(x, y, text, anchor="middle", size=12, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'fill="#202124">{text}</text>')


def draw(data):
    rows = results.Rows(data)
    cells = [cell for cell in plan.CELLS if cell != plan.TIMER_BOUND]
    ratios = {(name, cell): rows.speedup(plan.row(name, cell), plan.row("guide_port", cell))
              for name, _ in _SHOWN for cell in cells}
    most = max([ratio for ratio in ratios.values() if ratio], default=2)
    high = next((tick for tick in _TICKS if tick > most), _TICKS[-1])

    def y_of(ratio):
        part = math.log(min(max(ratio, _LOW), high) / _LOW) / math.log(high / _LOW)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, "Requests a second, as times guide_port's (window 1 ms, predictor that costs nothing)", "start", 15, "bold"),
    ]
    x = _LEFT
    for name, colour in _SHOWN:
        out.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{colour}"/>')
        out.append(_text(x + 17, 46, name, "start"))
        x += 34 + 8 * len(name)
    for tick in _TICKS:
        if tick > high:
            break
        y = y_of(tick)
        colour, width = ("#202124", 1.5) if tick == 1 else ("#dadce0", 1)
        out.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="{width}"/>')
        out.append(_text(_LEFT - 8, y + 4, f"{tick:g}", "end"))
    step = (_WIDTH - _LEFT - _RIGHT) / len(cells)
    bar = step * 0.8 / len(_SHOWN)
    for index, cell in enumerate(cells):
        start = _LEFT + index * step + step * 0.1
        for place, (name, colour) in enumerate(_SHOWN):
            ratio = ratios[name, cell]
            if ratio is None:
                continue
            top, bottom = sorted((y_of(ratio), y_of(1)))
            out.append(f'<rect x="{start + place * bar:.1f}" y="{top:.1f}" width="{bar - 1:.1f}" '
                       f'height="{max(bottom - top, 1):.1f}" fill="{colour}"><title>{name} {ratio:.2f}</title></rect>')
        middle = start + step * 0.4
        for line, text in enumerate((f"W {cell[0]}", f"P {cell[1]}", f"B {cell[2]}")):
            out.append(_text(middle, _HEIGHT - _BOTTOM + 18 + 15 * line, text, size=11))
    machine = f"{data['machine']}; {data['compiler']}; {data['date']}"
    out.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, machine, "end", 10))
    out.append("</svg>")
    return "\n".join(out) + "\n"
