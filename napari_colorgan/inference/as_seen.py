"""Arrays of colours that are made where they are looked at, and kept for a while."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_colorgan.arrays import RGB, Array, Region
from napari_colorgan.inference.by_planes import ByPlanes
from napari_colorgan.inference.tiling import rectangles, within
from napari_colorgan.job import STOP, Job, Progress

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.zoom import ZoomedColors

BLOCK = 512  # px; side of what is made at once
KEPT = 256 << 20
"""Bytes of colours that are kept."""
_LOOKS = 6  # the latest ones, that count: what was wanted before is no longer seen


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a plane of one size."""

    level: int
    index: tuple[int, ...]
    top: int
    left: int


@dataclass(frozen=True, slots=True)
class BlockSeen(Progress):
    """A block has colours."""

    block: Block


class SeenColors:
    """Blocks that were made, and those that are wanted; safe to use from any thread.

    Parameters
    ----------
    most : bytes that are kept
    on_wanted : called by whoever looks where nothing is yet, in its thread
    """

    def __init__(self, colors: "ZoomedColors", most: int = KEPT) -> None:
        self.colors = colors
        self.on_wanted: Callable[[], object] = lambda: None
        self._most = most
        self._kept: OrderedDict[Block, tuple[RGB, bool]] = OrderedDict()
        self._wanted: OrderedDict[Block, int] = OrderedDict()  # and at which look
        self._looks = 0
        self._lock = threading.Lock()
        self._times = 0

    def region(self, block: Block) -> Region:
        """Return where a block lies, px of its size."""
        height, width = self.colors.levels[block.level].plane_shape
        return (
            slice(block.top, min(block.top + BLOCK, height)),
            slice(block.left, min(block.left + BLOCK, width)),
        )

    def look(self, blocks: Iterable[Block]) -> list[RGB | None]:
        """Return colours of blocks; None where there are none, which are wanted now."""
        seen: list[RGB | None] = []
        wanted = False
        with self._lock:
            self._looks += 1
            for block in blocks:
                kept = self._kept.get(block)
                if kept is None or kept[1]:
                    self._wanted[block] = self._looks
                    self._wanted.move_to_end(block)
                    wanted = True
                if kept is not None:
                    self._kept.move_to_end(block)
                seen.append(None if kept is None else kept[0])
            for block, look in list(self._wanted.items()):
                if look <= self._looks - _LOOKS:
                    del self._wanted[block]
        if wanted:
            self.on_wanted()
        return seen

    def change(self, colors: "ZoomedColors") -> None:
        """Make all colours anew."""
        with self._lock:
            self.colors = colors
            self._kept.clear()
            self._times += 1

    def forget(self) -> None:
        """Keep nothing, and want nothing."""
        with self._lock:
            self._kept.clear()
            self._wanted.clear()

    def make_job(self) -> Job[None]:
        """Make what is wanted, the latest first; finer where there is time for it."""
        while (block := self._next()) is not None:
            made = yield from self._made_job(block)
            if made is not None and (yield BlockSeen(1, 1, block)) is STOP:
                return

    def _made_job(self, block: Block) -> Job[RGB | None]:
        """Make one block, unless another one is wanted meanwhile."""
        with self._lock:
            known, times, colors = self._kept.get(block), self._times, self.colors
        where = block.level, block.index, self.region(block)
        if known is None:
            rgb, rough = colors.paint(*where), colors.is_rough(block.level)
            self._keep(block, rgb, rough, times)
            return rgb
        exact = colors.exact_job(*where)
        while True:
            try:
                event = next(exact)
            except StopIteration as end:
                self._keep(block, end.value, False, times)
                made: RGB = end.value
                return made
            stopped = (yield event) is STOP
            if stopped or self._waits(times):
                return None

    def _waits(self, times: int) -> bool:
        """Whether somebody sees nothing yet, or other colours are asked for."""
        with self._lock:
            missing = any(block not in self._kept for block in self._wanted)
            return missing or times != self._times

    def _next(self) -> Block | None:
        """Return what is wanted most: the latest without colours, then the latest."""
        with self._lock:
            latest = list(reversed(self._wanted))
            done = [b for b in latest if b in self._kept and not self._kept[b][1]]
            for block in done:
                del self._wanted[block]
            left = [block for block in latest if block in self._wanted]
            missing = (block for block in left if block not in self._kept)
            return next(missing, next(iter(left), None))

    def _keep(self, block: Block, rgb: RGB, rough: bool, times: int) -> None:
        with self._lock:
            if times != self._times:
                return
            self._kept[block] = rgb, rough
            if not rough:
                self._wanted.pop(block, None)
            held = sum(colors.nbytes for colors, _ in self._kept.values())
            while held > self._most and len(self._kept) > 1:
                held -= self._kept.popitem(last=False)[1][0].nbytes


class SeenArray(ByPlanes):
    """One size as an array with colours (..., 4) where they are made, else see-through.

    What is read of it is wanted from then on, if it lies in one plane.
    """

    samples = 4
    cuts = False

    def __init__(self, seen: SeenColors, level: int, order: Sequence[int]) -> None:
        super().__init__(seen.colors.levels[level].shape, order)
        self.seen = seen
        self.level = level

    def part(self, index: tuple[int, ...], region: Region) -> Array:
        """Return colours (y, x, 4) of a region of a plane, as far as they are made."""
        parts = list(rectangles(region, BLOCK))
        blocks = [Block(self.level, index, *map(_corner, part)) for part in parts]
        whole = np.zeros((*map(_length, region), 4), np.uint8)
        for part, block, rgb in zip(parts, blocks, self.seen.look(blocks), strict=True):
            if rgb is not None:
                into = whole[within(region, part)]
                into[..., :3] = rgb[within(self.seen.region(block), part)]
                into[..., 3] = 255
        return whole


def all_of(seen: SeenColors) -> Iterator[tuple[tuple[int, ...], Region, RGB]]:
    """All blocks at full size, plane by plane, made and not kept."""
    source = seen.colors.levels[0]
    for plane in source.planes():
        for region in rectangles(plane.whole, BLOCK):
            yield plane.index, region, seen.colors.paint(0, plane.index, region)


def count_of(seen: SeenColors) -> int:
    """How many blocks there are at full size."""
    source = seen.colors.levels[0]
    return source.count * math.prod(-(-side // BLOCK) for side in source.plane_shape)


def _corner(part: slice) -> int:
    return int(part.start // BLOCK * BLOCK)


def _length(side: slice) -> int:
    return int(side.stop - side.start)
