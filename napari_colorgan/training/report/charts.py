"""Curves of a training as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from napari_colorgan.training.events import History
from napari_colorgan.training.ticks import ticks_around


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a chart."""

    label: str
    points: Sequence[tuple[float, float]]
    color: str
    dashed: bool = False


def draw_curves(history: History) -> list[str]:
    """SVG of the loss, and of the PSNR of the held-out part with its two baselines."""
    last = max(
        [step for step, _ in history.losses]
        + [event.done for event in history.validations],
        default=0,
    )
    loss = Line("loss", history.losses, "var(--one)")
    lines = [
        Line(
            "held-out part",
            [(event.done, event.now.psnr) for event in history.validations],
            "var(--one)",
        )
    ]
    if history.validations:
        event = history.validations[-1]
        for name, figures, color in (
            ("before", event.before, "var(--two)"),
            ("left gray", event.gray, "var(--weak)"),
        ):
            line = Line(
                name, [(0, figures.psnr), (last, figures.psnr)], color, dashed=True
            )
            lines.append(line)
    charts = (
        _chart("Training loss", [loss], 0, last),
        _chart("PSNR, dB", lines, 0, last),
    )
    return [drawn for drawn in charts if drawn]


def _chart(title: str, lines: Sequence[Line], left: float, right: float) -> str:
    """Draw curves over steps `left` to `right` as SVG; '' where there is no point."""
    values = [y for line in lines for _, y in line.points if math.isfinite(y)]
    if not values:
        return ""
    ticks = ticks_around(min(values), max(values))
    low, high = min(ticks[0], *values), max(ticks[-1], *values)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / ((right - left) or 1)
        return 52 + 570 * across, 206 - 170 * (y - low) / (high - low)

    parts = [
        f'<svg viewBox="0 0 640 240" role="img" aria-label="{escape(title)}">',
        f'<text x="0" y="14" class="title">{escape(title)}</text>',
    ]
    for value in ticks:
        _, y = at(left, value)
        parts += [
            f'<path d="M52 {y:.1f}H622" stroke="var(--line)"/>',
            f'<text x="46" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>',
        ]
    for x, anchor in ((left, "start"), (right, "end")):
        place, _ = at(x, low)
        parts.append(
            f'<text x="{place:.0f}" y="226" text-anchor="{anchor}">{x:.0f}</text>'
        )
    parts.append('<text x="337" y="226" text-anchor="middle">steps</text>')
    for line, place in zip(lines, range(180, 640, 155), strict=False):
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        look = f'stroke="{line.color}"{dash}'
        points = " ".join(
            "{:.1f},{:.1f}".format(*at(x, y))
            for x, y in line.points
            if math.isfinite(y)
        )
        parts += [
            f'<polyline points="{points}" {look}/>',
            f'<path d="M{place} 10h22" {look} stroke-width="2"/>',
            f'<text x="{place + 27}" y="14">{escape(line.label)}</text>',
        ]
    return "\n".join([*parts, "</svg>"])
