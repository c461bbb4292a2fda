"""The HTML page of a quality report: one file, no scripts, nothing from a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from napari_colorgan.metrics import Figures
from napari_colorgan.training.report.pictures import ERROR_COLORS, ERROR_RANGE

MARK = '<meta name="generator" content="napari-colorgan quality report">'
"""Tells a page of ours from others."""

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --weak: #888;
  --one: #1668b8; --two: #c2500a; }
@media (prefers-color-scheme: dark) { :root { --one: #6ab0f3; --two: #f0975a; } }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto;
  padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
h3 { margin: 2rem 0 .3rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .9rem .2rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th:first-child, .settings td { text-align: left; overflow-wrap: anywhere; }
.row { display: flex; gap: 8px; margin: .6rem 0; }
figure { margin: 0; min-width: 0; }
img { width: 100%; display: block; }
figcaption { text-align: center; }
.captions { display: flex; }
.captions span { flex: 1; }
.legend { max-width: 26rem; }
.scale { height: .8rem; }
.ticks { display: flex; justify-content: space-between; }
.note { background: var(--soft); padding: .6rem 1rem; }
.wide { overflow-x: auto; }
svg { width: 100%; max-width: 40rem; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
svg .title { font-weight: bold; }
svg polyline { fill: none; stroke-width: 1.8; }
small, .weak { color: var(--weak); }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A picture of the report."""

    name: str
    result: Figures
    before: Figures | None
    gray: Figures
    panels: tuple[str, ...]
    """Captions of the pictures side by side in `picture`."""
    picture: str
    """Path of the pictures side by side, relative to the page."""
    error: str
    """Path of the error map."""
    size: str
    """Height and width in px."""


def page(
    rows: Sequence[Row],
    *,
    settings: Mapping[str, object],
    charts: Sequence[str] = (),
    notes: Sequence[str] = (),
    made: str,
) -> str:
    """HTML of a report.

    Parameters
    ----------
    charts : SVG pictures as `chart` makes them
    notes : sentences above everything else
    made : by what and when
    """
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        MARK,
        '<meta name="viewport" content="width=device-width">',
        f"<title>Quality report</title><style>{_STYLE}</style></head><body>",
        f"<h1>Quality report</h1>\n<p><small>{escape(made)}</small></p>",
    ]
    parts += [f'<p class="note">{escape(note)}</p>' for note in notes]
    if rows:
        parts += ["<h2>Means</h2>", _means(rows)]
    if charts:
        parts += ["<h2>Curves</h2>", *charts]
    if rows:
        parts += ["<h2>Pictures</h2>", _scale(), *map(_picture, rows)]
    parts += ["<h2>Settings</h2>", _settings(settings)]
    return "\n".join([*parts, "</body></html>\n"])


def _means(rows: Sequence[Row]) -> str:
    gray = Figures.mean([row.gray for row in rows])
    kinds = {"result": Figures.mean([row.result for row in rows])}
    before = [row.before for row in rows if row.before is not None]
    if before:
        kinds["before"] = Figures.mean(before)
    count = f"{len(rows)} picture{'s' if len(rows) > 1 else ''}"
    return _figures(kinds | {"left gray": gray}, count) + (
        "<p><small>PSNR: higher is closer; the gain is that over leaving the picture "
        "gray. SSIM: at most 1. CIEDE2000: lower is closer, 1 is just noticeable. "
        "Colourfulness: as a part of the truth's (Hasler and S&uuml;sstrunk); its mean "
        "is that of all pictures together.</small></p>"
    )


def _picture(row: Row) -> str:
    kinds = {"result": row.result}
    if row.before is not None:
        kinds["before"] = row.before
    captions = "".join(f"<span>{escape(panel)}</span>" for panel in row.panels)
    described = f"{row.name}: {', '.join(row.panels)}"
    return "\n".join(
        [
            f"<section><h3>{escape(row.name)}</h3>",
            _figures(kinds | {"left gray": row.gray}, row.size),
            f'<div class="row"><figure style="flex: {len(row.panels)}">',
            _image(row.picture, described),
            f'<figcaption class="captions">{captions}</figcaption></figure>',
            f'<figure style="flex: 1">{_image(row.error, f"{row.name}: error map")}',
            "<figcaption>error</figcaption></figure></div></section>",
        ]
    )


def _image(path: str, described: str) -> str:
    return (
        f'<a href="{escape(path)}"><img loading="lazy" src="{escape(path)}" '
        f'alt="{escape(described)}"></a>'
    )


def _figures(kinds: Mapping[str, Figures], heading: str) -> str:
    gray = kinds["left gray"]
    head = (heading, "PSNR, dB", "gain, dB", "SSIM", "CIEDE2000", "colourfulness")
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    for name, figures in kinds.items():
        gain = "" if figures is gray else f"{figures.psnr - gray.psnr:+.2f}"
        cells = (
            f"{figures.psnr:.2f}",
            gain,
            f"{figures.ssim:.3f}",
            f"{figures.ciede2000:.2f}",
            f"{100 * figures.colorfulness:.0f} %",
        )
        shown = "".join(
            f"<td>{'&ndash;' if 'nan' in cell else cell}</td>" for cell in cells
        )
        lines.append(f"<th>{escape(name)}</th>{shown}")
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide"><table>{body}</table></div>'


def _settings(settings: Mapping[str, object]) -> str:
    lines = (
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>\n"
        for name, value in settings.items()
    )
    return f'<div class="wide"><table class="settings">{"".join(lines)}</table></div>'


def _scale() -> str:
    colors = ", ".join(ERROR_COLORS)
    steps = (ERROR_RANGE * quarter / 4 for quarter in range(5))
    ticks = [f"<span>{value:g}</span>" for value in steps]
    ticks[-1] = ticks[-1].replace("</span>", " and more</span>")
    return (
        '<div class="legend"><p>Error maps: CIEDE2000 of every pixel, with the same '
        "colours in every report; gray pixels are not judged.</p>"
        f'<div class="scale" style="background: linear-gradient(to right, {colors})">'
        f'</div><div class="ticks">{"".join(ticks)}</div></div>'
    )
