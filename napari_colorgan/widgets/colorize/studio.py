"""What is kept between one look at a layer and the next: a model, and a plane."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_colorgan.arrays import Region
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import Job, Progress
from napari_colorgan.widgets.colorize.palette_panel import PaletteChoice
from napari_colorgan.widgets.parts.layers import LayerSource
from napari_colorgan.widgets.parts.swatches import Color

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.alternatives import Alternative
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.live import LivePlane
    from napari_colorgan.inference.suggestions import Suggestion


@dataclass(frozen=True, slots=True)
class Asked:
    """What a dock asks for; taken in the GUI thread, used in any."""

    source: LayerSource
    settings: ColorizerSettings
    """But for the palette."""
    palette: PaletteChoice | None
    hints: Hints | None
    """Of the displayed plane."""
    side: int
    """Of the preview, px."""
    place: tuple[int, int] | None = None
    """Where something changed: row and column."""
    region: Region | None = None
    """To be painted, too."""
    suggest: bool = False
    """Whether to suggest colours at the place."""
    colors: tuple[Color, ...] = ()
    """To be seen at the place's lightness, too."""


@dataclass(frozen=True, slots=True)
class Suggested(Progress):
    """The likeliest colours of the place are known."""

    suggestions: "list[Suggestion]"
    shown: dict[Color, Color]
    """What the colours that were asked for become there."""


@dataclass(frozen=True, slots=True)
class Judged(Progress):
    """Whether the model suits the plane is known, and how its colours will be made."""

    doubt: str
    """A sentence; empty if there is nothing to say."""
    record: dict[str, Any]


class Studio:
    """Colours the displayed plane of a layer; for one job at a time."""

    def __init__(self) -> None:
        self._key: Any = None
        self._colorizer: Colorizer | None = None
        self._source: LayerSource | None = None
        self._plane: LivePlane | None = None
        self._judged: tuple[LivePlane, Any, str] | None = None

    def forget_model(self) -> None:
        """Load the model anew, as it may be another one of the same name."""
        self._key = None

    def forget_plane(self) -> None:
        """Read the plane anew, as its values may have changed."""
        self._source = None

    def live_job(self, asked: Asked) -> Job[dict[str, Any]]:
        """Make a preview, paint a region, suggest colours; return the record."""
        from napari_colorgan.inference.colorize import record_of
        from napari_colorgan.inference.live import live_job
        from napari_colorgan.inference.suggestions import colors_at, suggest_in

        colorizer = yield from self._colorizer_job(asked)
        plane = self._plane_of(asked.source)
        record = record_of(
            plane.source, colorizer, asked.source.name, hints=asked.hints
        )
        yield Judged(0, 1, self._doubt(plane, colorizer), record)
        yield from live_job(
            plane,
            colorizer,
            asked.hints,
            side=asked.side,
            place=asked.place,
            region=asked.region,
        )
        if asked.suggest and asked.place is not None:
            found = []
            if colorizer.takes_palette:  # and so knows alternatives
                told = asked.hints and asked.hints.elsewhere(asked.place)
                found = suggest_in(plane, asked.place, colorizer, hints=told)
            shown = colors_at(plane, asked.place, asked.colors)
            yield Suggested(1, 1, found, dict(zip(asked.colors, shown, strict=True)))
        return record

    def alternatives_job(self, asked: Asked, side: int) -> "Job[list[Alternative]]":
        """Make other colourings of the plane, small."""
        from napari_colorgan.inference.alternatives import alternatives_job

        colorizer = yield from self._colorizer_job(asked)
        plane = self._plane_of(asked.source)
        return (
            yield from alternatives_job(
                plane, colorizer, asked.hints, side=side, place=asked.place
            )
        )

    def neutral_job(self, asked: Asked) -> Job[tuple[float, float]]:
        """Find the tint with which the place becomes neutral."""
        from napari_colorgan.inference.live import neutral_tint

        colorizer = yield from self._colorizer_job(asked)
        plane, place = self._plane_of(asked.source), asked.place or (0, 0)
        return neutral_tint(plane, colorizer, asked.hints, place)

    def _colorizer_job(self, asked: Asked) -> "Job[Colorizer]":
        """Load the model, unless it is there, and ask it for these colours."""
        from napari_colorgan.inference.colorize import colorizer_job
        from napari_colorgan.inference.live import LIVE_MEMORY

        wanted = asked.settings
        names = ("model", "context", "device", "engine", "tile")
        key = tuple(getattr(wanted, name) for name in names)
        if self._colorizer is None or self._key != key:
            plain = replace(
                wanted, vividness=None, saturation=1.0, warmth=0.0, steady=0.0
            )
            self._colorizer = yield from colorizer_job(plain)
            self._colorizer.remember(LIVE_MEMORY)
            self._key = key
        palette = None if asked.palette is None else asked.palette.palette()
        return self._colorizer.asked_for(
            vividness=wanted.vividness,
            saturation=wanted.saturation,
            warmth=wanted.warmth,
            steady=wanted.steady,
            palette=palette,
        )

    def _doubt(self, plane: "LivePlane", colorizer: "Colorizer") -> str:
        """Judge a plane once."""
        from napari_colorgan.inference.suitability import doubt_about

        known = self._judged
        if known is None or known[0] is not plane or known[1] != self._key:
            known = self._judged = plane, self._key, doubt_about(plane, colorizer)
        return known[2]

    def _plane_of(self, layer: LayerSource) -> "LivePlane":
        from napari_colorgan.inference.live import LivePlane
        from napari_colorgan.inference.steady import plane_in_stack

        known = self._source
        if known is None or self._plane is None or not layer.shows_as(known):
            self._plane = LivePlane.of(plane_in_stack(layer.whole(), layer.index))
            self._source = layer
        return self._plane
