"""Round numbers along the axis of a curve: 1, 2 or 5 times a power of ten apart."""

import math
from collections.abc import Iterator

_ALIKE = 1e-9  # difference, in parts of the size, that is none on a chart


def ticks_within(low: float, high: float, most: int) -> Iterator[float]:
    """Numbers from `low` to `high`, at most `most` + 1 of them."""
    step = _step((high - low) / most)
    for n in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield round(n * step, 12)


def ticks_around(low: float, high: float) -> list[float]:
    """About four numbers that enclose `low` to `high`."""
    size, span = max(abs(low), abs(high)), high - low
    if span < _ALIKE * max(1.0, size):  # less than numbers of this size can tell apart
        span = size if size > _ALIKE else 1.0
    step = _step(span / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _step(least: float) -> float:
    """Distance of numbers that are at least about this far apart."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - _ALIKE))
